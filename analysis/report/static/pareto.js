"use strict";
// Accuracy against a cost for all children left by the filter: nearest point under the pointer, front, and a rectangle that filters.

const COSTS = {
  params: { label: "parameters", values: CHILDREN.params, field: "params" },
  mult_adds: { label: "multiply-adds for one image", values: CHILDREN.mult_adds, field: "mult_adds" },
  seconds: {
    label: `${DATA.seconds_unit} to train`,
    values: CHILDREN.secondsFromStart,
    field: CHILDREN.secondsFromStart === CHILDREN.seconds ? "device_seconds" : "device_seconds_from_start",
  },
};
const SCORES = {
  val: { label: DATA.score.val, values: CHILDREN.val, field: "val_acc" },
  test: { label: DATA.score.test, values: CHILDREN.test, field: "test_acc" },
};

function startPareto() {
  const host = byId("pareto-plot").appendChild(html("div", { class: "plot-host", tabindex: 0, id: "plane" }));
  const state = {};
  // `above`: values must be greater. Costs that are missing everywhere are not offered, and neither are scores.
  const choice = (key, options, words, above) => {
    const offered = Object.entries(options).filter(([, one]) => one.values.some((value) => value > above));
    const select = html("select", { id: `pareto-${key}`, onchange: () => { state[key] = select.value; draw(); } },
      ...offered.map(([name, one]) => html("option", { value: name }, one.label)));
    if (offered.length) byId("pareto-controls").append(html("label", {}, words, " ", select));
    state[key] = offered.length ? offered[0][0] : null;
  };
  choice("y", SCORES, "Up:", DATA.score.accuracy ? 0 : -Infinity);
  choice("x", COSTS, "Across:", 0);
  if (state.x === null) {
    host.replaceChildren(html("p", { class: "nothing" }, "Neither the sizes of these architectures nor what they cost is known."));
    return;
  }
  state.y ??= "val";
  const draw = () => drawPlane(host, COSTS[state.x], SCORES[state.y]);
  filter.listeners.push(() => innerWidthOf(host) > 0 && draw());
  drawnToWidth(host, draw);
}

// The mean of each hash of a strategy over the children left, as the analyses do it: of trainings that stopped after different epochs over
// the longest ones, because scores after few epochs are no scores of the architecture.
function planePoints(cost, score) {
  const groups = new Map();
  for (const i of filter.places) {
    const y = oriented(score.values[i]), x = cost.values[i];
    if (!CHILDREN.counted[i] || CHILDREN.status[i] !== "ok" || Number.isNaN(y) || !(x > 0)) continue;
    const key = CHILDREN.s[i] * 4294967296 + CHILDREN.architecture[i];
    const group = groups.get(key), epochs = CHILDREN.epochs[i];
    if (group && group.epochs > epochs) continue;
    if (group && group.epochs === epochs) {
      group.n += 1;
      group.cost += x;
      group.score += y;
    } else groups.set(key, { s: CHILDREN.s[i], hash: CHILDREN.hash[i], child: i, epochs, n: 1, cost: x, score: y });
  }
  const points = [...groups.values()];
  for (const point of points) {
    point.cost /= point.n;
    point.score /= point.n;
  }
  return points;
}

// Those that no other beats on both; equal ones stay together.
function frontOf(points) {
  const sorted = points.slice().sort((a, b) => a.cost - b.cost || b.score - a.score);
  const front = [];
  let best = -Infinity, cost = NaN;
  for (const point of sorted) {
    if (point.score > best || (point.score === best && point.cost === cost)) {
      front.push(point);
      [best, cost] = [point.score, point.cost];
    }
  }
  return front;
}

