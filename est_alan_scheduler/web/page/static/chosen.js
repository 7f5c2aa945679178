// The chosen tasks: those whose checkbox `data-choose` is on. The toolbar `data-chosen` says how many they are.

import { onFresh } from "./live.js";
import { text } from "./texts.js";

const toolbar = document.querySelector("[data-chosen]");
const ids = new Set();

// Return the rows that are chosen.
export function chosen() {
  return rows().filter((row) => ids.has(row.dataset.id));
}

function rows() {
  return [...document.querySelectorAll("[data-id]")].filter((row) => row.querySelector("[data-choose]"));
}

function show() {
  if (!toolbar) return;
  const all = rows();
  const there = new Set(all.map((row) => row.dataset.id));
  for (const id of ids) if (!there.has(id)) ids.delete(id); // nothing is done to what nobody sees
  for (const row of all) row.querySelector("[data-choose]").checked = ids.has(row.dataset.id);
  const whole = document.querySelector("[data-choose-all]");
  if (whole) {
    whole.checked = ids.size > 0 && ids.size === all.length;
    whole.indeterminate = ids.size > 0 && ids.size < all.length;
    whole.disabled = all.length === 0;
  }
  toolbar.hidden = ids.size === 0;
  const number = text(ids.size === 1 ? "chosen_one" : "chosen_many", { number: ids.size });
  const output = toolbar.querySelector("[data-chosen-number]");
  if (output && output.textContent !== number) output.textContent = number;
}

function choose(places, isOn) {
  for (const row of places) {
    if (isOn) ids.add(row.dataset.id);
    else ids.delete(row.dataset.id);
  }
  show();
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (box.matches("[data-choose]")) choose([box.closest("[data-id]")], box.checked);
  if (box.matches("[data-choose-all]")) choose(rows(), box.checked);
});
document.addEventListener("click", (event) => {
  if (!event.target.closest("[data-choose-none]")) return;
  choose(rows(), false);
  document.querySelector("[data-choose-all]")?.focus();
});
onFresh(show);
// A browser that goes back may have kept which boxes were on.
choose(rows().filter((row) => row.querySelector("[data-choose]").checked), true);
