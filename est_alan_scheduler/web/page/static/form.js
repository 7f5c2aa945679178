// What the form of a task says, and what is wrong with it.

// Return the texts of the controls by field and part: `{ every: { hours: "1" }, at: { "": "09:00" } }`.
export function read(form) {
  const fields = {};
  for (const control of form.elements) {
    if (!control.name || control.matches(":disabled") || (control.type === "radio" && !control.checked)) continue;
    const [field, part] = fieldOf(control);
    (fields[field] ??= {})[part] = textOf(control);
  }
  return fields;
}

function fieldOf(control) {
  const [field, part = ""] = control.name.split(".");
  return [field, part];
}

function textOf(control) {
  if (control.type === "checkbox") return control.checked ? "true" : "";
  return control.validity.badInput ? "…" : control.value; // a date that is not complete is no text to the browser
}

// Return the fields whose texts differ between two readings, as the second one has them.
export function changed(before, now) {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  const differ = [...names].filter((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name]));
  return Object.fromEntries(differ.map((name) => [name, now[name] ?? {}]));
}

// Write texts into the controls of a form.
export function write(form, fields) {
  for (const control of form.elements) {
    if (!control.name) continue;
    const [field, part] = fieldOf(control);
    if (!(field in fields)) continue;
    const value = fields[field][part] ?? "";
    if (control.type === "radio") control.checked = control.value === value;
    else if (control.type === "checkbox") control.checked = value !== "";
    else control.value = value;
  }
}

// Show the fields of the kind that is chosen, and those of what is switched on.
export function arrange(form) {
  const kind = form.elements.kind.value;
  for (const part of form.querySelectorAll("[data-kind]")) show(part, part.dataset.kind === kind);
  for (const part of form.querySelectorAll("[data-if]")) show(part, form.elements[part.dataset.if].checked);
}

function show(fieldset, isShown) {
  fieldset.hidden = fieldset.disabled = !isShown;
}

// Return the name of a field or a part of it, for people.
export function labelOf(form, name) {
  const own = form.querySelector(`[data-field="${name}"]`);
  let label = form.elements[name]?.parentElement; // of a unit
  if (own) label = name === "every" ? own.closest("fieldset").querySelector("legend") : own.querySelector("[role=radiogroup], label");
  return (label.getAttribute("aria-label") ?? label.textContent).trim();
}

// Show what is wrong: at the fields that are named, or else on top. Return how many places that are.
export function mark(form, problem) {
  clear(form);
  const rest = [];
  const found = problem.errors ?? [{ field: "", detail: problem.detail }];
  for (const { field, detail } of found) {
    const own = wrapperOf(form, field);
    if (!own) {
      const isShown = form.querySelector(`[data-field="${CSS.escape(field)}"]`); // in a part that is hidden
      rest.push(field ? `${isShown ? labelOf(form, field) : field}: ${detail}` : detail);
      continue;
    }
    const place = own.querySelector(".error");
    place.textContent = place.hidden ? detail : `${place.textContent}; ${detail}`;
    place.hidden = false;
    for (const control of own.querySelectorAll("input, select, textarea")) control.setAttribute("aria-invalid", "true");
  }
  const top = document.getElementById("problems");
  if (top.textContent !== rest.join("\n")) top.textContent = rest.join("\n"); // said again only if it is news
  top.hidden = rest.length === 0;
  return found.length;
}

// Take back all that `mark` has shown.
export function clear(form) {
  for (const place of form.querySelectorAll(".error")) {
    place.hidden = true;
    place.textContent = "";
  }
  for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
  document.getElementById("problems").hidden = true;
}

function wrapperOf(form, field) {
  const names = [field, field.split(".")[0]];
  const found = names.map((name) => form.querySelector(`[data-field="${CSS.escape(name)}"]`)).find(Boolean);
  return found && !found.closest("[hidden]") ? found : null;
}
