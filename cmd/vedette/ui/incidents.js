// Incidents: the list with what is unusual besides, and one incident with its timeline, diagnosis and the
// actions that came of it.
import { html } from "./dom.js";
import { get, getText, useLoad, usePoll } from "./api.js";
import { causeName, clock, day, between, plural, stamp, subjectNode, zero } from "./format.js";
import { Confidence, Copy, Empty, Fault, Loading, Severity, Source, Tag } from "./parts.js";
import { Anomalies } from "./anomalies.js";
import { Doubts, DiagnosisView, Subject, Touched } from "./report.js";
import { EntryLine } from "./actions.js";
import { href, useRoute } from "./route.js";

const isOpen = (x) => zero(x.closed);
const length = (x, now) => between(x.opened, isOpen(x) ? now : x.closed);

function byUrgency(a, b) {
  if (isOpen(a) !== isOpen(b)) return isOpen(a) ? -1 : 1;
  return Date.parse(b.opened) - Date.parse(a.opened);
}

function Row({ of: x, now }) {
  const open = isOpen(x);
  return html`<tr class=${open ? "" : "over"}>
    <td><${Severity} of=${x.severity} mute=${!open} /></td>
    <td><a class="title" href=${href("incidents", x.id)}>${x.title}</a><br /><span class="small muted"><${Subject} of=${x.subject} /></span></td>
    <td>${causeName(x.cause)}${x.cause && html`<br /><span class="small"><${Confidence} of=${x.confidence} /></span>`}</td>
    <td class="n"><time title=${x.opened}>${stamp(x.opened)}</time></td>
    <td class="n">${length(x, now)}</td>
    <td>${open ? html`<${Tag} tone="crit">open</${Tag}>` : html`<${Tag}>closed</${Tag}>`}${x.reopened ? html`<br /><span class="small muted">reopened ${x.reopened}×</span>` : ""}</td></tr>`;
}

function List({ incidents, anomalies, now }) {
  const rows = [...(incidents || [])].sort(byUrgency);
  const open = rows.filter(isOpen).length;
  return html`<header class="head"><h1>Incidents</h1><p class="muted">${open} open, ${rows.length - open} closed</p></header>
    ${rows.length === 0 ? html`<${Empty} title="Nothing is the matter">${anomalies.data && !anomalies.data.anomalies?.length ? "No alert, anomaly or error has come up." : "No alert or error has come up, and no anomaly that is an incident by itself."} Incidents open by themselves; you can also <a href=${href("ask", "", { draft: "what is wrong with " })}>ask what is wrong</a> with a node or a job.</${Empty}>`
      : html`<div class="scroll"><table class="incidents"><thead><tr><th>Severity</th><th>Incident</th><th>Cause</th><th class="n">Opened</th><th class="n">Lasted</th><th>State</th></tr></thead>
        <tbody>${rows.map((x) => html`<${Row} key=${x.id} of=${x} now=${now} />`)}</tbody></table></div>`}
    ${anomalies.error && html`<${Fault} error=${anomalies.error} doing="Anomalies" />`}
    <${Anomalies} of=${anomalies.data?.anomalies} now=${now} />`;
}

const kinds = { evidence: "·", finding: "▲", action: "▶", opened: "◆", closed: "✓", reopened: "↻", marked: "✕", cause: "◇" };

function Timeline({ moments }) {
  return html`<section><h3>Timeline</h3><ol class="timeline">${moments.map((m, i) => {
    const newDay = i === 0 || day(m.at) !== day(moments[i - 1].at);
    return html`<li key=${i} class=${m.kind}>
      <time title=${m.at}>${newDay && html`<span class="day">${day(m.at)}</span>`}${clock(m.at)}</time>
      <i aria-hidden="true">${kinds[m.kind] || "·"}</i>
      <div><span class="sr">${m.kind}: </span>${m.text}<p class="muted"><${Subject} of=${m.subject} />${m.source && html` <${Source} of=${m.source} />`}</p></div></li>`;
  })}</ol></section>`;
}

