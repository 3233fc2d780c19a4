"use strict";
// Everything that happens when the page opens.

function startTheme() {
  const root = document.documentElement, button = byId("theme");
  const set = (theme) => {
    root.dataset.theme = theme;
    button.textContent = theme === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Switch to the ${theme === "dark" ? "light" : "dark"} theme`);
  };
  set(root.dataset.theme);
  button.hidden = false;
  button.addEventListener("click", () => set(root.dataset.theme === "dark" ? "light" : "dark"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => set(event.matches ? "dark" : "light"));
}

function startCopying() {
  if (!navigator.clipboard) return; // not given to pages from everywhere; the text can still be selected
  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    });
  }
}

// Explanations of headings: on hover by the browser, on focus by our tooltip.
function startMeanings() {
  for (const word of document.querySelectorAll("abbr[title]")) {
    word.addEventListener("focus", () => {
      const bounds = word.getBoundingClientRect();
      tip.show(word.textContent, [[null, word.title, ""]], bounds.right, bounds.bottom + 20);
    });
    word.addEventListener("blur", () => tip.hide());
  }
}

function startSwatches() {
  for (const swatch of document.querySelectorAll(".swatch")) {
    const s = DATA.strategies.findIndex((strategy) => strategy.name === swatch.dataset.marker);
    swatch.replaceChildren(marker(strategyOf(s), 6, 6));
  }
}

// On paper nothing can be opened, so all is open while it is printed.
function startPrinting() {
  const folded = () => document.querySelectorAll("details");
  let before = [];
  addEventListener("beforeprint", () => {
    before = [...folded()].map((one) => one.open);
    for (const one of folded()) one.open = true;
  });
  addEventListener("afterprint", () => folded().forEach((one, i) => (one.open = before[i])));
}

// The section that is being read, in the navigation.
function startNavigation() {
  const links = new Map([...document.querySelectorAll("nav a[href^='#']")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) seen[entry.isIntersecting ? "add" : "delete"](entry.target.id);
    const current = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -60% 0px" });
  for (const id of links.keys()) observer.observe(byId(id));
}

startTheme();
startCopying();
startSwatches();
startMeanings();
startNavigation();
startPrinting();
startCourses();
startFinals();
startLearned();
startFilter(byId("pareto-filter"));
startFilter(byId("table-filter"));
startPareto();
startAttained();
startTable();
filter.change({});
