// The fleet: key figures, the map of every GPU (one row per node, one cell per
// GPU), the same as a table, and the tooltip. The drawer is in gpu.js.
import { html, useRef, useState } from "./dom.js";
import { usePoll } from "./api.js";
import { num, plural } from "./format.js";
import { doing, doingText, Drawer, marks, modes, Readings, shadeOf, States, steps } from "./gpu.js";
import { Empty, Fault, Loading, Segments } from "./parts.js";
import { change, href, useRoute } from "./route.js";

// Up to roomy nodes, cells are large enough to carry their value.
const roomy = 40;

function countOf(nodes) {
  const c = { gpus: 0, busy: 0, held: 0, free: 0, lost: 0, sick: 0, unknown: 0, watts: 0, metered: 0, heldMiB: 0 };
  for (const g of nodes.flatMap((n) => n.gpus)) {
    const d = doing(g);
    c.gpus++;
    c[d]++;
    if (d === "held") c.heldMiB += g.memUsed;
    if (g.power === null) continue;
    c.watts += g.power;
    c.metered++;
  }
  return c;
}

function Figure({ name, value, unit, note, tone = "", show, shown, link }) {
  const inner = html`<span class="name">${name}</span>
    <span class="value">${value}${unit && html`<small> ${unit}</small>`}</span><span class="note">${note}</span>`;
  if (link) return html`<a class=${"figure " + tone} href=${link}>${inner}</a>`;
  if (!show) return html`<div class=${"figure " + tone}>${inner}</div>`;
  return html`<button type="button" class=${"figure " + tone} aria-pressed=${shown === show}
    title=${shown === show ? "Show all" : "Show only these"} onClick=${() => change({ show: shown === show ? "" : show })}>${inner}</button>`;
}

function Figures({ nodes, status, shown }) {
  const c = countOf(nodes);
  const bad = c.lost + c.sick;
  const open = status?.openIncidents ?? 0;
  return html`<section class="figures" aria-label="Key figures">
    <${Figure} name="GPUs" value=${num(c.gpus)} note=${plural(nodes.length, "node") + ", " + num(c.free) + " free"} />
    <${Figure} name="Busy" value=${num(c.busy)} note=${c.gpus ? num((100 * c.busy) / c.gpus) + " % of the fleet" : ""} show="busy" shown=${shown} />
    <${Figure} name="Idle, held" value=${num(c.held)} tone=${c.held ? "warn" : ""} show="held" shown=${shown}
      note=${c.held ? num(c.heldMiB / 1024) + " GiB held, no work" : "no memory held idle"} />
    <${Figure} name="Lost or unhealthy" value=${num(bad)} tone=${bad ? "crit" : ""} note=${bad ? num(c.lost) + " lost, " + num(c.sick) + " with an Xid" : "all answer"} show="bad" shown=${shown} />
    <${Figure} name="Power" value=${num(c.watts / 1000, 1)} unit="kW" note=${c.metered ? num(c.watts / c.metered) + " W per GPU" : "not read"} />
    <${Figure} name="Open incidents" value=${num(open)} tone=${open ? "crit" : ""} note=${plural(status?.waitingActions ?? 0, "action") + " to decide"} link=${href("incidents")} />
  </section>`;
}

const isShown = (g, show) => !show || doing(g) === show || (show === "bad" && (g.lost || g.xid > 0));

function cellLabel(node, g, mode) {
  const v = mode.of(g);
  return [node.name + " GPU " + g.gpu, v === null ? "no " + mode.name.toLowerCase() : mode.name + " " + num(v, mode.digits) + " " + mode.unit,
    ...marks(g).map((m) => m[1]), g.incident && "open incident"].filter(Boolean).join(", ");
}

