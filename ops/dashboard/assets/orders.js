"use strict";
// The table of orders, and the life of one.
const COLUMNS = [
  ["decided", "Decided", (o) => W.moment(o.decided), ""], ["symbol", "Symbol", (o) => o.symbol, ""], ["side", "Side", (o) => W.side(o.side), ""],
  ["quantity", "Quantity", (o) => o.quantity, "num"], ["average", "Average price", (o) => o.average || "–", "num"], ["state", "State", (o) => W.state(o.state), ""],
  ["strategy", "Strategy", (o) => o.strategy, ""], ["why", "Why", (o) => (o.state === "refused" || o.state === "rejected" ? o.state_reason || o.why : o.why), "wrap"],
];
const PAGE = 25;

W.orders = (body, orders) => {
  const rows = orders.rows || [];
  const kept = W.asked || { text: "", state: "", symbol: "", side: "", sort: "decided", down: true };
  W.asked = kept;
  let shown = PAGE;
  const states = Object.entries(orders.states || {});
  const summary = W.el("p", { class: "note", text: states.map(([state, count]) => `${W.count(count)} ${state.replace("_", " ")}`).join(", ") });
  if (!rows.length) { W.fill(body, W.card(null, null, W.empty(orders.problem ? `No orders can be shown: ${orders.problem}` : "No order was decided."))); return; }
  const table = W.el("table", {}), more = W.el("div", { class: "more" });
  const distinct = (key) => [...new Set(rows.map((row) => row[key]))].sort();
  const choose = (name, label, key) => {
    const select = W.el("select", { "aria-label": label, name }, W.el("option", { value: "", text: label }), distinct(key).map((value) => W.el("option", { value, text: value.replace("_", " ") })));
    select.value = kept[name];
    select.addEventListener("change", () => { kept[name] = select.value; shown = PAGE; draw(); });
    return select;
  };
  const search = W.el("input", { type: "search", placeholder: "Search keys, ids, reasons", "aria-label": "Search orders", value: kept.text });
  search.addEventListener("input", () => { kept.text = search.value; shown = PAGE; draw(); });
  const matches = (row) => {
    if ((kept.state && row.state !== kept.state) || (kept.symbol && row.symbol !== kept.symbol) || (kept.side && row.side !== kept.side)) return false;
    if (!kept.text) return true;
    const wanted = kept.text.toLowerCase();
    return [row.key, row.client_order_id, row.venue_order_id, row.strategy, row.symbol, row.state, row.why, row.state_reason].some((text) => String(text || "").toLowerCase().includes(wanted));
  };
  const numeric = new Set(["quantity", "average", "decided"]);
  const before = (a, b) => {
    const [x, y] = numeric.has(kept.sort) ? [Number(a[kept.sort] || 0), Number(b[kept.sort] || 0)] : [String(a[kept.sort]), String(b[kept.sort])];
    return x < y ? -1 : x > y ? 1 : 0;
  };
  function draw(said = true) {
    const found = rows.filter(matches).sort(before);
    if (kept.down) found.reverse();
    const head = W.el("tr", {}, COLUMNS.map(([key, text, , kind]) => W.el("th", { scope: "col", class: kind === "num" ? "num" : null, "aria-sort": kept.sort === key ? (kept.down ? "descending" : "ascending") : null },
      W.el("button", { type: "button", "data-sort": key, on: { click: () => { kept.down = kept.sort === key ? !kept.down : true; kept.sort = key; draw(); table.querySelector(`[data-sort="${key}"]`).focus(); } } }, text, W.el("span", { "aria-hidden": "true", text: kept.sort === key ? (kept.down ? " ↓" : " ↑") : "" })))));
    const lines = found.slice(0, shown).map((row) => {
      const line = W.el("tr", { class: "open", "data-key": row.key }, COLUMNS.map(([key, , cell, kind]) => W.el("td", { class: kind || null },
        key === "decided" ? W.el("button", { type: "button", class: "link", "aria-label": `Life of the order decided ${W.moment(row.decided)}`, text: cell(row) }) : cell(row))));
      line.addEventListener("click", () => W.openOrder(row.key));
      return line;
    });
    W.fill(table, W.el("caption", { class: "unseen", text: "Orders" }), W.el("thead", {}, head), W.el("tbody", {}, lines));
    const text = found.length ? `${W.count(Math.min(shown, found.length))} of ${W.count(found.length)} shown` : "No order matches.";
    const older = orders.total > rows.length ? ` The newest ${W.count(rows.length)} of ${W.count(orders.total)} are in this page.` : "";
    W.fill(more, found.length > shown ? W.el("button", { type: "button", class: "push", text: "Show more", on: { click: () => { shown += 4 * PAGE; draw(); } } }) : null, W.el("span", { class: "count", text: text + older }));
    if (said) W.say(text);
  }
  draw(false);
  W.fill(body, W.el("div", { class: "card" },
    W.el("div", { class: "filters", role: "search" }, search, choose("state", "Any state", "state"), choose("symbol", "Any symbol", "symbol"), choose("side", "Both sides", "side")),
    W.scroll("Table of orders", table), more, summary));
};

