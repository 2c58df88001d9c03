"use strict";
// A fleet at a glance: the worst first in the verdict, every bot in the order of its file.
const PHASES = {
  running: ["●", "ok"], draining: ["◐", "warning"], waiting: ["…", "warning"], stopped: ["■", "unknown"], parked: ["✕", "critical"],
};
const level = (bot) => {
  if (bot.phase === "parked") return "critical";
  if (bot.phase === "running" && (bot.halt || bot.verdict === "CRITICAL")) return "critical";
  if (bot.phase === "stopped") return "unknown";
  if (bot.phase !== "running" || bot.warnings.length || bot.unknown_orders || !bot.ready || bot.verdict === "WARNING") return "warning";
  return "ok";
};
// What a person reads first of one bot.
const why = (bot) => [bot.why, ...bot.warnings, bot.halt ? `halted: ${bot.halt}` : "", bot.unknown_orders ? `${W.count(bot.unknown_orders)} of its orders have an unknown outcome` : "", ...(bot.alerts.length ? bot.alerts : [bot.verdict === "OK" ? "" : bot.verdict_why])].filter(Boolean);

const verdict = (model) => {
  const of = (name) => model.bots.filter((bot) => level(bot) === name);
  const critical = of("critical"), warning = of("warning");
  const named = (bots) => bots.slice(0, 5).map((bot) => bot.bot).join(", ") + (bots.length > 5 ? ` and ${bots.length - 5} more` : "");
  const first = ([bot, ...others]) => `${bot.bot}: ${why(bot)[0] || "it takes no decisions"}${others.length ? `. Also: ${named(others)}` : ""}`;
  if (!model.orchestrator) return ["critical", "Nobody watches", "No orchestrator runs: bots that end are not started again."];
  if (critical.length) return ["critical", "A person is needed", first(critical)];
  if (warning.length) return ["warning", "Something is wrong", first(warning)];
  return ["ok", "All is well", `${W.count(model.phases.running)} of ${W.count(model.bots.length)} bots run, and each takes decisions.`];
};

const figure = (label, value, ...under) => W.el("div", {}, W.el("dt", { text: label }), W.el("dd", {}, value), under.filter(Boolean).map((text) => W.el("dd", { class: "under", text })));

W.fleet = (body, model) => {
  const [how, word, text] = verdict(model), totals = model.totals, phases = model.phases;
  const figures = Object.entries(totals.equity).slice(0, 3).map(([quote, amount]) => figure("Profit of all, net of fees", [W.signed(W.money(amount)), W.el("small", { text: ` ${quote}` })]));
  figures.push(
    figure("Bots", `${W.count(phases.running)} of ${W.count(model.bots.length)} run`, ["parked", "waiting", "draining", "stopped"].filter((name) => phases[name]).map((name) => `${phases[name]} ${name}`).join(", ")),
    figure("Orders filled", W.count(totals.filled), `${W.count(totals.allowed)} claimed, ${W.count(totals.rejected)} refused`),
    figure("Open orders", W.count(totals.open_orders), totals.unknown_orders ? `${W.count(totals.unknown_orders)} of unknown outcome` : "none of unknown outcome"),
    figure("Restarts of bots", W.count(totals.restarts), `${W.number(totals.rss_mb)} MB resident in all`),
  );
  W.fill(body,
    W.el("p", { class: "runname" }, W.el("b", { text: model.fleet }), model.orchestrator ? ` · orchestrator ${model.orchestrator}` : " · no orchestrator"),
    W.el("h1", { class: "verdict" }, W.mark(how), word),
    W.el("p", { class: "why", text }),
    W.el("dl", { class: "figures" }, figures));
};

const phase = (bot) => {
  const [mark, how] = PHASES[bot.phase] || ["?", "unknown"];
  return W.el("span", { class: "state" }, W.el("i", { class: how, "aria-hidden": "true", text: mark }), bot.phase);
};
const money = (bot) => Object.entries(bot.pnl).map(([quote, one]) => `${W.signed(W.money(one.equity))} ${quote}`).join(", ") || "–";
const number = (value, show = W.count) => W.el("td", { class: "num", text: value === null || value === undefined ? "–" : show(value) });

W.bots = (body, model) => {
  const heads = [["Bot"], ["Phase"], ["Health"], ["For", 1], ["Profit", 1], ["Filled", 1], ["Open", 1], ["Restarts", 1], ["CPU s", 1], ["MB", 1], ["Why"]];
  const rows = model.bots.map((bot) => W.el("tr", { "data-bot": bot.bot, "data-level": level(bot) },
    W.el("th", { scope: "row" }, W.mark(level(bot)), ` ${bot.bot}`),
    W.el("td", {}, phase(bot)),
    W.el("td", { text: bot.verdict ? bot.verdict.toLowerCase() + (bot.ready ? "" : ", not ready") : "–" }),
    number(bot.since_s, W.span), W.el("td", { class: "num", text: money(bot) }), number(bot.counts.filled), number(bot.open_orders), number(bot.restarts),
    number(bot.cpu_s, W.number), number(bot.rss_mb, W.number),
    W.el("td", { class: "wrap", text: why(bot).join("; ") })));
  W.fill(body, W.card(null, null, rows.length
    ? W.scroll("Bots", W.el("table", {}, W.el("thead", {}, W.el("tr", {}, heads.map(([text, num]) => W.el("th", { scope: "col", class: num ? "num" : null, text })))), W.el("tbody", {}, rows)))
    : W.empty("There is no bot yet.")));
};

const show = (model) => {
  W.fleet(document.getElementById("overview"), model);
  const body = document.querySelector("#bots .body");
  if (!body.contains(document.activeElement)) W.bots(body, model);
  document.title = `${model.fleet}: ${verdict(model)[1].toLowerCase()}`;
  W.fill(document.getElementById("made"), "Seen at ", W.time(model.at_ns / 1e9), ".");
  document.documentElement.dataset.ready = "yes";
};

W.charts = [];
W.theme();

const EVERY_MS = 2000, state = document.getElementById("live");
const token = new URLSearchParams(location.hash.slice(1)).get("token");
const look = async () => {
  try {
    const answer = await fetch("fleet.json", { cache: "no-store", headers: token ? { Authorization: `Bearer ${token}` } : {} });
    if (answer.status === 401) { W.fill(state, "Add #token=TOKEN to the address"); document.documentElement.dataset.ready = "no"; return; }
    if (!answer.ok) throw new Error(`answer ${answer.status}`);
    show(await answer.json());
    W.fill(state, "Live");
  } catch (error) {
    // What stands there is old from now on, and must not look fresh.
    W.fill(state, `No answer since ${W.clock(Date.now() / 1000)}`);
    document.documentElement.dataset.ready = "old";
  }
  setTimeout(look, EVERY_MS);
};
const given = JSON.parse(document.getElementById("data").textContent);
if (given.bots) show(given); else look();
