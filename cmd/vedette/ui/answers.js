// One answer, drawn by its kind: an alert with its back-test, a lookup, a
// diagnosis, a forecast, or what was not understood.
import { html, useState } from "./dom.js";
import { personName, post, refresh } from "./api.js";
import { EntryLine } from "./actions.js";
import { Chart } from "./chart.js";
import { bytes, labels, num, percent, plural, short, span, stamp, withUnit, zero } from "./format.js";
import { Copy, Source, Tag, Working } from "./parts.js";
import { DiagnosisView, Doubts, Subject, Witness } from "./report.js";
import { href } from "./route.js";

const kindName = { anomalies: "Anomalies", silence: "Silence", cost: "Cost", explain: "Meaning", changes: "Changes", actions: "Actions", alert: "Alert", query: "Lookup", why: "Diagnosis", when: "Forecast", unclear: "Not understood" };

// Expr shows PromQL with what a check complains of underlined.
function Expr({ of, problems = [] }) {
  const p = problems.find((x) => x.to > x.from);
  if (!p) return html`<code class="expr">${of}</code>`;
  const [before, bad, after] = bytes(of, p.from, p.to);
  return html`<code class="expr">${before}<mark class=${p.severity} title=${p.text}>${bad}</mark>${after}</code>`;
}

function Problems({ of }) {
  if (!of?.length) return null;
  const tone = { error: "crit", warning: "warn", info: "info" };
  return html`<ul class="problems">${of.map((p, i) => html`<li key=${i}><${Tag} tone=${tone[p.severity]}>${p.severity}</${Tag}> ${p.text} <code class="muted">${p.check}</code></li>`)}</ul>`;
}

function Episodes({ of: b }) {
  if (!b.episodes?.length) return null;
  return html`<details class="episodes" open=${b.episodes.length <= 8}><summary>${plural(b.total, "episode")}${b.total > b.episodes.length ? ", the first " + b.episodes.length + " shown" : ""}</summary>
    <div class="scroll"><table><thead><tr><th>From</th><th class="n">Fired for</th><th class="n">Peak</th><th>Where</th></tr></thead>
    <tbody>${b.episodes.map((e, i) => html`<tr key=${i}><td><time title=${e.from}>${stamp(e.from)}</time></td>
      <td class="n">${span((Date.parse(e.to) - Date.parse(e.from)) / 1000)}</td><td class="n">${short(e.peak)}</td><td><code>${labels(e.labels)}</code></td></tr>`)}</tbody></table></div></details>`;
}

// Limits says how often other limits would have fired.
function Limits({ of: all, unit }) {
  if (!all?.length) return null;
  return html`<p class="limits small">With another limit: ${all.map((l, i) => html`${i > 0 && "; "}<span key=${l.value} title=${l.expr}>${withUnit(l.value, unit)}, ${l.episodes ? plural(l.episodes, "time") + ", " + span(l.firingFor) + " in all" : "never"}</span>`)}.</p>`;
}

function Backtest({ of: b, unit }) {
  const spans = (b.episodes || []).map((e) => [Date.parse(e.from) / 1000, Date.parse(e.to) / 1000]);
  return html`<section class="backtest"><h3>Back-test</h3>
    <p class="headline">${b.summary}</p>
    ${b.series?.length > 0 && html`<${Chart} label=${"Back-test: " + b.summary} series=${b.series} threshold=${b.threshold} episodes=${spans} unit=${unit} height=${240} />`}
    <p class="small muted">${stamp(b.from)} to ${stamp(b.to)} UTC, evaluated every ${span(b.step)}. Shaded: firing.</p>
    <${Limits} of=${b.limits} unit=${unit} />
    <${Episodes} of=${b} />
    ${b.caveats?.length > 0 && html`<ul class="caveats">${b.caveats.map((c) => html`<li key=${c}>${c}</li>`)}</ul>`}</section>`;
}

function Undo({ id }) {
  const [entry, set] = useState(null);
  if (entry) return html`<${EntryLine} of=${entry} />`;
  const undo = async () => {
    set(await post("rules/" + encodeURIComponent(id) + "/undo", { by: personName() }));
    refresh("rules", "actions");
  };
  return html`<${Working} cls="danger" label="Undo" busy="Undoing…" onDo=${undo} />`;
}

