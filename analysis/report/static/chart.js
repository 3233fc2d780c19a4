"use strict";
// What all plots share: a frame with axes, markers, step lines, names at the ends of lines, and one tooltip.

const SHAPES = {
  o: "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0",
  s: "M-3.6,-3.6h7.2v7.2h-7.2z",
  D: "M0,-5L5,0L0,5L-5,0z",
  d: "M0,-5.4L3.4,0L0,5.4L-3.4,0z",
  "^": "M0,-4.8L4.8,3.6H-4.8z",
  v: "M0,4.8L4.8,-3.6H-4.8z",
  "<": "M-4.8,0L3.6,-4.8V4.8z",
  ">": "M4.8,0L-3.6,-4.8V4.8z",
  P: "M-1.7,-4.8h3.4v3.1h3.1v3.4h-3.1v3.1h-3.4v-3.1h-3.1v-3.4h3.1z",
  X: "M-4.6,-2.6L-2.6,-4.6L0,-2L2.6,-4.6L4.6,-2.6L2,0L4.6,2.6L2.6,4.6L0,2L-2.6,4.6L-4.6,2.6L-2,0z",
  "*": "M0,-5.6L1.5,-1.9L5.4,-1.7L2.4,0.8L3.4,4.6L0,2.4L-3.4,4.6L-2.4,0.8L-5.4,-1.7L-1.5,-1.9z",
  h: "M0,-5L4.3,-2.5V2.5L0,5L-4.3,2.5V-2.5z",
  H: "M-2.5,-4.3H2.5L5,0L2.5,4.3H-2.5L-5,0z",
  p: "M0,-5L4.8,-1.5L2.9,4H-2.9L-4.8,-1.5z",
  8: "M-2,-4.8H2L4.8,-2V2L2,4.8H-2L-4.8,2V-2z",
};

function marker(strategy, x, y, attributes = {}) {
  const { s, look } = strategy;
  return svg("path", { d: SHAPES[look.marker] ?? SHAPES.o, transform: `translate(${x.toFixed(1)},${y.toFixed(1)})`, class: `mark s${s}`, ...attributes });
}

// A strategy's number with its look.
const strategyOf = (s) => ({ s, look: DATA.strategies[s] });

function dashesOf(s) {
  return DATA.strategies[s].dashes.map((length) => 1.8 * length).join(" ") || null;
}

