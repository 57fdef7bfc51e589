// What the detectors find unusual: part of the incidents' screen. A person says
// here that one is no anomaly, or takes that back; each asks once more first.
import { html, useEffect, useRef, useState } from "./dom.js";
import { personName, post, refresh } from "./api.js";
import { between, plural, stamp, zero } from "./format.js";
import { Severity, Source, Tag, Working } from "./parts.js";
import { Subject } from "./report.js";

const isOpen = (x) => zero(x.to);
const isDismissed = (x) => x.marked && zero(x.marked.withdrawn);
const spans = [["", "until it is taken back"], ["2h", "for 2 hours"], ["1d", "for a day"], ["7d", "for a week"]];

// Dismiss is the way to say that one is no anomaly, and the way back.
function Dismiss({ of: x }) {
  const [asking, ask] = useState(false);
  const [reason, setReason] = useState("");
  const [span, setSpan] = useState("");
  const why = useRef(null);
  useEffect(() => { why.current?.focus(); }, [asking]);
  const call = async (verb, body) => {
    await post("anomalies/" + x.id + "/" + verb, { by: personName(), ...body });
    ask(false);
    refresh("anomalies", "incidents");
  };
  if (isDismissed(x)) return html`<${Working} cls="restore" label="Take back" busy="Recording…" onDo=${() => call("restore", {})} />`;
  if (!asking) return html`<button type="button" class="button dismiss" onClick=${() => ask(true)}>Not an anomaly…</button>`;
  return html`<div class="confirm" role="group" aria-label="Not an anomaly" onKeyDown=${(e) => e.key === "Escape" && ask(false)}>
    <p>What is like it is told no more; what is half as far again from what is usual is.</p>
    <label>Reason <input ref=${why} type="text" maxlength="300" value=${reason} onInput=${(e) => setReason(e.target.value)} /></label>
    <label>How long <select value=${span} onChange=${(e) => setSpan(e.target.value)}>${spans.map(([v, text]) => html`<option key=${v} value=${v}>${text}</option>`)}</select></label>
    <div class="buttons"><${Working} cls="primary" disabled=${!reason.trim()} label="Not an anomaly" busy="Recording…" onDo=${() => call("dismiss", { why: reason.trim(), for: span })} />
      <button type="button" class="quiet" onClick=${() => ask(false)}>Back</button><span class="small muted">Recorded as ${personName()}</span></div></div>`;
}

function Row({ of: x, now }) {
  const state = isDismissed(x) ? html`<${Tag}>dismissed</${Tag}>` : isOpen(x) ? html`<${Tag} tone="warn">lasts</${Tag}>` : html`<${Tag}>over</${Tag}>`;
  return html`<tr class=${isOpen(x) && !isDismissed(x) ? "" : "over"} data-anomaly=${x.id}>
    <td><${Severity} of=${x.severity} mute=${!isOpen(x) || isDismissed(x)} /></td>
    <td>${x.text}<br /><span class="small muted"><${Subject} of=${x.subject} /> ${x.query && html`<${Source} of=${x.query} />`}
      ${x.caveats?.map((c) => html`<br />${c}`)}${x.marked && html`<br />${x.marked.text}${!zero(x.marked.withdrawn) && ", taken back by " + x.marked.withdrawnBy}`}</span></td>
    <td class="n">${x.score?.toFixed(2)}</td>
    <td class="n"><time title=${x.from}>${stamp(x.from)}</time></td>
    <td class="n">${between(x.from, isOpen(x) ? now : x.to)}</td>
    <td>${state}</td><td><${Dismiss} of=${x} /></td></tr>`;
}

export function Anomalies({ of, now }) {
  const rows = of || [];
  const open = rows.filter((x) => isOpen(x) && !isDismissed(x)).length;
  if (!rows.length) return null;
  return html`<section class="anomalies"><header class="head"><h2>Unusual</h2><p class="muted">${plural(open, "anomaly", "anomalies")} now, by the detectors: by that alone no cause is known</p></header>
    <div class="scroll"><table class="incidents"><thead><tr><th>Severity</th><th>What</th><th class="n">Score</th><th class="n">From</th><th class="n">Lasted</th><th>State</th><th>Say</th></tr></thead>
      <tbody>${rows.map((x) => html`<${Row} key=${x.id} of=${x} now=${now} />`)}</tbody></table></div></section>`;
}