function Cell({ node, g, mode, top, show, wide, at, picked }) {
  const v = mode.of(g);
  const glyphs = marks(g);
  const key = node.name + "/" + g.gpu;
  const cls = ["cell", "s" + shadeOf(mode, top, g.lost ? null : v), g.incident && "open", !isShown(g, show) && "dim", picked === key && "picked"];
  return html`<button type="button" role="gridcell" class=${cls.filter(Boolean).join(" ")} data-key=${key}
    tabindex=${at === key ? 0 : -1} aria-label=${cellLabel(node, g, mode)}>
    ${wide && !g.lost && html`<span class="v">${num(v, mode.digits)}</span>`}
    ${glyphs.length > 0 && html`<i aria-hidden="true">${wide ? glyphs.map((m) => m[0]).join("") : glyphs[0][0]}</i>`}</button>`;
}

function NodeName({ node, stale }) {
  return html`<span class="node" role="rowheader">
    <a href=${href("ask", "", { q: "what is wrong with " + node.name })} tabindex="-1" title=${"What is wrong with " + node.name + "?"}>${node.name}</a>
    ${node.cordoned && html`<i title="cordoned: nothing new is scheduled here" aria-label="cordoned">⊘</i>`}
    ${!node.ready && html`<i class="crit" title="the node is not ready" aria-label="not ready">◌</i>`}
    ${stale && html`<i class="warn" title="its agent has sent nothing for three periods" aria-label="stale">◷</i>`}
  </span>`;
}

// move is where an arrow key leads from a cell: [node, gpu] or null.
function move(nodes, key, at) {
  const row = nodes.findIndex((n) => at.startsWith(n.name + "/"));
  if (row < 0) return null;
  const col = nodes[row].gpus.findIndex((g) => at === nodes[row].name + "/" + g.gpu);
  const to = { ArrowLeft: [row, col - 1], ArrowRight: [row, col + 1], ArrowUp: [row - 1, col], ArrowDown: [row + 1, col],
    Home: [row, 0], End: [row, nodes[row].gpus.length - 1] }[key];
  const node = to && nodes[to[0]];
  const gpu = node && to[1] >= 0 && node.gpus[Math.min(to[1], node.gpus.length - 1)];
  return gpu && (to[0] !== row || to[1] < node.gpus.length) ? node.name + "/" + gpu.gpu : null;
}

function pools(nodes) {
  const by = new Map();
  for (const n of nodes) by.set(n.pool, [...(by.get(n.pool) || []), n]);
  return [...by].sort(([a], [b]) => a.localeCompare(b));
}

function HeatMap({ nodes, mode, top, show, stale, picked, onPick }) {
  const box = useRef(null);
  const [at, setAt] = useState(picked || nodes[0].name + "/" + (nodes[0].gpus[0]?.gpu ?? ""));
  const [hint, setHint] = useState(null);
  const wide = nodes.length <= roomy;
  const groups = pools(nodes);
  const order = groups.flatMap(([, ns]) => ns);

  const cellOf = (e) => e.target.closest?.("[data-key]");
  const point = (e) => {
    const el = cellOf(e);
    setHint(el ? { key: el.dataset.key, box: el.getBoundingClientRect() } : null);
  };
  const onKey = (e) => {
    const el = cellOf(e);
    const to = el && move(order, e.key, el.dataset.key);
    if (!to) return;
    e.preventDefault();
    setAt(to);
    box.current.querySelector(`[data-key="${CSS.escape(to)}"]`)?.focus();
    if (picked) onPick(to);
  };
  const pick = (e) => {
    const el = cellOf(e);
    if (!el) return;
    setAt(el.dataset.key);
    setHint(null);
    onPick(el.dataset.key);
  };

  return html`<div class=${"map" + (wide ? " wide" : "")} role="grid" aria-label=${"GPUs by " + mode.name.toLowerCase()} ref=${box}
    onMouseOver=${point} onMouseLeave=${() => setHint(null)} onFocusIn=${point} onFocusOut=${() => setHint(null)} onKeyDown=${onKey} onClick=${pick}>
    ${groups.map(([pool, ns]) => html`<div class="pool" role="rowgroup" key=${pool}>
      ${groups.length > 1 && html`<h3>${pool || "no pool"} <span class="muted">${plural(ns.length, "node")}</span></h3>`}
      <div class="nodes" role="presentation">${ns.map((n) => html`<div class="row" role="row" key=${n.name}>
        <${NodeName} node=${n} stale=${stale.has(n.name)} />
        <span class="cells" role="presentation">${n.gpus.map((g) => html`<${Cell} key=${g.gpu} ...${{ node: n, g, mode, top, show, wide, at, picked }} />`)}</span>
        ${wide && html`<span class="sum muted">${num(n.gpus.reduce((w, g) => w + (g.power || 0), 0) / 1000, 1)} kW</span><span class="type muted">${n.type}</span>`}
      </div>`)}</div>
    </div>`)}
    ${hint && html`<${Tip} hint=${hint} nodes=${nodes} />`}
  </div>`;
}