// Axes with a faint grid, and a button that saves the rows behind them. Returns the svg, a group to draw into, and the two scales.
// `data`: { name, head, rows() }.
function frame(host, { title, label, height, x, y, data, right = 12 }) {
  const width = innerWidthOf(host);
  const box = { left: 46, right: width - right, top: 30, bottom: height - 42 };
  const sx = scale(x.low, x.high, box.left, box.right, x.log);
  const sy = scale(y.low, y.high, box.bottom, box.top, y.log);
  const picture = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img", "aria-label": label });
  for (const value of ticks(y.low, y.high, Math.max(3, height / 70), y.log)) {
    picture.append(
      svg("line", { class: "grid", x1: box.left, x2: box.right, y1: sy(value), y2: sy(value) }),
      svg("text", { class: "tick", x: box.left - 8, y: sy(value), "text-anchor": "end", "dominant-baseline": "central" }, y.format(value)),
    );
  }
  for (const value of ticks(x.low, x.high, Math.max(2, (box.right - box.left) / 80), x.log).filter((one) => !x.whole || Number.isInteger(one))) {
    picture.append(
      svg("line", { class: "tickmark", x1: sx(value), x2: sx(value), y1: box.bottom, y2: box.bottom + 5 }),
      svg("text", { class: "tick", x: sx(value), y: box.bottom + 18, "text-anchor": "middle" }, x.format(value)),
    );
  }
  picture.append(
    svg("line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom }),
    svg("text", { class: "axis-label", x: (box.left + box.right) / 2, y: height - 4, "text-anchor": "middle" }, x.label),
  );
  if (title) picture.append(svg("text", { class: "plot-title", x: 0, y: 14 }, title));
  const inside = svg("g");
  picture.append(inside);
  host.replaceChildren(picture, saveButton(data, title ?? label));
  return { picture, inside, sx, sy, box, width, height };
}

function saveButton({ name, head, rows }, what) {
  const own = (event) => event.stopPropagation(); // the plot under it is not meant
  return html("button", {
    type: "button", class: "save", title: "Save the numbers of this plot as CSV", "aria-label": `Save the numbers as CSV: ${what}`,
    onpointerdown: own, onkeydown: own, onclick: (event) => { own(event); saveCsv(name, head, rows()); },
  }, "CSV");
}

// A path that holds each value until the next place.
function steps(xs, ys, sx, sy) {
  let d = "";
  for (let i = 0; i < xs.length; i++) {
    const [x, y] = [sx(xs[i]).toFixed(1), sy(ys[i]).toFixed(1)];
    d += i ? `H${x}V${y}` : `M${x},${y}`;
  }
  return d;
}

function stepBand(xs, low, high, sx, sy) {
  const back = [`V${sy(low.at(-1)).toFixed(1)}`];
  for (let i = xs.length - 1; i > 0; i--) back.push(`H${sx(xs[i]).toFixed(1)}V${sy(low[i - 1]).toFixed(1)}`);
  return steps(xs, high, sx, sy) + back.join("") + `H${sx(xs[0]).toFixed(1)}Z`;
}

function line(xs, ys, sx, sy) {
  return xs.map((x, i) => `${i ? "L" : "M"}${sx(x).toFixed(1)},${sy(ys[i]).toFixed(1)}`).join("");
}

// Moves places as little as needed so that neighbours are `gap` apart and all lie in [top, bottom].
function spread(wanted, gap, top, bottom) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const placed = order.map((i) => wanted[i]);
  for (let round = 0; round < 60; round++) {
    for (let i = 1; i < placed.length; i++) {
      const lack = gap - (placed[i] - placed[i - 1]);
      if (lack > 0) {
        placed[i] += lack / 2;
        placed[i - 1] -= lack / 2;
      }
    }
    if (placed.length && placed[0] < top) placed[0] = top;
    if (placed.length && placed.at(-1) > bottom) placed[placed.length - 1] = bottom;
  }
  const result = [];
  order.forEach((i, k) => (result[i] = placed[k]));
  return result;
}

// Names at the right end of lines: [{s, y (pixels), text}].
function nameEnds(plot, ends) {
  const places = spread(ends.map((end) => end.y), 15, plot.box.top + 4, plot.box.bottom - 4);
  ends.forEach((end, i) => {
    plot.picture.append(
      svg("path", { class: `leader s${end.s}`, d: `M${plot.box.right},${end.y.toFixed(1)}L${plot.box.right + 7},${places[i].toFixed(1)}` }),
      svg("text", { class: `end-name s${end.s}`, x: plot.box.right + 10, y: places[i], "dominant-baseline": "central" }, end.text),
    );
  });
}

// The one tooltip. `rows`: [[strategy number or null, name, value], ...].
const tip = {
  show(title, rows, x, y) {
    const list = rows.map(([s, name, value]) =>
      html("div", { class: "tip-row" },
        s === null ? html("i") : html("i", { class: `dot s${s}` }), html("span", {}, name), html("b", {}, value)));
    const box = byId("tip");
    box.replaceChildren(html("div", { class: "tip-title" }, title), ...list);
    box.hidden = false;
    const { offsetWidth: w, offsetHeight: h } = box;
    const left = x + 16 + w > innerWidth - 8 ? Math.max(8, x - 16 - w) : x + 16;
    const beside = Math.max(8, Math.min(y - h / 2, innerHeight - h - 8));
    const under = y + 20 + h > innerHeight - 8 ? y - h - 20 : y + 20; // where there is no room beside the point, it stays seen
    box.style.left = `${Math.min(left, Math.max(8, innerWidth - w - 8))}px`;
    box.style.top = `${innerWidth < w + 250 ? Math.max(8, under) : beside}px`;
  },
  hide() {
    byId("tip").hidden = true;
  },
};

addEventListener("scroll", () => tip.hide(), { passive: true });
addEventListener("keydown", (event) => {
  if (event.key === "Escape") tip.hide();
});
