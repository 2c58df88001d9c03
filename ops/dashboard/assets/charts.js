"use strict";
// Lines over time: uPlot, with keys for the keyboard, dashes as well as colours, and both themes.
const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4], [1, 4]];
// Colours come again after seven lines; then they come with another dash each.
const dash = (index) => DASHES[(index + Math.floor(index / 7)) % 7];
W.charts = new Set();
// How far a chart is zoomed in, by its label: a live page draws it anew and goes back there.
W.zooms = {};
const WHOLE = [...Array(12).keys()].flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power));

const swatch = (index) => W.svg("svg", { width: 26, height: 8, "aria-hidden": "true" },
  W.svg("line", { x1: 1, x2: 25, y1: 4, y2: 4, stroke: `var(--s${index % 7})`, "stroke-width": 2.2, "stroke-dasharray": dash(index).join(" ") || "none" }));

// Two lines under the axis: the time of day, and the date where it begins or changes.
const moments = (found, span) => {
  const fine = found.length > 1 ? found[1] - found[0] < 60 : span < 600, daily = found.length > 1 && found[1] - found[0] >= 86400;
  let date = "";
  return found.map((t) => {
    const here = W.date(t), isNew = here !== date;
    date = here;
    if (daily) return here;
    return W.clock(t).slice(0, fine ? 8 : 5) + (isNew ? `\n${here}` : "");
  });
};

// Where nothing is known a line would be invented: it ends before the gap and goes on after it.
// A value that is only not there (null) is `undefined` then, which a line goes across; null ends it.
// What lies in the gap was counted afterwards, and nobody knows when it was.
const parted = (times, series, options) => {
  const gapsOf = (one) => one.gaps || options.gaps || [], middle = ([from, until]) => (from + until) / 2;
  const breaks = [...new Set(series.flatMap((one) => gapsOf(one).map(middle)))];
  const order = [...times.map((t, at) => [t, at]), ...breaks.map((t) => [t, -1])].sort((a, b) => a[0] - b[0]);
  return [order.map(([t]) => t), series.map((one) => {
    const gaps = gapsOf(one), own = new Set(gaps.map(middle)), isIn = (t) => gaps.some(([from, until]) => from < t && t < until);
    return { ...one, values: order.map(([t, at]) => (own.has(t) || isIn(t) ? null : at < 0 ? undefined : one.values[at] ?? undefined)) };
  })];
};
// A value with a gap on either side has no line to be seen by.
const alone = (values) => {
  const known = values.map((_, at) => at).filter((at) => values[at] !== undefined);
  return known.filter((at, n) => values[at] !== null && (values[known[n - 1]] ?? null) === null && (values[known[n + 1]] ?? null) === null);
};

