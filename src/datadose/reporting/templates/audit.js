"use strict";
const rows = Array.from(document.querySelectorAll("[data-row]"));
const search = document.getElementById("search");
const least = document.getElementById("least");
const state = document.getElementById("state");
const none = document.getElementById("none");
const shown = document.getElementById("shown");
function update() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const from = Number(least.value);
  let count = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    const fits = Number(row.dataset.suspicion) >= from
      && (!state.value || row.dataset.state === state.value)
      && words.every((word) => text.includes(word));
    row.hidden = !fits;
    count += fits ? 1 : 0;
  }
  none.hidden = count > 0;
  shown.textContent = count + " of " + rows.length + " rows";
}
for (const field of [search, least, state]) field.addEventListener("input", update);
update();
