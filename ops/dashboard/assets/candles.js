"use strict";
// Candles with the run's fills. Rising candles are hollow and falling ones full, buys point up and sells down.
W.candles = (holder, market, symbol, openOrder) => {
  const found = market.symbols[symbol];
  const width = found.width_s >= 86400 ? `${found.width_s / 86400} d` : found.width_s >= 3600 ? `${found.width_s / 3600} h` : found.width_s >= 60 ? `${found.width_s / 60} min` : `${found.width_s} s`;
  const box = W.el("div", { class: "chart tall", tabindex: "0", role: "group", "aria-roledescription": "chart",
    "aria-label": `${symbol}: ${found.bars.length} bars, ${found.fills_total} fills. Left and right arrow keys go from fill to fill, Enter ${market.opens || "opens its order"}, plus and minus zoom, 0 shows all.` });
  const reading = W.el("span", { class: "right note", text: "" }), thin = W.el("span", { class: "note", text: "" });
  const head = W.el("div", { class: "head" }, W.el("span", { class: "note", text: found.bars.length && !found.is_line ? `One bar is ${width}` : "Prices" }), thin, reading);
  holder.append(head, box);
  const chart = LightweightCharts.createChart(box, { ...look(), width: box.clientWidth, height: box.clientHeight });
  const watcher = new ResizeObserver(() => chart.resize(box.clientWidth, box.clientHeight));
  watcher.observe(box);
  const bars = found.bars, empty = blanks(found);
  const filled = (points) => [...points, ...empty.map((time) => ({ time }))].sort((a, b) => a.time - b.time);
  let main;
  const least = bars.length ? Math.min(...bars.slice(-400).map((bar) => Math.abs(bar[4]))) : Math.min(...found.fills.map((fill) => fill[5]));
  const precision = least >= 1000 ? 2 : least >= 1 ? 4 : 8;
  const format = { type: "price", precision, minMove: 10 ** -precision };
  if (!bars.length || found.is_line) {
    main = chart.addSeries(LightweightCharts.LineSeries, { priceFormat: format, lineWidth: 2, priceLineVisible: false });
    const points = bars.length ? bars.map((bar) => [bar[0], bar[4]]) : found.fills.map((fill) => [Math.floor(fill[0]), fill[5]]);
    const before = new Set(found.gaps.map(([from]) => from));
    // This chart draws a line across what is blank; the part that begins at a gap is therefore not painted.
    main.setData(filled(onePerTime(points.map(([time, value]) => (before.has(time) ? { time, value, color: "transparent" } : { time, value })))));
  } else {
    main = chart.addSeries(LightweightCharts.CandlestickSeries, { priceFormat: format, priceLineVisible: false });
    main.setData(filled(bars.map(([time, open, high, low, close]) => ({ time, open, high, low, close }))));
    const volume = chart.addSeries(LightweightCharts.HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false });
    chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
    volume.setData(bars.map(([time, , , , , value]) => ({ time, value })));
    box.volume = volume;
  }
  const slots = filled(bars.length ? bars.map(([time]) => ({ time })) : []).map((one) => one.time);
  const times = bars.length ? bars.map((bar) => bar[0]) : found.fills.map((fill) => Math.floor(fill[0]));
  const barOf = (t) => {
    let low = 0, high = times.length - 1;
    while (low < high) { const middle = (low + high + 1) >> 1; if (times[middle] <= t) low = middle; else high = middle - 1; }
    return times[low];
  };
  // An execution at a bar's close belongs to the bar that closes then, as the market knew it.
  const placed = found.fills.map((fill) => ({ fill, time: barOf(bars.length ? fill[0] - 0.001 : fill[0]) }));
  const markers = LightweightCharts.createSeriesMarkers(main, []);
  const draw = () => {
    main.applyOptions(found.is_line || !bars.length ? { color: W.colour("accent") } : {
      upColor: W.colour("card"), borderUpColor: W.colour("soft"), wickUpColor: W.colour("soft"),
      downColor: W.colour("soft"), borderDownColor: W.colour("soft"), wickDownColor: W.colour("soft") });
    if (box.volume) box.volume.applyOptions({ color: W.faded("faint", 0.28) });
    mark();
  };
  // Of more than the eye tells apart every so many are marked; who looks closer sees them all.
  function mark() {
    const range = chart.timeScale().getVisibleLogicalRange(), places = slots.length ? slots : times;
    const first = range ? places[Math.max(Math.floor(range.from), 0)] : -Infinity, last = range ? places[Math.min(Math.ceil(range.to), places.length - 1)] : Infinity;
    const inside = placed.filter(({ time }) => time >= (first ?? -Infinity) && time <= (last ?? Infinity)), most = Math.max(Math.floor(box.clientWidth / 6), 20);
    const step = Math.max(Math.ceil(inside.length / most), 1), seen = { buy: 0, sell: 0 }, shown = inside.filter(({ fill }) => seen[fill[1]]++ % step === 0), named = shown.length <= box.clientWidth / 30;
    box.dataset.marks = String(shown.length);
    thin.textContent = step > 1 ? `One of ${step} fills is marked; closer, all are` : "";
    markers.setMarkers(shown.map(({ fill, time }) => fill[1] === "buy"
      ? { time, position: "belowBar", shape: "arrowUp", color: W.colour("accent"), text: named ? "Buy" : "", size: 1.3 }
      : { time, position: "aboveBar", shape: "arrowDown", color: W.colour("second"), text: named ? "Sell" : "", size: 1.3 }));
  }
  draw();
  const tell = (fill) => `${fill[1] === "buy" ? "▲ Bought" : "▼ Sold"} ${fill[3]} at ${fill[2]}, ${W.moment(fill[0])}`;
  // The chart goes to a range with its next frame: until then a second key must go on from there.
  let going = null;
  const ranged = () => going || chart.timeScale().getVisibleLogicalRange();
  const show = (range) => { going = range; chart.timeScale().setVisibleLogicalRange(range); };
  let current = -1;
  const goTo = (at) => {
    if (!placed.length) return;
    current = Math.min(Math.max(at, 0), placed.length - 1);
    const { fill, time } = placed[current], range = ranged(), index = Math.max((slots.length ? slots : times).indexOf(time), 0);
    if (range && (index < range.from || index > range.to)) {
      const half = (range.to - range.from) / 2;
      show({ from: index - half, to: index + half });
    }
    chart.setCrosshairPosition(fill[5], time, main);
    reading.textContent = tell(fill);
    W.say(`Fill ${current + 1} of ${placed.length}: ${tell(fill)}`);
  };
  const zoom = (factor) => {
    const range = ranged();
    if (!range) return;
    const middle = (range.from + range.to) / 2, half = ((range.to - range.from) / 2) * factor;
    show({ from: middle - half, to: middle + half });
  };
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") goTo(current + 1);
    else if (event.key === "ArrowLeft") goTo(current < 0 ? placed.length - 1 : current - 1);
    else if (event.key === "Enter" && current >= 0) openOrder(placed[current].fill[4]);
    else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "0") { going = null; chart.timeScale().fitContent(); }
    else return;
    event.preventDefault();
  });
  chart.subscribeCrosshairMove((where) => {
    if (!where.time) { reading.textContent = ""; return; }
    const here = placed.filter((one) => one.time === where.time).map((one) => tell(one.fill));
    const bar = where.seriesData.get(main);
    const text = bar && bar.open !== undefined ? `O ${W.number(bar.open, 8)}  H ${W.number(bar.high, 8)}  L ${W.number(bar.low, 8)}  C ${W.number(bar.close, 8)}` : "";
    reading.textContent = here.length ? here.slice(0, 3).join("; ") : text;
  });
  chart.subscribeClick((where) => {
    const hit = placed.find((one) => one.time === where.time);
    if (hit) openOrder(hit.fill[4]);
  });
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
    going = null;
    if (!range) return;
    box.dataset.bars = String(Math.round(range.to - range.from));
    if (!box.waits) box.waits = requestAnimationFrame(() => { box.waits = 0; mark(); });
  });
  const kept = W.seen && W.seen[symbol];
  if (kept) chart.timeScale().setVisibleLogicalRange(kept); else chart.timeScale().fitContent();
  holder.append(
    W.el("ul", { class: "keys" },
      W.el("li", {}, W.el("button", { type: "button", text: "← Fill before", on: { click: () => goTo(current < 0 ? placed.length - 1 : current - 1) } })),
      W.el("li", {}, W.el("button", { type: "button", text: "Next fill →", on: { click: () => goTo(current + 1) } })),
      W.el("li", {}, W.el("button", { type: "button", text: "Show all", on: { click: () => chart.timeScale().fitContent() } }))));
  const handle = { chart: box, redraw: () => { chart.applyOptions(look()); draw(); }, destroy: () => {
    const range = chart.timeScale().getVisibleLogicalRange();
    W.seen = range && range.to < Math.max(slots.length, times.length) - 2 ? { ...W.seen, [symbol]: range } : W.seen;
    W.charts.delete(handle); watcher.disconnect(); cancelAnimationFrame(box.waits); chart.remove();
  } };
  W.charts.add(handle);
  return handle;

  function look() {
    return {
      layout: { background: { type: "solid", color: W.colour("card") }, textColor: W.colour("faint"), fontFamily: "system-ui, sans-serif", fontSize: 12, attributionLogo: false },
      grid: { vertLines: { color: W.colour("grid") }, horzLines: { color: W.colour("grid") } },
      rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.1, bottom: 0.18 } },
      timeScale: { borderVisible: false, timeVisible: true, secondsVisible: found.width_s < 60, minBarSpacing: 0.02 },
      crosshair: { mode: 0, vertLine: { color: W.colour("faint"), labelBackgroundColor: W.colour("soft") }, horzLine: { color: W.colour("faint"), labelBackgroundColor: W.colour("soft") } },
      localization: { locale: "en-GB" }, handleScroll: { vertTouchDrag: false }, handleScale: { mouseWheel: false },
    };
  }
  // The axis has a place for each bar and none for time: room for those that are missing, as far as there is any.
  function blanks({ gaps, width_s: width, bars: { length } }) {
    const missing = gaps.map(([from, until]) => Math.max(Math.round((until - from) / width) - 1, 1));
    const share = Math.min(1, Math.max(length, 200) / 2 / missing.reduce((sum, n) => sum + n, 1));
    return gaps.flatMap(([from, until], at) => {
      const room = Math.max(Math.round(missing[at] * share), 1);
      return [...Array(room).keys()].map((n) => Math.floor(from + ((until - from) * (n + 1)) / (room + 1)));
    });
  }
  function onePerTime(points) { return points.filter((point, at) => at === points.length - 1 || points[at + 1].time > point.time); }
};
