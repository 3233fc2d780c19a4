"use strict";
// Where each run ended: a row of dots for each strategy, with the median and its interval of the last place on the budget axis.

function startFinals() {
  const measures = [["val", "val_acc", `Best ${DATA.score.val} of each run`], ["test", "test_acc", `${DATA.score.test[0].toUpperCase()}${DATA.score.test.slice(1)} of each incumbent`]];
  for (const [key, measure, title] of measures) {
    if (!DATA.finals[key].some((value) => value !== null)) continue;
    const host = html("div", { class: "plot-host", tabindex: 0, "data-final": key });
    byId("finals").append(host);
    drawnToWidth(host, () => drawFinals(host, key, measure, title));
  }
}

function drawFinals(host, key, measure, title) {
  const { s, seed, hash } = DATA.finals;
  const values = DATA.finals[key];
  const ends = DATA.courses[0].series.filter((one) => one.measure === measure);
  const shown = values.map((value, i) => ({ value, s: s[i], seed: seed[i], hash: hash[i] })).filter((dot) => dot.value !== null);
  const numbers = shown.map((dot) => dot.value);
  const room = Math.max(DATA.score.accuracy ? 0.004 : 1e-9, 0.06 * (Math.max(...numbers) - Math.min(...numbers)));
  const rows = DATA.strategies.length;
  const left = Math.max(60, 4 + roomForNames());
  const plot = frame(host, {
    title,
    label: `${title}: one dot a run; the table below has medians and intervals`,
    height: 78 + 34 * rows,
    data: {
      name: `final-${measure}.csv`,
      head: ["strategy", "seed", measure, "incumbent"],
      rows: () => shown.map((dot) => [DATA.strategies[dot.s].name, dot.seed, dot.value, dot.hash]),
    },
    x: { low: Math.min(...numbers) - room, high: Math.max(...numbers) + room, log: false, label: DATA.score.bare, format: percentTick },
    y: { low: 0, high: 1, log: false, format: () => "" },
  });
  plot.picture.querySelectorAll(".grid").forEach((element) => element.remove());
  const { box } = plot;
  // The frame's left margin is for numbers; here names stand there.
  const sx = scale(plot.sx.low, plot.sx.high, left, box.right, false);
  plot.picture.querySelectorAll(".tick, .tickmark, .axis").forEach((element) => element.remove());
  for (const value of ticks(sx.low, sx.high, Math.max(2, (box.right - left) / 90), false)) {
    plot.picture.prepend(svg("line", { class: "grid", x1: sx(value), x2: sx(value), y1: box.top, y2: box.bottom }));
    plot.picture.append(svg("text", { class: "tick", x: sx(value), y: box.bottom + 18, "text-anchor": "middle" }, percentTick(value)));
  }
  const height = (box.bottom - box.top) / rows;
  const middle = (row) => box.top + height * (row + 0.5);
  const dots = [];
  const bars = DATA.strategies.map((_, row) => ends.find((one) => one.s === row && one.n > 1)).filter(Boolean);
  for (const end of bars) {
    const [low, high] = [sx(end.low.at(-1)), sx(end.high.at(-1))];
    plot.inside.append(svg("rect", { class: `interval s${end.s}`, x: low, width: Math.max(1, high - low), y: middle(end.s) - 9, height: 18, rx: 3 }));
  }
  DATA.strategies.forEach((strategy, row) => {
    plot.picture.append(svg("text", { class: `row-name s${row}`, x: left - 12, y: middle(row), "text-anchor": "end", "dominant-baseline": "central" }, strategy.name));
    const mine = shown.filter((dot) => dot.s === row);
    mine.forEach((dot, i) => {
      // Spread over the row by a fixed pattern, so that equal scores do not hide each other.
      const offset = mine.length === 1 ? 0 : (((i * 0.618034) % 1) - 0.5) * Math.min(0.62 * height, 3 * mine.length);
      const place = { ...dot, x: sx(dot.value), y: middle(row) + offset };
      dots.push(place);
      plot.inside.append(svg("circle", { class: `run-dot s${row}`, cx: place.x.toFixed(1), cy: place.y.toFixed(1), r: mine.length > 40 ? 2.6 : 3.6 }));
    });
  });
  for (const end of bars) {
    const x = sx(end.median.at(-1));
    plot.inside.append(svg("line", { class: "median", x1: x, x2: x, y1: middle(end.s) - 11, y2: middle(end.s) + 11 }));
  }
  plot.sx = sx;
  const describe = (dot) => [`${DATA.strategies[dot.s].name}, seed ${dot.seed}`, [[dot.s, DATA.score.bare, percentOf(dot.value)], [null, "incumbent", dot.hash || "–"]]];
  pointAt(host, plot, () => dots.slice().sort((a, b) => a.s - b.s || a.value - b.value), describe, () => {});
}
