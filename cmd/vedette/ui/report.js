// A diagnosis as people read it: what happened, the chain from cause to
// symptom, the evidence, what to do, and what was ruled out. Incidents and
// answers to "why" both show it.
import { html } from "./dom.js";
import { causeName, clock, between, stamp, zero } from "./format.js";
import { Cites, Confidence, Source } from "./parts.js";

// Subject writes kind and name. A GPU's UUID is cut: the node tells enough, and
// the whole of it is in the title.
export function Subject({ of }) {
  const cut = of.indexOf("/");
  const kind = of.slice(0, cut);
  const name = of.slice(cut + 1);
  const shown = kind === "gpu" && name.length > 28 ? name.slice(0, name.indexOf("/") + 13) + "…" : name;
  return html`<span class="subject" title=${shown === name ? undefined : of}><span class="muted">${kind}</span> ${shown}</span>`;
}

function Chain({ links }) {
  const first = links.find((l) => !zero(l.at));
  return html`<ol class="chain">${links.map((l, i) => html`<li key=${i}>
    <p>${l.what}</p>
    <p class="muted"><${Subject} of=${l.subject} />${!zero(l.at) && html` · <time>${clock(l.at)}</time>${
      first && l !== first && Date.parse(l.at) > Date.parse(first.at) && html` <span class="after">+${between(first.at, l.at)}</span>`}`}</p>
  </li>`)}</ol>`;
}

function Evidence({ rows }) {
  return html`<ol class="evidence">${rows.map((e, i) => html`<li tabindex="-1" key=${i}>
    <span class="no">${i + 1}</span>
    <span class="what">${e.text}<br /><${Source} of=${e.source} />${!zero(e.at) && html` <time class="muted">${stamp(e.at)}</time>`}</span></li>`)}</ol>`;
}

// Account is the report in sentences. A sentence without a source is not shown.
export function Account({ sentences, evidence }) {
  const cited = (sentences || []).filter((s) => s.cites?.length);
  if (!cited.length) return null;
  return html`<section><h3>What happened</h3><p class="account">${cited.map((s, i) => html`<span key=${i}>${s.text}<${Cites} of=${s.cites} evidence=${evidence} /> </span>`)}</p></section>`;
}

function Lines({ title, of, ordered, cls = "" }) {
  if (!of?.length) return null;
  const items = of.map((x, i) => html`<li key=${i}>${x}</li>`);
  return html`<section class=${cls}><h3>${title}</h3>${ordered ? html`<ol>${items}</ol>` : html`<ul>${items}</ul>`}</section>`;
}

// DiagnosisView shows one diagnosis with the account of it.
export function DiagnosisView({ of: d, account }) {
  return html`<article class="diagnosis">
    <p class="summary">${d.summary}</p>
    <p class="facts"><b>${causeName(d.cause)}</b> of <${Subject} of=${d.subject} /> <${Confidence} of=${d.confidence} /></p>
    <${Account} sentences=${account} evidence=${d.evidence} />
    ${d.chain?.length > 0 && html`<section><h3>From cause to symptom</h3><${Chain} links=${d.chain} /></section>`}
    <${Lines} title="What to do" of=${d.remedy} ordered cls="remedy" />
    ${d.evidence?.length > 0 && html`<section><h3>Evidence</h3><${Evidence} rows=${d.evidence} /></section>`}
    ${d.affected?.length > 0 && html`<section><h3>Affected</h3><ul class="subjects">${d.affected.map((s) => html`<li key=${s}><${Subject} of=${s} /></li>`)}</ul></section>`}
    <${Lines} title="Caveats" of=${d.caveats} cls="caveats" />
  </article>`;
}

// Doubts shows what was considered and ruled out, and what could not be seen.
export function Doubts({ rejected, unseen }) {
  return html`
    ${rejected?.length > 0 && html`<section class="rejected"><h3>Ruled out</h3><ul>${rejected.map((r, i) => html`<li key=${i}>
      <b>${causeName(r.cause)}</b> <span class="muted">of <${Subject} of=${r.subject} /></span><br />${r.why} ${r.cites?.length ? r.cites.map((c) => html`<${Source} key=${c} of=${c} /> `) : html`<span class="muted">no source</span>`}</li>`)}</ul></section>`}
    <${Lines} title="Not seen, and would have helped" of=${unseen} cls="unseen" />`;
}

// Touched lists all that an incident was seen on.
export function Touched({ of }) {
  if (!of?.length) return null;
  return html`<section><h3>What it touched</h3><ul class="subjects">${of.map((s) => html`<li key=${s}><${Subject} of=${s} /></li>`)}</ul></section>`;
}

// Witness shows what a model said of a report, apart from the report: whose words
// they are, what was dropped of them, and what it supposed.
export function Witness({ of: w }) {
  if (!w) return null;
  const cause = (s) => html`<b>${causeName(s.cause)}</b> of ${s.subject}: ${s.why}`;
  return html`<section class="witness"><h3>In the words of the model ${w.model}</h3>
    <p class="small muted">Each sentence is held to what it cites. The causes are the engine's.</p>
    <${Account} sentences=${w.told} evidence=${[]} />
    ${w.dropped.length > 0 && html`<details><summary>${w.dropped.length} of its sentences dropped</summary><ul>${w.dropped.map((d, i) => html`<li key=${i}>“${d.text}” <span class="muted">${d.why}</span></li>`)}</ul></details>`}
    <${Lines} title="Added to the causes by the engine, with what it found" of=${w.added.map(cause)} />
    <${Lines} title="Its guesses, which the engine does not bear out" of=${w.guesses.map(cause)} />
    <${Lines} title="It looked at" of=${w.looked} />
    <${Lines} title="Mind" of=${w.caveats} cls="caveats" />
  </section>`;
}