function Publish({ draft, onPublish }) {
  const entry = draft.published;
  if (entry) {
    return html`<section class="publish done" role="status"><${EntryLine} of=${entry} />
      ${entry.state === "done" && html`<div class="buttons"><${Undo} id=${draft.id} /> <a class="button" href=${href("rules")}>All rules</a></div>`}</section>`;
  }
  const errors = (draft.problems || []).filter((p) => p.severity === "error").length;
  return html`<section class="publish">
    <${Working} cls="primary" label="Publish" busy="Publishing…" disabled=${errors > 0} onDo=${async () => {
      await onPublish();
      refresh("rules", "actions");
    }} />
    <p class="small muted">${errors ? "It cannot be published with " + plural(errors, "error") + "." : "Evaluation starts at once. The ledger records that " + personName() + " asked for it, and it can be undone."}</p></section>`;
}

function AlertAnswer({ of: a, onPublish }) {
  const d = a.alert;
  return html`${d.backtest && html`<${Backtest} of=${d.backtest} />`}
    <section><h3>Rule</h3><p><${Expr} of=${a.expr} problems=${d.problems} /></p><${Problems} of=${d.problems} />
      <details><summary>Rule group as YAML</summary><pre>${d.yaml}</pre><${Copy} label="Copy" load=${async () => d.yaml} /></details></section>
    <${Publish} draft=${d} onPublish=${onPublish} />`;
}

const first = ["Hostname", "gpu", "node", "namespace", "pod", "container", "modelName"];

// columnsOf are the labels that tell the rows apart, the usual ones first.
function columnsOf(rows) {
  const keys = [...new Set(rows.flatMap((r) => Object.keys(r.labels || {})))].filter((k) => k !== "__name__");
  const varying = keys.filter((k) => rows.length === 1 || new Set(rows.map((r) => r.labels?.[k])).size > 1);
  const rank = (k) => (first.indexOf(k) + first.length + 1) % (first.length + 1);
  return varying.sort((x, y) => rank(x) - rank(y) || x.localeCompare(y)).slice(0, 5);
}

function Value({ v, max, unit }) {
  const width = v !== null && max > 0 ? Math.max(0, (100 * v) / max) : 0;
  return html`<span class="barred"><span class="n">${withUnit(v, unit)}</span><span class="track" aria-hidden="true"><i style=${{ width: width + "%" }}></i></span></span>`;
}

function QueryAnswer({ of: a }) {
  const r = a.query;
  const rows = r.rows || [];
  const columns = columnsOf(rows);
  const max = Math.max(0, ...rows.map((x) => x.value ?? 0));
  const single = rows.length === 1 && !columns.length;
  return html`${rows.length === 0 && html`<p class="headline">None. Nothing matches now.</p>`}
    ${single && html`<p class="headline">${withUnit(rows[0].value, r.unit)}</p>`}
    ${r.series?.length > 0 && html`<${Chart} label=${a.readback} series=${r.series} unit=${r.unit} />`}
    ${rows.length > 0 && !single && html`<div class="scroll"><table class="rows"><thead><tr>${columns.map((c) => html`<th key=${c}>${c}</th>`)}<th>Value</th></tr></thead>
      <tbody>${rows.map((x, i) => html`<tr key=${i}>${columns.map((c) => html`<td key=${c}>${x.labels?.[c]}</td>`)}<td><${Value} v=${x.value} max=${max} unit=${r.unit} /></td></tr>`)}</tbody></table></div>`}
    <p class="small muted">${r.total > rows.length ? "The highest " + num(rows.length) + " of " + num(r.total) + ", " : ""}at ${stamp(r.at)} UTC</p>
    ${a.expr && html`<section><h3>Query</h3><${Expr} of=${a.expr} /> <${Copy} label="Copy" load=${async () => a.expr} /></section>`}`;
}

