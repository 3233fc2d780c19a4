"use strict";
// Attainment surfaces: by cost, the accuracy that half of a strategy's runs reach, with the band from a quarter to three quarters of them.

function startAttained() {
  for (const plane of DATA.attained) {
    const host = html("div", { class: "plot-host", tabindex: 0, "data-cost": plane.cost });
    byId("attained").append(host);
    drawnToWidth(host, () => drawAttained(host, plane));
  }
}

function drawAttained(host, plane) {
  const cost = COSTS[plane.cost];
  const series = plane.series.filter((one) => one.p50);
  const surfaces = series.flatMap((one) => [one.p25, one.p50, one.p75].filter(Boolean));
  const xs = surfaces.flatMap((surface) => surface.x), errors = surfaces.flatMap((surface) => surface.y.map((y) => 1 - y));
  const [low, high] = [least(xs), most(xs)];
  const floor = errorFloor(errors);
  const plot = frame(host, {
    title: "What half of the runs attain",
    label: `${SCORES.val.label} that half of the runs attain by ${cost.label}; the table below has the hypervolumes`,
    height: 330,
    right: Math.min(roomForNames(), 0.4 * innerWidthOf(host)),
    data: {
      name: `attained-by-${plane.cost}.csv`,
      head: ["strategy", "runs", "percent", plane.cost, "val_acc"],
      rows: () => series.flatMap((one) => [25, 50, 75].flatMap((percent) =>
        (one[`p${percent}`]?.x ?? []).map((x, i) => [DATA.strategies[one.s].name, one.runs, percent, x, one[`p${percent}`].y[i]]))),
    },
    x: { low: low / 1.02, high: Math.max(high, 1.1 * low) * 1.02, log: true, label: cost.label, format: short },
    y: { low: most(errors) * 1.04, high: floor / 1.06, log: true, format: (error) => percentTick(1 - error) },
  });
  const up = (value) => plot.sy(Math.max(1 - value, floor));
  const end = plot.sx.high;
  for (const { s, p25, p75 } of series) {
    if (!p25 || !p75) continue;
    const places = [...new Set([...p25.x, ...p75.x, end])].filter((x) => x >= p75.x[0]).sort((a, b) => a - b);
    const at = (surface) => places.map((x) => surface.y[countBelow(surface.x, x) - 1]);
    plot.inside.append(svg("path", { class: `band s${s}`, d: stepBand(places, at(p75), at(p25), plot.sx, up) }));
  }
  for (const { s, p50 } of series) {
    const d = steps([...p50.x, end], [...p50.y, p50.y.at(-1)], plot.sx, up);
    plot.inside.append(svg("path", { class: `line s${s}`, d, "stroke-dasharray": dashesOf(s) }));
  }
  nameEnds(plot, series.map(({ s, p50 }) => ({ s, y: up(p50.y.at(-1)), text: DATA.strategies[s].name })));
  const corners = series.flatMap(({ s, runs, p50 }) => p50.x.map((x, i) => ({ s, runs, cost: x, score: p50.y[i], x: plot.sx(x), y: up(p50.y[i]) })));
  const describe = (corner) => [`${DATA.strategies[corner.s].name} (n=${corner.runs})`, [
    [null, cost.label, short(corner.cost)],
    [corner.s, "half of the runs reach", percentOf(corner.score)],
  ]];
  pointAt(host, plot, () => corners, describe, () => {});
}