function drawPlane(host, cost, score) {
  const points = planePoints(cost, score);
  host.dataset.points = points.length;
  if (!points.length) {
    host.replaceChildren(html("p", { class: "nothing" }, "No child with a score is left; clear the filter to see all."));
    host.dataset.front = 0;
    return;
  }
  const xs = points.map((point) => point.cost), ys = points.map((point) => point.score);
  let [low, high] = [least(xs), most(xs)];
  if (high < 1.5 * low) [low, high] = [low / 1.2, high * 1.2];
  const margin = (high / low) ** 0.03;
  const errors = ys.map(badness), log = DATA.score.accuracy;
  const floor = log ? errorFloor(errors) : least(errors), room = 0.04 * (most(errors) - floor || 1);
  const front = frontOf(points), onFront = new Set(front);
  const plot = frame(host, {
    data: {
      name: `${score.field}-against-${cost.field}.csv`,
      head: ["strategy", "hash", "n", cost.field, score.field, "front"],
      rows: () => points.map((point) => [DATA.strategies[point.s].name, point.hash, point.n, point.cost, oriented(point.score), onFront.has(point)]),
    },
    label: `${score.label} against ${cost.label}, ${points.length} architectures`,
    height: Math.max(340, Math.min(520, 0.52 * innerWidthOf(host))),
    x: { low: low / margin, high: high * margin, log: true, label: cost.label, format: short },
    y: { low: log ? most(errors) * 1.04 : most(errors) + room, high: log ? floor / 1.06 : floor - room, log,
      format: (error) => percentTick(oriented(scoreOfBadness(error))) },
  });
  const up = (value) => plot.sy(Math.max(badness(value), floor));
  for (const point of points) [point.x, point.y] = [plot.sx(point.cost), up(point.score)];
  const radius = points.length > 4000 ? 1.7 : points.length > 800 ? 2.3 : 3;
  // Where many points share few costs, strategies would cover each other: their columns stand side by side.
  const aside = points.length > 20 * new Set(xs).size ? 2.2 * radius : 0;
  const shift = (s) => (s - (DATA.strategies.length - 1) / 2) * aside;
  host.dataset.front = front.length;
  DATA.strategies.forEach((_, s) => {
    const mine = points.filter((point) => point.s === s);
    const d = mine.map((point) => `M${(point.x + shift(s)).toFixed(1)},${point.y.toFixed(1)}h0`).join("");
    plot.inside.append(svg("path", { class: `cloud s${s}`, d, "stroke-width": 2 * radius, opacity: points.length > 4000 ? 0.42 : points.length > 800 ? 0.5 : 0.75 }));
  });
  plot.inside.append(svg("path", { class: "front-line", d: steps(front.map((point) => point.cost), front.map((point) => point.score), plot.sx, up) }));
  for (const point of front) plot.inside.append(marker(strategyOf(point.s), point.x, point.y, { class: `mark on-front s${point.s}` }));
  plot.picture.append(svg("text", { class: "axis-label", x: 0, y: 14 }, log ? `${score.label} (by log of the error)` : score.label));
  const describe = (point) => [point.hash, [
    [null, cost.label, grouped(Math.round(point.cost * 100) / 100)],
    [null, score.label, percentOf(oriented(point.score))],
    ...(point.epochs < Infinity ? [[null, "training stopped after epoch", grouped(point.epochs)]] : []),
    ...points.filter((other) => other.hash === point.hash).map((other) => [other.s, DATA.strategies[other.s].name,
      (other.n === 1 ? "1 child" : `mean of ${grouped(other.n)} children`) + (other.score === point.score ? "" : `, ${percentOf(oriented(other.score))}`)]),
    [null, onFront.has(point) ? "on the front" : "dominated", ""],
  ]];
  // The keys walk along the front; the pointer finds any point.
  pointAt(host, plot, () => front, describe, (point) => showInTable(point.hash), points);
  brush(host, plot, cost, score);
}

// Accuracies stand by the logarithm of the error, so that the best ones, who lie close together, are apart. No error at all stands
// here, below the least.
function errorFloor(errors) {
  const smallest = least(errors.filter((error) => error > 0));
  return least(errors) > 0 ? smallest : Math.min(smallest / 2, 0.5);
}

