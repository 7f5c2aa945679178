// Pause all, resume all: buttons with `data-pause-all="true"` or "false". A pause is asked back for in a dialog.

import { refresh } from "./live.js";
import { say } from "./messages.js";
import { post } from "./requests.js";
import { text } from "./texts.js";

const dialog = document.getElementById("pause-dialog");

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-pause-all]");
  if (!button) return;
  if (button.dataset.pauseAll === "true" && dialog && !dialog.contains(button)) dialog.showModal();
  else change(button);
});

async function change(button) {
  const pauses = button.dataset.pauseAll === "true";
  button.disabled = true;
  const { problem } = await post("pause-all", { paused: pauses });
  if (problem) say(text("failed", { reason: problem.detail }), "failed");
  else say(text(pauses ? "paused_all" : "resumed_all"), pauses ? "info" : "success");
  button.disabled = false;
  dialog?.close();
  await refresh();
}