function WhyAnswer({ of: a }) {
  const { report: r, account, incidents, focus } = a.why;
  const [best, ...others] = r.diagnoses || [];
  const where = focus ? html`<${Subject} of=${focus} />` : "the cluster";
  return html`
    ${r.verdict === "healthy" && html`<p class="headline">Nothing is wrong with ${where} that can be seen.</p>`}
    ${r.verdict === "inconclusive" && html`<p class="headline">Something is wrong with ${where}, and nothing explains it well enough.${best ? " The best guess:" : ""}</p>`}
    ${incidents?.length > 0 && html`<p class="partof">Part of ${incidents.map((id) => html`<a class="tag crit" key=${id} href=${href("incidents", id)}>incident ${id}</a> `)}</p>`}
    ${best && html`<${DiagnosisView} of=${best} account=${account} />`}
    ${others.map((d, i) => html`<details key=${i}><summary>Also: ${d.summary} <span class="muted">${percent(d.confidence)}</span></summary><${DiagnosisView} of=${d} /></details>`)}
    <${Doubts} rejected=${r.rejected} unseen=${r.unseen} />
    <${Witness} of=${a.why.model} />`;
}

function WhenAnswer({ of: a }) {
  const w = a.when;
  const facts = [["Now", withUnit(w.now, w.unit)], ["Limit", withUnit(w.limit, w.unit)],
    w.reached && !w.already && ["Expected", stamp(w.at)], w.reached && !w.already && ["Eight times in ten", stamp(w.earliest) + " to " + (zero(w.latest) ? "later than " + stamp(w.horizon) : stamp(w.latest))]].filter(Boolean);
  return html`<p class="headline">${w.text}</p>
    <dl class="inline">${facts.map(([k, v]) => html`<div key=${k}><dt>${k}</dt><dd>${v}</dd></div>`)}</dl>
    ${w.series?.length > 0 && html`<${Chart} label=${w.text} series=${w.series} threshold=${w.limit} unit=${w.unit} forecast=${w.series.length === 4} height=${260} />`}
    ${w.held && html`<p class="small muted">${w.held}</p>`}`;
}

function UnclearAnswer({ of: a }) {
  const u = a.unclear;
  return html`<p class="headline">${u.ask || "That was not understood."}</p>
    ${u.words?.length > 0 && html`<p>No meaning here: ${u.words.map((w) => html`<${Tag} tone="warn" key=${w}>${w}</${Tag}> `)}</p>`}
    ${u.nearest?.length > 0 && html`<h3>Nearest questions that are understood</h3><ul class="examples">${u.nearest.map((t) => html`<li key=${t}><a class="chip" href=${href("ask", "", { q: t })}>${t}</a></li>`)}</ul>`}`;
}

function ChangesAnswer({ of: a }) {
  const c = a.changes;
  if (!c.total) return html`<p class="headline">Nothing changed.</p>`;
  return html`<p class="headline">${plural(c.total, "change")}</p>
    <table class="rows"><thead><tr><th>When</th><th>Of what</th><th>What</th><th>Known from</th></tr></thead>
      <tbody>${c.rows.map((r, i) => html`<tr key=${i}><td>${stamp(r.at)}</td><td>${r.subject}</td><td>${r.what}</td><td><${Source} of=${r.source} /></td></tr>`)}</tbody></table>
    ${c.total > c.rows.length && html`<p class="small muted">and ${num(c.total - c.rows.length)} older ones</p>`}`;
}

function ActionsAnswer({ of: a }) {
  const r = a.actions;
  if (!r.entries.length) return html`<p class="headline">There are none.</p>`;
  return html`<table class="rows"><thead><tr><th>Number</th><th>State</th><th>What</th><th>Of what</th><th>Why</th></tr></thead>
      <tbody>${r.entries.map((e) => html`<tr key=${e.id}><td>${e.id}</td><td>${e.state}</td><td>${e.kind}</td><td>${e.target}</td><td>${e.reason}</td></tr>`)}</tbody></table>
    ${r.how && html`<p class="small muted">${r.how}</p>`}`;
}

function ExplainAnswer({ of: a }) {
  const x = a.explain;
  return html`<p class="headline">${x.words}</p><pre>${a.expr}</pre>
    ${x.rule && html`<p class="small muted">Rule ${x.rule} of ${x.group}${x.owner && `, owner ${x.owner}`}${x.asked && `, asked for as “${x.asked}”`}</p>`}`;
}

