// One GPU: what it is doing, its marks, its place on a colour scale, and the
// drawer with its readings and its last hour.
import { html, useEffect, useRef } from "./dom.js";
import { queryRange, useLoad } from "./api.js";
import { Chart } from "./chart.js";
import { gib, num } from "./format.js";
import { Fault, Loading, Tag } from "./parts.js";
import { href } from "./route.js";

// Below idleUtil percent a GPU does no work to speak of. With more than
// heldMemory MiB in use somebody keeps it all the same: an empty process's
// CUDA context is below that.
const idleUtil = 5;
const heldMemory = 1024;

// doing is the one word for a GPU: lost, sick, busy, held, free or unknown.
export function doing(g) {
  if (g.lost) return "lost";
  if (g.xid) return "sick";
  if (g.util === null) return "unknown";
  if (g.util >= idleUtil) return "busy";
  return g.memUsed !== null && g.memUsed > heldMemory ? "held" : "free";
}

export const doingText = {
  lost: "lost: no longer answers", sick: "reported an Xid within the hour", busy: "busy",
  held: "idle, but its memory is held", free: "free", unknown: "no reading of its work",
};

const share = (g) => (g.memUsed === null || !g.memTotal ? null : (100 * g.memUsed) / g.memTotal);

// The ways to colour the map. top, where given, is the upper end for the fleet
// shown; power limits differ between models.
export const modes = [
  { id: "util", name: "Utilisation", unit: "%", of: (g) => g.util, lo: 0, hi: 100, digits: 0 },
  { id: "temp", name: "Temperature", unit: "°C", of: (g) => g.temp, lo: 30, hi: 90, digits: 0 },
  { id: "power", name: "Power", unit: "W", of: (g) => g.power, lo: 0, hi: 100, digits: 0, grows: 100 },
  { id: "mem", name: "Memory", unit: "%", of: share, lo: 0, hi: 100, digits: 0 },
  { id: "score", name: "Anomaly", unit: "", of: (g) => g.score, lo: 0, hi: 1, digits: 2 },
];

export const steps = 10;

// shadeOf is the step of the colour scale, 0..steps-1, or "none".
export function shadeOf(mode, top, v) {
  if (v === null || v === undefined) return "none";
  const at = Math.floor(((v - mode.lo) / (top - mode.lo)) * steps);
  return Math.min(Math.max(at, 0), steps - 1);
}

// marks are the glyphs of a GPU, the gravest first: [glyph, meaning].
export function marks(g) {
  const all = [];
  if (g.lost) all.push(["✕", "lost: no longer answers"]);
  if (g.xid) all.push(["!", "Xid " + g.xid + " within the hour"]);
  if (g.throttled) all.push(["▾", "throttled"]);
  return all;
}

const reading = (v, unit) => (v === null ? num(v) : num(v) + " " + unit);

// Readings lists what a GPU reads now.
export function Readings({ gpu }) {
  const rows = [
    ["Utilisation", reading(gpu.util, "%")], ["Temperature", reading(gpu.temp, "°C")], ["Power", reading(gpu.power, "W")],
    ["Memory", gib(gpu.memUsed) + " of " + gib(gpu.memTotal) + " GiB"], ["Anomaly score", num(gpu.score, 2)],
  ];
  return html`<dl class="readings">${rows.map(([k, v]) => html`<div key=${k}><dt>${k}</dt><dd>${v}</dd></div>`)}</dl>`;
}

// States are the words a GPU's marks stand for, as tags.
export function States({ gpu }) {
  return html`${marks(gpu).map(([glyph, text]) => html`<${Tag} tone=${glyph === "▾" ? "warn" : "crit"}><i aria-hidden="true">${glyph}</i> ${text}</${Tag}> `)}
    ${doing(gpu) === "held" && html`<${Tag} tone="warn">${doingText.held}</${Tag}>`}`;
}

