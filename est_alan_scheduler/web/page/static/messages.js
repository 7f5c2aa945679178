// Messages in the corner of the page. They go by themselves, but for those that say what goes on still.

import { text } from "./texts.js";
import { refreshTimes } from "./times.js";

const SECONDS = { success: 6, info: 6, failed: 15, busy: null };
const LATER = "est-alan-scheduler-message";
const list = document.getElementById("messages");

// Say something; return the message, whose text may be replaced by `say(…, message)`. `kind`: success, info, failed, or
// busy, which stays until it is replaced. `time`: { since } or { until } a moment; how far away that is is shown and not
// read aloud, because it changes each second.
export function say(words, kind = "info", time = null, message = newMessage()) {
  message.className = `message ${kind}`;
  const [body, clock] = message.children;
  if (body.textContent !== words) body.textContent = words;
  clock.hidden = time === null;
  clock.toggleAttribute("data-since", Boolean(time?.since));
  if (time) clock.dateTime = time.since ?? time.until;
  if (!message.isConnected) list.append(message);
  refreshTimes(message);
  clearTimeout(Number(message.dataset.timer));
  if (SECONDS[kind]) message.dataset.timer = setTimeout(() => message.remove(), 1000 * SECONDS[kind]);
  return message;
}

// Say something on the page that is opened next.
export function sayOnNextPage(words, kind) {
  sessionStorage.setItem(LATER, JSON.stringify([words, kind]));
}

function newMessage() {
  const message = document.createElement("div");
  const words = document.createElement("p");
  const clock = document.createElement("time");
  const close = document.createElement("button");
  words.dir = "auto";
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", text("close"));
  close.addEventListener("click", () => message.remove());
  clock.dataset.until = "";
  clock.setAttribute("aria-hidden", "true");
  message.append(words, clock, close);
  return message;
}

const kept = sessionStorage.getItem(LATER);
if (kept !== null) {
  sessionStorage.removeItem(LATER);
  say(...JSON.parse(kept));
}
