// Messages in the corner of the page. They go by themselves, but for those that say what goes on still.

import { text } from "./texts.js";
import { refreshTimes } from "./times.js";

const SECONDS = { success: 6, info: 6, failed: 15, busy: null };
const list = document.getElementById("messages");

// Say something; return the message, whose text may be replaced by `say(…, message)`. `kind`: success, info, failed, or
// busy, which stays until it is replaced. `since`: when what it tells of began; how long ago that is is shown and not read
// aloud, because it changes each second.
export function say(words, kind = "info", message = newMessage(), since = null) {
  message.className = `message ${kind}`;
  const [body, time] = message.children;
  if (body.textContent !== words) body.textContent = words;
  time.hidden = since === null;
  if (since !== null) time.dateTime = new Date(since).toISOString();
  if (!message.isConnected) list.append(message);
  refreshTimes(message);
  clearTimeout(Number(message.dataset.timer));
  if (SECONDS[kind]) message.dataset.timer = setTimeout(() => message.remove(), 1000 * SECONDS[kind]);
  return message;
}

function newMessage() {
  const message = document.createElement("div");
  const words = document.createElement("p");
  const time = document.createElement("time");
  const close = document.createElement("button");
  words.dir = "auto";
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", text("close"));
  close.addEventListener("click", () => message.remove());
  time.dataset.since = "";
  time.setAttribute("aria-hidden", "true");
  message.append(words, time, close);
  return message;
}
