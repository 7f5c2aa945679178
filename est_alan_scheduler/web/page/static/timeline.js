// The timeline: the zone of this browser may be chosen.

for (const part of document.querySelectorAll("[data-browser-zone]")) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || zone === part.dataset.browserZone) continue;
  const link = part.querySelector("a");
  const url = new URL(link.href);
  url.searchParams.set("zone", zone);
  link.href = url.href;
  part.hidden = false;
}
