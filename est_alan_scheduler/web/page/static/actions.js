// Actions on tasks: run, pause, resume, remove. A button with `data-act` acts on the task around it (`data-id`), or on
// the chosen ones if it is within `data-chosen`.

import { chosen } from "./chosen.js";
import { follow } from "./feedback.js";
import { refresh } from "./live.js";
import { say, sayOnNextPage } from "./messages.js";
import { called } from "./names.js";
import { post } from "./requests.js";
import { text } from "./texts.js";

const MOST = 1000; // tasks that the server takes at once
const MOST_SAID = 3; // messages about tasks for which it did not work
const MOST_NAMED = 50; // tasks in the question whether to remove them

// Do something with tasks: [{ id, version, name }], the version as it was seen, or null for any. Say what came of
// it. `leaves`: this is the page of a task, which is no more once that is removed.
export async function act(action, tasks, leaves = false) {
  const results = [];
  const seen = tasks.map(({ id, version }) => ({ id, version: version || null }));
  for (let start = 0; start < seen.length; start += MOST) {
    const { answer, problem } = await post("act", { action, tasks: seen.slice(start, start + MOST) });
    if (problem) {
      say(text("failed", { reason: problem.detail }), "failed");
      break;
    }
    results.push(...JSON.parse(answer).results);
  }
  if (leaves && results.some((one) => one.ok)) {
    sayOnNextPage(text("remove_done", { name: called(tasks[0]) }), "success");
    location.assign("./");
    return;
  }
  tell(action, tasks, results);
  await refresh();
}

function tell(action, tasks, results) {
  const names = new Map(tasks.map((task) => [task.id, called(task)]));
  const [done, failed] = [results.filter((one) => one.ok), results.filter((one) => !one.ok)];
  for (const { id, detail } of failed.slice(0, MOST_SAID)) {
    say(text("act_failed", { name: names.get(id), reason: detail }), "failed");
  }
  if (failed.length > MOST_SAID) say(text("act_failed_more", { number: failed.length - MOST_SAID }), "failed");
  if (done.length === 0) return;
  if (action === "run") follow(done, names);
  else if (done.length === 1) say(text(`${action}_done`, { name: names.get(done[0].id) }), "success");
  else say(text(`${action}_done_many`, { number: done.length }), "success");
}

function taskOf(element) {
  return { id: element.dataset.id, version: element.dataset.version, name: element.dataset.name };
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-act]");
  if (!button) return;
  const place = button.closest("[data-chosen]") ? null : button.closest("[data-id]");
  const tasks = (place ? [place] : chosen()).map(taskOf);
  const action = button.dataset.act;
  if (tasks.length === 0) return;
  if (action === "remove" && !(await isConfirmed(tasks))) return;
  button.disabled = true;
  const isPage = place && !place.matches("tr, li");
  await act(action, tasks, isPage && action === "remove");
  button.disabled = false;
});

// Ask whether to remove tasks, whose names the question has.
function isConfirmed(tasks) {
  const dialog = document.createElement("dialog");
  dialog.className = "removal";
  dialog.setAttribute("aria-labelledby", "removal-title");
  const title = dialog.appendChild(document.createElement("h2"));
  title.id = "removal-title";
  title.textContent = text(tasks.length === 1 ? "remove_one" : "remove_many", { number: tasks.length });
  const list = dialog.appendChild(document.createElement("ul"));
  list.tabIndex = 0; // it scrolls, and the question stays in sight
  for (const task of tasks.slice(0, MOST_NAMED)) {
    const entry = list.appendChild(document.createElement("li"));
    entry.dir = "auto";
    entry.textContent = called(task);
  }
  if (tasks.length > MOST_NAMED) {
    list.appendChild(document.createElement("li")).textContent = text("remove_more", { number: tasks.length - MOST_NAMED });
  }
  dialog.appendChild(document.createElement("p")).textContent = text("remove_hint");
  const form = dialog.appendChild(document.createElement("form"));
  form.method = "dialog";
  form.className = "buttons";
  for (const [value, key, kind] of [["", "cancel", ""], ["remove", "remove", "danger"]]) {
    const button = form.appendChild(document.createElement("button"));
    button.value = value;
    button.className = kind;
    button.textContent = text(key);
    button.autofocus = key === "cancel";
  }
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "remove");
    });
  });
}
