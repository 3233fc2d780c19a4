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
  const scoreAt = (value) => (value === null ? NaN : !DATA.score.accuracy ? value : value < 0 ? NaN : value * 1e-5);
  packed.test.place.forEach((at, i) => (test[at] = scoreAt(packed.test.value[i])));
  const known = (value, unit) => (value < 0 ? NaN : value * unit);
  const seconds = Float64Array.from(packed.ms, (value) => known(value, 1e-3));
  const secondsFromStart = packed.ms_from_start ? seconds.slice() : seconds; // of all epochs, where children go on
  packed.ms_from_start?.place.forEach((at, i) => (secondsFromStart[at] = known(packed.ms_from_start.value[i], 1e-3)));
  const { hash, params, mult_adds } = packed.architectures;
  // One hash may have several counts: a table counts operations that no path leads through.
  const numbers = new Map();
  const number = hash.map((one) => numbers.get(one) ?? (numbers.set(one, numbers.size), numbers.size - 1));
  return {
    count, s, seed, test, seconds, secondsFromStart,
    index: packed.index,
    architecture: Uint32Array.from(packed.architecture, (a) => number[a]),
    hash: packed.architecture.map((a) => hash[a]),
    params: Float64Array.from(packed.architecture, (a) => known(params[a], 1)),
    mult_adds: Float64Array.from(packed.architecture, (a) => known(mult_adds[a], 1)),
    status: [...packed.status].map((digit) => packed.statuses[digit]),
    duplicate: [...packed.flags].map((digit) => (digit & 1) === 1),
    counted: [...packed.flags].map((digit) => (digit & 2) === 0),
    val: Float64Array.from(packed.val, scoreAt),
    epochs: Float64Array.from(packed.index, (_, i) => packed.stop?.[i] || Infinity), // a whole training has the most
  };
}

// Columns of results files that the page has, by the names that --where knows; and the seconds of all epochs, which the plane shows.
const FIELDS = {
  strategy: { kind: "text", at: (i) => DATA.strategies[CHILDREN.s[i]].name },
  hash: { kind: "text", at: (i) => CHILDREN.hash[i] },
  status: { kind: "text", at: (i) => CHILDREN.status[i] },
  duplicate: { kind: "condition", at: (i) => CHILDREN.duplicate[i] },
  counted: { kind: "condition", at: (i) => CHILDREN.counted[i] },
  ...Object.fromEntries(Object.entries({
    run_seed: CHILDREN.seed, index: CHILDREN.index, val_acc: CHILDREN.val, test_acc: CHILDREN.test, params: CHILDREN.params,
    mult_adds: CHILDREN.mult_adds, device_seconds: CHILDREN.seconds,
    ...(CHILDREN.secondsFromStart === CHILDREN.seconds ? {} : { device_seconds_from_start: CHILDREN.secondsFromStart }),
  }).map(([name, values]) => [name, { kind: "number", at: (i) => values[i] }])),
};
const HASH_DIGITS = Math.max(0, ...CHILDREN.hash.slice(0, 1).map((hash) => hash.length));

// The page has the first digits of hashes only, with which a whole one would never be equal.
function refuseHash(name, text) {
  return name === "hash" && text.length > HASH_DIGITS ? `hashes have ${HASH_DIGITS} digits here: write hash == "${text.slice(0, HASH_DIGITS)}"` : null;
}

// A condition, or words that all occur in a child's strategy, status or beginning of its hash, into a test of a child's place; or an error
// to show. `words`: whether it is words.
function parseQuery(text) {
  if (!text.trim()) return { test: () => true };
  try {
    return { test: readCondition(text, FIELDS, refuseHash) };
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    const words = text.trim().split(/\s+/);
    const isWord = (word) => /^[\p{L}\p{N}_][\p{L}\p{N}_.:-]*$/u.test(word) && !KEYWORDS.includes(word) && !Object.hasOwn(FIELDS, word);
    if (!words.every(isWord)) return { error: `This cannot be read, ${error.message}` };
    return { words: true, test: (i) => words.every((word) => hasWord(i, word.toLowerCase())) };
  }
}

function hasWord(i, word) {
  return CHILDREN.hash[i].startsWith(word) || DATA.strategies[CHILDREN.s[i]].name.toLowerCase().includes(word) || CHILDREN.status[i].includes(word);
}

// The shared state: which strategies are on and what is asked for. Listeners get the places of the children left.
const filter = {
  on: DATA.strategies.map(() => true),
  query: "",
  error: "",
  hint: "",
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
      this.hint = places.length ? "" : hintFor(parsed.words, this.query);
    }
    for (const listener of this.listeners) listener();
  },
};

// What may be meant where nothing is found.
function hintFor(words, query) {
  if (words) return ": no strategy, status or beginning of a hash has these words; a comparison is written params < 50k";
  return /(val|test)_acc\s*(<=|>=|==|<|>)\s*[0-9.]{2,}\s*(?![0-9.%])/.test(query) ? ": accuracies are fractions, write val_acc > 0.9 or val_acc > 90%" : "";
}

// A row of controls over the shared state; there are two on the page, which always show the same.
function startFilter(host) {
  const chips = DATA.strategies.map((strategy, s) =>
    html("button", { type: "button", class: `chip s${s}`, "aria-pressed": "true", onclick: () => filter.change({ on: filter.on.map((on, k) => (k === s ? !on : on)) }) },
      html("i", { class: "dot" }), strategy.name));
  const field = html("input", { type: "search", placeholder: "e.g. params < 50k and val_acc > 90%", spellcheck: "false", autocomplete: "off", "aria-label": "Search children by words or a condition", oninput: () => filter.change({ query: field.value }) });
  const clear = html("button", { type: "button", class: "clear", onclick: () => filter.change({ query: "", on: filter.on.map(() => true) }) }, "Clear");
  const count = html("p", { class: "count", role: "status" });
  host.append(html("div", { class: "chips", role: "group", "aria-label": "Strategies" }, ...chips), html("div", { class: "search" }, field, clear), count);
  filter.listeners.push(() => {
    chips.forEach((chip, s) => chip.setAttribute("aria-pressed", filter.on[s]));
    if (field.value !== filter.query) field.value = filter.query;
    field.setAttribute("aria-invalid", filter.error !== "");
    count.classList.toggle("wrong", filter.error !== "");
    count.textContent = filter.error || `${grouped(filter.places.length)} of ${grouped(CHILDREN.count)} children${filter.hint}`;
  });
  return field;
}
