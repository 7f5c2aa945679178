// The texts of the scripts, in the language of the page.

const kept = document.getElementById("texts")?.content;

// Return the text of a key, with these values in place of the names in braces.
export function text(key, values = {}) {
  const found = kept?.querySelector(`[data-key="${key}"]`)?.textContent ?? key;
  return found.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
