"use strict";
(() => {
  const rows = [...document.querySelectorAll("[data-strategy]")];
  const words = document.getElementById("words");
  const task = document.getElementById("task");
  const origin = document.getElementById("origin");
  const count = document.getElementById("count");
  const show = () => {
    const wanted = words.value.trim().toLowerCase();
    const names = new Set();
    for (const row of rows) {
      const fits = row.dataset.strategy.toLowerCase().includes(wanted)
        && (!origin.value || row.dataset.origin === origin.value);
      row.hidden = !fits;
      if (fits) names.add(row.dataset.strategy);
    }
    for (const section of document.querySelectorAll("[data-task]")) {
      section.hidden = task.value !== "" && section.dataset.task !== task.value;
    }
    count.textContent = `${names.size} of ${new Set(rows.map((row) => row.dataset.strategy)).size} strategies`;
  };
  for (const control of [words, task, origin]) control.addEventListener("input", show);
  document.getElementById("filters").hidden = false;
  show();
})();
