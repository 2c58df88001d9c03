"use strict";
// One function for each section of a run.
const LOUD = { exited: ["✕", "critical", "Exit"], hung: ["✕", "critical", "Hung"], halted: ["■", "critical", "Halted"], gave_up: ["■", "critical", "Gave up"], backoff: ["…", "warning", "Backoff"], restarted: ["↻", "warning", "Restart"], alert: ["!", "critical", "Alert"], recovered: ["✓", "ok", "Over"], start: ["▶", "ok", "Start"], feed: ["~", "unknown", "Feed"], gap: ["╳", "warning", "Gap"] };
const loud = (kind) => LOUD[kind] || ["·", "unknown", kind];
W.ui = { percentile: "p99", equity: "profit", symbol: "", hold: "" };

W.overview = (body, run) => {
  const { standing } = run, lacks = [...(run.trouble ? [run.trouble] : []), ...run.missing];
  const quotes = Object.entries(run.equity), first = quotes[0];
  const figure = (label, value, ...under) => W.el("div", {}, W.el("dt", { text: label }), W.el("dd", {}, value), under.filter(Boolean).map((text) => W.el("dd", { class: "under", text: text.replaceAll(" %", "\u00a0%") })));
  const figures = [];
  for (const [quote, e] of quotes.slice(0, 3)) {
    figures.push(figure("Profit, net of fees", [W.signed(e.final_shown), W.el("small", { text: ` ${quote}` })], e.profit_percent ? `${W.signed(e.profit_percent)} % of the ${e.start ? "start" : "money in use"}` : ""));
  }
  if (first) {
    const [quote, e] = first;
    figures.push(figure("Buy and hold", [W.signed(e.hold_percent || "0"), W.el("small", { text: " %" })], `${W.signed(e.hold_shown)} ${quote} on ${e.start ? "the whole start" : "as much money"}`));
    figures.push(figure("Deepest drawdown", [e.deepest_shown, W.el("small", { text: ` ${quote}` })], e.deepest_percent ? `${e.deepest_percent} %; holding ${e.hold_deepest_percent} %` : ""));
  }
  const states = run.orders.states || {}, total = Object.values(states).reduce((sum, n) => sum + n, 0);
  figures.push(figure("Orders", W.count(total), `${W.count(states.filled)} filled, ${W.count((states.refused || 0) + (states.rejected || 0))} refused or rejected`));
  const claim = run.internals.stages.claim;
  if (claim && claim.all) figures.push(figure("Decision until claim", W.ms(claim.all[2]), `99 of 100 are faster, half within ${W.ms(claim.all[0])}`));
  const restarts = Object.values(run.internals.restarts).reduce((sum, n) => sum + n, 0);
  figures.push(figure("Restarts of actors", W.count(restarts), run.internals.starts > 1 ? `${run.internals.starts} process starts` : `${W.count(run.internals.events)} market events`));
  W.fill(body,
    W.el("p", { class: "runname" }, W.el("b", { text: run.title }), run.mode ? ` · ${run.mode}` : "", ` · ${run.run_dir}`),
    W.el("h1", { class: "verdict" }, W.mark(standing.level), standing.word),
    W.el("p", { class: "why", text: standing.why }),
    W.el("ul", { class: "evidence" }, standing.evidence.map(([level, text]) => W.el("li", {}, W.mark(level), text))),
    lacks.length ? W.el("div", { class: "missing" }, W.el("p", { text: "What this page lacks" }), W.el("ul", {}, lacks.map((text) => W.el("li", { text })))) : null,
    W.el("dl", { class: "figures" }, figures));
};