// series: [{ name, values, wash?, steps?, index?, gaps? }]; options: { label, height, show, log, marks, zero, whole, gaps, after: { t, text } }
W.lines = (holder, allTimes, allSeries, options) => {
  const [times, series] = parted(allTimes, allSeries, options);
  const chart = W.el("div", { class: "chart", tabindex: "0", role: "group", "aria-roledescription": "chart", "aria-label": `${options.label}. Arrow keys read values, plus and minus zoom, 0 shows all.` });
  const keys = W.el("ul", { class: "keys", "aria-label": `Lines of ${options.label}` });
  holder.append(chart, keys);
  const zoomed = W.zooms[options.label];
  const data = [times, ...series.map((one) => one.values)];
  const shows = options.show || W.number;
  const readouts = [];
  const few = allTimes.length < 40, lonely = series.map((one) => alone(one.values));
  const axis = { stroke: () => W.colour("faint"), font: "12px system-ui, sans-serif", grid: { stroke: () => W.colour("grid"), width: 1 }, ticks: { show: false } };
  // As wide as what stands at the axis; to write out every value for that took longer than to draw them.
  const room = (u, found) => Math.min(16 + Math.max(...(found || []).map((text) => text.length), 3) * 7, 92);
  const plot = new uPlot({
    width: Math.max(chart.clientWidth, 200), height: options.height || 220, tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "Etc/UTC"),
    legend: { show: false }, padding: [10, 26, 0, 0],
    cursor: { drag: { x: true, y: false, setScale: true }, points: { size: 7 }, sync: options.sync ? { key: options.sync } : undefined },
    scales: { y: { distr: options.log ? 3 : 1, range: options.log ? undefined : (u, low, high) => {
      if (low === null || !Number.isFinite(low)) return [0, 1];
      if (options.zero) { low = Math.min(low, 0); high = Math.max(high, 0); }
      if (low === 0 && high === 0) return [0, 1];
      const room = (high - low || Math.abs(high) || 1) * 0.08;
      return [options.zero && low === 0 ? 0 : low - room, options.zero && high === 0 ? 0 : high + room];
    } } },
    axes: [
      { ...axis, size: 44, space: 84, values: (u, found) => moments(found, u.scales.x.max - u.scales.x.min) },
      { ...axis, incrs: options.whole ? WHOLE : undefined, size: room, space: 36, values: (u, found) => found.map((v) => (v === null ? "" : shows(v))) },
    ],
    series: [{}, ...series.map((one, at) => {
      const index = one.index === undefined ? at : one.index;
      return {
        label: one.name, stroke: () => W.colour(`s${index % 7}`), width: one.wash ? 2 : 1.6, dash: dash(index), spanGaps: false,
        fill: one.wash ? () => W.faded(`s${index % 7}`, 0.1) : undefined,
        paths: one.steps ? uPlot.paths.stepped({ align: 1 }) : undefined, points: { show: few, size: 5, filter: () => (few ? null : lonely[at]) },
      };
    })],
    hooks: {
      setCursor: [(u) => read(u.cursor.idx)],
      setScale: [(u, key) => {
        if (key !== "x") return;
        const { min, max } = u.scales.x;
        chart.dataset.from = min;
        chart.dataset.to = max;
        if (min > times[0] || max < times[times.length - 1]) W.zooms[options.label] = { min, max }; else delete W.zooms[options.label];
      }],
      drawClear: [(u) => { if (options.after) shade(u, options.after); for (const gap of options.gaps || []) blank(u, gap); }],
      draw: [(u) => { for (const mark of options.marks || []) rule(u, mark); }],
    },
  }, data, chart);

  series.forEach((one, at) => {
    const value = W.el("b", { text: "" });
    readouts.push(value);
    const button = W.el("button", { type: "button", "aria-pressed": "true", title: "Show or hide this line" }, swatch(one.index === undefined ? at : one.index), one.name, value);
    button.addEventListener("click", () => {
      const shown = !plot.series[at + 1].show;
      plot.setSeries(at + 1, { show: shown });
      button.setAttribute("aria-pressed", String(shown));
    });
    keys.append(W.el("li", {}, button));
  });

  if (zoomed) plot.setScale("x", zoomed);

  function read(idx) {
    const none = idx === null || idx === undefined;
    series.forEach((one, number) => { readouts[number].textContent = shows(none ? one.values.findLast((v) => v !== null && v !== undefined) ?? null : one.values[idx] ?? null); });
  }
  read(null);

  function rule(u, mark) {
    if (mark.t < u.scales.x.min || mark.t > u.scales.x.max) return;
    const x = Math.round(u.valToPos(mark.t, "x", true)), { ctx, bbox } = u, r = devicePixelRatio;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = W.colour(mark.level);
    ctx.setLineDash([3 * r, 4 * r]);
    ctx.lineWidth = r;
    ctx.beginPath(); ctx.moveTo(x, bbox.top + 10 * r); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke();
    ctx.font = `${11 * r}px system-ui, sans-serif`; ctx.textAlign = "center";
    ctx.fillText(mark.glyph, x, bbox.top + 8 * r);
    ctx.restore();
  }

  // What comes after a moment is of another kind, and says so.
  function shade(u, { t, text }) {
    const { ctx, bbox } = u, r = devicePixelRatio, right = bbox.left + bbox.width;
    const left = Math.max(u.valToPos(t, "x", true), bbox.left);
    if (left >= right) return;
    ctx.save();
    ctx.fillStyle = W.faded("second", 0.1);
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.strokeStyle = ctx.fillStyle = W.colour("second");
    ctx.lineWidth = r; ctx.setLineDash([4 * r, 3 * r]);
    ctx.beginPath(); ctx.moveTo(left, bbox.top); ctx.lineTo(left, bbox.top + bbox.height); ctx.stroke();
    ctx.font = `${11 * r}px system-ui, sans-serif`;
    if (ctx.measureText(text).width < right - left - 12 * r) ctx.fillText(text, left + 6 * r, bbox.top + 12 * r);
    ctx.restore();
  }

  // Hatched, so that what is blank is seen to be meant.
  function blank(u, [from, until]) {
    const { ctx, bbox } = u, r = devicePixelRatio;
    const left = Math.max(u.valToPos(from, "x", true), bbox.left), width = Math.min(u.valToPos(until, "x", true), bbox.left + bbox.width) - left;
    if (width < r) return;
    ctx.save();
    ctx.beginPath(); ctx.rect(left, bbox.top, width, bbox.height); ctx.clip();
    ctx.strokeStyle = W.faded("faint", 0.35); ctx.lineWidth = r;
    ctx.beginPath();
    for (let x = left - bbox.height; x < left + width; x += 7 * r) { ctx.moveTo(x, bbox.top + bbox.height); ctx.lineTo(x + bbox.height, bbox.top); }
    ctx.stroke();
    ctx.restore();
  }

  const all = () => plot.setScale("x", { min: times[0], max: times[times.length - 1] });
  const zoom = (factor) => {
    const { min, max } = plot.scales.x, at = plot.cursor.idx, middle = at === null || at === undefined ? (min + max) / 2 : times[at];
    const low = Math.max(middle - (middle - min) * factor, times[0]), high = Math.min(middle + (max - middle) * factor, times[times.length - 1]);
    if (high > low) plot.setScale("x", { min: low, max: high });
  };
  chart.addEventListener("keydown", (event) => {
    const last = times.length - 1, now = plot.cursor.idx;
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -25, PageDown: 25, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      const at = Math.min(Math.max((now === null || now === undefined ? last : now) + steps[event.key], 0), last);
      if (times[at] < plot.scales.x.min || times[at] > plot.scales.x.max) all();
      plot.setCursor({ left: plot.valToPos(times[at], "x"), top: 10 });
      read(at);
      if (series.every((one) => one.values[at] === null)) W.say(`${W.moment(times[at])}: nothing is known`);
      else W.say(`${W.moment(times[at])}: ${series.map((one) => `${one.name} ${shows(one.values[at] ?? null)}`).join(", ")}`);
    } else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "0" || event.key === "Escape") all();
    else return;
    event.preventDefault();
  });

  const watcher = new ResizeObserver(() => { if (chart.clientWidth) plot.setSize({ width: chart.clientWidth, height: options.height || 220 }); });
  watcher.observe(chart);
  const handle = { redraw: () => plot.redraw(true, true), destroy: () => { watcher.disconnect(); plot.destroy(); W.charts.delete(handle); }, plot, chart };
  W.charts.add(handle);
  return handle;
};
