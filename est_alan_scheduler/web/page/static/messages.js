// Messages in the corner of the page, which go by themselves.

const SECONDS = { success: 6, info: 6, failed: 15 };
const list = document.getElementById("messages");

// Say something; return the message, whose text may be replaced by `say(…, message)`.
export function say(words, kind = "info", message = document.createElement("p")) {
  message.className = `message ${kind}`;
  message.textContent = words;
  message.dir = "auto";
  list.append(message);
  clearTimeout(Number(message.dataset.timer));
  message.dataset.timer = setTimeout(() => message.remove(), 1000 * SECONDS[kind]);
  return message;
}