W.equity = (body, run) => {
  const quotes = Object.keys(run.equity);
  if (!quotes.length) { W.fill(body, W.card(null, null, W.empty("Nothing was traded and no price is known, so there is no equity to draw."))); return; }
  W.fill(body, quotes.map((quote) => {
    const e = run.equity[quote], card = W.card(null, null), total = Number(e.capital), used = Number(e.in_use);
    const scaled = { start: 1, use: total ? used / total : 0 };
    // Beside a start that is mostly idle the run would be a flat line: compare the money at work.
    const key = W.ui.hold || (e.start && used > 0 && used < total / 4 ? "use" : "start");
    const charts = W.el("div", {});
    const draw = (chosen) => {
      for (const one of [...W.charts]) if (charts.contains(one.chart)) one.destroy();
      charts.replaceChildren();
      const factor = scaled[chosen], holds = chosen !== "none";
      const money = (value) => (value === null ? "–" : W.number(value));
      const hold = holds ? [{ name: "Buy and hold", values: e.hold.map((v) => v * factor) }] : [];
      W.lines(charts, e.t, [{ name: `Profit of the run, ${quote}`, values: e.profit, wash: true }, ...hold], { label: `Profit in ${quote}`, height: 260, show: money, gaps: e.gaps, sync: `equity-${quote}` });
      charts.append(W.el("h3", { text: "Below the peak" }));
      const low = holds ? [{ name: "Buy and hold", values: e.hold_drawdown.map((v) => v * factor) }] : [];
      W.lines(charts, e.t, [{ name: `Drawdown of the run, ${quote}`, values: e.drawdown, wash: true }, ...low], { label: `Drawdown in ${quote}`, height: 150, show: money, gaps: e.gaps, zero: true, sync: `equity-${quote}` });
    };
    const options = [["use", "Hold the money in use"], ["start", e.start ? "Hold the whole start" : "Hold as much"], ["none", "Run only"]].filter(([name]) => name !== "use" || (e.start && used > 0));
    card.append(W.el("div", { class: "head" }, W.el("h3", { text: `Profit in ${quote}, net of fees` }), W.pick("What to compare with", options, key, (chosen) => { W.ui.hold = chosen; draw(chosen); })), charts,
      W.el("p", { class: "note", text: `${e.basis} Valued at ${W.count(e.points)} prices on the market's clock. ${W.quiet(e.gaps, "a price")}` }));
    if (Object.keys(e.other_fees).length) card.append(W.el("p", { class: "note", text: `Not counted, for there is no price to value them: fees of ${Object.entries(e.other_fees).map(([name, fee]) => `${fee} ${name}`).join(", ")}.` }));
    W.later(() => draw(options.some(([name]) => name === key) ? key : "start"));
    return card;
  }));
};

W.market = (body, run) => {
  const symbols = Object.keys(run.market.symbols);
  const source = W.el("p", { class: "note", text: run.market.sentence });
  if (!symbols.length) { W.fill(body, W.card(null, null, W.empty("There are no prices and no fills to draw."), source)); return; }
  const holder = W.el("div", {});
  let chart = null;
  const draw = (symbol) => {
    W.ui.symbol = symbol;
    if (chart) chart.destroy();
    holder.replaceChildren();
    const found = run.market.symbols[symbol];
    chart = found.bars.length || found.fills.length ? W.candles(holder, run.market, symbol, W.openOrder) : null;
    if (!chart) holder.append(W.empty("No price of this symbol is known."));
    if (found.gaps.length) holder.append(W.el("p", { class: "note", text: W.quiet(found.gaps, found.is_line ? "a price" : "a candle") }));
    if (found.fills_total > found.fills.length) holder.append(W.el("p", { class: "note", text: `The newest ${W.count(found.fills.length)} of ${W.count(found.fills_total)} fills are marked.` }));
  };
  const chosen = symbols.includes(W.ui.symbol) ? W.ui.symbol : symbols[0];
  W.fill(body, W.card(symbols.length === 1 ? symbols[0] : "Candles and fills", symbols.length > 1 ? W.pick("Symbol", symbols.map((s) => [s, s]), chosen, draw) : null, holder, source));
  W.later(() => draw(chosen));
};

const tally = (title, counts, none) => {
  const found = Object.entries(counts), most = Math.max(...found.map(([, n]) => n), 1);
  return W.card(title, null, found.length ? W.el("ul", { class: "bars" }, found.map(([name, n]) => {
    const fill = W.el("i", {});
    fill.style.width = `${Math.max((n / most) * 100, 1)}%`;
    return W.el("li", {}, W.el("span", { text: name }), W.el("b", { text: W.count(n) }), W.el("div", { "aria-hidden": "true" }, fill));
  })) : W.el("p", { class: "note", text: none }));
};

