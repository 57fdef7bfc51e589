// The ledger of actions: what would be changed, why, by whose word, and what
// came of it. A person approves or denies here; each asks once more first.
import { html, useEffect, useRef, useState } from "./dom.js";
import { personName, post, refresh, usePoll } from "./api.js";
import { ago, num, stamp, zero } from "./format.js";
import { Empty, Fault, Loading, Segments, Source, Tag, Working } from "./parts.js";
import { change, href, useRoute } from "./route.js";

const tones = { proposed: "warn", noted: "", approved: "info", running: "info", done: "good", failed: "crit", denied: "", expired: "" };
const kindText = { "cordon-node": "Cordon node", "publish-rule": "Publish rule", "undo-rule": "Undo rule", "silence-alerts": "Silence", "end-silence": "End silence of",
  "scale-balloon": "Resize balloon", "scale-buffer": "Resize buffer", "scale-nodegroup": "Resize node group" };
const kindName = (k) => kindText[k] || k;
const targetName = (e) => (e.kind === "cordon-node" ? e.target.replace(/^node\//, "") : e.target);

// EntryLine is an entry in two lines, for other screens.
export function EntryLine({ of: e }) {
  return html`<p class="entryline"><${Tag} tone=${tones[e.state]}>${e.state}</${Tag}>
    <a href=${href("actions", "", { state: "all" })}>${kindName(e.kind)} <b>${targetName(e)}</b></a>
    <span class="muted"> #${e.id}, ${stamp(zero(e.finished) ? e.proposed : e.finished)}</span><br />
    <span class=${e.state === "failed" ? "crit-text" : ""}>${e.result || e.reason}</span></p>`;
}

function Decisions({ of }) {
  if (!of?.length) return null;
  return html`<ul class="decisions">${of.map((d, i) => html`<li key=${i}>${d.approved ? "✓ approved" : "✕ denied"} by <b>${d.by}</b> <time class="muted" title=${d.at}>${stamp(d.at)}</time>${d.why && html`: ${d.why}`}</li>`)}</ul>`;
}

// Decide is the two ways out of a proposal, each with its second step.
function Decide({ entry }) {
  const [step, set] = useState("");
  const why = useRef(null);
  const [reason, setReason] = useState("");
  useEffect(() => { why.current?.focus(); }, [step]);
  if (!step) {
    return html`<div class="buttons"><button type="button" class="button primary approve" onClick=${() => set("approve")}>Approve…</button>
      <button type="button" class="button deny" onClick=${() => set("deny")}>Deny…</button></div>`;
  }
  const denying = step === "deny";
  const decide = async () => {
    await post("actions/" + entry.id + "/" + step, { by: personName(), why: reason.trim() });
    refresh("actions", "status");
  };
  return html`<div class="confirm" role="group" aria-label=${denying ? "Deny" : "Approve"} onKeyDown=${(e) => e.key === "Escape" && set("")}>
    <p>${denying ? html`Why should <b>${targetName(entry)}</b> be left alone?` : html`This will change <b>${targetName(entry)}</b>: ${entry.effect || "its effect is not known"}.`}</p>
    <label>${denying ? "Reason" : "Reason (optional)"} <input ref=${why} type="text" maxlength="300" value=${reason} onInput=${(e) => setReason(e.target.value)} /></label>
    <div class="buttons"><${Working} cls=${denying ? "danger" : "primary"} disabled=${denying && !reason.trim()} onDo=${decide}
      label=${denying ? "Deny" : kindName(entry.kind) + " " + targetName(entry)} busy="Recording…" />
      <button type="button" class="quiet" onClick=${() => set("")}>Back</button>
      <span class="small muted">Recorded as ${personName()}</span></div></div>`;
}

function Entry({ of: e, now, mode }) {
  const open = e.state === "proposed";
  return html`<article class=${"panel entry " + e.state} data-id=${e.id} data-kind=${e.kind}>
    <header><${Tag} tone=${tones[e.state]}>${e.state}</${Tag}><h2>${kindName(e.kind)} <span class="target">${targetName(e)}</span></h2>
      <span class="muted when">#${e.id} · <time title=${e.proposed}>${ago(e.proposed, now)}</time>${open && !zero(e.expires) && html` · expires ${ago(e.expires, now)}`}</span></header>
    <p>${e.reason}</p>
    ${e.effect && html`<p><span class="muted">Effect:</span> ${e.effect}</p>`}
    ${e.cites?.length > 0 && html`<p><span class="muted">Because of:</span> ${e.cites.map((c) => (/^\d{4}-\d\d-\d\d-\d+$/.test(c)
      ? html`<a class="tag" key=${c} href=${href("incidents", c)}>incident ${c}</a> ` : html`<${Source} key=${c} of=${c} /> `))}</p>`}
    ${e.params && html`<details><summary>Parameters</summary><pre>${Object.entries(e.params).map(([k, v]) => (v.includes("\n") ? k + ":\n" + v : k + ": " + v)).join("\n")}</pre></details>`}
    <${Decisions} of=${e.decisions} />
    ${e.result && html`<p class=${"result " + (e.state === "failed" ? "crit-text" : "")}>${e.result}${!zero(e.finished) && html` <time class="muted">${stamp(e.finished)}</time>`}</p>`}
    ${open && html`<${Decide} entry=${e} />`}
    ${e.state === "noted" && html`<p class="small muted">Only noted: the server ${mode === "observe" ? "runs" : "ran"} in the observe mode, in which nobody can approve what touches nodes.</p>`}</article>`;
}

const filters = [["waiting", "To decide", (e) => e.state === "proposed"], ["noted", "Noted", (e) => e.state === "noted"],
  ["running", "Under way", (e) => e.state === "approved" || e.state === "running"],
  ["settled", "Settled", (e) => ["done", "failed", "denied", "expired", "withdrawn"].includes(e.state)], ["all", "All", () => true]];

export function ActionsScreen() {
  const { data, error } = usePoll("actions");
  const status = usePoll("status").data;
  const { params } = useRoute();
  if (!data) return error ? html`<${Fault} error=${error} doing="Actions" />` : html`<${Loading} what="actions" />`;
  const now = status?.now || new Date().toISOString();
  const all = [...(data.actions || [])].sort((a, b) => b.id - a.id);
  const waiting = all.some((e) => e.state === "proposed");
  const [id, , keep] = filters.find(([f]) => f === params.state) || (waiting ? filters[0] : filters[4]);
  const shown = all.filter(keep);
  return html`<header class="head"><h1>Actions</h1><p class="muted">${status && { observe: "Observe mode: what touches nodes is only noted.",
      recommend: "Recommend mode: a person decides on each.", approve: "Approve mode: a person decides on each." }[status.mode]}</p></header>
    <div class="bar-row"><${Segments} label="State" value=${id} options=${filters.map(([f, name, is]) => [f, name, num(all.filter(is).length)])} onPick=${(state) => change({ state })} /></div>
    ${shown.map((e) => html`<${Entry} key=${e.id} of=${e} now=${now} mode=${status?.mode} />`)}
    ${shown.length === 0 && html`<${Empty} title=${id === "waiting" ? "Nothing waits for a decision" : "None"}>Every change that Vedette would make, and every rule that was published, is written down here first.</${Empty}>`}`;
}
