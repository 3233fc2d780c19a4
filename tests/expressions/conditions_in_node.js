"use strict";
// Reads conditions.js and the shared list of conditions, and prints which rows hold, and the positions of what is refused.

const fs = require("node:fs");
const vm = require("node:vm");

const [script, list] = process.argv.slice(2);
const page = vm.createContext({});
vm.runInContext(fs.readFileSync(script, "utf8") + "\nthis.read = readCondition; this.ConditionError = ConditionError;", page);
const { rows, holds, refused } = JSON.parse(fs.readFileSync(list, "utf8"));
const KINDS = { string: "text", boolean: "condition", number: "number" };
const columns = Object.fromEntries(Object.keys(rows[0]).map((name) => [name, {
  kind: KINDS[typeof rows[0][name]],
  at: (i) => rows[i][name] ?? NaN,
}]));

const found = { holds: {}, refused: {}, messages: {} };
for (const text of Object.keys(holds)) {
  try {
    const test = page.read(text, columns);
    found.holds[text] = rows.map((_, i) => i).filter((i) => test(i));
  } catch (error) {
    found.holds[text] = String(error);
  }
}
for (const text of Object.keys(refused)) {
  try {
    page.read(text, columns);
    found.refused[text] = null;
  } catch (error) {
    found.refused[text] = error instanceof page.ConditionError ? error.position : String(error.stack);
    found.messages[text] = error.message;
  }
}
process.stdout.write(JSON.stringify(found));
