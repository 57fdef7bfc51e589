// The address of what is shown. All state that is worth a link is in the hash:
// #/SCREEN/ID?PARAMS.
import { useEffect, useState } from "./dom.js";

export function read() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [screen, ...rest] = path.split("/");
  return {
    screen: screen || "fleet",
    id: rest.map(decodeURIComponent).join("/"),
    params: Object.fromEntries(new URLSearchParams(query || "")),
  };
}

// href is the address of a screen. Parameters that are empty are left out.
export function href(screen, id = "", params = {}) {
  const set = Object.entries(params).filter(([, v]) => v !== "" && v !== undefined && v !== null);
  const query = new URLSearchParams(set).toString();
  return "#/" + screen + (id ? "/" + encodeURIComponent(id) : "") + (query ? "?" + query : "");
}

export function go(screen, id, params) {
  location.hash = href(screen, id, params);
}

// change sets parameters of the address that is shown, without a new entry in
// the browser's history: a colour or a filter is not a place to go back to.
export function change(params) {
  const at = read();
  history.replaceState(null, "", href(at.screen, at.id, { ...at.params, ...params }));
  window.dispatchEvent(new Event("hashchange"));
}

export function useRoute() {
  const [at, set] = useState(read);
  useEffect(() => {
    const moved = () => set(read());
    window.addEventListener("hashchange", moved);
    return () => window.removeEventListener("hashchange", moved);
  }, []);
  return at;
}
