// Names and other foreign texts in the sentences of the page.

const MOST = 120; // letters

// Return what a task is called: by its name, and by its id if that is another one, for names may be alike.
export function called({ id, name }) {
  return !name || name === id ? isolated(id) : `${isolated(name)} (${isolated(id)})`;
}

// Return a foreign text for a sentence.
export function isolated(words) {
  const letters = Array.from(words);
  const short = letters.length > MOST ? `${letters.slice(0, MOST - 1).join("")}…` : words;
  return `\u2068${short}\u2069`; // it may be written from right to left
}
