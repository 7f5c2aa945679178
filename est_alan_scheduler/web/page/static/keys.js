// The keyboard: `/` searches, `j` and `k` go through the rows, `Enter` opens, `x` chooses, `r` runs, `p` pauses and
// resumes, `?` lists these keys. They act on the row that has the focus, or on the task that the page shows.

import { act } from "./actions.js";
import { onFresh } from "./live.js";

const help = document.getElementById("keys");
const mayManage = document.body.hasAttribute("data-manage");
let current = null; // the id of the current row

const KEYS = {
  "/": search,
  j: () => step(1),
  k: () => step(-1),
  x: choose,
  r: () => doWith("run"),
  p: () => doWith(isPaused(taskAt()) ? "resume" : "pause"),
  "?": () => help?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  const target = event.target;
  if (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio])")) {
    if (event.key !== "Escape") return;
    target.blur();
    if (target.matches("[type=search]")) event.preventDefault(); // browsers would empty it
    return;
  }
  if (event.key === "Enter" && target.matches("[data-id]")) {
    target.querySelector("a[href]")?.click();
    return;
  }
  if (event.repeat && event.key !== "j" && event.key !== "k") return;
  const does = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (does && does() !== false) event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys]")) help?.showModal();
  const dialog = event.target.closest("dialog");
  if (dialog && (event.target === dialog || event.target.closest("[data-close]"))) dialog.close();
});
document.addEventListener("focusin", (event) => {
  const row = event.target.closest("[data-id]");
  if (row && rows().includes(row)) mark(row);
});
onFresh(() => {
  const row = rows().find((one) => one.dataset.id === current);
  if (row) mark(row);
});

function rows() {
  return [...document.querySelectorAll("tr[data-id], li[data-id]")];
}

function search() {
  const field = document.querySelector("input[type=search]");
  field?.focus();
  field?.select();
  return Boolean(field);
}

function step(by) {
  const all = rows();
  if (all.length === 0) return false;
  const at = all.findIndex((row) => row.dataset.id === current);
  const row = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)];
  mark(row);
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  return true;
}

// Mark the current row, and it alone.
function mark(row) {
  for (const other of document.querySelectorAll("[data-id][aria-current]")) {
    if (other !== row) other.removeAttribute("aria-current");
  }
  current = row.dataset.id;
  row.setAttribute("aria-current", "true");
  row.tabIndex = -1;
}

// The current row, or the task that the page shows.
function taskAt() {
  const all = rows().filter((row) => row.hasAttribute("data-version"));
  if (all.length > 0) return all.find((row) => row.dataset.id === current) ?? null;
  return document.querySelector("[data-id][data-version]");
}

function isPaused(task) {
  return Boolean(task?.querySelector('[data-act="resume"]'));
}

function choose() {
  const box = taskAt()?.querySelector("input[type=checkbox]");
  box?.click();
  return Boolean(box);
}

function doWith(action) {
  const task = taskAt();
  if (!task || !mayManage) return false;
  act(action, [{ id: task.dataset.id, version: task.dataset.version, name: task.dataset.name }]);
  return true;
}
