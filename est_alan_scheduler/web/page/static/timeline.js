// The timeline: time goes on even if nothing happens, and the zone of this browser may be chosen.

import { refresh } from "./live.js";

const SECONDS = 20;

for (const part of document.querySelectorAll("[data-browser-zone]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || zone === part.dataset.browserZone) continue;
  const link = part.querySelector("a");
  const url = new URL(link.href);
  url.searchParams.set("zone", zone);
  link.href = url.href;
  part.hidden = false;
}

if (document.getElementById("timeline")) {
  setInterval(() => {
    if (document.visibilityState === "visible") refresh().catch(() => {}); // a lost connection is told by live.js
  }, 1000 * SECONDS);
}
