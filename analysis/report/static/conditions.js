"use strict";
// The language of conditions, as nasbench/expressions reads it for --where: the same words, grammar, positions and results. A text is read, and
// never run.

const WORDS = {
  number: /(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/uy,
  name: /(?!\p{Nd})[\p{L}\p{N}_]+/uy,
  text: /'[^']*'|"[^"]*"/uy,
  quotedName: /`[^`]+`/uy,
  operator: /<=|>=|==|!=|&&|\|\||<>|=<|=>|\*\*|\/\/|[<>+\-*/()[\],=&|!~]/uy,
  suffix: /%|[\p{L}\p{N}_]+/uy,
  blank: /[\s\x1c-\x1f\x85]/uy,
};
const KEYWORDS = ["and", "or", "not", "in"];
const TRUTHS = { true: true, false: false, True: true, False: false };
const SUFFIXES = { k: 3, M: 6, G: 9, "%": -2 };
const MEANT = {
  "=": "write == to compare", "&": "write and", "&&": "write and", "|": "write or", "||": "write or", "!": "write not", "~": "write not",
  "<>": "write !=", "=<": "write <=", "=>": "write >=", "**": "there are no powers", "//": "there is no division without remainder",
};
const LIMITS = { length: 100_000, exponent: 300, depth: 30, arithmetic: 100 };
const ARTICLE = { number: "a number", text: "a text", condition: "a condition" };
const HINTS = { number: "", text: "", condition: "; compare it, e.g. with <= 100k" };

const COMPARISONS = {
  "<=": (a, b) => a <= b, "<": (a, b) => a < b, ">=": (a, b) => a >= b, ">": (a, b) => a > b, "==": (a, b) => a === b,
  "!=": (a, b) => a !== b && !Number.isNaN(a) && !Number.isNaN(b), // a comparison with a missing number is false
};
const ARITHMETIC = { "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "/": (a, b) => a / b };

// name: kinds of the arguments, kind of the result, the function; more: further arguments of the last one's kind may follow.
const FUNCTIONS = {
  abs: { takes: [["number"]], gives: "number", call: Math.abs },
  ceil: { takes: [["number"]], gives: "number", call: Math.ceil },
  contains: { takes: [["text"], ["text"]], gives: "condition", call: (text, part) => text.includes(part) },
  endswith: { takes: [["text"], ["text"]], gives: "condition", call: (text, part) => text.endsWith(part) },
  floor: { takes: [["number"]], gives: "number", call: Math.floor },
  isnan: { takes: [["number"]], gives: "condition", call: Number.isNaN },
  log: { takes: [["number"]], gives: "number", call: Math.log },
  log10: { takes: [["number"]], gives: "number", call: Math.log10 },
  max: { takes: [["number"], ["number"]], gives: "number", call: Math.max, more: true },
  min: { takes: [["number"], ["number"]], gives: "number", call: Math.min, more: true },
  missing: { takes: [["number", "text"]], gives: "condition", call: (value) => value === "" || Number.isNaN(value) },
  round: { takes: [["number"]], gives: "number", call: roundToEven },
  sqrt: { takes: [["number"]], gives: "number", call: Math.sqrt },
  startswith: { takes: [["text"], ["text"]], gives: "condition", call: (text, part) => text.startsWith(part) },
};

function roundToEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (Math.abs(low) % 2) : Math.round(value);
}

// Texts in the order of their characters, not of JavaScript's halves of them.
function compareTexts(a, b) {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i].codePointAt(0) - right[i].codePointAt(0);
  }
  return left.length - right.length;
}

class ConditionError extends Error {
  // `position`: from 1, in characters.
  constructor(position, problem) {
    super(`position ${position}: ${problem}`);
    this.position = position;
  }
}

// Words with kind, text, position and value; the last one is the end.
function wordsOf(text) {
  const at = (place) => Array.from(text.slice(0, place)).length + 1;
  if (at(text.length) > LIMITS.length + 1) throw new ConditionError(LIMITS.length + 1, "a condition has at most 100,000 characters");
  const found = [];
  let place = 0;
  const next = (kind) => {
    WORDS[kind].lastIndex = place;
    return WORDS[kind].exec(text)?.[0] ?? null;
  };
  const add = (kind, word, shown, value) => {
    found.push({ kind, text: shown, position: at(place), value });
    place += word.length;
  };
  while (place < text.length) {
    let word;
    if ((word = next("blank")) !== null) place += word.length;
    else if ((word = next("number")) !== null) {
      const start = place;
      place += word.length;
      const suffix = next("suffix");
      if (suffix !== null && !Object.hasOwn(SUFFIXES, suffix)) {
        throw new ConditionError(at(place), `a number ends with k (thousand), M (million), G (billion) or %, got “${suffix.slice(0, 20)}”`);
      }
      place = start;
      add("number", word + (suffix ?? ""), word + (suffix ?? ""), numberOf(word, suffix === null ? 0 : SUFFIXES[suffix], at(place)));
    } else if ((word = next("name")) !== null) add(KEYWORDS.includes(word) ? "operator" : "name", word, word);
    else if ((word = next("text")) !== null) {
      if (/[\p{C}\p{Z}]/u.test(word.replaceAll(" ", ""))) {
        throw new ConditionError(at(place), "a text has no line breaks and no other control characters");
      }
      add("text", word, word.slice(1, -1));
    } else if ((word = next("quotedName")) !== null) add("name", word, word.slice(1, -1));
    else if ("'\"`".includes(text[place])) throw new ConditionError(at(place), `this text has no second ${text[place]}`);
    else if ((word = next("operator")) !== null) {
      if (Object.hasOwn(MEANT, word)) throw new ConditionError(at(place), `“${word}” is no operator here: ${MEANT[word]}`);
      add("operator", word, word);
    } else {
      const character = String.fromCodePoint(text.codePointAt(place));
      throw new ConditionError(at(place), `“${character}” is not allowed; allowed: names, numbers, texts in quotes, + - * /, comparisons, and or not in, ( )`);
    }
  }
  found.push({ kind: "end", text: "", position: at(place) });
  return found;
}

