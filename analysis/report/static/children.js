"use strict";
// The children out of their columns, and the filter that the plane and the table share.

const CHILDREN = decodeChildren(DATA.children);

function decodeChildren(packed) {
  const count = packed.index.length;
  const s = new Uint8Array(count), seed = new Float64Array(count), test = new Float64Array(count).fill(NaN);
  let place = 0;
  packed.runs.rows.forEach((rows, run) => {
    for (let i = 0; i < rows; i++, place++) {
      s[place] = packed.runs.s[run];
      seed[place] = packed.runs.seed[run];
    }
  });
  packed.test.place.forEach((at, i) => (test[at] = packed.test.value[i] / 1e5));
  const known = (value, unit) => (value < 0 ? NaN : value * unit);
  const { hash, params, mult_adds } = packed.architectures;
  // One hash may have several counts: a table counts operations that no path leads through.
  const numbers = new Map();
  const number = hash.map((one) => numbers.get(one) ?? (numbers.set(one, numbers.size), numbers.size - 1));
  return {
    count, s, seed, test,
    index: packed.index,
    architecture: Uint32Array.from(packed.architecture, (a) => number[a]),
    hash: packed.architecture.map((a) => hash[a]),
    params: Float64Array.from(packed.architecture, (a) => params[a]),
    mult_adds: Float64Array.from(packed.architecture, (a) => mult_adds[a]),
    status: [...packed.status].map((digit) => packed.statuses[digit]),
    duplicate: [...packed.flags].map((digit) => (digit & 1) === 1),
    counted: [...packed.flags].map((digit) => (digit & 2) === 0),
    val: Float64Array.from(packed.val, (value) => known(value, 1e-5)),
    seconds: Float64Array.from(packed.ms, (value) => known(value, 1e-3)),
  };
}

// What a comparison such as "params<50k" may name.
const FIELDS = {
  val: CHILDREN.val, val_acc: CHILDREN.val, test: CHILDREN.test, test_acc: CHILDREN.test,
  params: CHILDREN.params, mult_adds: CHILDREN.mult_adds, madds: CHILDREN.mult_adds,
  seconds: CHILDREN.seconds, seed: CHILDREN.seed, child: CHILDREN.index,
};
const FRACTIONS = new Set([CHILDREN.val, CHILDREN.test]);
const COMPARE = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "=": (a, b) => a === b,
};

// Words and comparisons into a test of a child's place, or an error to show.
function parseQuery(text) {
  const tests = [];
  for (const word of text.trim().toLowerCase().split(/\s+/).filter(Boolean)) {
    const found = /^([a-z_]+)(<=|>=|<|>|=)(.*)$/.exec(word);
    if (!found) {
      tests.push((i) => CHILDREN.hash[i].startsWith(word) || DATA.strategies[CHILDREN.s[i]].name.toLowerCase().includes(word)
        || CHILDREN.status[i].includes(word) || (word === "duplicate" && CHILDREN.duplicate[i]));
      continue;
    }
    const [, name, sign, given] = found;
    const values = FIELDS[name];
    if (!values) return { error: `There is no column “${name}”; there are ${Object.keys(FIELDS).join(", ")}.` };
    const number = readNumber(given, FRACTIONS.has(values));
    if (Number.isNaN(number)) return { error: `“${given}” in “${word}” is no number; write for instance ${name}${sign}50k.` };
    tests.push((i) => COMPARE[sign](values[i], number));
  }
  return { test: (i) => tests.every((test) => test(i)) };
}

// Accuracies may be given in percent, as the page shows them, or as fractions, as the files hold them.
function readNumber(text, isFraction) {
  const found = /^(-?[\d.]+(?:e-?\d+)?)([kmg%]?)$/.exec(text);
  if (!found) return NaN;
  const number = Number(found[1]) * ({ k: 1e3, m: 1e6, g: 1e9 }[found[2]] ?? 1);
  return isFraction && (number > 1 || found[2] === "%") ? number / 100 : number;
}

// The shared state: which strategies are on and what is asked for. Listeners get the places of the children left.
const filter = {
  on: DATA.strategies.map(() => true),
  query: "",
  error: "",
  places: [],
  listeners: [],
  change(changes) {
    Object.assign(this, changes);
    const parsed = parseQuery(this.query);
    this.error = parsed.error ?? "";
    if (!this.error) {
      const places = [];
      for (let i = 0; i < CHILDREN.count; i++) if (this.on[CHILDREN.s[i]] && parsed.test(i)) places.push(i);
      this.places = places;
    }
    for (const listener of this.listeners) listener();
  },
};

// A row of controls over the shared state; there are two on the page, which always show the same.
function startFilter(host) {
  const chips = DATA.strategies.map((strategy, s) =>
    html("button", { type: "button", class: `chip s${s}`, "aria-pressed": "true", onclick: () => filter.change({ on: filter.on.map((on, k) => (k === s ? !on : on)) }) },
      html("i", { class: "dot" }), strategy.name));
  const field = html("input", { type: "search", placeholder: "e.g. params<50k val>90", spellcheck: "false", autocomplete: "off", "aria-label": "Search children by words or comparisons", oninput: () => filter.change({ query: field.value }) });
  const clear = html("button", { type: "button", class: "clear", onclick: () => filter.change({ query: "", on: filter.on.map(() => true) }) }, "Clear");
  const count = html("p", { class: "count", role: "status" });
  host.append(html("div", { class: "chips", role: "group", "aria-label": "Strategies" }, ...chips), html("div", { class: "search" }, field, clear), count);
  filter.listeners.push(() => {
    chips.forEach((chip, s) => chip.setAttribute("aria-pressed", filter.on[s]));
    if (field.value !== filter.query) field.value = filter.query;
    field.setAttribute("aria-invalid", filter.error !== "");
    count.classList.toggle("wrong", filter.error !== "");
    count.textContent = filter.error || `${grouped(filter.places.length)} of ${grouped(CHILDREN.count)} children`;
  });
  return field;
}
