// Light, dark or as the system is: an attribute on the root that the style
// sheet follows, remembered in this browser.
import { html, useState } from "./dom.js";

const key = "vedette.theme";
const next = { system: "light", light: "dark", dark: "system" };
const glyph = { system: "◐", light: "☀", dark: "☾" };

function stored() {
  const t = localStorage.getItem(key);
  return t in next ? t : "system";
}

export function applyTheme(theme = stored()) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

export function ThemeButton() {
  const [theme, set] = useState(stored);
  const turn = () => {
    localStorage.setItem(key, next[theme]);
    applyTheme(next[theme]);
    set(next[theme]);
  };
  return html`<button type="button" class="quiet theme" onClick=${turn} title=${"Colours: " + theme + ". Change to " + next[theme]}>
    <i aria-hidden="true">${glyph[theme]}</i> ${theme[0].toUpperCase() + theme.slice(1)} colours</button>`;
}
