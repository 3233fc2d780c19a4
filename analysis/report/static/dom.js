"use strict";
// Making elements. Texts go in as text nodes only, so nothing in the data can become markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("aria-")) element.setAttribute(name, String(value));
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function html(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

// What a screen reader says of something that changed.
function announce(words) {
  byId("said").textContent = words;
}

// A text that no spreadsheet takes for a formula, as texts.csv_text writes it.
function csvText(text) {
  const isNumber = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+|inf|nan)(?:[eE][+-]?[0-9]+)?%?$/.test(text);
  return /^'*[=+\-@\t\r＝＋－＠]./u.test(text) && !isNumber ? `'${text}` : text;
}

// A file of comma-separated values; missing numbers are empty.
function saveCsv(name, head, rows) {
  const text = (value) => (value === null || Number.isNaN(value) ? "" : typeof value === "string" ? csvText(value) : String(value));
  const cell = (value) => (/[",\n]/.test(text(value)) ? `"${text(value).replaceAll('"', '""')}"` : text(value));
  const content = [head, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";
  const link = html("a", { href: URL.createObjectURL(new Blob([content], { type: "text/csv" })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}

// The room inside an element's padding, in pixels.
function innerWidthOf(host) {
  const { paddingLeft, paddingRight } = getComputedStyle(host);
  return host.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
}

// Calls `draw` now and whenever the width of `host` changes.
function drawnToWidth(host, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (innerWidthOf(host) === width || innerWidthOf(host) <= 0) return;
    width = innerWidthOf(host);
    draw();
  }).observe(host);
}