function Findings({ of }) {
  if (!of?.length) return null;
  return html`<section><h3>Findings</h3><ul class="findings">${of.map((f, i) => html`<li key=${i}>
    <b>${f.kind}</b> ${f.text} ${zero(f.to) ? html`<${Tag} tone="warn">lasts</${Tag}>` : html`<span class="muted">until ${stamp(f.to)}</span>`}
    <p class="muted"><${Subject} of=${f.subject} /> ${(f.query || f.source) && html`<${Source} of=${f.query || f.source} />`}${f.caveats?.map((c) => html`<br />${c}`)}${f.marked && html`<br />${f.marked.text}`}</p></li>`)}</ul></section>`;
}

function Related({ incident }) {
  const { data } = usePoll("actions");
  const node = subjectNode(incident.subject);
  const mine = (data?.actions || []).filter((a) => a.cites?.includes(incident.id) || (node && subjectNode(a.target) === node));
  return html`<section><h3>Actions</h3>${mine.length ? mine.map((a) => html`<${EntryLine} key=${a.id} of=${a} />`) : html`<p class="muted">None was proposed.</p>`}</section>`;
}

// Earlier lists what was like it before: when, how long, and how it ended.
function Earlier({ of }) {
  if (!of?.length) return null;
  return html`<section><h3>Similar incidents before</h3><ul class="findings">${of.map((e) => html`<li key=${e.id}>
    <a href=${href("incidents", e.id)}>${e.title}</a>
    <p class="muted">${stamp(e.opened)}, ${zero(e.closed) ? "still open" : `lasted ${between(e.opened, e.closed)}; ${e.ended}`}<br />${e.alike.join(", ")}</p></li>`)}</ul></section>`;
}

function Detail({ id, now, polled }) {
  // The poll's copy is newer, where it still holds the incident.
  const loaded = useLoad("incident " + id, () => get("incidents/" + encodeURIComponent(id)));
  const x = polled || loaded.data;
  const account = useLoad("account " + id + " " + (x?.updated || ""), () => get("incidents/" + encodeURIComponent(id) + "/account"));
  if (!x) return loaded.error ? html`<${Fault} error=${loaded.error} doing=${"Incident " + id} />` : html`<${Loading} what="the incident" lines=${8} />`;
  const d = x.diagnosis;
  return html`<nav class="back"><a href=${href("incidents")}>← Incidents</a></nav>
    <header class="head"><div><h1>${x.title}</h1>
      <p class="facts"><${Severity} of=${x.severity} mute=${!isOpen(x)} /> ${isOpen(x) ? html`<${Tag} tone="crit">open</${Tag}>` : html`<${Tag}>closed</${Tag}>`}
        <${Subject} of=${x.subject} /><span>opened <time title=${x.opened}>${stamp(x.opened)}</time></span>
        <span>${isOpen(x) ? "for" : "lasted"} ${length(x, now)}</span>${x.reopened ? html`<span>reopened ${plural(x.reopened, "time")}</span>` : ""}<span class="muted">${x.id}</span></p></div>
      <${Copy} label="Copy as Markdown" load=${() => getText("incidents/" + encodeURIComponent(id) + "/report.md")} /></header>
    <div class="two"><div class="panel">
      ${d ? html`<${DiagnosisView} of=${d} account=${account.data?.account} />`
        : html`<p class="summary">No cause explains this well enough yet.</p>${account.data && html`<p class="account">${(account.data.account || []).map((s) => s.text).join(" ")}</p>`}`}
      ${account.error && html`<${Fault} error=${account.error} doing="The account" />`}
      <${Doubts} rejected=${x.rejected} unseen=${x.unseen} />
    </div><div class="panel side"><${Related} incident=${x} /><${Timeline} moments=${x.timeline || []} /><${Findings} of=${x.findings} /><${Touched} of=${x.touched} /><${Earlier} of=${loaded.data?.earlier} /></div></div>`;
}

export function IncidentsScreen() {
  const { id } = useRoute();
  const { data, error, at } = usePoll("incidents");
  const anomalies = usePoll("anomalies");
  const now = usePoll("status").data?.now || new Date(at || Date.now()).toISOString();
  if (id) return html`<${Detail} key=${id} id=${id} now=${now} polled=${data?.incidents?.find((x) => x.id === id)} />`;
  if (data) return html`<${List} incidents=${data.incidents} anomalies=${anomalies} now=${now} />`;
  return error ? html`<${Fault} error=${error} doing="Incidents" />` : html`<${Loading} what="incidents" />`;
}
