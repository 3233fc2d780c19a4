"use strict";
// Validation accuracy by epoch: the best children in their strategy's colour, others pale behind them.

function startLearned() {
  const host = byId("learned");
  if (!host) return;
  host.tabIndex = 0;
  drawnToWidth(host, () => drawLearned(host));
}

function drawLearned(host) {
  const { front, pale } = DATA.learned;
  const values = [...pale.flat(), ...front.flatMap((one) => one.y)].filter((value) => value !== null);
  const epochs = Math.max(...pale.map((ys) => ys.length), ...front.map((one) => one.x.at(-1)), 1);
  const room = DATA.score.accuracy ? 0.02 : 0.04 * (Math.max(...values) - Math.min(...values) || 1);
  const plot = frame(host, {
    title: `${DATA.score.val[0].toUpperCase()}${DATA.score.val.slice(1)} by epoch`,
    label: `${DATA.score.val} by epoch of the best children and a sample of the others`,
    height: 380,
    data: {
      name: "curves-of-the-best.csv",
      head: ["rank", "hash", "strategy", "epoch", "val_acc"],
      rows: () => front.flatMap((one) => one.x.map((x, i) => [one.rank, one.hash, DATA.strategies[one.s].name, x, one.y[i]])),
    },
    right: Math.min(190, 0.38 * innerWidthOf(host)),
    x: { low: 1, high: Math.max(2, epochs), log: false, label: "epoch", format: String, whole: true },
    y: { ...within(Math.min(...values) - room, Math.max(...values) + room), log: false, format: percentTick },
  });
  let d = "";
  for (const ys of pale) {
    const kept = ys.map((y, i) => [i + 1, y]).filter(([, y]) => y !== null);
    d += line(kept.map(([x]) => x), kept.map(([, y]) => y), plot.sx, plot.sy);
  }
  plot.inside.append(svg("path", { class: "pale-line", d }));
  const points = [];
  for (const one of front) {
    plot.inside.append(svg("path", { class: `line s${one.s}`, d: line(one.x, one.y, plot.sx, plot.sy), "stroke-dasharray": dashesOf(one.s) }));
    one.x.forEach((x, i) => {
      plot.inside.append(marker(strategyOf(one.s), plot.sx(x), plot.sy(one.y[i]), { "data-rank": one.rank }));
      points.push({ ...one, epoch: x, value: one.y[i], x: plot.sx(x), y: plot.sy(one.y[i]) });
    });
  }
  const narrow = innerWidthOf(host) < 480;
  nameEnds(plot, front.map((one) => ({ s: one.s, y: plot.sy(one.y.at(-1)), text: `${one.rank}. ${narrow ? "" : DATA.strategies[one.s].name + " "}${one.hash.slice(0, narrow ? 6 : 8)}` })));
  const describe = (point) => [`${point.rank}. ${point.hash}`, [[point.s, DATA.strategies[point.s].name, percentOf(point.value)], [null, "epoch", String(point.epoch)]]];
  pointAt(host, plot, () => points, describe, (point) => showInTable(point.hash));
}
