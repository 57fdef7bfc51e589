// The small pieces that every screen is made of: states, chips, empty and
// loading and error boxes, filters, a button that copies.
import { html, useState } from "./dom.js";
import { confidence, percent } from "./format.js";

const severities = { critical: ["crit", "◆"], warning: ["warn", "▲"], info: ["info", "●"] };

export function Severity({ of, mute }) {
  const [cls, glyph] = severities[of] || ["info", "●"];
  return html`<span class=${"sev " + (mute ? "mute" : cls)}><i aria-hidden="true">${glyph}</i>${of || "info"}</span>`;
}

// Tag is a word in a pill. tone: "", good, warn, crit, info.
export function Tag({ tone = "", title, children }) {
  return html`<span class=${"tag " + tone} title=${title}>${children}</span>`;
}

export function Confidence({ of }) {
  return html`<span class="conf">
    <meter min="0" max="1" value=${of} aria-hidden="true"></meter>
    <span><b>${confidence(of)}</b> ${percent(of)}</span>
  </span>`;
}

export function Loading({ lines = 4, what }) {
  return html`<div class="skeleton" role="status" aria-label=${"Loading " + what}>
    ${Array.from({ length: lines }, (_, i) => html`<div class=${"bar w" + (i % 4)}></div>`)}
  </div>`;
}

export function Empty({ title, children }) {
  return html`<div class="empty"><h2>${title}</h2><p>${children}</p></div>`;
}

export function Fault({ error, doing }) {
  return html`<div class="fault" role="alert">
    <b>${doing ? doing + ": " : ""}${error.message}</b>
    ${error.detail && html`<p>${error.detail}</p>`}
    ${error.hint && html`<p class="muted">${error.hint}</p>`}
  </div>`;
}

// Segments is a choice of one of a few. options: [[value, label, count?]].
export function Segments({ label, options, value, onPick }) {
  return html`<div class="segments" role="group" aria-label=${label}>
    ${options.map(([v, text, count]) => html`<button type="button" key=${v} data-value=${v}
      aria-pressed=${v === value} onClick=${() => onPick(v)}>${text}${
      count !== undefined && html` <span class="count">${count}</span>`}</button>`)}
  </div>`;
}

// Source shows where something is known from: a line, an object or a query.
export function Source({ of }) {
  return html`<code class="source" title=${of}>${of.length > 56 ? of.slice(0, 54) + "…" : of}</code>`;
}

// Cites shows what a sentence rests on: the number of an evidence row where it
// is one on this page, else the source itself.
export function Cites({ of, evidence }) {
  return of.map((c) => {
    const i = (evidence || []).findIndex((e) => e.source === c);
    if (i < 0) return html` <${Source} of=${c} />`;
    return html` <button type="button" class="cite" title=${c} aria-label=${"Evidence " + (i + 1)}
      onClick=${(e) => show(e.currentTarget.closest("article"), i)}>${i + 1}</button>`;
  });
}

function show(article, i) {
  const el = article?.querySelectorAll(".evidence > li")[i];
  if (!el) return;
  el.scrollIntoView({ block: "nearest", behavior: "smooth" });
  el.focus({ preventScroll: true });
}

// Copy copies what load returns. Where the browser forbids it (plain HTTP), the
// text is shown to be copied by hand.
export function Copy({ label, load }) {
  const [state, set] = useState({});
  const copy = async () => {
    try {
      const text = await load();
      try {
        await navigator.clipboard.writeText(text);
        set({ done: true });
      } catch {
        set({ text });
      }
    } catch (error) {
      set({ error });
    }
  };
  return html`<span class="copy">
    <button type="button" class="quiet" onClick=${copy}>${state.done ? "Copied" : label}</button>
    ${state.error && html`<${Fault} error=${state.error} />`}
    ${state.text && html`<textarea class="mono" readonly rows="12" aria-label="Copy this text"
      value=${state.text} ref=${(el) => el && el.select()}></textarea>`}
  </span>`;
}

// Working is a button that waits for what it started and shows what went wrong.
export function Working({ cls = "", label, busy, onDo, disabled }) {
  const [state, set] = useState({});
  const run = async () => {
    set({ busy: true });
    try {
      await onDo();
      set({});
    } catch (error) {
      set({ error });
    }
  };
  return html`<span class="working">
    <button type="button" class=${"button " + cls} disabled=${disabled || state.busy} onClick=${run}>${state.busy ? busy : label}</button>
    ${state.error && html`<${Fault} error=${state.error} />`}
  </span>`;
}
