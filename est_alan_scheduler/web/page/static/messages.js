// Messages in the corner of the page. They go by themselves, but for those that say what goes on still.

import { text } from "./texts.js";

const SECONDS = { success: 6, info: 6, failed: 15, busy: null };
const list = document.getElementById("messages");

// Say something; return the message, whose text may be replaced by `say(…, message)`. `kind`: success, info, failed, or
// busy, which stays until it is replaced.
export function say(words, kind = "info", message = newMessage()) {
  message.className = `message ${kind}`;
  const body = message.firstElementChild;
  if (body.textContent !== words) body.textContent = words;
  if (!message.isConnected) list.append(message);
  clearTimeout(Number(message.dataset.timer));
  if (SECONDS[kind]) message.dataset.timer = setTimeout(() => message.remove(), 1000 * SECONDS[kind]);
  return message;
}

function newMessage() {
  const message = document.createElement("div");
  const words = document.createElement("p");
  const close = document.createElement("button");
  words.dir = "auto";
  close.type = "button";
  close.textContent = "×";
  close.setAttribute("aria-label", text("close"));
  close.addEventListener("click", () => message.remove());
  message.append(words, close);
  return message;
}