function Tip({ hint, nodes }) {
  const node = nodes.find((n) => hint.key.startsWith(n.name + "/"));
  const g = node?.gpus.find((x) => hint.key === node.name + "/" + x.gpu);
  if (!g) return null;
  const right = hint.box.left + 290 > innerWidth;
  const above = hint.box.bottom + 270 > innerHeight;
  const style = {
    left: right ? "auto" : hint.box.left + "px", right: right ? innerWidth - hint.box.right + "px" : "auto",
    top: above ? "auto" : hint.box.bottom + 6 + "px", bottom: above ? innerHeight - hint.box.top + 6 + "px" : "auto",
  };
  return html`<div class="tip" role="tooltip" style=${style}>
    <b>${node.name} GPU ${g.gpu}</b><code>${g.uuid}</code>
    <span>${g.pod ? g.namespace + "/" + g.pod : "no pod"}</span>
    <${Readings} gpu=${g} /><span class="tags"><${States} gpu=${g} /></span></div>`;
}

function Legend({ mode, top }) {
  return html`<div class="legend">
    <span class="scale"><span>${num(mode.lo, 0)}</span>
      <span class="ramp" aria-hidden="true">${Array.from({ length: steps }, (_, i) => html`<i class=${"s" + i}></i>`)}</span>
      <span>${num(top, 0)} ${mode.unit}</span></span>
    <span><i class="sample snone" aria-hidden="true"></i>no reading</span><span><i aria-hidden="true">✕</i>lost</span><span><i aria-hidden="true">!</i>Xid within the hour</span>
    <span><i aria-hidden="true">▾</i>throttled</span><span><i class="sample open" aria-hidden="true"></i>open incident</span>
    <span><i aria-hidden="true">⊘</i>cordoned</span><span><i aria-hidden="true">◷</i>stale</span>
    <span class="keys">arrow keys move, Enter opens</span></div>`;
}

const columns = [
  ["node", "Node", (n) => n.name], ["gpu", "GPU", (n, g) => Number(g.gpu)], ["model", "Model", (n, g) => g.model],
  ["util", "Util %", (n, g) => g.util, 0], ["temp", "°C", (n, g) => g.temp, 0], ["power", "W", (n, g) => g.power, 0],
  ["mem", "Used GiB", (n, g) => (g.memUsed === null ? null : g.memUsed / 1024), 1], ["score", "Anomaly", (n, g) => g.score, 2],
  ["doing", "State", (n, g) => doing(g)], ["pod", "Pod", (n, g) => (g.pod ? g.namespace + "/" + g.pod : "")],
];

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === "") return 1;
  if (b === null || b === "") return -1;
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
}

