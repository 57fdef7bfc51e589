// The rule groups that were published: what was asked, what is evaluated, in
// which state each rule is, and the way back.
import { html, useState } from "./dom.js";
import { personName, post, refresh, usePoll } from "./api.js";
import { EntryLine } from "./actions.js";
import { plural, span } from "./format.js";
import { Copy, Empty, Fault, Loading, Tag, Working } from "./parts.js";
import { href } from "./route.js";

const tones = { firing: "crit", pending: "warn", inactive: "good" };
const glyphs = { firing: "◆", pending: "▲", inactive: "●" };

const forText = (v) => (typeof v === "number" ? span(v) : v || "–");

function Undo({ group, onDone }) {
  const [sure, set] = useState(false);
  if (!sure) return html`<button type="button" class="quiet undo" onClick=${() => set(true)}>Undo…</button>`;
  const undo = async () => {
    onDone(await post("rules/" + encodeURIComponent(group.id) + "/undo", { by: personName() }));
    refresh("rules", "actions");
  };
  return html`<span class="confirm inline">${group.revision > 1 ? "Go back to revision " + (group.revision - 1) + "?" : "Take " + group.id + " out?"}
    <${Working} cls="danger" label=${group.revision > 1 ? "Go back" : "Take out"} busy="Undoing…" onDo=${undo} /> <button type="button" class="quiet" onClick=${() => set(false)}>Keep</button></span>`;
}

function Rule({ of: r }) {
  const state = r.state || "unknown";
  return html`<tr><td>${r.name}${r.lastError && html`<p class="crit-text small">${r.lastError}</p>`}</td><td><code>${r.expr}</code></td>
    <td class="n">${forText(r.for)}</td><td><${Tag} tone=${tones[state]}><i aria-hidden="true">${glyphs[state] || "○"}</i> ${state}</${Tag}></td></tr>`;
}

function Group({ of: g, onDone }) {
  return html`<article class="panel group" data-id=${g.id}>
    <header><h2>${g.id}</h2><span class="muted">${g.owner ? "by " + g.owner + " · " : ""}revision ${g.revision}</span><${Undo} group=${g} onDone=${onDone} /></header>
    ${g.asked && html`<p class="asked-for">“<a href=${href("ask", "", { q: g.asked })}>${g.asked}</a>”</p>`}
    <div class="scroll"><table><thead><tr><th>Rule</th><th>Expression</th><th class="n">For</th><th>State</th></tr></thead>
      <tbody>${(g.rules || []).map((r) => html`<${Rule} key=${r.name} of=${r} />`)}</tbody></table></div>
    ${g.yaml && html`<details><summary>YAML</summary><pre>${g.yaml}</pre><${Copy} label="Copy" load=${async () => g.yaml} /></details>`}</article>`;
}

export function RulesScreen() {
  const { data, error } = usePoll("rules");
  const [undone, setUndone] = useState(null);
  if (!data) return error ? html`<${Fault} error=${error} doing="Rules" />` : html`<${Loading} what="rules" />`;
  const groups = data.groups || [];
  const rules = groups.flatMap((g) => g.rules || []);
  const firing = rules.filter((r) => r.state === "firing").length;
  return html`<header class="head"><h1>Rules</h1><p class="muted">${plural(groups.length, "group")}, ${plural(rules.length, "rule")}, ${firing} firing</p></header>
    ${undone && html`<div class="panel" role="status"><${EntryLine} of=${undone} /></div>`}
    ${groups.map((g) => html`<${Group} key=${g.id} of=${g} onDone=${setUndone} />`)}
    ${groups.length === 0 && html`<${Empty} title="No rule was published yet">Say what to be alerted of in <a href=${href("ask", "", { draft: "alert me when " })}>Ask</a>. You see when it would have fired before you publish it.</${Empty}>`}`;
}
