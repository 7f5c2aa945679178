// What becomes of runs that were asked for: a message for each, until its run has ended.

import { onFresh } from "./live.js";
import { say } from "./messages.js";
import { isolated } from "./names.js";
import { post } from "./requests.js";
import { text } from "./texts.js";
import { duration } from "./times.js";

const MOST = 5; // messages; more tasks get one for all
const END = 10 * 60_000; // milliseconds after which nobody waits any more
const AT_ONCE = 100; // runs in one look
const PAUSES = [250, 2000]; // milliseconds from one look to the next, the longer the more time has gone by
const ENDS = new Set(["success", "failed", "unkept", "gone"]);
const open = new Map(); // the groups of one that go on, by the keys of their runs

// Follow the runs of an answer of `act`, [{ id, after }], with the names of their tasks by id.
export function follow(results, names) {
  const runs = results.map(({ id, after }) => ({ id, after, name: names.get(id), state: "requested" }));
  if (runs.length > MOST) new Group(runs).begin();
  else for (const run of runs) followOne(run);
}

// Two requests before the run begins are for the same run: they have one message.
function followOne(run) {
  const key = JSON.stringify([run.id, run.after]);
  if (open.get(key)?.isShown()) return;
  const group = new Group([run], () => open.delete(key));
  open.set(key, group);
  group.begin();
}

class Group {
  constructor(runs, onEnd = () => {}) {
    this.runs = runs;
    this.onEnd = onEnd;
    this.message = null;
    this.began = Date.now();
    this.isOver = false;
  }

  begin() {
    this.tell();
    this.end = onFresh(() => this.look());
    this.look();
  }

  isShown() {
    return this.message.isConnected;
  }

  // Look how the runs stand, and say it.
  async look() {
    if (this.isOver || this.isLooking) return;
    this.isLooking = true;
    clearTimeout(this.timer);
    const going = this.runs.filter((run) => !ENDS.has(run.state));
    for (let start = 0; start < going.length; start += AT_ONCE) await note(going.slice(start, start + AT_ONCE));
    this.isLooking = false;
    const gone = Date.now() - this.began;
    this.isOver = gone > END || this.runs.every((run) => ENDS.has(run.state));
    this.tell();
    if (this.isOver) {
      this.end();
      this.onEnd();
    } else {
      this.timer = setTimeout(() => this.look(), Math.min(Math.max(PAUSES[0], gone / 4), PAUSES[1]));
    }
  }

  tell() {
    if (this.message && !this.isShown()) return; // somebody has closed it
    const [words, kind, time] = this.runs.length === 1 ? this.ofOne(this.runs[0]) : this.ofAll();
    this.message = say(words, kind, time, this.message ?? undefined);
  }

  // Return the words, the kind and the time of a message.
  ofOne(run) {
    if (ENDS.has(run.state)) return [text(keyOf(run), run), kindOf(run)];
    if (this.isOver) return [text("run_unknown", run), "info"];
    const times = { running: { since: run.at }, retrying: { until: run.at } };
    return [text(keyOf(run), run), "busy", times[run.state] ?? null];
  }

  ofAll() {
    const count = (...states) => this.runs.filter((run) => states.includes(run.state)).length;
    const values = { all: this.runs.length, success: count("success"), failed: count("failed"), gone: count("gone") };
    values.open = values.all - values.success - values.failed - values.gone;
    if (values.open && !this.isOver) return [text("runs_open", values), "busy"];
    if (values.open || values.gone) return [text("runs_left", values), "info"];
    return [text("runs_ended", values), values.failed ? "failed" : "success"];
  }
}

// Note how runs stand.
async function note(runs) {
  const { answer } = await post("requested", { runs: runs.map(({ id, after }) => ({ id, after })) });
  if (!answer) return; // the connection is lost, and the page says so
  for (const [index, news] of JSON.parse(answer).runs.entries()) {
    Object.assign(runs[index], news, {
      duration: news.duration === null ? null : duration(news.duration, true),
      error: isolated(news.error ?? ""),
    });
  }
}

// Return the key of the text that says how a run stands.
function keyOf({ state, attempt, attempts, duration }) {
  if (state === "running" && attempts) return "run_attempt";
  if ((state === "success" || state === "failed") && duration === null) return `run_${state}_only`;
  if (state === "failed" && attempts && attempt > 1) return "run_failed_again";
  return `run_${state}`;
}

function kindOf({ state }) {
  return state === "success" || state === "failed" ? state : "info";
}