const least = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
const most = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);

// Tooltip at the nearest of `all`; arrow keys go through `walk()`; Enter and a click choose.
function pointAt(host, plot, walk, describe, choose, all = walk()) {
  const ring = svg("circle", { class: "ring", r: 8, visibility: "hidden" });
  plot.picture.append(ring);
  let at = -1, current = null, chosen = null; // a finger's first tap shows a point, a second one on it chooses it
  const show = (point) => {
    current = point;
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
    ring.setAttribute("visibility", "visible");
    const bounds = plot.picture.getBoundingClientRect();
    const [title, rows] = describe(point);
    tip.show(title, rows, bounds.left + point.x, bounds.top + point.y);
    return [title, ...rows.map(([, name, value]) => `${name} ${value}`)].join(", ");
  };
  const hide = () => {
    current = null;
    ring.setAttribute("visibility", "hidden");
    tip.hide();
  };
  const seek = (event) => {
    const bounds = plot.picture.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
    let best = null, distance = 30 * 30;
    for (const point of all) {
      const d = (point.x - x) ** 2 + (point.y - y) ** 2;
      if (d < distance) [best, distance] = [point, d];
    }
    if (best) show(best);
    else hide();
  };
  host.onpointermove = (event) => event.buttons || seek(event);
  host.onpointerdown = (event) => {
    chosen = current;
    if (event.pointerType === "touch") seek(event);
  };
  host.onpointerleave = (event) => event.pointerType !== "touch" && hide();
  host.onblur = hide;
  host.onclick = () => current && current === chosen && choose(current);
  host.onkeydown = (event) => {
    const points = walk();
    const way = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: points.length - 1 }[event.key];
    if (way !== undefined && points.length) {
      event.preventDefault();
      at = Math.max(0, Math.min(points.length - 1, way));
      announce(show(points[at]));
    } else if (event.key === "Enter" && current) choose(current);
  };
}

// A rectangle dragged over the plane becomes a condition in the search field.
function brush(host, plot, cost, score) {
  const area = svg("rect", { class: "brush", visibility: "hidden" });
  plot.picture.append(area);
  let start = null;
  const at = (event) => {
    const bounds = plot.picture.getBoundingClientRect();
    const within = (value, low, high) => Math.max(low, Math.min(high, value));
    return [within(event.clientX - bounds.left, plot.box.left, plot.box.right), within(event.clientY - bounds.top, plot.box.top, plot.box.bottom)];
  };
  plot.picture.onpointerdown = (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    start = at(event);
    plot.picture.setPointerCapture(event.pointerId);
  };
  plot.picture.onpointermove = (event) => {
    if (!start) return;
    const [x, y] = at(event);
    fill(area, { x: Math.min(x, start[0]), y: Math.min(y, start[1]), width: Math.abs(x - start[0]), height: Math.abs(y - start[1]), visibility: "visible" }, []);
  };
  plot.picture.onpointerup = (event) => {
    if (!start) return;
    const [x, y] = at(event), [a, b] = start;
    start = null;
    area.setAttribute("visibility", "hidden");
    if (Math.abs(x - a) < 6 || Math.abs(y - b) < 6) return;
    const [left, right] = [Math.min(a, x), Math.max(a, x)].map(plot.sx.inverse).map((value) => value.toPrecision(4));
    const [low, high] = [Math.max(b, y), Math.min(b, y)].map(plot.sy.inverse)
      .map((error) => oriented(scoreOfBadness(error))).sort((one, other) => one - other).map((value) => value.toPrecision(4));
    const plain = (text) => String(Number(text));
    filter.change({ query: `${plain(left)} <= ${cost.field} <= ${plain(right)} and ${plain(low)} <= ${score.field} <= ${plain(high)}` });
  };
  host.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && filter.query) filter.change({ query: "" });
  });
}
