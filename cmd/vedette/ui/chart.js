// Line charts with uPlot: evenly spaced series of the wire on one UTC time
// axis, with a limit, shaded episodes and a forecast's band. Colours come from
// the style sheet, so that a chart follows the theme.
import { html, useEffect, useLayoutEffect, useRef, useState } from "./dom.js";
import { clock, day, scaleFor, short } from "./format.js";
import uPlot from "./vendor/uPlot.esm.js";

const dashes = [[], [6, 4], [2, 3]];
const palette = 6; // --line-1 … --line-6 in the style sheet

// The time axis in 24-hour UTC. uPlot's columns: increment from which the row
// holds, format, then what is added at a new year, month, day, hour, minute,
// second, and the mode (1: appended).
const times = [
  [86400, "{D} {MMM}", null, null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", null, null, "\n{D} {MMM}", null, null, null, 1],
  [60, "{HH}:{mm}", null, null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", null, null, "\n{D} {MMM}", null, null, null, 1],
];

function colours() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = "var(" + name + ")";
    return getComputedStyle(probe).color;
  };
  const all = {
    font: getComputedStyle(document.body).fontFamily, text: read("--muted"), grid: read("--hair"), limit: read("--crit"), firing: read("--firing"), band: read("--band"),
    lines: Array.from({ length: palette }, (_, i) => read("--line-" + (i + 1))),
  };
  probe.remove();
  return all;
}

// useTheme changes whenever the colours do.
function useTheme() {
  const [tick, set] = useState(0);
  useEffect(() => {
    const changed = () => set((n) => n + 1);
    const system = matchMedia("(prefers-color-scheme: dark)");
    const watch = new MutationObserver(changed);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    system.addEventListener("change", changed);
    return () => {
      watch.disconnect();
      system.removeEventListener("change", changed);
    };
  }, []);
  return tick;
}

function table(s) {
  return [s.values.map((_, i) => s.start + i * s.step), s.values];
}

// yRange holds all values and the limit, with some air; nothing below zero
// where nothing is.
function yRange(limit, fixed) {
  return (u, min, max) => {
    if (fixed) return fixed;
    if (min === null || max === null) return [0, 1];
    const lo = Math.min(min, limit ?? min);
    const hi = Math.max(max, limit ?? max);
    const air = (hi - lo || Math.abs(hi) || 1) * 0.1;
    return [lo >= 0 ? Math.max(0, lo - air) : lo - air, hi + air];
  };
}

function shade(u, spans, fill) {
  u.ctx.save();
  u.ctx.fillStyle = fill;
  for (const [from, to] of spans) {
    const a = Math.max(u.valToPos(from, "x", true), u.bbox.left);
    const b = Math.min(u.valToPos(to, "x", true), u.bbox.left + u.bbox.width);
    if (b >= a) u.ctx.fillRect(a, u.bbox.top, Math.max(b - a, 2), u.bbox.height);
  }
  u.ctx.restore();
}

function line(u, colour, { x, y, label, font }) {
  const { left, top, width, height } = u.bbox;
  const ctx = u.ctx;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  if (y !== undefined) {
    const at = u.valToPos(y, "y", true);
    ctx.moveTo(left, at);
    ctx.lineTo(left + width, at);
    ctx.font = 11 * devicePixelRatio + "px " + font;
    ctx.textAlign = "left";
    ctx.textBaseline = "bottom";
    ctx.fillText(label, left + 4 * devicePixelRatio, at - 3 * devicePixelRatio);
  } else {
    const at = u.valToPos(x, "x", true);
    ctx.moveTo(at, top);
    ctx.lineTo(at, top + height);
  }
  ctx.stroke();
  ctx.restore();
}

