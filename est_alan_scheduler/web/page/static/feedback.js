// What becomes of runs that were asked for: a message for each, until its run has ended.

import { onFresh } from "./live.js";
import { say } from "./messages.js";
import { text } from "./texts.js";
import { duration } from "./times.js";

const MOST = 5; // messages; more tasks get one for all
const END = 10 * 60_000; // milliseconds after which nobody waits any more
const AT_ONCE = 50; // runs in one look
const PAUSE = 2000; // between two looks at tasks that are not on the page

// Follow the runs of an answer of `act`: [{ id, ok, detail, runs }].
export function follow(results) {
  const runs = results.filter((one) => one.ok).map((one) => ({
    id: one.id,
    name: shortened(placeOf(one.id)?.dataset.name || one.id),
    before: one.runs,
    state: "requested",
  }));
  if (runs.length === 0) return;
  if (runs.length > MOST) new Group(runs).begin();
  else for (const run of runs) new Group([run]).begin();
}

class Group {
  constructor(runs) {
    this.runs = runs;
    this.message = null;
    this.began = Date.now();
    this.isOver = false;
  }

  begin() {
    this.tell();
    this.end = onFresh(() => this.look());
    this.look();
  }

  // Look how the runs stand, and say it.
  async look() {
    if (this.isOver || this.isLooking) return;
    this.isLooking = true;
    clearTimeout(this.timer);
    try {
      for (const run of this.runs.filter((one) => !one.outcome).slice(0, AT_ONCE)) await note(run);
    } finally {
      this.isLooking = false;
    }
    const hasEnded = this.runs.every((run) => run.outcome);
    this.isOver = hasEnded || Date.now() > this.began + END;
    this.tell();
    if (this.isOver) this.end();
    else this.timer = setTimeout(() => this.look(), PAUSE);
  }

  tell() {
    const [words, kind, since] = this.runs.length === 1 ? this.wordsOfOne(this.runs[0]) : this.wordsOfAll();
    if (this.message && !this.message.isConnected) return; // somebody has closed it
    this.message = say(words, kind, this.message ?? undefined, since);
  }

  wordsOfOne(run) {
    if (run.outcome) return [text(`run_${run.outcome}`, run), run.outcome === "success" ? "success" : "failed"];
    if (this.isOver) return [text("run_unknown", run), "info"];
    return [text(`run_${run.state}`, run), "busy", run.since];
  }

  wordsOfAll() {
    const count = (outcome) => this.runs.filter((run) => run.outcome === outcome).length;
    const values = {
      all: this.runs.length,
      success: count("success"),
      failed: count("failed"),
      gone: count("gone"),
      open: this.runs.filter((run) => !run.outcome).length,
    };
    if (values.open && !this.isOver) return [text("runs_open", values), "busy"];
    if (values.open || values.gone) return [text("runs_left", values), "info"];
    return [text("runs_ended", values), values.failed ? "failed" : "success"];
  }
}

function placeOf(id) {
  return document.querySelector(`[data-id="${CSS.escape(id)}"][data-runs]`);
}

// Note how a run stands, by the task on this page, or else by asking for it.
async function note(run) {
  const { runs, status } = placeOf(run.id)?.dataset ?? (await fetched(run)) ?? {};
  const begun = Number(runs) - run.before; // a run counts from its start
  if (status === "running" && begun <= 1) {
    run.since ??= Date.now();
    run.state = "running";
  } else if (begun > 0) {
    await noteEnd(run);
  }
}

async function fetched(run) {
  if (run.id === "." || run.id === "..") return null; // browsers take it out of a path
  try {
    const response = await fetch(`api/tasks/${encodeURIComponent(run.id)}`);
    if (response.status === 404) run.outcome = "gone";
    return response.ok ? await response.json() : null;
  } catch {
    return null; // the connection is lost, and the page says so
  }
}

// Read what has become of a run.
async function noteEnd(run) {
  try {
    const response = await fetch(`api/runs?${new URLSearchParams({ task: run.id, limit: 2 })}`);
    if (!response.ok) return;
    const ended = (await response.json()).items.find((one) => one.finished_at);
    if (!ended) return;
    run.duration = duration(ended.duration, true);
    run.error = shortened(ended.error ?? "");
    run.outcome = ended.status;
  } catch {
    // the connection is lost: it is asked again
  }
}

// Return a foreign text for a sentence.
function shortened(words) {
  const letters = Array.from(words);
  const short = letters.length > 120 ? `${letters.slice(0, 119).join("")}…` : words;
  return `\u2068${short}\u2069`; // it may be written from right to left
}
