// Moments, relative to now: "in 5 min". The exact ones, in three zones, are their titles.
//
// data-zone="browser": it is shown exact in that zone. data-since: how long ago it was, as a duration: "for 3 sec".
// data-until: "now" from that moment on.

import { text } from "./texts.js";

const language = document.documentElement.lang || "en";
const relative = new Intl.RelativeTimeFormat(language, { numeric: "always", style: "short" });
const STEPS = [ // each unit is used up to a number of seconds
  ["second", 1, 60],
  ["minute", 60, 90 * 60],
  ["hour", 3600, 36 * 3600],
  ["day", 86_400, 45 * 86_400],
  ["month", 2_629_746, 18 * 2_629_746],
  ["year", 31_556_952, Infinity],
];
const numbers = Object.fromEntries(
  ["millisecond", "second", "minute", "hour", "day", "year"].map((unit) => [
    unit,
    new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }),
  ]),
);
const SKEW = 5000; // milliseconds between the clocks of server and browser that do not matter
const titled = new WeakMap(); // the moment for which an element has its title
const seen = new Set(); // those on the screen
const watched = new WeakSet();
let ahead = 0; // milliseconds by which the clock of the server is ahead

const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) {
      seen.add(target);
      write(target);
    } else {
      seen.delete(target);
    }
  }
});

// Note the time of the server, as it has just told: moments are relative to that if the clocks differ.
export function noteServerTime(moment) {
  const difference = Date.parse(moment) - Date.now();
  ahead = Math.abs(difference) > SKEW ? difference : 0;
}

// Write the moments within a part of this document, or of one that is to take its place.
export function refreshTimes(within = document) {
  for (const element of within.querySelectorAll("time[datetime]")) {
    write(element);
    if (element.ownerDocument === document && !watched.has(element)) {
      watched.add(element);
      observer.observe(element);
    }
  }
}

function write(element) {
  const moment = Date.parse(element.dateTime);
  if (Number.isNaN(moment)) return;
  if (titled.get(element) !== element.dateTime) {
    titled.set(element, element.dateTime);
    element.title = titleOf(element, new Date(moment));
  }
  const words = wordsOf(element, moment);
  if (element.textContent !== words && !isSelected(element)) element.textContent = words;
}

function wordsOf(element, moment) {
  if (element.dataset.zone === "browser") return inBrowserZone(new Date(moment));
  const seconds = (moment - Date.now() - ahead) / 1000;
  if (element.hasAttribute("data-since")) return text("since", { duration: duration(-seconds) });
  return ago(element.hasAttribute("data-until") ? Math.max(0, seconds) : seconds);
}

function stepOf(seconds) {
  return STEPS.find(([, size, end]) => Math.round(seconds / size) * size < end);
}

// Return how far away something is that comes in so many seconds.
function ago(seconds) {
  const [unit, size] = stepOf(Math.abs(seconds));
  const number = Math.round(seconds / size);
  return number === 0 ? text("now") : relative.format(number, unit).replace(/\./g, "");
}

// Return a duration in words; `finely`: a short one to a tenth of a second, or to the millisecond.
export function duration(seconds, finely = false) {
  const length = Math.max(0, seconds);
  if (finely && length < 0.0995) return numbers.millisecond.format(Math.ceil(length * 1000));
  if (finely && length < 9.95) return numbers.second.format(Math.round(length * 10) / 10);
  const [unit, size] = stepOf(length);
  return unit === "month"
    ? numbers.day.format(Math.round(length / 86_400))
    : numbers[unit].format(Math.round(length / size));
}

function titleOf(element, date) {
  return [element.dataset.exact, inBrowserZone(date), inUtc(date)].filter(Boolean).join("\n");
}

function two(number) {
  return String(number).padStart(2, "0");
}

function inBrowserZone(date) {
  const day = [String(date.getFullYear()).padStart(4, "0"), two(date.getMonth() + 1), two(date.getDate())].join("-");
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  const east = -date.getTimezoneOffset();
  const offset = `${east < 0 ? "-" : "+"}${two(Math.floor(Math.abs(east) / 60))}:${two(Math.abs(east) % 60)}`;
  return `${day} ${time} ${offset} ${Intl.DateTimeFormat().resolvedOptions().timeZone ?? ""}`.trim();
}

function inUtc(date) {
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

// Whether somebody has selected a part of it: to write it would undo that.
function isSelected(element) {
  const selection = getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(element, true);
}

function tick() {
  if (!document.hidden) for (const element of seen) element.isConnected ? write(element) : seen.delete(element);
  setTimeout(tick, 1000 - (Date.now() % 1000));
}

refreshTimes();
tick();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) for (const element of seen) write(element);
});