function Table({ nodes, show, sort, onPick }) {
  const [by, down] = [sort.replace("-", ""), sort.startsWith("-")];
  const value = (columns.find((c) => c[0] === by) || columns[0])[2];
  const rows = nodes.flatMap((n) => n.gpus.filter((g) => isShown(g, show)).map((g) => ({ n, g })));
  rows.sort((a, b) => (down ? -1 : 1) * compare(value(a.n, a.g), value(b.n, b.g)));
  return html`<div class="scroll"><table class="gpus"><thead><tr>${columns.map(([id, name, , digits]) => html`<th key=${id}
      class=${digits !== undefined ? "n" : ""} aria-sort=${id === by ? (down ? "descending" : "ascending") : "none"}>
      <button type="button" onClick=${() => change({ sort: id === by && !down ? "-" + id : id })}>${name}${id === by ? (down ? " ↓" : " ↑") : ""}</button></th>`)}</tr></thead>
    <tbody>${rows.map(({ n, g }) => html`<tr key=${n.name + "/" + g.gpu} onClick=${() => onPick(n.name + "/" + g.gpu)}>
      ${columns.map(([id, , of, digits]) => html`<td key=${id} class=${digits !== undefined ? "n" : ""}>${cellText(id, of(n, g), digits, n, g)}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

function cellText(id, v, digits, n, g) {
  if (digits !== undefined) return num(v, digits);
  if (id === "gpu") return html`<button type="button" class="link" aria-label=${n.name + " GPU " + g.gpu}>${g.gpu}</button>`;
  if (id === "doing") return html`${marks(g).map((m) => m[0]).join("")} ${g.xid ? "Xid " + g.xid : doingText[v].split(":")[0]}`;
  return v;
}

export function FleetScreen() {
  const fleet = usePoll("fleet");
  const status = usePoll("status").data;
  const { params } = useRoute();
  if (!fleet.data) return fleet.error ? html`<${Fault} error=${fleet.error} doing="The fleet" />` : html`<${Loading} what="the fleet" lines=${10} />`;
  const nodes = (fleet.data.nodes || []).map((n) => ({ ...n, gpus: n.gpus || [] }));
  if (!nodes.length) {
    return html`<h1>Fleet</h1><${Empty} title="No GPU has reported yet">Start <code>vedette-agent</code> on a GPU node and point it at this server. The node appears here with its first readings, within half a minute.</${Empty}>`;
  }
  const mode = modes.find((m) => m.id === params.color) || modes[0];
  const top = mode.grows ? Math.max(mode.hi, ...nodes.flatMap((n) => n.gpus.map((g) => Math.ceil((mode.of(g) || 0) / mode.grows) * mode.grows))) : mode.hi;
  const stale = new Set((status?.agents || []).filter((a) => a.stale).map((a) => a.node));
  const node = nodes.find((n) => params.gpu?.startsWith(n.name + "/"));
  const gpu = node?.gpus.find((g) => params.gpu === node.name + "/" + g.gpu);
  const onPick = (key) => change({ gpu: key });
  const onClose = () => {
    const el = document.querySelector(`[data-key="${CSS.escape(params.gpu)}"]`);
    change({ gpu: "" });
    el?.focus();
  };
  const table = params.view === "table";
  return html`<div class=${"fleet" + (gpu ? " split" : "")}><div>
    <h1 class="sr">Fleet</h1>
    <${Figures} nodes=${nodes} status=${status} shown=${params.show} />
    <div class="bar-row">
      <${Segments} label="Colour by" value=${mode.id} options=${modes.map((m) => [m.id, m.name])} onPick=${(color) => change({ color })} />
      <${Segments} label="View" value=${table ? "table" : "map"} options=${[["map", "Map"], ["table", "Table"]]} onPick=${(v) => change({ view: v === "map" ? "" : v })} />
    </div>
    ${table ? html`<${Table} nodes=${nodes} show=${params.show} sort=${params.sort || "node"} onPick=${onPick} />`
      : html`<section class="panel"><${HeatMap} ...${{ nodes, mode, top, show: params.show, stale, picked: gpu && params.gpu, onPick }} /><${Legend} mode=${mode} top=${top} /></section>`}
  </div>
  ${gpu && html`<${Drawer} node=${node} gpu=${gpu} mode=${mode.id} now=${fleet.data.at} onClose=${onClose} />`}</div>`;
}
