"use strict";
// Puts the page together, changes runs and colours, and listens where it is live.
(() => {
  const model = JSON.parse(document.getElementById("data").textContent);
  const body = (id) => document.querySelector(`#${id} .body`) || document.getElementById(id);
  const dialog = document.getElementById("order");
  let current = 0, waiting = [];
  const late = new Set();  // What has changed and is not drawn again yet: sections, and "heads".
  W.later = (act) => waiting.push(act);
  const finish = () => { const acts = waiting; waiting = []; for (const act of acts) act(); };

  const SECTIONS = { overview: W.overview, equity: W.equity, market: W.market, orders: (b, run) => W.orders(b, run.orders), internals: W.internals, facts: W.facts };
  const draw = (names) => {
    const run = model.runs[current];
    for (const name of names) {
      const place = body(name);
      for (const one of [...W.charts]) if (one.chart && place.contains(one.chart)) one.destroy();
      try { SECTIONS[name](place, run); } catch (error) { console.error(error); W.fill(place, W.card(null, null, W.empty(`This part cannot be drawn: ${error.message}`))); }
    }
    finish();
  };
  W.openOrder = (key) => {
    const run = model.runs[current], row = (run.orders.rows || []).find((one) => one.key === key);
    if (!row) { W.say("This order is older than those in this page."); return; }
    W.lifeOf(dialog, row, " on the market's clock");
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  };
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  const tabs = document.getElementById("tabs");
  W.show = (at) => {
    current = at;
    W.asked = null; W.seen = null; W.zooms = {}; W.ui.symbol = "";
    [...tabs.children].forEach((tab, n) => { tab.setAttribute("aria-selected", String(n === at)); tab.tabIndex = n === at ? 0 : -1; });
    document.title = `${model.runs[at].title} – Watchkeeper`;
    draw(Object.keys(SECTIONS));
    for (const name of Object.keys(SECTIONS)) late.delete(name);
    W.say(`${model.runs[at].title}: ${model.runs[at].standing.word}`);
  };
  const heads = () => {
    tabs.hidden = document.getElementById("compare").hidden = model.runs.length < 2;
    if (tabs.hidden) return;
    W.fill(tabs, model.runs.map((run, at) => W.el("button", { type: "button", role: "tab", "aria-selected": String(at === current), tabindex: at === current ? 0 : -1, text: run.title, on: { click: () => W.show(at), keydown: (event) => {
      const to = event.key === "ArrowRight" ? at + 1 : event.key === "ArrowLeft" ? at - 1 : -1;
      if (to >= 0 && to < model.runs.length) { W.show(to); tabs.children[to].focus(); }
    } } })));
    for (const one of [...W.charts]) if (one.chart && body("compare").contains(one.chart)) one.destroy();
    W.compare(body("compare"), model.runs);
    finish();
  };

  const made = () => { document.getElementById("made").textContent = `As of ${W.moment(Math.max(...model.runs.map((run) => run.at)))}.`; };
  W.theme();
  heads();
  W.show(0);
  made();
  document.documentElement.dataset.ready = "yes";
  if (!model.live) return;

  // Live: what changed of a run comes as its sections; only those are drawn again.
  const live = document.getElementById("live"), PARTS = { standing: "overview", missing: "overview", trouble: "overview", equity: "equity", market: "market", orders: "orders", internals: "internals", facts: "facts", config: "facts" };
  const holds = (id) => document.getElementById(id).contains(document.activeElement);
  const busy = (name) => (name === "heads" ? holds("tabs") || holds("compare") : name !== "overview" && holds(name));
  // Who reads a chart, types a search or has an order open is not interrupted; it is drawn when the focus is gone.
  const catchUp = () => {
    if (dialog.open) return;
    const free = [...late].filter((name) => !busy(name));
    for (const name of free) late.delete(name);
    if (free.includes("heads")) heads();
    draw(free.filter((name) => name !== "heads"));
  };
  document.addEventListener("focusout", () => setTimeout(catchUp));
  dialog.addEventListener("close", catchUp);
  const source = new EventSource("events");
  source.addEventListener("open", () => { live.textContent = "● Live"; });
  source.addEventListener("error", () => { live.textContent = "○ No contact, trying again"; });
  source.addEventListener("parts", (event) => {
    const { run: at, parts } = JSON.parse(event.data);
    if (!model.runs[at]) return;
    Object.assign(model.runs[at], parts);
    const names = Object.keys(parts).map((part) => PARTS[part]).filter(Boolean);
    if (Object.keys(parts).some((part) => part === "equity" || part === "orders" || part === "internals")) names.push("overview");
    if (at === current) for (const name of names) late.add(name);
    if (model.runs.length > 1) late.add("heads");
    catchUp();
    made();
  });
})();
