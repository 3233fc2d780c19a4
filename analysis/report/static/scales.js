"use strict";
// Numbers as people write them, and axes.

// A score as people read it: an accuracy in percent, another one with its unit.
const inUnit = (value, places) => Number(value.toPrecision(places)) + (DATA.score.unit ? ` ${DATA.score.unit}` : "");
const percentOf = (value) => (value === null || Number.isNaN(value) ? "–" : DATA.score.accuracy ? (100 * value).toFixed(2) + " %" : inUnit(value, 4));
// Places of ticks are round: neighbours never read alike.
const percentTick = (value) => (DATA.score.accuracy ? Number((100 * value).toPrecision(5)) + " %" : String(Number(value.toPrecision(5))));
const plainScore = (value) => (DATA.score.accuracy ? (100 * value).toFixed(2) : String(Number(value.toPrecision(4))));
// Higher is better in both: a score, and how bad it is.
const oriented = (value) => DATA.score.sign * value;
const badness = (score) => (DATA.score.accuracy ? 1 - score : -score);
const scoreOfBadness = (bad) => (DATA.score.accuracy ? 1 - bad : -bad);
// An axis holds accuracies within 0 and 1.
const within = (low, high) => (DATA.score.accuracy ? { low: Math.max(0, low), high: Math.min(1, high) } : { low, high });
const grouped = (value) => (Number.isNaN(value) ? "–" : value.toLocaleString("en-US"));

// At most three digits, k, M and G from ten thousand on, as in the printed plots.
function short(value) {
  for (const [factor, letter] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (Math.abs(value) >= Math.max(factor, 1e4)) return digits(value / factor) + letter;
  }
  return Math.abs(value) < 1000 ? digits(value) : Math.round(value).toLocaleString("en-US");
}

function digits(value) {
  return String(Number(value.toPrecision(3)));
}

// Positions of values in [low, high] on a line from `start` to `end` in pixels.
function scale(low, high, start, end, log) {
  const f = log ? Math.log10 : (value) => value;
  const [a, b] = [f(low), f(high)];
  const span = b - a || 1;
  const place = (value) => start + ((f(value) - a) / span) * (end - start);
  place.inverse = (pixel) => {
    const value = a + ((pixel - start) / (end - start)) * span;
    return log ? 10 ** value : value;
  };
  place.low = low;
  place.high = high;
  return place;
}

// About `count` round numbers in [low, high].
function ticks(one, other, count, log) {
  const [low, high] = one < other ? [one, other] : [other, one];
  return log ? logTicks(low, high, count) : linearTicks(low, high, count);
}

function linearTicks(low, high, count) {
  const rough = (high - low) / Math.max(1, count) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function logTicks(low, high, count) {
  const between = (parts) => {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high) + 1e-9; power++) {
      for (const part of parts) {
        const value = Number((part * 10 ** power).toPrecision(6));
        if (value >= low * 0.9999 && value <= high * 1.0001) found.push(value);
      }
    }
    return found;
  };
  const fine = [[1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]];
  const kinds = fine.map(between);
  const room = Math.log10(high / low) / (1.7 * count); // the last ones of a decade lie close together
  const apart = (found) => found.every((value, i) => i === 0 || Math.log10(value / found[i - 1]) >= room);
  return kinds.find((found) => found.length <= count + 1 && apart(found)) ?? kinds.at(-1).filter((_, i, all) => i % Math.ceil(all.length / count) === 0);
}
