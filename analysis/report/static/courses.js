"use strict";
// Best validation so far, and the incumbents' test accuracy, by budget spent: a line and a band for each strategy.

function startCourses() {
  const state = { axis: 0, plots: [] };
  const controls = byId("courses-controls");
  DATA.courses.forEach((course, i) => {
    controls.append(html("button", { type: "button", class: "choice", "aria-pressed": i === 0, onclick: () => choose(i) }, `by ${course.label}`));
  });
  const hosts = ["val_acc", "test_acc"].filter(hasCourse).map((measure) => {
    const host = html("div", { class: "plot-host", tabindex: 0, "data-measure": measure });
    byId("courses").append(host);
    drawnToWidth(host, () => drawCourse(host, DATA.courses[state.axis], measure));
    return host;
  });
  function choose(i) {
    state.axis = i;
    [...controls.children].forEach((button, k) => button.setAttribute("aria-pressed", k === i));
    for (const host of hosts) drawCourse(host, DATA.courses[i], host.dataset.measure);
  }
}

// Test accuracies are often known of the last incumbents only: points at the end of the axis, which the plot of the runs' ends shows better.
function hasCourse(measure) {
  if (measure === "val_acc") return true;
  const { series, log } = DATA.courses[0];
  const last = Math.max(...series.map((one) => one.x.at(-1)));
  const first = Math.min(...series.map((one) => one.x[0]));
  const middle = log ? Math.sqrt(first * last) : last / 2;
  return series.some((one) => one.measure === measure && one.x[0] <= middle);
}

function drawCourse(host, course, measure) {
  const series = course.series.filter((one) => one.measure === measure);
  const title = course.measures[measure];
  if (!series.length) {
    host.replaceChildren(html("p", { class: "nothing" }, measure === "test_acc" ? "No incumbent was retrained and tested." : "No child finished with a score."));
    host.removeAttribute("tabindex");
    return;
  }
  const all = course.series;
  const low = Math.min(...all.map((one) => one.x[0]));
  const high = Math.max(...all.map((one) => one.x.at(-1)));
  const plot = frame(host, {
    title,
    label: `${title} by ${course.label}; the table below has the final values`,
    height: 330,
    data: courseData(course, measure, series),
    right: Math.min(roomForNames(), 0.4 * innerWidthOf(host)),
    x: { low: course.log ? low : 0, high, log: course.log, label: course.label, format: short, whole: course.by === "children" },
    y: { ...courseRange(series, low, high, course.log), label: "", format: percentTick },
  });
  clip(plot);
  for (const one of series) {
    if (one.all_low.some((value) => value === null)) continue; // too few runs for a band around the whole line
    plot.inside.append(svg("path", { class: `band wide s${one.s}`, d: stepBand(one.x, one.all_low, one.all_high, plot.sx, plot.sy) }));
  }
  for (const one of series) {
    plot.inside.append(svg("path", { class: `band s${one.s}`, d: stepBand(one.x, one.low, one.high, plot.sx, plot.sy) }));
  }
  for (const one of series) {
    plot.inside.append(svg("path", { class: `line s${one.s}`, d: steps(one.x, one.median, plot.sx, plot.sy), "stroke-dasharray": dashesOf(one.s) }));
    if (one.x.length < 3) plot.inside.append(marker(strategyOf(one.s), plot.sx(one.x[0]), plot.sy(one.median[0])));
  }
  nameEnds(plot, series.map((one) => ({ s: one.s, y: plot.sy(one.median.at(-1)), text: `${DATA.strategies[one.s].name}` })));
  followCursor(host, plot, course, series);
}

function courseData(course, measure, series) {
  const names = ["median", "low", "high", "all_low", "all_high"];
  return {
    name: `${measure}-by-${course.by}.csv`,
    head: ["strategy", "runs", "n", course.by, ...names],
    rows: () => series.flatMap((one) => one.x.map((x, i) => [DATA.strategies[one.s].name, one.runs, one.n, x, ...names.map((name) => one[name][i])])),
  };
}

// The axis shows all lines and bands after the first quarter of the budget axis: what comes before would press the rest flat, and comes
// from below instead.
function courseRange(series, first, last, log) {
  const from = log ? first * (last / first) ** 0.25 : 0.25 * last;
  const kept = (one, values) => values.filter((_, i) => one.x[i] >= from || i === values.length - 1);
  const low = Math.min(...series.flatMap((one) => kept(one, one.low)));
  const high = Math.max(...series.flatMap((one) => one.high));
  const room = 0.04 * (high - low || 0.01);
  return within(low - room, high + room);
}

function clip(plot) {
  const id = `clip-${(clip.count = (clip.count ?? 0) + 1)}`;
  const { left, right, top, bottom } = plot.box;
  plot.picture.append(svg("clipPath", { id }, svg("rect", { x: left, y: top - 4, width: right - left + 1, height: bottom - top + 5 })));
  plot.inside.setAttribute("clip-path", `url(#${id})`);
}

// Pixels for the longest name at the ends of lines.
function roomForNames() {
  return 14 + 6.9 * Math.max(...DATA.strategies.map((strategy) => strategy.name.length));
}

// A line at the budget under the pointer, or moved by the arrow keys, with all strategies' values in the tooltip.
function followCursor(host, plot, course, series) {
  const budgets = [...new Set(series.flatMap((one) => one.x))].sort((a, b) => a - b);
  const cursor = svg("line", { class: "cursor", y1: plot.box.top, y2: plot.box.bottom, visibility: "hidden" });
  plot.picture.append(cursor);
  let at = budgets.length - 1;
  const show = (place) => {
    at = Math.max(0, Math.min(budgets.length - 1, place));
    const x = plot.sx(budgets[at]);
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    cursor.setAttribute("visibility", "visible");
    const rows = series.map((one) => [one, countBelow(one.x, budgets[at]) - 1])
      .filter(([, i]) => i >= 0)
      .sort(([a, i], [b, k]) => oriented(b.median[k] - a.median[i]))
      .map(([one, i]) => [one.s, `${DATA.strategies[one.s].name} (n=${one.n})`, `${percentOf(one.median[i])} [${plainScore(one.low[i])}, ${plainScore(one.high[i])}]`]);
    const bounds = plot.picture.getBoundingClientRect();
    tip.show(`${short(budgets[at])} ${course.label}`, rows, bounds.left + x, bounds.top + plot.height / 2);
    return rows;
  };
  const hide = () => {
    cursor.setAttribute("visibility", "hidden");
    tip.hide();
  };
  host.onpointermove = host.onpointerdown = (event) => {
    const wanted = event.clientX - plot.picture.getBoundingClientRect().left;
    show(nearest(budgets.map(plot.sx), wanted));
  };
  host.onpointerleave = (event) => event.pointerType !== "touch" && hide(); // a finger that lifts leaves; a tap elsewhere takes the focus
  host.onblur = hide;
  host.onkeydown = (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (way === undefined) return;
    event.preventDefault();
    const rows = show(Number.isFinite(way) ? at + way * (event.shiftKey ? 10 : 1) : way < 0 ? 0 : budgets.length - 1);
    announce(`${short(budgets[at])} ${course.label}: ` + rows.map(([, name, value]) => `${name} ${value}`).join("; "));
  };
}

// How many of the growing `values` are at most `limit`.
function countBelow(values, limit) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nearest(growing, wanted) {
  const after = Math.min(growing.length - 1, countBelow(growing, wanted));
  const before = Math.max(0, after - 1);
  return wanted - growing[before] < growing[after] - wanted ? before : after;
}
