// What changes is fetched anew. Parts of the page that have the attribute `data-live` and an id are replaced.

const listeners = [];

// Call `callback` each time after parts of the page were replaced.
export function onFresh(callback) {
  listeners.push(callback);
}

// Fetch this page anew, and replace what has changed in it.
export async function refresh() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const news = fresh.getElementById(part.id);
    if (news && news.innerHTML !== part.innerHTML) part.innerHTML = news.innerHTML;
  }
  for (const listener of listeners) listener();
}
