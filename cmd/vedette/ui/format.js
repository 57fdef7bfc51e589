// How values are written: numbers, times, durations, subjects. All times are
// UTC, as they are in reports and logs.

const missing = "–";

// num writes a number with at most digits decimals, or a dash where it is missing.
export function num(v, digits = 0) {
  if (v === null || v === undefined || !Number.isFinite(v)) return missing;
  return v.toLocaleString("en-GB", { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

// short writes a number with three significant digits.
export function short(v) {
  if (v === null || v === undefined || !Number.isFinite(v)) return missing;
  const a = Math.abs(v);
  if (a >= 1e9) return trim(v / 1e9) + " G";
  if (a >= 1e6) return trim(v / 1e6) + " M";
  if (a >= 1e4) return trim(v / 1e3) + " k";
  return trim(v);
}

function trim(v) {
  return Number(v.toPrecision(3)).toLocaleString("en-GB", { maximumFractionDigits: 6 });
}

// scaleFor is how values of a unit (UCUM's, as in the catalogue) up to max are
// written: what to multiply them with, and the word for it.
export function scaleFor(unit, max) {
  if (unit === "1") return { by: 100, word: "%" };
  const first = { By: 0, "By/s": 0, KiBy: 1, MiBy: 2 }[unit];
  if (first === undefined) return { by: 1, word: unitWord(unit) };
  const sizes = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let i = first;
  let by = 1;
  while (i < sizes.length - 1 && Math.abs(max) * by >= 1024) {
    by /= 1024;
    i++;
  }
  return { by, word: sizes[i] + (unit === "By/s" ? "/s" : "") };
}

// withUnit writes a value with its unit.
export function withUnit(v, unit) {
  if (v === null || v === undefined) return missing;
  const { by, word } = scaleFor(unit, v);
  return short(v * by) + (word ? " " + word : "");
}

// unitWord is how people write a unit of the catalogue.
export function unitWord(unit) {
  const words = { Cel: "°C", "1": "", MiBy: "MiB", By: "B", "By/s": "B/s" };
  if (!unit) return "";
  return unit in words ? words[unit] : unit.replace(/[{}]/g, "");
}

export function gib(mib) {
  return mib === null || mib === undefined ? missing : num(mib / 1024, 1);
}

// zero reports whether a time of the wire is no time.
export function zero(t) {
  return !t || t.startsWith("0001-");
}

const pad = (n) => String(n).padStart(2, "0");
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function clock(t, seconds = true) {
  if (zero(t)) return missing;
  const d = new Date(t);
  return pad(d.getUTCHours()) + ":" + pad(d.getUTCMinutes()) + (seconds ? ":" + pad(d.getUTCSeconds()) : "");
}

export function day(t) {
  const d = new Date(t);
  return d.getUTCDate() + " " + months[d.getUTCMonth()];
}

// stamp writes day and time.
export function stamp(t) {
  return zero(t) ? missing : day(t) + " " + clock(t, false);
}

// span writes seconds as people say them: "2 d 4 h", "31 min", "42 s".
export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return s + " s";
  const min = Math.round(s / 60);
  if (min < 60) return min + " min";
  if (min < 48 * 60) return Math.floor(min / 60) + " h" + (min % 60 ? " " + (min % 60) + " min" : "");
  const h = Math.round(min / 60);
  return Math.floor(h / 24) + " d" + (h % 24 ? " " + (h % 24) + " h" : "");
}

// between is the span from one time of the wire to another.
export function between(from, to) {
  return span((Date.parse(to) - Date.parse(from)) / 1000);
}

// ago says how long before now a time is, or how long after.
export function ago(t, now) {
  const s = (Date.parse(now) - Date.parse(t)) / 1000;
  if (!Number.isFinite(s)) return missing;
  return s >= 0 ? span(s) + " ago" : "in " + span(-s);
}

// confidence is a confidence in words.
export function confidence(v) {
  if (v >= 0.85) return "high";
  if (v >= 0.65) return "fair";
  if (v >= 0.5) return "low";
  return "a guess";
}

export function percent(v) {
  return num(v * 100) + " %";
}

// labels writes a label set without the name of the metric.
export function labels(set) {
  const parts = Object.entries(set || {}).filter(([k]) => k !== "__name__").map(([k, v]) => k + "=" + v);
  return parts.length ? parts.join(" ") : "all";
}

// plural writes a count with its noun.
export function plural(n, one, many = one + "s") {
  return num(n) + " " + (n === 1 ? one : many);
}

// causeName is a cause's ID as words.
export function causeName(id) {
  return id ? id.replaceAll("-", " ") : "not explained yet";
}

// subjectNode is the node that a subject written as text is or is part of, or "".
export function subjectNode(subject) {
  const [kind, node] = (subject || "").split("/");
  return kind === "node" || kind === "gpu" ? node : "";
}

// bytes cuts a text at byte offsets, as the wire counts them.
export function bytes(text, from, to) {
  const raw = new TextEncoder().encode(text);
  const read = (a, b) => new TextDecoder().decode(raw.slice(a, b));
  return [read(0, from), read(from, to), read(to, raw.length)];
}
