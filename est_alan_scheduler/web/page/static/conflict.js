// A conflict: others have changed the task since its form was loaded.

import { arrange, changed, labelOf, read, write } from "./form.js";
import { text } from "./texts.js";

// Return the form of the task as it is now, None if it cannot be fetched.
export async function fetchForm() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!response.ok) return null;
  return new DOMParser().parseFromString(await response.text(), "text/html").getElementById("edit");
}

// Show what differs; `apply` is called with the form of now when the user wants both.
export function showConflict(form, loaded, fresh, apply) {
  const panel = document.getElementById("conflict");
  const theirs = changed(loaded, read(fresh));
  const mine = changed(loaded, read(form));
  panel.replaceChildren(document.getElementById("conflict-form").content.cloneNode(true));
  const body = panel.querySelector("tbody");
  for (const field of new Set([...Object.keys(theirs), ...Object.keys(mine)])) {
    const now = field in theirs ? theirs[field] : loaded[field];
    body.append(row(form, field, [inWords(form, field, loaded[field]), inWords(form, field, now), field in mine ? inWords(form, field, mine[field]) : text("untouched")]));
  }
  if (!body.children.length) body.closest(".wide").replaceWith(paragraph(text("elsewhere")));
  panel.querySelector("[data-conflict=reload]").addEventListener("click", () => apply(null));
  panel.querySelector("[data-conflict=apply]").addEventListener("click", () => apply(fresh));
  panel.hidden = false;
  panel.focus();
}

// Put the texts of the fresh form into this one, but for those that the user has changed.
export function merge(form, loaded, fresh) {
  const mine = changed(loaded, read(form));
  const all = read(fresh);
  write(form, all);
  write(form, Object.fromEntries(Object.entries(mine).filter(([, texts]) => Object.keys(texts).length)));
  arrange(form);
  form.dataset.version = fresh.dataset.version;
  document.getElementById("conflict").hidden = true;
  return all;
}

function row(form, field, values) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = labelOf(form, field);
  line.append(head, ...values.map((value) => {
    const cell = document.createElement("td");
    cell.dir = "auto";
    cell.textContent = value;
    return cell;
  }));
  return line;
}

function paragraph(words) {
  const made = document.createElement("p");
  made.textContent = words;
  return made;
}

// Return the texts of a field as one.
function inWords(form, field, texts = {}) {
  if (field === "kind") return form.querySelector(`[name=kind][value="${texts[""]}"]`)?.parentElement.textContent.trim() ?? text("none");
  const filled = Object.entries(texts).filter(([, value]) => value);
  if (!filled.length) return text("none");
  if (field === "every") return filled.map(([unit, value]) => `${value} ${form.elements[`every.${unit}`].parentElement.textContent.trim()}`).join(" ");
  if (field === "retry") return filled.filter(([part]) => part).map(([part, value]) => `${labelOf(form, `retry.${part}`)}: ${value}`).join("\n") || text("on");
  if (texts[""] === "true") return text("on");
  return filled.map(([, value]) => value).join(" ");
}