function SilenceAnswer({ of: a }) {
  const r = a.silence;
  const waits = r.entry.state === "proposed";
  return html`<p class="headline">${waits ? "Not in effect: it waits for somebody to approve it" : "This is " + r.entry.state}</p>
    <p>${waits ? "Once approved, " : ""}${r.entry.effect}.</p><${EntryLine} of=${r.entry} />
    ${r.total > 0 && html`<table class="rows"><thead><tr><th>Fires now</th><th>Labels</th></tr></thead><tbody>${r.firing.map(({ alertname, ...rest }, i) => html`<tr key=${i}><td>${alertname}</td><td>${Object.entries(rest).map(([k, v]) => k + "=" + v).join(" ")}</td></tr>`)}</tbody></table>`}
    <p class="small muted">${r.how}</p>`;
}

function CostAnswer({ of: a }) {
  const c = a.cost;
  return html`<p class="headline">${c.text}</p>
    ${c.rows.length > 0 && html`<table class="rows"><thead><tr><th>${c.by}</th><th>GPU hours</th><th>idle</th><th>USD</th></tr></thead>
      <tbody>${c.rows.map((r) => html`<tr key=${r.name} title=${r.query}><td>${r.name}</td><td>${num(r.gpuHours, 1)}</td><td>${num(r.idleGPUHours, 1)}</td><td>${num(r.usd, 2)}${r.unpricedGPUHours > 0 && ` (and ${num(r.unpricedGPUHours, 1)} h without a price)`}</td></tr>`)}</tbody></table>`}
    ${a.expr && html`<pre>${a.expr}</pre>`}`;
}

function AnomaliesAnswer({ of: a }) {
  const r = a.anomalies;
  return html`<p class="headline">${r.total ? plural(r.total, "anomaly", "anomalies") + " now" : "Nothing is unusual now."}</p>
    ${r.entries.length > 0 && html`<table class="rows"><thead><tr><th>Number</th><th>Of what</th><th>What</th><th>Score</th><th>From</th></tr></thead>
      <tbody>${r.entries.map((x) => html`<tr key=${x.id}><td>${x.id}</td><td>${x.subject}</td><td>${x.text}${x.marked && html`<br /><span class="small muted">${x.marked.text}</span>`}${x.caveats?.map((c) => html`<br /><span class="small muted">${c}</span>`)}</td><td>${num(x.score, 2)}</td><td>${stamp(x.from)}</td></tr>`)}</tbody></table>`}
    ${r.how && html`<p class="small muted">${r.how} <a href=${href("incidents")}>To the page's buttons</a></p>`}`;
}

const views = { anomalies: AnomaliesAnswer, silence: SilenceAnswer, cost: CostAnswer, explain: ExplainAnswer, changes: ChangesAnswer, actions: ActionsAnswer, alert: AlertAnswer, query: QueryAnswer, why: WhyAnswer, when: WhenAnswer, unclear: UnclearAnswer };

export function AnswerView({ of: a, onPublish }) {
  const View = views[a.kind];
  return html`<article class=${"panel answer " + a.kind}>
    <header><span class="kind">${kindName[a.kind] || a.kind}</span>
      ${a.readback && html`<p class="readback">${a.readback}</p>`}
      ${a.assumed?.length > 0 && html`<p class="assumed"><span class="muted">Assumed</span> ${a.assumed.map((t) => html`<${Tag} key=${t} tone="info" title="Not said: taken. Say otherwise in the question to change it.">${t}</${Tag}> `)}</p>`}
      ${a.confidence > 0 && a.confidence < 0.7 && html`<p class="small warn-text">It is ${percent(a.confidence)} likely that this is what you meant.</p>`}</header>
    ${a.caveats?.length > 0 && html`<ul class="caveats">${a.caveats.map((c) => html`<li key=${c}>${c}</li>`)}</ul>`}
    ${View && a[a.kind] ? html`<${View} of=${a} onPublish=${onPublish} />` : html`<p>This page cannot show an answer of the kind “${a.kind}”.</p>`}</article>`;
}
