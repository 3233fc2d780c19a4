"use strict";
// The table of children: sorted by a heading, a page at a time, with all of it as CSV.

const COLUMNS = [
  { key: "strategy", heading: "Strategy", values: (i) => DATA.strategies[CHILDREN.s[i]].name, order: (i) => CHILDREN.s[i] },
  { key: "seed", heading: "Seed", number: true, values: (i) => String(CHILDREN.seed[i]), order: (i) => CHILDREN.seed[i], raw: (i) => CHILDREN.seed[i] },
  { key: "child", heading: "Child", number: true, values: (i) => grouped(CHILDREN.index[i]), order: (i) => CHILDREN.index[i], raw: (i) => CHILDREN.index[i] },
  { key: "hash", heading: "Architecture", values: (i) => CHILDREN.hash[i], order: (i) => CHILDREN.hash[i] },
  { key: "status", heading: "Status", values: (i) => statusWords(i), order: (i) => statusWords(i) },
  { key: "val", heading: DATA.score.heads[0], number: true, values: (i) => percentOf(CHILDREN.val[i]), order: (i) => CHILDREN.val[i], raw: (i) => CHILDREN.val[i] },
  { key: "test", heading: DATA.score.heads[1], number: true, values: (i) => percentOf(CHILDREN.test[i]), order: (i) => CHILDREN.test[i], raw: (i) => CHILDREN.test[i] },
  { key: "params", heading: "Parameters", number: true, values: (i) => grouped(CHILDREN.params[i]), order: (i) => CHILDREN.params[i], raw: (i) => CHILDREN.params[i] },
  { key: "mult_adds", heading: "Multiply-adds", number: true, values: (i) => short(CHILDREN.mult_adds[i]), order: (i) => CHILDREN.mult_adds[i], raw: (i) => CHILDREN.mult_adds[i] },
  { key: "seconds", heading: DATA.seconds_unit.replace(/^d/, "D"), number: true, values: (i) => (Number.isNaN(CHILDREN.seconds[i]) ? "–" : short(CHILDREN.seconds[i])), order: (i) => CHILDREN.seconds[i], raw: (i) => CHILDREN.seconds[i] },
];
const PAGE_SIZES = [25, 100, 500];

function statusWords(i) {
  const words = [CHILDREN.status[i]];
  if (CHILDREN.duplicate[i]) words.push("duplicate");
  if (!CHILDREN.counted[i]) words.push("beyond the budget");
  return words.join(", ");
}

const table = { sort: "val", down: DATA.score.sign > 0, page: 0, size: PAGE_SIZES[0], places: [] };

function startTable() {
  const heads = COLUMNS.map((column) =>
    html("th", { scope: "col", class: column.number ? "number" : "text", "data-key": column.key },
      html("button", { type: "button", onclick: () => sortBy(column.key) }, column.heading, html("span", { class: "arrow", "aria-hidden": "true" }))));
  const body = html("tbody");
  const size = html("select", { onchange: () => turn({ size: Number(size.value), page: 0 }) }, ...PAGE_SIZES.map((rows) => html("option", { value: rows }, rows)));
  const [first, before, after, last] = [["« First", () => 0], ["‹ Previous", () => table.page - 1], ["Next ›", () => table.page + 1], ["Last »", () => pages() - 1]]
    .map(([words, page]) => html("button", { type: "button", onclick: () => turn({ page: page() }) }, words));
  const where = html("span", { class: "where", role: "status" });
  byId("table").append(
    html("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Children" },
      html("table", { id: "children-table" }, html("thead", {}, html("tr", {}, ...heads)), body)),
    html("div", { class: "pager" }, first, before, where, after, last, html("label", {}, "Rows ", size),
      html("button", { type: "button", class: "csv", onclick: saveTable }, "Save as CSV")),
  );
  const draw = () => {
    heads.forEach((head, i) => {
      const sorted = COLUMNS[i].key === table.sort;
      if (sorted) head.setAttribute("aria-sort", table.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const start = table.page * table.size;
    body.replaceChildren(...table.places.slice(start, start + table.size).map(tableRow));
    if (!table.places.length) body.append(html("tr", {}, html("td", { colspan: COLUMNS.length, class: "nothing" }, "No child fits.")));
    const end = Math.min(table.places.length, start + table.size);
    where.textContent = table.places.length ? `${grouped(start + 1)}–${grouped(end)} of ${grouped(table.places.length)}` : "0";
    byId("on-paper").textContent = `${where.textContent} children are printed here; the page itself holds all.`;
    for (const button of [first, before]) button.disabled = table.page === 0;
    for (const button of [after, last]) button.disabled = table.page >= pages() - 1;
  };
  const pages = () => Math.max(1, Math.ceil(table.places.length / table.size));
  const turn = (changes) => {
    Object.assign(table, changes);
    table.page = Math.max(0, Math.min(pages() - 1, table.page));
    draw();
  };
  const sortBy = (key) => {
    const column = COLUMNS.find((one) => one.key === key);
    table.down = table.sort === key ? !table.down : Boolean(column.number);
    table.sort = key;
    arrange();
    announce(`Sorted by ${column.heading}, ${table.down ? "largest" : "smallest"} first`);
  };
  const arrange = () => {
    table.places = sorted(filter.places, COLUMNS.find((column) => column.key === table.sort), table.down);
    turn({ page: 0 });
  };
  filter.listeners.push(arrange);
}

// By the column's order, missing values last whichever way, ties in the order of the file.
function sorted(places, column, down) {
  const keys = new Map(places.map((i) => [i, column.order(i)]));
  const sign = down ? -1 : 1;
  return places.slice().sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    const [noX, noY] = [Number.isNaN(x), Number.isNaN(y)];
    if (noX || noY) return noX - noY || a - b;
    return x < y ? -sign : x > y ? sign : a - b;
  });
}

function tableRow(i) {
  return html("tr", {}, ...COLUMNS.map((column) => {
    const words = column.values(i);
    if (column.key === "strategy") return html("td", {}, html("i", { class: `dot s${CHILDREN.s[i]}` }), words);
    if (column.key === "hash") return html("td", {}, html("code", {}, words));
    return html("td", { class: column.number ? "number" : CHILDREN.status[i] === "ok" ? "text" : "text bad" }, words);
  }));
}

function showInTable(hash) {
  filter.change({ query: hash });
  byId("children").scrollIntoView({ block: "start" });
}

// What the filter leaves, in the table's order; fractions and whole numbers, not the shortened ones.
function saveTable() {
  const raw = (column, i) => (column.raw ? column.raw(i) : column.values(i));
  saveCsv("children.csv", COLUMNS.map((column) => column.key), table.places.map((i) => COLUMNS.map((column) => raw(column, i))));
}