W.lifeOf = (dialog, row, clocks) => {
  const pair = (label, value) => (value === null || value === undefined || value === "" ? [] : [W.el("dt", { text: label }), W.el("dd", {}, value)]);
  const steps = row.life.map(([at, after, , to, reason, evidence]) => W.el("li", {},
    W.state(to), W.el("span", { class: "when" }, `  ${W.precise(at)}`, after ? ` (${after} later)` : ""),
    reason ? W.el("p", { text: reason }) : null,
    evidence ? W.el("p", {}, "Known from: ", W.el("span", { text: evidence })) : null));
  const fills = row.fills.map(([at, quantity, price, fee, currency, liquidity, id]) => W.el("tr", {},
    [W.moment(at), quantity, price, `${fee} ${currency}`, liquidity, id].map((text, n) => W.el("td", { class: n > 0 && n < 4 ? "num" : null, text }))));
  W.fill(dialog,
    W.el("button", { type: "button", class: "quiet close", "aria-label": "Close", text: "✕", on: { click: () => dialog.close() } }),
    W.el("h3", { id: "order-title" }, W.side(row.side), ` ${row.quantity} ${row.symbol}`),
    W.el("p", { class: "note" }, W.state(row.state), row.average ? ` at ${row.average}` : "", row.state_reason ? `: ${row.state_reason}` : ""),
    W.el("h4", { text: "Its life, as the ledger has it" }), W.el("ol", { class: "steps" }, steps),
    W.el("p", { class: "note", text: `Next: ${row.next}` }),
    fills.length ? [W.el("h4", { text: "Executions" }), W.scroll("Executions", W.el("table", {}, W.el("thead", {}, W.el("tr", {}, ["Time", "Quantity", "Price", "Fee", "Liquidity", "Trade"].map((text, n) => W.el("th", { scope: "col", class: n > 0 && n < 4 ? "num" : null, text })))), W.el("tbody", {}, fills)))] : null,
    W.el("h4", { text: "The decision" }),
    W.el("dl", { class: "factlist" },
      pair("Why", row.why), pair("Decided", `${W.moment(row.decided)}${clocks}`), pair("Strategy", row.strategy),
      pair("Type", `${row.type}${row.limit ? ` at ${row.limit}` : ""}, ${row.tif}`), pair("Price it was judged by", row.reference),
      pair("Decided quantity", row.decided_quantity), pair("Filled", row.filled), pair("Still open", row.open === "0" ? null : row.open),
      pair("Key", W.el("span", { class: "mono", text: row.key })), pair("Client order id", W.el("span", { class: "mono", text: row.client_order_id })),
      pair("Venue order id", row.venue_order_id ? W.el("span", { class: "mono", text: row.venue_order_id }) : null)));
};
