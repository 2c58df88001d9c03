"use strict";
// A tear sheet: one function for each section, drawn anew when another currency is chosen.
(() => {
  const model = JSON.parse(document.getElementById("data").textContent);
  const body = (id) => document.querySelector(`#${id} .body`) || document.getElementById(id);
  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const TRIP = { number: 0, strategy: 1, symbol: 2, side: 3, quantity: 4, entry: 5, exit: 6, opened: 7, closed: 8, held: 9, profit: 10, amount: 11, share: 12, executions: 13, entered: 14, left: 15 };
  const PAGE = 25;
  let sheet = model.sheets[0], waiting = [];
  const later = (act) => waiting.push(act);
  // A hyphen is no minus: numbers get a real one, and a unit stays with its number.
  const pretty = (text) => String(text).replace(/(^|[\s(])-(?=[\d.])/g, "$1−").replaceAll(" %", "\u00a0%").replace(/^-$/, "–");
  const tone = (text) => (/^[-−]/.test(text) && /[1-9]/.test(text) ? "down" : /^\+/.test(text) ? "up" : null);
  const percent = (share, digits = 1) => (share === null || share === undefined ? "–" : pretty(`${share > 0 ? "+" : ""}${(share * 100).toFixed(digits)} %`));
  const gone = (place) => { for (const one of [...W.charts]) if (one.chart && place.contains(one.chart)) one.destroy(); };
  const table = (label, head, rows, numbersFrom = 1) => W.scroll(label, W.el("table", {}, W.el("caption", { class: "unseen", text: label }),
    W.el("thead", {}, W.el("tr", {}, head.map((text, n) => W.el("th", { scope: "col", class: n >= numbersFrom ? "num" : null, text })))),
    W.el("tbody", {}, rows.map((cells) => W.el("tr", {}, cells.map((cell, n) => W.el(n ? "td" : "th", { scope: n ? null : "row", class: n >= numbersFrom ? "num" : null, text: pretty(typeof cell === "number" ? W.count(cell) : cell) })))))));

  const summary = (place) => {
    const figures = sheet.headline.map(([label, value, unit, under]) => W.el("div", {}, W.el("dt", { text: label }),
      W.el("dd", { class: /profit|hold|sample/i.test(label) ? tone(value) : null }, pretty(value), unit ? W.el("small", { text: ` ${unit}` }) : null), under ? W.el("dd", { class: "under", text: pretty(under) }) : null));
    const choose = model.sheets.length > 1 ? W.el("div", { class: "head" }, W.pick("Currency", model.sheets.map((one) => [one.quote, one.quote]), sheet.quote, (quote) => { sheet = model.sheets.find((one) => one.quote === quote); all(); })) : null;
    const notes = [...(sheet.too_short ? [`${sheet.too_short}.`] : []), ...model.notes];
    const list = (title, texts, kind) => (texts.length ? W.el("div", { class: `missing ${kind}` }, W.el("p", { text: title }), W.el("ul", {}, texts.map((text) => W.el("li", { text })))) : null);
    W.fill(place,
      W.el("p", { class: "runname" }, W.el("b", { text: model.kind }), ` · ${model.title}`),
      W.el("h1", { class: "sheet", text: model.name }),
      W.el("p", { class: "claim", text: `${model.claim[0].toUpperCase()}${model.claim.slice(1)}. ${model.trials}` }),
      list("Why there is no execution", model.why, "why-not"), choose,
      W.el("dl", { class: "figures sheetfigures" }, figures),
      W.el("p", {}), list("Notes", notes, ""));
  };

  const equity = (place) => {
    const e = sheet.curve, quote = sheet.quote;
    if (!e.t.length) { W.fill(place, W.card(null, null, W.empty("There is no price, and so no equity to draw."))); return; }
    const charts = W.el("div", {}), money = (value) => (value === null ? "–" : W.number(value));
    const after = sheet.split === null ? null : { t: sheet.split, text: "out of sample" };
    const draw = (chosen) => {
      gone(charts);
      charts.replaceChildren();
      const holds = chosen === "hold";
      W.lines(charts, e.t, [{ name: `Profit, ${quote}`, values: e.profit, wash: true }, ...(holds ? [{ name: "Buy and hold", values: e.hold }] : [])], { label: `Profit in ${quote}`, height: 280, show: money, gaps: e.gaps, after, sync: "sheet" });
      charts.append(W.el("h3", { text: "Under water: below the highest before" }));
      W.lines(charts, e.t, [{ name: `Drawdown, ${quote}`, values: e.drawdown, wash: true }, ...(holds ? [{ name: "Buy and hold", values: e.hold_drawdown }] : [])], { label: `Drawdown in ${quote}`, height: 150, show: money, gaps: e.gaps, zero: true, after: after && { ...after, text: "" }, sync: "sheet" });
      charts.append(W.el("h3", { text: "Exposure: what was held" }));
      W.lines(charts, e.t, [{ name: `Held, ${quote}`, values: e.held, steps: true, wash: true, index: 5 }], { label: `Value held in ${quote}`, height: 120, show: money, gaps: e.gaps, zero: true, after: after && { ...after, text: "" }, sync: "sheet" });
    };
    const split = after ? ` What is shaded comes after ${W.moment(sheet.split)} and is out of sample.` : "";
    const fees = Object.entries(sheet.other_fees);
    W.fill(place, W.card(`Profit in ${quote}, fees paid`, W.pick("What to compare with", [["hold", "With buy and hold"], ["none", "Alone"]], "hold", draw), charts,
      W.el("p", { class: "note", text: `Valued at ${W.count(e.points)} prices${e.points > e.t.length ? `, of which ${W.count(e.t.length)} are drawn: every peak and trough is` : ""}. Holding spends the ${sheet.capital} ${quote} of the beginning in equal parts at the first prices, one taker fee paid.${split} ${W.quiet(e.gaps, "a price")}` }),
      fees.length ? W.el("p", { class: "note", text: `Not counted, for there is no price to value them: fees of ${fees.map(([name, fee]) => `${fee} ${name}`).join(", ")}.` }) : null));
    later(() => draw("hold"));
  };

  const figures = (place) => {
    const groups = [...new Set(sheet.rows.map(([group]) => group))], holds = sheet.rows.some(([, , , hold]) => hold);
    const columns = [...sheet.columns.map((name) => name[0].toUpperCase() + name.slice(1)), ...(holds ? ["Buy and hold"] : [])];
    const holder = W.el("div", {});
    const draw = (how) => {
      const explained = how === "explained";
      const head = W.el("thead", {}, W.el("tr", {}, W.el("th", { scope: "col", text: "" }), columns.map((text) => W.el("th", { scope: "col", class: "num", text }))));
      const parts = groups.map((group) => W.el("tbody", { class: "group" },
        W.el("tr", {}, W.el("th", { scope: "rowgroup", colspan: columns.length + 1, text: group })),
        sheet.rows.filter((row) => row[0] === group).map(([, label, values, hold, help]) => W.el("tr", { title: explained ? null : help },
          W.el("th", { scope: "row" }, label, explained && help ? W.el("span", { class: "explained", text: help }) : null),
          values.map((value) => W.el("td", { class: "num", text: pretty(value) })), holds ? W.el("td", { class: "num", text: pretty(hold) }) : null))));
      W.fill(holder, W.scroll("Figures", W.el("table", {}, W.el("caption", { class: "unseen", text: "Figures of the run" }), head, parts)));
    };
    draw("plain");
    W.fill(place, W.card(`In ${sheet.quote}`, W.pick("How to show them", [["plain", "Figures"], ["explained", "Explained"]], "plain", draw), holder),
      sheet.symbols.length > 1 ? W.card("By symbol", null, table("By symbol", ["Symbol", `Net, ${sheet.quote}`, "Holding it", "Trades", "Hit rate", "Exposure", "Turnover", "Fees", "Executions"], sheet.symbols)) : null,
      sheet.strategies.length > 1 ? W.card("By strategy", null, table("By strategy", ["Strategy", `Net, ${sheet.quote}`, "Trades", "Hit rate", "Fees", "Executions"], sheet.strategies)) : null);
  };

  const returns = (place) => {
    if (!sheet.years.length) { W.fill(place, W.card(null, null, W.empty("Nobody knows what there was at the beginning, or there is no price: no return can be told."))); return; }
    const most = Math.max(...sheet.years.flatMap(([, months]) => months.map((share) => Math.abs(share || 0))), 0.0001);
    const cell = (share, isTotal) => {
      const found = W.el("td", { text: percent(share, Math.abs(share || 0) < 0.1 ? 2 : 1) });
      if (share && !isTotal) found.style.background = W.faded(share > 0 ? "ok" : "critical", (0.06 + 0.3 * Math.min(Math.abs(share) / most, 1)).toFixed(3));
      return found;
    };
    const heat = W.el("table", { class: "heat" }, W.el("caption", { class: "unseen", text: "Return of each month" }),
      W.el("thead", {}, W.el("tr", {}, W.el("th", { scope: "col", text: "" }), MONTHS.map((text) => W.el("th", { scope: "col", text })), W.el("th", { scope: "col", text: "Year" }))),
      W.el("tbody", {}, sheet.years.map(([year, months, total]) => W.el("tr", {}, W.el("th", { scope: "row", text: String(year) }), months.map((share) => cell(share, false)), cell(total, true)))));
    const rows = sheet.months, many = rows.length > 12;
    const holder = W.el("div", {}), more = W.el("div", { class: "more" });
    const draw = (all) => {
      W.fill(holder, table("By month", ["Month", `Net, ${sheet.quote}`, "Executions", "Trades ended", `Turnover, ${sheet.quote}`], all ? rows : rows.slice(-12)));
      W.fill(more, many ? W.el("button", { type: "button", class: "push", text: all ? "The last twelve" : `All ${W.count(rows.length)} months`, on: { click: () => draw(!all) } }) : null);
    };
    draw(!many);
    W.fill(place, W.card("Of what there was when the month began", null, W.scroll("Return of each month", heat),
      W.el("p", { class: "note", text: "The year is its months compounded. A month ends at midnight UTC; the first and the last may be parts of one." })), W.card("Activity", null, holder, more));
  };

  const market = (place) => {
    const symbols = Object.keys(model.market.symbols).filter((symbol) => sheet.symbols.some(([name]) => name === symbol));
    const source = W.el("p", { class: "note", text: model.market.sentence });
    if (!symbols.length) { W.fill(place, W.card(null, null, W.empty("There is no price to draw."), source)); return; }
    const holder = W.el("div", {});
    let chart = null;
    const draw = (symbol) => {
      if (chart) chart.destroy();
      holder.replaceChildren();
      const found = model.market.symbols[symbol];
      chart = found.bars.length || found.fills.length ? W.candles(holder, { ...model.market, opens: "goes to its trade" }, symbol, W.openTrip) : null;
      if (!chart) holder.append(W.empty("No price of this symbol is known."));
      if (found.gaps.length) holder.append(W.el("p", { class: "note", text: W.quiet(found.gaps, found.is_line ? "a price" : "a candle") }));
      if (found.fills_total > found.fills.length) holder.append(W.el("p", { class: "note", text: `${W.count(found.fills.length)} of ${W.count(found.fills_total)} executions are in this page: those of the best and of the worst trades, and of the others every so many.` }));
    };
    W.fill(place, W.card(symbols.length === 1 ? symbols[0] : "Candles and executions", symbols.length > 1 ? W.pick("Symbol", symbols.map((one) => [one, one]), symbols[0], draw) : null, holder, source));
    later(() => draw(symbols[0]));
  };

  const trades = (place) => {
    const rows = sheet.trips;
    if (!rows.length) { W.fill(place, W.card(null, null, W.empty(model.why.length ? model.why.join(" ") : "Nothing was traded."))); W.openTrip = () => {}; return; }
    const several = (at) => new Set(rows.map((row) => row[at])).size > 1;
    const columns = [["number", "No.", "num"], ["opened", "Opened", ""], ...(several(TRIP.symbol) || sheet.symbols.length > 1 ? [["symbol", "Symbol", ""]] : []), ...(several(TRIP.strategy) ? [["strategy", "Strategy", ""]] : []),
      ["side", "Side", ""], ["quantity", "Quantity", "num"], ["entry", "Entry", "num"], ["exit", "Exit", "num"], ["amount", `Profit, ${sheet.quote}`, "num"], ["share", "Return", "num"], ["held", "Held", "num"], ["left", "Exit reason", ""], ["executions", "Executions", "num"], ["entered", "Entry reason", ""]];
    const KINDS = [["all", "All", () => true], ["won", "Won", (row) => row[TRIP.amount] > 0], ["lost", "Lost", (row) => row[TRIP.amount] <= 0], ["open", "Open", (row) => row[TRIP.closed] === null]];
    let sort = "number", down = true, kind = "all", shown = PAGE;
    const holder = W.el("table", {}), more = W.el("div", { class: "more" });
    const number = (row, key) => (key === "held" ? (row[TRIP.closed] === null ? Infinity : row[TRIP.closed] - row[TRIP.opened]) : key === "share" ? row[TRIP.amount] / Math.max(Number(row[TRIP.quantity]) * Number(row[TRIP.entry]), 1e-12) : Number(row[TRIP[key]]));
    const isText = (key) => ["symbol", "strategy", "side", "entered", "left"].includes(key);
    const before = (a, b) => { const [x, y] = isText(sort) ? [a[TRIP[sort]], b[TRIP[sort]]] : [number(a, sort), number(b, sort)]; return x < y ? -1 : x > y ? 1 : a[0] - b[0]; };
    const cell = (row, key) => {
      if (key === "opened") return W.moment(row[TRIP.opened]);
      if (key === "side") return W.el("span", { class: "side" }, W.el("span", { "aria-hidden": "true", text: row[TRIP.side] === "long" ? "▲ " : "▼ " }), row[TRIP.side]);
      if (key === "amount") return W.el("span", { class: tone(row[TRIP.profit]), text: pretty(row[TRIP.profit]) });
      if (key === "held") return row[TRIP.closed] === null ? "open" : row[TRIP.held];
      if (key === "exit") return row[TRIP.closed] === null ? `(${row[TRIP.exit]})` : row[TRIP.exit];
      return pretty(row[TRIP[key]]);
    };
    const found = () => { const kept = rows.filter(KINDS.find(([key]) => key === kind)[2]).sort(before); return down ? kept.reverse() : kept; };
    const draw = (here = null, said = true) => {
      const all = found();
      const head = W.el("tr", {}, columns.map(([key, text, type]) => W.el("th", { scope: "col", class: type || null, "aria-sort": sort === key ? (down ? "descending" : "ascending") : null },
        W.el("button", { type: "button", "data-sort": key, on: { click: () => { down = sort === key ? !down : true; sort = key; draw(); holder.querySelector(`[data-sort="${key}"]`).focus(); } } }, text, W.el("span", { "aria-hidden": "true", text: sort === key ? (down ? " ↓" : " ↑") : "" })))));
      const lines = all.slice(0, shown).map((row) => W.el("tr", { "data-trip": row[0], class: row[0] === here ? "here" : null, tabindex: row[0] === here ? "-1" : null }, columns.map(([key, , type]) => W.el("td", { class: type || null }, cell(row, key)))));
      W.fill(holder, W.el("caption", { class: "unseen", text: "Trades, from flat until flat again" }), W.el("thead", {}, head), W.el("tbody", {}, lines));
      const text = all.length ? `${W.count(Math.min(shown, all.length))} of ${W.count(all.length)} shown` : "No trade is of this kind.";
      const rest = sheet.trips_total > rows.length ? ` Of ${W.count(sheet.trips_total)} trades the newest, the best and the worst are in this page; --trades FILE writes them all.` : "";
      W.fill(more, all.length > shown ? W.el("button", { type: "button", class: "push", text: "Show more", on: { click: () => { shown += 4 * PAGE; draw(); } } }) : null, W.el("span", { class: "count", text: text + rest }));
      if (said) W.say(text);
    };
    W.openTrip = (wanted) => {
      if (!rows.some((row) => row[0] === wanted)) { W.say(`Trade ${wanted} is not in this page.`); return; }
      kind = "all";
      const at = found().findIndex((row) => row[0] === wanted);
      shown = Math.max(shown, Math.ceil((at + 1) / PAGE) * PAGE);
      draw(wanted, false);
      const line = holder.querySelector("tr.here");
      line.scrollIntoView({ block: "center" });
      line.focus({ preventScroll: true });
      W.say(`Trade ${wanted}: ${columns.map(([key, text]) => `${text} ${line.children[columns.findIndex(([k]) => k === key)].textContent}`).join(", ")}`);
    };
    draw(null, false);
    const kinds = KINDS.filter(([, , fits]) => rows.some(fits)).map(([key, text]) => [key, text]);
    W.fill(place, W.card("From flat until flat again", kinds.length > 2 ? W.pick("Which trades", kinds, kind, (chosen) => { kind = chosen; shown = PAGE; draw(); }) : null, W.scroll("Table of trades", holder), more,
      W.el("p", { class: "note", text: "Profit is after all fees. Of an open trade, exit and profit are at the last price." })));
  };

  const facts = (place) => W.fill(place, W.card(null, null,
    W.el("dl", { class: "factlist" }, model.facts.map(([label, text]) => [W.el("dt", { text: label }), W.el("dd", { text })])),
    W.el("details", {}, W.el("summary", { text: "How the figures are made" }), W.el("ul", {}, sheet.rows.filter(([, , , , help]) => help).map(([, label, , , help]) => W.el("li", {}, W.el("b", { text: `${label}: ` }), help)))),
    model.config ? W.el("details", {}, W.el("summary", { text: "The effective configuration, secrets masked" }), W.el("pre", { tabindex: "0", text: model.config })) : null));

  const SECTIONS = { summary, equity, figures, returns, market, trades, facts };
  const all = () => {
    for (const [name, draw] of Object.entries(SECTIONS)) {
      const place = body(name);
      gone(place);
      try { draw(place); } catch (error) { console.error(error); W.fill(place, W.card(null, null, W.empty(`This part cannot be drawn: ${error.message}`))); }
    }
    const acts = waiting;
    waiting = [];
    for (const act of acts) act();
  };
  document.title = `${model.name} – tear sheet – Watchkeeper`;
  W.theme();
  if (model.sheets.length) all(); else W.fill(body("summary"), W.el("h1", { class: "sheet", text: model.name }), W.empty("No currency was traded and no price is known."));
  // The shades of a month are made for one set of colours.
  new MutationObserver(() => { if (sheet) { gone(body("returns")); returns(body("returns")); } }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (sheet) returns(body("returns")); });
  document.documentElement.dataset.ready = "yes";
})();
