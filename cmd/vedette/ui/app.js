// The page: the rail, the banners, the form for a token, and the screen that
// the address names.
import { html, render, useEffect, useErrorBoundary, useState } from "./dom.js";
import { ActionsScreen } from "./actions.js";
import { personName, setPersonName, setToken, takeToken, usePoll } from "./api.js";
import { AskScreen } from "./ask.js";
import { FleetScreen } from "./fleet.js";
import { clock, percent, plural, span, stamp } from "./format.js";
import { IncidentsScreen } from "./incidents.js";
import { Fault, Loading } from "./parts.js";
import { RulesScreen } from "./rules.js";
import { go, href, useRoute } from "./route.js";
import { applyTheme, ThemeButton } from "./theme.js";

// Three polls without an answer make what is shown old.
const oldAfter = 15000;

const screens = [
  ["fleet", "Fleet", FleetScreen], ["incidents", "Incidents", IncidentsScreen], ["ask", "Ask", AskScreen],
  ["actions", "Actions", ActionsScreen], ["rules", "Rules", RulesScreen],
];

const icons = {
  fleet: "M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z",
  incidents: "M8 1.5 15 14H1zM8 6v4M8 11.5v1",
  ask: "M2 3h12v8H7l-3.5 3V11H2z",
  actions: "M3 8l3.5 3.5L13 4.5",
  rules: "M3 3h10M3 8h10M3 13h6",
};

function Mark() {
  return html`<img class="mark" src="favicon.svg" alt="" width="26" height="26" />`;
}

function Name() {
  const [name, set] = useState(personName);
  const keep = (e) => {
    setPersonName(e.target.value);
    set(personName());
  };
  return html`<label class="who">Signed as <input type="text" value=${name} maxlength="60" onInput=${(e) => set(e.target.value)} onChange=${keep} title="What you approve, deny and publish is recorded under this name" /></label>`;
}

function Rail({ at, status }) {
  const counts = { incidents: status?.openIncidents, actions: status?.waitingActions };
  return html`<nav class="rail" aria-label="Screens"><div>
    <a class="brand" href=${href("fleet")}><${Mark} /> <b>Vedette</b></a>
    <ul>${screens.map(([id, name]) => html`<li key=${id}><a href=${href(id)} data-screen=${id} aria-current=${at === id ? "page" : undefined}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true"><path d=${icons[id]} /></svg>${name}
      ${counts[id] > 0 && html`<span class="count" title=${id === "incidents" ? "open" : "to decide"}>${counts[id]}</span>`}</a></li>`)}</ul>
    <div class="foot">
      ${status && html`<dl><div><dt>Cluster</dt><dd>${status.cluster || "–"}</dd></div><div><dt>Mode</dt><dd>${status.mode}</dd></div>
        <div><dt>Model</dt><dd title=${status.model || "No language model: questions are read by the grammar"}>${status.model || "none"}</dd></div><div><dt>Time</dt><dd>${clock(status.now, false)} UTC</dd></div></dl>`}
      <${Name} /><${ThemeButton} />
      <p class="small muted">${status ? "version " + status.version : ""}</p></div></div></nav>`;
}

function Token() {
  const submit = (e) => {
    e.preventDefault();
    const token = new FormData(e.target).get("token").trim();
    if (token) setToken(token);
  };
  return html`<form class="panel token" onSubmit=${submit}><h1>A token is needed</h1>
    <p>The server asks who you are. It printed a token when it started, or your administrator has one.</p>
    <label>Token <input name="token" type="password" autocomplete="off" required /></label> <button class="button primary">Continue</button>
    <p class="small muted">It is kept for this tab only.</p></form>`;
}

// useTick draws again every few seconds, so that ages grow while nothing comes.
function useTick() {
  const [, redraw] = useState(0);
  useEffect(() => {
    const t = setInterval(() => redraw((n) => n + 1), 5000);
    return () => clearInterval(t);
  }, []);
}

function Banners({ status, error, at }) {
  useTick();
  const fill = status?.backfill;
  const stale = (status?.agents || []).filter((a) => a.stale);
  const age = Date.now() - at;
  return html`<div class="banners" role="status">
    ${status?.simulated && html`<p class="sim"><b>Simulated cluster</b> Everything shown here is made up.${
      fill && fill.done < 1 && !fill.error && html`<span class="fill"> History since ${stamp(fill.from)}: <progress max="1" value=${fill.done} aria-label="Back-fill"></progress> ${percent(fill.done)}</span>`}</p>`}
    ${fill?.error && html`<p class="bad"><b>The back-fill stopped</b> ${fill.error}</p>`}
    ${stale.length > 0 && html`<p class="old"><b>Stale</b> ${stale.length === 1 ? stale[0].node + " has" : plural(stale.length, "agent") + " have"} sent nothing since ${clock(stale.map((a) => a.lastSeen).sort()[0])} UTC.</p>`}
    ${error && at > 0 && age > oldAfter && html`<p class="bad" data-old><b>Not connected</b> What you see is ${span(age / 1000)} old. ${error.detail || error.message}</p>`}</div>`;
}

function useKeys() {
  useEffect(() => {
    const press = (e) => {
      if (e.key !== "/" || e.ctrlKey || e.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName)) return;
      e.preventDefault();
      go("ask");
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}

// Guard keeps the rail where a screen cannot draw what it was given.
function Guard({ children }) {
  const [error] = useErrorBoundary((err) => console.error(err));
  return error ? html`<${Fault} error=${error} doing="This screen cannot be drawn" />` : children;
}

function App() {
  const route = useRoute();
  const { data: status, error, at } = usePoll("status");
  const [id, name, Screen] = screens.find(([s]) => s === route.screen) || screens[0];
  useKeys();
  useEffect(() => {
    document.title = (status?.openIncidents ? "(" + status.openIncidents + ") " : "") + name + " · Vedette";
  }, [name, status?.openIncidents]);
  const locked = error?.status === 401;
  // Screens reckon in the server's time, so its status comes first.
  const screen = status || error ? html`<${Guard} key=${id}><${Screen} /></${Guard}>` : html`<${Loading} what="the page" lines=${8} />`;
  return html`<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
    <${Rail} at=${id} status=${status} />
    <main id="main" tabindex="-1" data-screen=${id}>${locked ? html`<${Token} />` : html`<${Banners} status=${status} error=${error} at=${at} />${screen}`}</main>`;
}

takeToken();
window.addEventListener("hashchange", takeToken); // before the screens look at the address
applyTheme();
render(html`<${App} />`, document.getElementById("app"));
