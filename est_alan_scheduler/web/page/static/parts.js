// The parts of the page that are live: those that have the attribute `data-live` and an id.

import { morph } from "./morph.js";
import { refreshTimes } from "./times.js";

// Replace the parts that are live by those of a fresh document.
export function replaceParts(fresh) {
  const kept = keepSelection();
  const focused = document.activeElement;
  const place = focused?.closest("[data-id]")?.dataset.id;
  refreshTimes(fresh);
  for (const part of document.querySelectorAll("[data-live][id]")) {
    if (part.parentElement.closest("[data-live][id]")) continue; // it is replaced with the part around it
    const news = fresh.getElementById(part.id);
    if (news) morph(part, news);
    else part.replaceChildren(); // there is nothing to say any more
  }
  refreshTimes();
  restoreFocus(focused, place);
  kept();
}

// Keep what is selected; return what selects it again, as far as it is still there.
function keepSelection() {
  const selection = getSelection();
  if (!selection || selection.isCollapsed) return () => {};
  const { anchorNode, anchorOffset, focusNode, focusOffset } = selection;
  return () => {
    if (!anchorNode.isConnected || !focusNode.isConnected) return;
    const within = (node, offset) => Math.min(offset, node.data?.length ?? node.childNodes.length);
    const [start, end] = [within(anchorNode, anchorOffset), within(focusNode, focusOffset)];
    if (selection.anchorNode === anchorNode && selection.anchorOffset === start && selection.focusOffset === end) return;
    selection.setBaseAndExtent(anchorNode, start, focusNode, end);
  };
}

// Focus what had the focus, or what stands in its place, or else the content.
function restoreFocus(focused, place) {
  if (!focused || focused === document.body || focused === document.activeElement) return;
  if (focused.isConnected) {
    focused.focus({ preventScroll: true }); // it was moved
    return;
  }
  const row = place && document.querySelector(`[data-id="${CSS.escape(place)}"]`);
  const same = focused.id ? document.getElementById(focused.id) : null;
  const target = same ?? row?.querySelector("a, button") ?? document.getElementById("main");
  target.focus({ preventScroll: true });
}