function numberOf(word, shift, position) {
  const [, mantissa, exponent] = /^([^eE]*)(?:[eE](.*))?$/.exec(word.replaceAll("_", ""));
  const value = Number(`${mantissa}e${Number(exponent ?? 0) + shift}`);
  const isZero = !/[1-9]/.test(mantissa);
  const size = isZero ? 0 : Number(value.toExponential().split("e")[1]);
  if (!Number.isFinite(value) || (!isZero && (value === 0 || Math.abs(size) > LIMITS.exponent))) {
    throw new ConditionError(position, "a number is between 1e-300 and 1e300, or 0");
  }
  return value;
}

// A condition as a function of a row's place, or a ConditionError. `columns`: name -> { kind, at(place) }; `refuse(name, text)`: a problem of
// comparing a column with a text, or null.
function readCondition(text, columns, refuse = () => null) {
  const words = wordsOf(text);
  let place = 0, depth = 0, arithmetic = 0;
  const here = () => words[place];
  const shown = (word = here()) => (word.kind === "end" ? "the end" : `“${word.text}”`);
  const fail = (problem, position = here().position) => {
    throw new ConditionError(position, problem);
  };
  const is = (word) => here().kind === "operator" && here().text === word;
  const skip = (word) => is(word) && ++place > 0;
  const expect = (word, expected) => (is(word) ? words[place++] : fail(`expected ${expected}, got ${shown()}`));
  const names = () => Object.keys(columns).sort().join(", ");
  const ofKind = (node, kind, position) => (node.kind === kind ? node : fail(`expected ${ARTICLE[kind]}, got a ${node.kind}${HINTS[kind]}`, position));
  const operand = (rule, kind) => {
    const { position } = here();
    return ofKind(rule(), kind, position);
  };
  const enter = () => {
    if (++depth > LIMITS.depth) fail("more than 30 levels of parentheses, not and -");
  };
  const requireComparable = (node, sign) => {
    if (node.kind === "condition") fail(`${sign.text} compares numbers or texts, got a condition`, sign.position);
  };

  const joined = (word, rule, combine) => {
    const { position } = here();
    const node = rule();
    if (!is(word)) return node;
    const parts = [ofKind(node, "condition", position).at];
    while (skip(word)) parts.push(operand(rule, "condition").at);
    return { kind: "condition", at: (i) => combine(parts, i) };
  };
  const condition = () => joined("or", all, (parts, i) => parts.some((part) => part(i)));
  const all = () => joined("and", negation, (parts, i) => parts.every((part) => part(i)));
  const negation = () => {
    if (!skip("not")) return comparison();
    enter();
    const { at } = operand(negation, "condition");
    depth--;
    return { kind: "condition", at: (i) => !at(i) };
  };
  const comparison = () => {
    let left = sum();
    if (is("in") || is("not")) return membership(left);
    const parts = [];
    while (here().kind === "operator" && Object.hasOwn(COMPARISONS, here().text)) {
      const sign = words[place++];
      if (sign.text !== "==" && sign.text !== "!=") requireComparable(left, sign);
      const { position } = here();
      const right = sum();
      if (right.kind !== left.kind) fail(`a ${left.kind} is compared with a ${left.kind}, got a ${right.kind}`, position);
      refuseTexts([left, right], position);
      parts.push(compared(COMPARISONS[sign.text], left, right));
      left = right;
    }
    return parts.length ? { kind: "condition", at: (i) => parts.every((part) => part(i)) } : left;
  };
  const compared = (holds, left, right) => {
    if (left.kind === "text") return (i) => holds(compareTexts(left.at(i), right.at(i)), 0);
    return (i) => holds(left.at(i), right.at(i));
  };
  const refuseTexts = (nodes, position) => {
    const [column, literal] = [nodes.find((node) => node.name), nodes.find((node) => node.literal !== undefined)];
    const problem = column && literal ? refuse(column.name, literal.literal) : null;
    if (problem) fail(problem, position);
  };
  const membership = (left) => {
    const negated = skip("not");
    requireComparable(left, expect("in", "in, as in “not in”"));
    const closing = is("(") ? ")" : "]";
    if (!skip("(")) expect("[", "[, as in “in [1, 2]”");
    const options = [];
    while (!options.length || skip(",")) {
      const { position } = here();
      const option = unary();
      if (option.named || option.kind !== left.kind) fail(`expected ${ARTICLE[left.kind]} in the list`, position);
      refuseTexts([left, option], position);
      options.push(option.at());
    }
    expect(closing, `, or ${closing}`);
    const among = (value) => options.some((option) => option === value); // a missing number is none of them
    return { kind: "condition", at: (i) => among(left.at(i)) !== negated };
  };
  const sum = () => chain("+-", () => chain("*/", unary));
  const chain = (signs, rule) => {
    const { position } = here();
    let node = rule();
    while (here().kind === "operator" && signs.includes(here().text)) {
      if (++arithmetic > LIMITS.arithmetic) fail("more than 100 of + - * /");
      const left = ofKind(node, "number", position).at;
      const call = ARITHMETIC[words[place++].text];
      const right = operand(rule, "number");
      node = { kind: "number", named: node.named || right.named, at: (i) => call(left(i), right.at(i)) };
    }
    return node;
  };
  const unary = () => {
    const word = here();
    if (word.kind === "end" || (word.kind === "operator" && word.text !== "-" && word.text !== "(")) {
      fail(`expected a name, a number, a text in quotes, not, - or (, got ${shown()}; names: ${names()}`);
    }
    place++;
    if (word.kind === "number") return { kind: "number", at: () => word.value };
    if (word.kind === "text") return { kind: "text", literal: word.text, at: () => word.text };
    if (word.kind === "name") return is("(") ? called(word) : named(word);
    enter();
    let node;
    if (word.text === "-") {
      const part = operand(unary, "number");
      node = { kind: "number", named: part.named, at: (i) => -part.at(i) };
    } else {
      node = condition();
      expect(")", "a comparison (<= < >= > == !=), + - * /, in, and, or, or )");
    }
    depth--;
    return node;
  };
  const named = (word) => {
    if (Object.hasOwn(columns, word.text)) return { kind: columns[word.text].kind, named: true, name: word.text, at: columns[word.text].at };
    if (Object.hasOwn(TRUTHS, word.text)) return { kind: "condition", at: () => TRUTHS[word.text] };
    return fail(`unknown name “${word.text.slice(0, 80)}”${didYouMean(word.text, Object.keys(columns))}; names: ${names()}`, word.position);
  };
  const called = (word) => {
    if (!Object.hasOwn(FUNCTIONS, word.text)) {
      const known = Object.keys(FUNCTIONS);
      fail(`unknown function “${word.text.slice(0, 80)}”${didYouMean(word.text, known)}; functions: ${known.join(", ")}`, word.position);
    }
    const { takes, gives, call, more } = FUNCTIONS[word.text];
    enter();
    place++;
    const given = [];
    while (!given.length || skip(",")) {
      if (given.length === takes.length && !more) fail(`${word.text} has fewer arguments`);
      const kinds = takes[Math.min(given.length, takes.length - 1)];
      const { position } = here();
      const argument = condition();
      if (!kinds.includes(argument.kind)) fail(`expected ${kinds.map((kind) => ARTICLE[kind]).join(" or ")}, got a ${argument.kind}`, position);
      given.push(argument);
    }
    if (given.length < takes.length) fail(`${word.text} has more arguments`);
    expect(")", more ? ", or )" : ")");
    depth--;
    return { kind: gives, named: given.some((one) => one.named), at: (i) => call(...given.map((one) => one.at(i))) };
  };

  const whole = operand(condition, "condition");
  if (here().kind !== "end") fail(`expected a comparison (<= < >= > == !=), + - * /, in, and, or, or the end, got ${shown()}`);
  return whole.at;
}

// The nearest name, if one is near.
function didYouMean(word, known) {
  const distances = known.map((name) => [distanceOf(word, name), name]).sort((a, b) => a[0] - b[0]);
  return distances.length && distances[0][0] <= Math.max(1, word.length / 3) ? `, did you mean “${distances[0][1]}”?` : "";
}

// How many characters must be put in, left out or replaced.
function distanceOf(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= Math.min(a.length, 80); i++) {
    const before = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) row.push(Math.min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
  }
  return row.at(-1);
}
