// The search: it filters while one types. Without this script, the form sends what it has.

import { onFresh, refresh } from "./live.js";
import { text } from "./texts.js";

const DELAY = 250; // milliseconds after the last key

const form = document.getElementById("search");
const status = document.getElementById("found");
let timer = null;
let isAsked = false;

function apply() {
  clearTimeout(timer);
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value) query.append(name, value);
  const url = query.size ? `./?${query}` : "./";
  if (new URL(url, location.href).href === location.href) return;
  history.replaceState(history.state, "", url);
  isAsked = true;
  refresh();
}

if (form) {
  form.addEventListener("input", (event) => {
    if (!event.target.matches("[data-search]")) return;
    clearTimeout(timer);
    if (!event.isComposing) timer = setTimeout(apply, DELAY);
  });
  form.addEventListener("compositionend", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, DELAY);
  });
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    apply();
  });
  // Those who do not see the rows hear how many there are, once, for what they have asked.
  onFresh(() => {
    if (!isAsked || !status) return;
    isAsked = false;
    const number = document.querySelectorAll("#rows [data-id]").length;
    const key = document.querySelector("#beneath [rel=next]") ? "found_more" : number === 1 ? "found_one" : "found";
    status.textContent = text(key, { number });
  });
}