W.internals = (body, run) => {
  const inside = run.internals, times = inside.t;
  const marks = inside.happenings.filter(([, kind]) => ["exited", "restarted", "hung", "halted", "gave_up", "alert"].includes(kind)).slice(-60).map(([t, kind]) => ({ t, glyph: loud(kind)[0], level: loud(kind)[1] }));
  const stages = Object.entries(inside.stages);
  const step = `Columns of ${W.number(inside.step)} s`, blank = W.quiet(inside.gaps, "any metric line");
  const late = W.el("div", {}), drawLate = (which) => {
    W.ui.percentile = which;
    for (const one of [...W.charts]) if (late.contains(one.chart)) one.destroy();
    late.replaceChildren();
    W.lines(late, times, stages.map(([name, s]) => ({ name, values: s[which] })), { label: `Latency by stage, ${which}`, show: W.ms, log: true, gaps: inside.gaps, marks, sync: "time", height: 240 });
  };
  const latency = stages.length && times.length
    ? W.card("Latency by stage", W.pick("Percentile", [["p50", "p50"], ["p95", "p95"], ["p99", "p99"], ["max", "max"]], W.ui.percentile, drawLate), late,
      W.scroll("Latency of the whole run", W.el("table", {}, W.el("thead", {}, W.el("tr", {}, ["Stage", "Count", "p50", "p95", "p99", "Max"].map((text, n) => W.el("th", { scope: "col", class: n ? "num" : null, text })))),
        W.el("tbody", {}, stages.map(([name, s]) => W.el("tr", {}, W.el("th", { scope: "row", text: name }), W.el("td", { class: "num", text: s.is_counted ? W.count(s.count) : "–" }), [0, 1, 2, 3].map((n) => W.el("td", { class: "num", text: s.all ? W.ms(s.all[n]) : "–" }))))))),
      W.el("p", { class: "note", text: `${step}, logarithmic. claim: from the decision to its durable claim; ack: from the send to the venue's first answer; fill: from accepted to filled. ${blank}` }))
    : W.card("Latency by stage", null, W.empty("No latency is known: metric lines and ledger hold none."));
  const rates = Object.entries(inside.rates), flow = W.el("div", {});
  const names = { events: "Market events", messages: "Messages handled", claimed: "Orders claimed", filled: "Orders filled", rejected: "Rejected", refused: "Refused", unknown: "Unknown outcomes" };
  const throughput = W.card("Throughput, per second", null, rates.length ? flow : W.empty("No throughput is known."), rates.length ? W.el("p", { class: "note", text: blank ? `${step}. ${blank}` : step }) : null);
  const boxes = Object.entries(inside.mailboxes), depth = W.el("div", {});
  const actors = inside.actors;
  const mailboxes = W.card("Mailboxes", null, boxes.length ? depth : W.el("p", { class: "note", text: "The metric lines hold no depths over time; this is the last known state and the fullest each has been." }),
    boxes.length ? null : W.scroll("Mailboxes", W.el("table", {}, W.el("thead", {}, W.el("tr", {}, ["Actor", "Waiting", "Fullest", "Room"].map((text, n) => W.el("th", { scope: "col", class: n ? "num" : null, text })))),
      W.el("tbody", {}, actors.map((a) => W.el("tr", {}, W.el("th", { scope: "row", text: a.path }), [a.mailbox, a.high_water, a.capacity].map((n) => W.el("td", { class: "num", text: n === null ? "–" : W.count(n) }))))))));
  const people = W.card("Actors", null, actors.length ? W.scroll("Actors", W.el("table", {},
    W.el("thead", {}, W.el("tr", {}, ["Actor", "State", "Restarts", "Handled", "p50", "p99", "Dead letters", "Last error"].map((text, n) => W.el("th", { scope: "col", class: n > 1 && n < 7 ? "num" : null, text })))),
    W.el("tbody", {}, actors.map((a) => W.el("tr", {}, W.el("th", { scope: "row", text: a.path }), W.el("td", { text: a.state }), W.el("td", { class: "num", text: W.count(a.restarts) }), W.el("td", { class: "num", text: W.count(a.processed) }),
      W.el("td", { class: "num", text: a.p50_us === null ? "–" : W.ms(a.p50_us / 1000) }), W.el("td", { class: "num", text: a.p99_us === null ? "–" : W.ms(a.p99_us / 1000) }), W.el("td", { class: "num", text: W.count(a.dead_letters) }), W.el("td", { class: "wrap", text: [a.problem, a.last_error].filter(Boolean).join("; ") || "–" }))))))
    : W.empty("status.json names no actor."));
  W.fill(body, happenings(inside), latency, W.el("div", { class: "two" }, throughput, mailboxes),
    W.el("div", { class: "two" }, tally("Refused and rejected, by reason", Object.keys(inside.rejects).length ? inside.rejects : run.orders.reasons || {}, "No decision was refused and no order rejected."),
      tally("Errors, by reason", inside.errors, "No actor ended badly.")), people);
  W.later(() => {
    if (stages.length && times.length) drawLate(W.ui.percentile);
    if (rates.length) W.lines(flow, times, rates.map(([name, values]) => ({ name: names[name] || name, values })), { label: "Throughput per second", show: (v) => W.number(v, 3), zero: true, gaps: inside.gaps, marks, sync: "time" });
    if (boxes.length) W.lines(depth, times, boxes.map(([name, values]) => ({ name, values })), { label: "Messages that wait, by mailbox", show: (v) => (v === null ? "–" : W.count(v)), zero: true, whole: true, gaps: inside.gaps, marks, sync: "time" });
  });
};

