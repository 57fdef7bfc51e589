// The only module that talks to the server. Every address is relative to the
// page, so that it works under any prefix. It keeps the token and the name of
// the person, and polls what a screen watches while the tab is visible.
import { useEffect, useState } from "./dom.js";

const tokenKey = "vedette.token";
const nameKey = "vedette.name";
const pollEvery = 5000;

// takeToken moves a token that came in the address (#token=…) into the session.
export function takeToken() {
  const m = /^#token=([^&]*)/.exec(location.hash);
  if (!m) return;
  sessionStorage.setItem(tokenKey, decodeURIComponent(m[1]));
  history.replaceState(null, "", location.pathname + location.search + "#/fleet");
}

export function setToken(token) {
  sessionStorage.setItem(tokenKey, token);
  for (const e of polled.values()) e.refresh();
}

export function personName() {
  return localStorage.getItem(nameKey) || "page";
}

export function setPersonName(name) {
  localStorage.setItem(nameKey, name.trim() || "page");
}

// A Problem is an error as the server states it.
export class Problem extends Error {
  constructor(status, { title, detail, hint } = {}) {
    super(title || "The server answered " + status);
    this.status = status;
    this.detail = detail || "";
    this.hint = hint || "";
  }
}

// request calls the server and returns its JSON, or its text with as = "text".
export async function request(path, { method = "GET", body, as = "json" } = {}) {
  const headers = {};
  const token = sessionStorage.getItem(tokenKey);
  if (token) headers.Authorization = "Bearer " + token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let resp;
  try {
    resp = await fetch(new URL(path, document.baseURI.split("#")[0]), {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (err) {
    throw new Problem(0, { title: "The server cannot be reached", detail: err.message, hint: "It is tried again every few seconds." });
  }
  if (resp.ok) return as === "text" ? resp.text() : resp.json();
  throw new Problem(resp.status, await resp.json().catch(() => ({})));
}

export const get = (path) => request("vedette/v1/" + path);
export const getText = (path) => request("vedette/v1/" + path, { as: "text" });
export const post = (path, body) => request("vedette/v1/" + path, { method: "POST", body });

// queryRange asks the Prometheus API for one series over [start, end] (Unix
// seconds) and returns it as a chart series, or null where there is none.
export async function queryRange(query, start, end, step) {
  const params = new URLSearchParams({ query, start, end, step });
  const { data } = await request("api/v1/query_range?" + params);
  if (!data.result.length) return null;
  const values = Array(Math.floor((end - start) / step) + 1).fill(null);
  for (const [t, v] of data.result[0].values) {
    const i = Math.round((t - start) / step);
    if (i >= 0 && i < values.length && Number.isFinite(Number(v))) values[i] = Number(v);
  }
  return { name: query, start, step, values };
}

// An entry of polled is one path that some screen watches: its newest answer,
// and who wants to know.
const polled = new Map();

function entry(path) {
  if (!polled.has(path)) {
    const e = { data: null, error: null, at: 0, watchers: new Set(), timer: 0, busy: false, again: false };
    e.refresh = async () => {
      if (e.busy) {
        e.again = true; // what is under way may have begun before the change
        return;
      }
      e.busy = true;
      clearTimeout(e.timer);
      try {
        e.data = await get(path);
        e.error = null;
        e.at = Date.now();
      } catch (err) {
        e.error = err;
      }
      e.busy = false;
      if (e.again) {
        e.again = false;
        e.refresh();
        return;
      }
      if (e.watchers.size && !document.hidden) e.timer = setTimeout(e.refresh, pollEvery);
      for (const tell of e.watchers) tell();
    };
    polled.set(path, e);
  }
  return polled.get(path);
}

document.addEventListener("visibilitychange", () => {
  for (const e of polled.values()) {
    clearTimeout(e.timer);
    if (!document.hidden && e.watchers.size) e.refresh();
  }
});

// usePoll watches a path: {data, error, at, refresh}. The newest good answer
// stays while later calls fail; at is when it came, by the browser's clock.
export function usePoll(path) {
  const e = entry(path);
  const [, redraw] = useState(0);
  useEffect(() => {
    const tell = () => redraw((n) => n + 1);
    e.watchers.add(tell);
    if (e.watchers.size === 1 || !e.at) e.refresh();
    return () => {
      e.watchers.delete(tell);
      if (!e.watchers.size) clearTimeout(e.timer);
    };
  }, [path]);
  return e;
}

// refresh asks again at once for the paths that something was just done to.
export function refresh(...paths) {
  for (const p of paths) if (polled.has(p) && polled.get(p).watchers.size) polled.get(p).refresh();
}

// useLoad loads once for each key: {data, error, loading}.
export function useLoad(key, load) {
  const [state, set] = useState({ key, loading: true });
  useEffect(() => {
    let live = true;
    set({ key, loading: true });
    load().then(
      (data) => live && set({ key, data, loading: false }),
      (error) => live && set({ key, error, loading: false }),
    );
    return () => { live = false; };
  }, [key]);
  return state.key === key ? state : { key, loading: true };
}
