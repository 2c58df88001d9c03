"use strict";
// Small things that everything uses. Text from a run only ever becomes text, never markup.
const W = {};

W.el = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
};
W.svg = (tag, attributes, ...children) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
};
W.fill = (node, ...children) => { node.replaceChildren(...children.flat(Infinity).filter(Boolean)); return node; };

// Colours are named once, in the style; a canvas needs them as they come out for this theme.
let probe = null, known = {};
W.colour = (name) => {
  if (!known[name]) {
    if (!probe) { probe = W.el("i", { hidden: true }); document.body.append(probe); }
    probe.style.color = `var(--${name})`;
    known[name] = getComputedStyle(probe).color;
  }
  return known[name];
};
W.faded = (name, alpha) => {
  const found = W.colour(name).match(/[\d.]+/g) || [0, 0, 0];
  return W.colour(name).startsWith("rgb") ? `rgba(${found.slice(0, 3).join(",")},${alpha})` : W.colour(name);
};
W.forgetColours = () => { known = {}; };

const pad = (number) => String(number).padStart(2, "0");
W.date = (s) => { const d = new Date(s * 1000); return `${d.getUTCFullYear()}-${pad(d.getUTCMonth() + 1)}-${pad(d.getUTCDate())}`; };
W.clock = (s) => { const d = new Date(s * 1000); return `${pad(d.getUTCHours())}:${pad(d.getUTCMinutes())}:${pad(d.getUTCSeconds())}`; };
W.moment = (s) => `${W.date(s)} ${W.clock(s)}`;
W.precise = (s) => `${W.moment(s)}.${String(Math.floor((s % 1) * 1000)).padStart(3, "0")}`;
W.time = (s) => W.el("time", { datetime: new Date(s * 1000).toISOString(), text: W.moment(s) });
// Made once: `toLocaleString` makes one of these for each number.
const WHOLES = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 }), CENTS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 }), PLAIN = new Intl.NumberFormat("en-US");
W.number = (value, digits = 4) => {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return (size >= 1e5 ? WHOLES : CENTS).format(value);
  return String(Number(value.toPrecision(digits)));
};
W.count = (value) => PLAIN.format(Number(value || 0));
W.ms = (value) => {
  if (value === null || value === undefined) return "–";
  if (value < 1) return `${W.number(value * 1000, 3)} µs`;
  return value < 1000 ? `${W.number(value, 3)} ms` : `${W.number(value / 1000, 3)} s`;
};
W.span = (s) => {
  const [unit, size] = s < 120 ? ["s", 1] : s < 7200 ? ["min", 60] : s < 172800 ? ["h", 3600] : ["d", 86400];
  return `${W.number(s / size, 3)} ${unit}`;
};
// gaps: [[from, until]]; says what the blank parts of a chart are, for those too who do not see them.
W.quiet = (gaps, what) => {
  if (!gaps || !gaps.length) return "";
  const [from, until] = gaps.reduce((a, b) => (b[1] - b[0] > a[1] - a[0] ? b : a));
  return `Left blank: ${gaps.length === 1 ? "a time" : `${W.count(gaps.length)} times`} without ${what}${gaps.length === 1 ? "" : ", the longest"} from ${W.moment(from)} to ${W.moment(until)} (${W.span(until - from)}).`;
};
// Two digits after the point, more of what is small: as `spoken_money` has it.
W.money = (text) => {
  const amount = Number(text);
  let places = 2;
  while (places < 8 && amount && Math.abs(amount) < 10 ** (1 - places)) places++;
  const told = amount.toFixed(places);
  return Number.isFinite(amount) ? (/[1-9]/.test(told) ? told : told.replace("-", "")) : text;
};
W.signed = (text) => (/^[-−]/.test(text) ? text.replace("-", "−") : /[1-9]/.test(text) ? `+${text}` : text);
W.say = (text) => { document.getElementById("said").textContent = text; };

const MARKS = { ok: "✓", warning: "!", critical: "✕", unknown: "?" };
W.mark = (level) => W.el("span", { class: `mark ${level}`, role: "img", "aria-label": level }, W.el("b", { text: MARKS[level] || "?", "aria-hidden": "true" }));

const STATES = {
  filled: ["●", "ok"], accepted: ["○", "unknown"], partially_filled: ["◐", "unknown"], claimed: ["·", "unknown"],
  sent: ["→", "unknown"], unknown: ["?", "warning"], not_sent: ["↺", "warning"], canceled: ["–", "unknown"],
  expired: ["–", "unknown"], rejected: ["✕", "critical"], refused: ["⊘", "warning"],
};
W.state = (name) => {
  const [mark, level] = STATES[name] || ["·", "unknown"];
  return W.el("span", { class: "state" }, W.el("i", { class: level, "aria-hidden": "true", text: mark }), String(name).replace("_", " "));
};
W.side = (side) => W.el("span", { class: "side" }, W.el("span", { "aria-hidden": "true", text: side === "buy" ? "▲ " : "▼ " }), side === "buy" ? "Buy" : "Sell");

// A row of buttons of which one is pressed. `choose` is told its key.
W.pick = (label, options, chosen, choose) => {
  const group = W.el("div", { class: "pick", role: "group", "aria-label": label });
  const show = (key) => { for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.key === key)); };
  for (const [key, text] of options) {
    group.append(W.el("button", { type: "button", "data-key": key, text, on: { click: () => { show(key); choose(key); } } }));
  }
  show(chosen);
  return group;
};
W.card = (title, right, ...children) => W.el("div", { class: "card" },
  title || right ? W.el("div", { class: "head" }, title ? W.el("h3", { text: title }) : null, right || null) : null, ...children);
W.empty = (text) => W.el("p", { class: "empty", text });
W.scroll = (label, table) => W.el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