// An exit and its backoff are of one moment, and the exit says more: it lies on top.
const backoffsFirst = (found) => found.sort((a, b) => (b[1] === "backoff") - (a[1] === "backoff"));

const happenings = (inside) => {
  const all = inside.happenings;
  const counts = Object.entries(inside.happened).map(([kind, n]) => `${loud(kind)[2]} ${W.count(n)}`).join(", ");
  if (!all.length) return W.card("Time line", null, W.el("p", { class: "note", text: "Nothing happened that metric lines tell of: no start, no restart, no alert." }));
  const lanes = [["Process and feed", ["start", "feed", "gap"]], ["Exits", ["exited", "hung", "backoff"]], ["Restarts, halts", ["restarted", "halted", "gave_up"]], ["Alerts", ["alert", "recovered"]]].filter(([, kinds]) => all.some(([, kind]) => kinds.includes(kind)));
  const holder = W.el("div", {});
  const draw = () => {
    const width = Math.max(holder.clientWidth, 240), left = width < 500 ? 8 : 130, right = 16, row = width < 500 ? 38 : 30, height = lanes.length * row + 24;
    const first = Math.min(all[0][0], inside.t[0] ?? Infinity), last = Math.max(all[all.length - 1][0], (inside.t[inside.t.length - 1] ?? -Infinity) + inside.step, first + 1);
    const x = (t) => left + ((Math.max(t, first) - first) / (last - first)) * (width - left - right);
    const picture = W.svg("svg", { class: "lanes", viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": `Time line: ${counts}. The list below tells each.` });
    lanes.forEach(([name, kinds], at) => {
      const y = at * row + (width < 500 ? 26 : 16);
      const label = W.svg("text", { x: 0, y: width < 500 ? y - 13 : y + 4 }); label.textContent = name;
      picture.append(label, W.svg("line", { x1: left, x2: width - right, y1: y, y2: y }));
      for (const [t, kind, who, text] of backoffsFirst(all.filter(([, k]) => kinds.includes(k)).slice(-400))) {
        const [glyph, level] = loud(kind), sign = W.svg("g", { transform: `translate(${x(t).toFixed(1)} ${y})` });
        const round = W.svg("circle", { r: 8.5 }), letter = W.svg("text", { y: 4, "text-anchor": "middle" }), title = W.svg("title", {});
        round.style.fill = "var(--card)"; round.style.stroke = `var(--${level === "unknown" ? "soft" : level})`; round.style.strokeWidth = 1.5;
        letter.style.fill = `var(--${level === "unknown" ? "soft" : level})`; letter.style.fontWeight = 700; letter.textContent = glyph;
        title.textContent = `${W.moment(t)} ${loud(kind)[2]} ${who} ${text}`;
        sign.append(title, round, letter); picture.append(sign);
      }
    });
    const from = W.svg("text", { x: left, y: height - 4 }), to = W.svg("text", { x: width - right, y: height - 4, "text-anchor": "end" });
    from.textContent = W.moment(first); to.textContent = W.clock(last);
    picture.append(from, to);
    W.fill(holder, picture);
  };
  const watcher = new ResizeObserver(draw);
  watcher.observe(holder);
  const newest = [...all].reverse();
  const list = W.el("ol", {}), rest = W.el("div", { class: "more" });
  const show = (many) => {
    W.fill(list, newest.slice(0, many).map(([t, kind, who, text]) => W.el("li", {}, W.time(t), W.el("span", { class: "state" }, W.el("i", { class: loud(kind)[1], "aria-hidden": "true", text: loud(kind)[0] }), loud(kind)[2]), W.el("div", { class: "what" }, who, text ? W.el("span", { text: ` ${text}` }) : null))));
    W.fill(rest, newest.length > many ? W.el("button", { type: "button", class: "push", text: "Show more", on: { click: () => show(many + 200) } }) : null);
  };
  show(50);
  return W.card("Time line", W.el("span", { class: "note right", text: counts }), holder, W.el("div", { class: "events", tabindex: "0", role: "region", "aria-label": "What happened, the newest first" }, list, rest));
};

W.facts = (body, run) => {
  const value = (fact) => (typeof fact === "number" ? W.moment(fact) : fact);
  W.fill(body, W.card(null, null,
    W.el("dl", { class: "factlist" }, run.facts.map(([label, fact]) => [W.el("dt", { text: label }), W.el("dd", { text: value(fact) })])),
    run.config ? W.el("details", {}, W.el("summary", { text: "The effective configuration, secrets masked" }), W.el("pre", { tabindex: "0", text: run.config })) : null));
};

W.compare = (body, runs) => {
  const money = (run, pickOne) => Object.entries(run.equity).map(([quote, e]) => pickOne(e, quote)).join(", ") || "–";
  const sum = (counts) => Object.values(counts || {}).reduce((total, n) => total + n, 0);
  const measures = [
    ["Verdict", (r) => W.el("span", { class: "state" }, W.mark(r.standing.level), r.standing.word)],
    ["Profit, net of fees", (r) => money(r, (e, quote) => `${W.signed(e.final_shown)} ${quote}`)],
    ["Profit, % of the start", (r) => money(r, (e) => (e.profit_percent ? `${W.signed(e.profit_percent)} %` : "–"))],
    ["Buy and hold", (r) => money(r, (e) => (e.hold_percent ? `${W.signed(e.hold_percent)} %` : "–"))],
    ["Deepest drawdown", (r) => money(r, (e, quote) => `${e.deepest_shown} ${quote}`)],
    ["Orders", (r) => W.count(sum(r.orders.states))], ["Filled", (r) => W.count((r.orders.states || {}).filled)],
    ["Refused or rejected", (r) => W.count(((r.orders.states || {}).refused || 0) + ((r.orders.states || {}).rejected || 0))],
    ["Outcome unknown", (r) => W.count((r.orders.states || {}).unknown)], ["Restarts", (r) => W.count(sum(r.internals.restarts))], ["Errors", (r) => W.count(sum(r.internals.errors))],
    ["Claim, p99", (r) => W.ms(((r.internals.stages.claim || {}).all || [])[2])], ["Market events", (r) => W.count(r.internals.events)],
  ];
  const table = W.el("table", {}, W.el("thead", {}, W.el("tr", {}, W.el("th", { scope: "col", text: "" }), runs.map((r, at) => W.el("th", { scope: "col" }, W.el("button", { type: "button", class: "link", text: r.title, on: { click: () => W.show(at) } }))))),
    W.el("tbody", {}, measures.map(([name, cell]) => W.el("tr", {}, W.el("th", { scope: "row", text: name }), runs.map((r) => W.el("td", {}, cell(r)))))));
  const holder = W.el("div", {});
  W.fill(body, W.card("Figures", null, W.scroll("Runs side by side", table)), W.card("Profit of each run, in its own currency", null, holder));
  const drawn = runs.map((r) => [r, Object.entries(r.equity)[0]]).filter(([, found]) => found && found[1].t.length);
  if (!drawn.length) { holder.append(W.empty("No run has a curve.")); return; }
  const [times, ...values] = uPlot.join(drawn.map(([, [, e]]) => [...onePerMoment(e.t, e.profit)]));
  W.later(() => W.lines(holder, times, values.map((one, at) => ({ name: `${drawn[at][0].title}, ${drawn[at][1][0]}`, values: one, gaps: drawn[at][1][1].gaps })), { label: "Profit of each run", height: 240 }));
};
// uPlot joins on unique times; the last value of a moment stands.
const onePerMoment = (t, v) => { const kept = t.map((_, at) => at).filter((at) => at === t.length - 1 || t[at + 1] > t[at]); return [kept.map((at) => t[at]), kept.map((at) => v[at])]; };
