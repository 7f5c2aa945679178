// Turns a part of the document into a fresh version of itself, and leaves what is equal alone: so focus, selections,
// what is typed, checked and open, and places of scrolling stay.

const OWN = new Set(["open", "style", "tabindex", "aria-current", "disabled"]); // attributes that scripts and people set

// The key by which a node is found again among its siblings.
function keyOf(node) {
  return node.nodeType === Node.ELEMENT_NODE ? node.dataset.id ?? (node.id || null) : null;
}

function isSameKind(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);
}

// Make `old` equal to `fresh`, which loses its children.
export function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  morphAttributes(old, fresh);
  morphChildren(old, fresh);
}

function morphAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!OWN.has(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!OWN.has(name) && !fresh.hasAttribute(name)) old.removeAttribute(name);
  }
}

function morphChildren(old, fresh) {
  const keyed = new Map();
  const wanted = new Set([...fresh.children].map(keyOf)); // a node with such a key stays, and is moved when its turn comes
  for (const child of old.childNodes) {
    const key = keyOf(child);
    if (key !== null) keyed.set(key, child);
  }
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const key = keyOf(child);
    const match = key === null ? nextAlike(at, child) : keyed.get(key);
    if (!match || !isSameKind(match, child)) {
      old.insertBefore(child, at);
      continue;
    }
    while (at && at !== match && (keyOf(at) === null || !wanted.has(keyOf(at)))) at = remove(at);
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    morph(match, child);
  }
  while (at) at = remove(at);
}

// A node without a key is matched with the next one of its kind, if no node with a key stands between them.
function nextAlike(at, fresh) {
  let node = at;
  while (node && !isSameKind(node, fresh)) {
    if (keyOf(node) !== null) return null;
    node = node.nextSibling;
  }
  return node;
}

function remove(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}
