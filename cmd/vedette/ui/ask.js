// Ask: one box for every question, the questions of this session, and the
// answer, which answers.js draws by its kind.
import { html, useEffect, useRef, useState } from "./dom.js";
import { personName, post } from "./api.js";
import { AnswerView } from "./answers.js";
import { Fault, Loading } from "./parts.js";
import { go, href, useRoute } from "./route.js";

const historyKey = "vedette.asked";
const keep = 30;

const examples = [
  ["Alert", "alert me when any GPU in prod is hotter than 85 °C for 5 minutes"],
  ["Look up", "which GPUs hold memory but do no work"],
  ["Why", "what is wrong with gpu-07"],
  ["When", "when will the GPU memory of gpu-03 be full"],
];

// What was answered since the page was loaded, by question.
const answers = new Map();

function asked() {
  try {
    return JSON.parse(sessionStorage.getItem(historyKey)) || [];
  } catch {
    return [];
  }
}

function remember(text) {
  const list = [text, ...asked().filter((t) => t !== text)].slice(0, keep);
  sessionStorage.setItem(historyKey, JSON.stringify(list));
}

// What was asked before in this conversation goes along: "and for team-b?" goes
// on from it. It stands in the address, one question to a line.
const ask = (text, before, publish) => post("ask", { text, ...(before.length > 0 && { before }), publish, by: personName() });

const conversation = (after) => (after ? after.split("\n") : []);

function Box({ text, onAsk, busy }) {
  const input = useRef(null);
  useEffect(() => {
    input.current.value = text;
    input.current.focus();
    input.current.setSelectionRange(text.length, text.length);
  }, [text]);
  const submit = (e) => {
    e.preventDefault();
    const q = input.current.value.trim();
    if (q) onAsk(q);
  };
  return html`<form class="askbox" onSubmit=${submit} role="search">
    <input ref=${input} id="question" type="text" autocomplete="off" spellcheck="false" maxlength="500" aria-label="Ask about the cluster, or say what to be alerted of"
      placeholder="Ask about the cluster, or say what to be alerted of" />
    <button class="button primary" disabled=${busy}>${busy ? "Asking…" : "Ask"}</button></form>`;
}

function useAnswer(q, after, attempt) {
  const key = after ? `${after}\n${q}` : q;
  const [, redraw] = useState(0);
  const [failed, fail] = useState({});
  useEffect(() => {
    if (!q || answers.has(key)) return undefined;
    let live = true;
    fail({});
    ask(q, conversation(after), false).then(
      (a) => {
        answers.set(key, a);
        remember(q);
        if (live) redraw((n) => n + 1);
      },
      (error) => live && fail({ key, error }),
    );
    return () => { live = false; };
  }, [key, attempt]);
  const publish = async () => {
    const a = await ask(q, conversation(after), true);
    const before = answers.get(key);
    answers.set(key, { ...a, alert: { ...a.alert, backtest: a.alert?.backtest || before.alert?.backtest } });
    redraw((n) => n + 1);
  };
  return { answer: answers.get(key), error: failed.key === key ? failed.error : null, publish };
}

function History({ now }) {
  const list = asked().filter((t) => t !== now);
  if (!list.length) return null;
  return html`<nav class="asked" aria-label="Asked before"><h3>Asked in this session</h3>
    <ul>${list.map((t) => html`<li key=${t}><a href=${href("ask", "", { q: t })}>${t}</a></li>`)}</ul></nav>`;
}

export function AskScreen() {
  const { params } = useRoute();
  const q = params.q || "";
  const [attempt, again] = useState(0);
  const after = params.after || "";
  const { answer, error, publish } = useAnswer(q, after, attempt);
  const onAsk = (text) => {
    const understood = answer && answer.kind !== "unclear";
    if (text !== q) return go("ask", "", { q: text, after: [...conversation(after), ...(understood ? [q] : [])].slice(-20).join("\n") });
    answers.delete(after ? `${after}\n${q}` : q);
    again(attempt + 1);
  };
  return html`<div class="ask"><h1 class="sr">Ask</h1>
    <${Box} text=${q || params.draft || ""} onAsk=${onAsk} busy=${q && !answer && !error} />
    ${!q && html`<ul class="examples">${examples.map(([kind, text]) => html`<li key=${text}><a class="chip" href=${href("ask", "", { q: text })}><b>${kind}</b> ${text}</a></li>`)}</ul>`}
    ${error && html`<${Fault} error=${error} doing="The question" />`}
    ${q && !answer && !error && html`<${Loading} what="the answer" lines=${7} />`}
    ${answer && html`<${AnswerView} key=${q} of=${answer} onPublish=${publish} />`}
    <${History} now=${q} /></div>`;
}