const charts = [
  { title: "Utilisation", metric: "DCGM_FI_DEV_GPU_UTIL", unit: "%", range: [0, 100] },
  { title: "Temperature", metric: "DCGM_FI_DEV_GPU_TEMP", unit: "Cel" },
  { title: "Power", metric: "DCGM_FI_DEV_POWER_USAGE", unit: "W" },
  { title: "Memory used", metric: "DCGM_FI_DEV_FB_USED", unit: "MiBy" },
];

// LastHour draws a GPU's last hour up to now (a time of the wire), anew each minute.
function LastHour({ node, gpu, now }) {
  const end = Math.floor(Date.parse(now) / 60000) * 60;
  const at = `{Hostname="${node}",gpu="${gpu}"}`;
  const { data, error, loading } = useLoad(at + end, () =>
    Promise.all(charts.map((c) => queryRange(c.metric + at, end - 3600, end, 30))));
  const shown = useRef(null);
  if (data) shown.current = { at, data };
  if (error) return html`<${Fault} error=${error} doing="The last hour" />`;
  if (loading && shown.current?.at !== at) return html`<${Loading} what="the last hour" lines=${6} />`;
  return html`<div class="hour">${charts.map((c, i) => {
    const s = shown.current.data[i];
    if (!s) return html`<p class="nodata" key=${c.metric}><b>${c.title}</b> no samples in the last hour</p>`;
    return html`<${Chart} key=${c.metric} small title=${c.title} label=${c.title + ", last hour"} series=${[s]}
      unit=${c.unit} range=${c.range} height=${92} sync="hour" />`;
  })}</div>`;
}

// alertDraft is a question that asks for an alert on what the map shows.
function alertDraft(mode, node, gpu) {
  const what = {
    util: `GPU utilisation on ${node} is below 5 % for 30 minutes`,
    temp: `any GPU on ${node} is hotter than ${Math.max(85, Math.ceil((gpu.temp || 80) / 5) * 5)} °C for 5 minutes`,
    power: `GPU power on ${node} is above ${Math.ceil((gpu.power || 400) / 50) * 50} W for 10 minutes`,
    mem: `GPU memory on ${node} is more than 95 % used for 10 minutes`,
    score: `any GPU on ${node} has an Xid error`,
  };
  return "alert me when " + what[mode];
}

// Drawer shows one GPU beside the map.
export function Drawer({ node, gpu, mode, now, onClose }) {
  useEffect(() => {
    const esc = (e) => e.key === "Escape" && onClose();
    document.addEventListener("keydown", esc);
    return () => document.removeEventListener("keydown", esc);
  });
  return html`<aside class="drawer" aria-label=${node.name + " GPU " + gpu.gpu}>
    <header>
      <h2>${node.name} <span class="muted">GPU</span> ${gpu.gpu}</h2>
      <button type="button" class="quiet close" aria-label="Close" onClick=${onClose}>✕</button>
    </header>
    <p class="facts">${gpu.model}${gpu.pod ? html` · <span title="pod">${gpu.namespace}/${gpu.pod}</span>` : " · no pod"}
      <code class="uuid">${gpu.uuid}</code></p>
    <p class="tags"><${States} gpu=${gpu} />
      ${node.cordoned && html`<${Tag} tone="warn"><i aria-hidden="true">⊘</i> node cordoned</${Tag}>`}
      ${gpu.incident && html`<a class="tag crit" href=${href("incidents", gpu.incident)}>incident ${gpu.incident}</a>`}</p>
    <p class="buttons">
      <a class="button primary" href=${href("ask", "", { q: "what is wrong with " + node.name })}>Why?</a>
      <a class="button" href=${href("ask", "", { draft: alertDraft(mode, node.name, gpu) })}>Alert on this</a></p>
    <${Readings} gpu=${gpu} />
    <h3>Last hour</h3>
    <${LastHour} node=${node.name} gpu=${gpu.gpu} now=${now} />
  </aside>`;
}

