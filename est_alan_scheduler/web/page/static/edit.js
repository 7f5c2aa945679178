// The editor of a task, with its preview.

import { fetchForm, merge, showConflict } from "./conflict.js";
import { arrange, changed, clear, mark, read } from "./form.js";
import { onFresh } from "./live.js";
import { sayOnNextPage } from "./messages.js";
import { post } from "./requests.js";
import { text } from "./texts.js";
import { refreshTimes } from "./times.js";

const DELAY = 300; // milliseconds from the last key until the preview is asked for

const form = document.getElementById("edit");
const preview = document.getElementById("preview");
const id = new URLSearchParams(location.search).get("id"); // HTML would lose some control characters
let loaded; // the texts of the form as the task has them
let asked = ""; // the changes that the preview shows, or is asked for
let timer;
let isSaving = false;
let isLeaving = false;

if (form) start();

function start() {
  form.reset(); // browsers keep what was typed before a reload; the version is that of now
  arrange(form);
  loaded = read(form);
  form.addEventListener("input", follow);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save();
  });
  addEventListener("beforeunload", (event) => {
    if (!isLeaving && hasChanges()) event.preventDefault();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload(); // somebody goes back to what was saved, or left
  });
  onFresh(noticeOthers);
  ask();
}

function changes() {
  return changed(loaded, read(form));
}

function hasChanges() {
  return Object.keys(changes()).length > 0;
}

function follow() {
  arrange(form);
  enableSave();
  noticeOthers();
  clearTimeout(timer);
  timer = setTimeout(ask, DELAY);
}

function enableSave(words) {
  const isOpen = document.getElementById("conflict").hidden;
  const has = hasChanges();
  document.getElementById("save").disabled = isSaving || !has || !isOpen;
  document.getElementById("save-why").textContent = words ?? (isOpen ? (has ? "" : text("unchanged")) : text("conflict"));
}

// Ask the server what the form means, unless it has answered that already.
async function ask() {
  const written = changes();
  const question = JSON.stringify(written);
  if (question === asked) return;
  asked = question;
  preview.setAttribute("aria-busy", "true");
  const { answer, problem } = await post("preview-html", { id, changes: written });
  if (asked !== question) return; // another one is on its way
  preview.removeAttribute("aria-busy");
  preview.classList.toggle("stale", Boolean(problem));
  if (problem) {
    asked = "";
    const count = mark(form, problem);
    tell(text(problem.errors || problem.status === 422 ? "wrong" : "no_preview", { count }), true);
    return;
  }
  clear(form);
  preview.innerHTML = answer; // escaped by its template
  refreshTimes(preview);
  tell(hasChanges() ? text("previewed", { schedule: preview.firstElementChild.dataset.summary }) : "");
}

// Say how the preview is, if it is news: to screen readers, what is wrong also to others.
function tell(words, isWrong = false) {
  const state = document.getElementById("preview-state");
  state.classList.toggle("wrong", isWrong);
  if (state.textContent !== words) state.textContent = words;
}

async function save() {
  if (isSaving || !hasChanges() || !document.getElementById("conflict").hidden) return;
  isSaving = true;
  enableSave(text("saving"));
  const { problem } = await post("save", { id, version: form.dataset.version, changes: changes() });
  isSaving = false;
  if (!problem) {
    isLeaving = true;
    sayOnNextPage(text("saved"), "success");
    location.assign(form.dataset.back);
    return;
  }
  if (problem.status === 412) await resolve();
  else refuse(problem);
}

function refuse(problem) {
  mark(form, problem);
  enableSave(text("unsaved"));
  const first = form.querySelector("[aria-invalid]");
  if (first) first.focus();
  else document.getElementById("problems").scrollIntoView({ block: "nearest" });
}

// Show what others have changed meanwhile, and do what the user decides.
async function resolve() {
  const fresh = await fetchForm().catch(() => null);
  if (!fresh) {
    refuse({ detail: text("gone") });
    return;
  }
  showConflict(form, loaded, fresh, (accepted) => {
    if (!accepted) {
      isLeaving = true;
      location.reload();
      return;
    }
    loaded = merge(form, loaded, accepted);
    document.getElementById("meanwhile").hidden = true;
    asked = "";
    enableSave();
    ask();
    (document.querySelector("#save:enabled") ?? document.getElementById("main")).focus();
  });
  enableSave();
}

// Say quietly that the task is another one by now; the form stays as it is.
function noticeOthers() {
  const version = document.querySelector("#present [data-version]")?.dataset.version;
  const notice = document.getElementById("meanwhile");
  const isOther = Boolean(version) && version !== form.dataset.version;
  const words = text(hasChanges() ? "meanwhile" : "meanwhile_unchanged");
  if (isOther && notice.textContent !== words) notice.textContent = words;
  notice.hidden = !isOther || isSaving || isLeaving;
}
