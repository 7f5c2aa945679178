// A conflict: others have changed the task since its form was loaded.

import { arrange, changed, labelOf, read, write } from "./form.js";
import { text } from "./texts.js";

// Return the form of the task as it is now; null if it cannot be fetched.
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
    body.append(...rows(form, field, [loaded[field], now, mine[field]]));
  }
  if (!Object.keys(theirs).length) body.closest(".wide").before(paragraph(text("elsewhere")));
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

// Return the rows of a field; of one with many parts, one for each that differs. The last texts are undefined if the
// user has not changed the field.
function rows(form, field, versions) {
  const untouched = versions[2] === undefined;
  const line = (label, values) => row(label, untouched ? [...values.slice(0, 2), text("untouched")] : values);
  if ((field !== "retry" && field !== "every") || versions.some((texts) => texts && !Object.values(texts).some(Boolean))) {
    return [line(labelOf(form, field), versions.map((texts) => inWords(form, field, texts)))];
  }
  const names = new Set(versions.flatMap((texts) => Object.keys(texts ?? {})));
  const differ = [...names].filter((part) => new Set(versions.filter(Boolean).map((texts) => texts[part])).size > 1);
  return differ.map((part) => line(`${labelOf(form, field)}: ${labelOf(form, `${field}.${part}`)}`, versions.map((texts) => texts?.[part] || text("none"))));
}

function row(label, values) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = label;
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
  if (form.querySelector(`[type=checkbox][name="${field}"]`)) return text(texts[""] ? "yes" : "no");
  const filled = Object.entries(texts).filter(([, value]) => value);
  if (field === "every") return filled.map(([unit, value]) => `${labelOf(form, `every.${unit}`)}: ${value}`).join(", ") || text("none");
  return filled.map(([, value]) => value).join(" ") || text("none");
}