function options(p, ink, width, onCursor) {
  const forecast = p.forecast; // series are past, median, low, high
  const axis = { stroke: ink.text, font: "11px " + ink.font, grid: { stroke: ink.grid, width: 1 }, ticks: { show: false } };
  const draw = (s, i) => {
    if (forecast && i >= 2) return { label: s.name, stroke: ink.lines[0], width: 0, points: { show: false } };
    if (forecast) return { label: s.name, stroke: ink.lines[0], width: 1.75, dash: i === 1 ? dashes[1] : [], points: { show: false } };
    return { label: s.name, stroke: ink.lines[i % palette], dash: dashes[Math.floor(i / palette) % dashes.length], width: 1.5, points: { show: false } };
  };
  return {
    width, height: p.height || 220, ms: 1e-3,
    tzDate: (t) => uPlot.tzDate(new Date(t * 1e3), "Etc/UTC"),
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false, x: false }, sync: p.sync ? { key: p.sync } : undefined },
    scales: { x: { time: true }, y: { range: yRange(p.threshold, p.range) } },
    axes: [
      { ...axis, values: times, space: 64, size: p.small ? 22 : 36, grid: { show: false } },
      { ...axis, values: (u, vs) => vs.map(short), size: 46, space: p.small ? 28 : 36 },
    ],
    series: [{}, ...p.series.map(draw)],
    bands: forecast ? [{ series: [4, 3], fill: ink.band }] : [],
    hooks: {
      drawClear: [(u) => p.episodes && shade(u, p.episodes, ink.firing)],
      draw: [(u) => {
        if (forecast && p.series[1]) line(u, ink.text, { x: p.series[1].start });
        if (p.threshold !== null && p.threshold !== undefined) {
          line(u, ink.limit, { y: p.threshold, font: ink.font, label: "limit " + short(p.threshold) + " " + p.word });
        }
      }],
      setCursor: [(u) => onCursor(u)],
    },
  };
}

// scaled are the props with values in the unit that people read.
function scaled(p) {
  let max = Math.abs(p.threshold ?? 0);
  for (const s of p.series) for (const v of s.values) if (v !== null) max = Math.max(max, Math.abs(v));
  const { by, word } = scaleFor(p.unit, max);
  const threshold = p.threshold === undefined || p.threshold === null ? null : p.threshold * by;
  return { ...p, threshold, word, series: by === 1 ? p.series : p.series.map((s) => ({ ...s, values: s.values.map((v) => v === null ? null : v * by) })) };
}

// keyName is what the legend calls series i of a chart.
const keyName = (p, i) => (p.forecast && i === 2 ? "10 % to 90 %" : p.series[i].name);

// Chart draws series. Props: series, unit, threshold, episodes
// ([[from, to]] in Unix seconds), forecast, range ([lo, hi]), height, small,
// sync (charts with one key share their cursor), label (for screen readers).
export function Chart(props) {
  const p = scaled(props);
  const box = useRef(null);
  const keys = useRef([]);
  const when = useRef(null);
  const theme = useTheme();
  const drawn = JSON.stringify([props.series, props.threshold, props.episodes]);

  useLayoutEffect(() => {
    const ink = colours();
    const data = uPlot.join(p.series.map(table));
    const last = p.series.map((s) => s.values.findLast((v) => v !== null));
    const onCursor = (u) => {
      const at = u.cursor.idx;
      if (when.current) when.current.textContent = at === null ? "" : day(u.data[0][at] * 1e3) + " " + clock(u.data[0][at] * 1e3, false);
      keys.current.forEach((el, i) => {
        if (!el) return;
        const v = at === null ? (p.small ? last[i] : undefined) : u.data[i + 1][at];
        const to = p.forecast && i === 2 && at !== null ? u.data[4][at] : null;
        if (at === null && v === undefined) el.textContent = "";
        else el.textContent = short(v) + (to === null || to === undefined ? "" : " to " + short(to));
      });
    };
    const plot = new uPlot(options(p, ink, box.current.clientWidth, onCursor), data, box.current);
    p.series.forEach((_, i) => keys.current[i]?.parentElement.style.setProperty("--key", ink.lines[p.forecast ? 0 : i % palette]));
    onCursor(plot);
    const watch = new ResizeObserver(() => {
      const width = box.current?.clientWidth;
      if (width && width !== plot.width) plot.setSize({ width, height: plot.height });
    });
    watch.observe(box.current);
    return () => {
      watch.disconnect();
      plot.destroy();
    };
  }, [theme, drawn]);

  return html`<figure class=${"chart" + (p.small ? " small" : "")} aria-label=${p.label}>
    <figcaption>
      ${p.title && html`<b>${p.title}</b>`}
      ${p.series.map((s, i) => (p.forecast && i === 3 ? null : html`<span class=${"key dash" + (p.forecast ? (i === 1 ? 1 : i > 1 ? 9 : 0) : Math.floor(i / palette) % 3)} key=${i}>
        ${!p.small && html`<span class="name">${keyName(p, i)}</span>`}<span class="value" ref=${(el) => { keys.current[i] = el; }}></span>
        ${p.small && html`<span class="muted">${p.word}</span>`}
      </span>`))}
      ${!p.small && p.word && html`<span class="muted">in ${p.word}</span>`}
      <span class="when" ref=${when}></span>
    </figcaption>
    <div ref=${box}></div>
  </figure>`;
}
