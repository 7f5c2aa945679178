// The page of a task: the next run in the zone of the browser.

import { onFresh } from "./live.js";

function showInBrowser() {
  for (const part of document.querySelectorAll("[data-in-browser]")) {
    const at = new Date(part.dataset.inBrowser);
    const two = (number) => String(number).padStart(2, "0");
    const away = -at.getTimezoneOffset(), size = Math.abs(away);
    const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
    const offset = `${away < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
    part.textContent = `${date} ${time} ${offset}`;
    part.parentElement.hidden = false;
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone) part.parentElement.title = zone;
  }
}

showInBrowser();
onFresh(showInBrowser);
