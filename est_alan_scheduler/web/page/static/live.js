// What changes is fetched anew.

import { replaceParts } from "./parts.js";
import { text } from "./texts.js";
import { noteServerTime } from "./times.js";

const AFTER_CHANGE = 150; // milliseconds until what has changed is fetched: several changes come at once
const BETWEEN = 1000; // from one fetch to the next at least
const SILENCE = 15_000; // after which the page is fetched though nothing has changed: time goes on, tasks get late
const TRIES = [1000, 2000, 5000, 10_000]; // pauses before a stream is opened again that the server has refused
const HIDDEN = 20_000; // after which a hidden page listens no more: browsers have few connections for a site
const SILENT = 3000; // after which a page says that the server has not answered
const BACK = 4000; // for which a page says that it is connected again

const pill = document.getElementById("live");
const listeners = new Set();
let source = null;
let tries = 0;
let isLost = false;
let hasChanged = false; // since the last fetch began
let isRefused = false; // the server answers, but has no stream for us
let isSilent = false; // the server has not answered for a while
let problem = null; // why the page could not be fetched, in words
let timer = null;
let retryTimer = null;
let hideTimer = null;
let backTimer = null;
let lastEnd = 0; // when the last fetch had ended, and how long to wait after it
let pause = BETWEEN;
let running = null;
let waiting = null;
let isLeaving = false;

// Call `callback` each time after parts of the page were replaced; return what ends that.
export function onFresh(callback) {
  listeners.add(callback);
  return () => listeners.delete(callback);
}

// Fetch this page anew, and replace what has changed in it; return whether it worked. If it is being fetched already,
// it is fetched once more: what has happened meanwhile has to be in it.
export function refresh() {
  if (!running) {
    running = renew().finally(() => {
      running = null;
    });
    return running;
  }
  waiting ??= running.then(() => {
    waiting = null;
    return refresh();
  });
  return waiting;
}

async function renew() {
  clearTimeout(timer);
  hasChanged = false;
  const began = performance.now();
  const silentTimer = setTimeout(() => {
    isSilent = true;
    show();
  }, SILENT);
  let response, html;
  try {
    response = await fetch(location.href, { headers: { Accept: "text/html", "X-Live": "1" } });
    html = await response.text();
  } catch {
    response = null;
  }
  clearTimeout(silentTimer);
  isSilent = false;
  problem = response ? take(response, new DOMParser().parseFromString(html, "text/html")) : text("lost");
  lastEnd = performance.now();
  pause = Math.max(BETWEEN, lastEnd - began, problem ? 5000 : 0);
  show();
  fetchAfter(problem || hasChanged ? 0 : silence());
  return problem === null;
}

// Show what was fetched; return what is wrong with it, in words, or null.
function take(response, fresh) {
  if (response.status === 401) return text("ended");
  if (!response.ok) {
    const detail = fresh.querySelector(".problem .detail")?.textContent.trim();
    return text("stale", { reason: detail || `${response.status} ${response.statusText}` });
  }
  noteServerTime(fresh.documentElement.dataset.now);
  replaceParts(fresh);
  for (const listener of [...listeners]) {
    try {
      listener();
    } catch (error) {
      reportError(error); // of one part of the page: the others still live
    }
  }
  return null;
}

// Return after how long the page is fetched though nothing has changed; a part may say it in seconds by `data-every`.
function silence() {
  const given = [...document.querySelectorAll("[data-live][data-every]")].map((part) => 1000 * part.dataset.every);
  return Math.min(SILENCE, ...given);
}

// Fetch the page after some time, and not too soon after the last time; a hidden page is fetched when it is seen again.
function fetchAfter(milliseconds) {
  const soonest = Math.max(performance.now() + milliseconds, lastEnd + pause);
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (!document.hidden) refresh();
  }, soonest - performance.now());
}

function noteChange() {
  hasChanged = true;
  fetchAfter(AFTER_CHANGE);
}

function connect() {
  clearTimeout(retryTimer);
  source?.close();
  source = new EventSource("live");
  source.onopen = () => {
    tries = 0;
    const wasLost = isLost;
    isLost = isRefused = false;
    show();
    if (wasLost) comeBack();
    else noteChange(); // something may have happened after this page was made, and before the stream was there
  };
  source.onerror = lose;
  source.addEventListener("changed", noteChange);
}

// The connection is lost. The browser tries again by itself, unless the server has refused: then it is up to us.
function lose() {
  if (isLeaving || !source) return;
  isLost = true;
  show();
  if (source.readyState !== EventSource.CLOSED) return;
  clearTimeout(retryTimer);
  retryTimer = setTimeout(async () => {
    isRefused = await refresh();
    if (isRefused) connect();
    else lose();
  }, TRIES[Math.min(tries++, TRIES.length - 1)]);
}

async function comeBack() {
  if (!(await refresh())) return;
  clearTimeout(backTimer);
  backTimer = setTimeout(() => {
    backTimer = null;
    show();
  }, BACK);
  show();
}

// Say how it stands. The words are set only if they change, so that screen readers say them once.
function show() {
  if (!pill) return;
  const [state, words] =
    problem !== null ? ["lost", problem]
    : isSilent ? ["lost", text("silent")]
    : isLost && isRefused ? ["lost", text("slow")]
    : isLost ? ["lost", text("lost")]
    : backTimer ? ["back", text("back")]
    : ["well", text("live")];
  pill.hidden = false;
  pill.className = `live ${state}`;
  if (pill.textContent !== words) pill.textContent = words;
}

function noteVisibility() {
  clearTimeout(hideTimer);
  if (document.hidden) {
    hideTimer = setTimeout(() => {
      source.close();
      source = null;
      clearTimeout(retryTimer);
    }, HIDDEN);
    return;
  }
  if (!source) connect();
  refresh();
}

if (pill) {
  noteServerTime(document.documentElement.dataset.now);
  connect();
  fetchAfter(silence());
  document.addEventListener("visibilitychange", noteVisibility);
  addEventListener("pagehide", () => {
    isLeaving = true;
    source?.close();
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return; // the browser has kept the page, and shows it again
    isLeaving = false;
    connect();
    refresh();
  });
}
