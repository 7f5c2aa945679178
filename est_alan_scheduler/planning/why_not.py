"""Explanation of why a task is not running now, in one sentence."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from est_alan_scheduler._support.text import one_line
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.fields.unknown_function import is_unknown
from est_alan_scheduler.planning.dependencies import cycle_text, find_cycle, first_stale, inputs, lacking, missing_text
from est_alan_scheduler.schedules.due import due_moment, due_retry, misfire, show
from est_alan_scheduler.schedules.kinds.after import and_listed
from est_alan_scheduler.schedules.kinds.table import options_of, read_schedule
from est_alan_scheduler.schedules.schedule import Misfire
from est_alan_scheduler.task import OPTION_NAMES, Task, TaskStatus

_LONGEST_LINE = 100  # characters of a name or a description in a text


def explain(
    task: Task,
    store: Mapping[str, Task],
    now: datetime,
    *,
    called: Task | None = None,
    is_outcome_dropped: bool = False,
    is_full: bool = False,
    has_executor_ended: bool = False,
    are_all_paused: bool = False,
    is_ticked: bool = True,
    is_observed: bool = False,
) -> str:
    """Return why `task` is not running at `now`, or that it is.

    `called`: the task whose call goes on, this one or a former one of its id; `is_outcome_dropped`: the outcome of that
    call will be dropped. `is_full`: no further run may start now.
    `has_executor_ended`: nor ever again. `are_all_paused`: the registry starts none. `is_ticked`: something ticks it.
    `is_observed`: only other instances start it.
    """
    if task.status is TaskStatus.RUNNING:
        return f"running since {task.last_run_at}" if task.last_run_at else "marked as running, though it never ran"
    if called is not None and called is not task:
        return "the call of the task that had this id before still goes on"
    if called is not None:
        standing = (
            f"is recorded as failed ({one_line(str(task.error_message))})"
            if is_outcome_dropped
            else f"counts as {task.status.value}"
        )
        return f"its run of {task.last_run_at} {standing}, but that call still goes on"
    if are_all_paused:
        return "all tasks are paused: resume_all() lets them run"
    if task.paused and task.run_requested is None:
        return f"paused: resume({task.id!r}) lets it run"
    if read_schedule(task) is None and task.run_requested is None:
        return f"never due: exactly one of {OPTION_NAMES} must be set, " + options_found(task)
    due = due_moment(task, now)
    if due is None:
        return _why_never(task)
    retry = due_retry(task)
    if retry is not None and lacking(task, store):
        due = retry
    reasons = [_wait(task, due, now)] if due > to_utc(now) else []
    missed = misfire(task, now)
    if missed is not None:
        late = _format(missed.late)
        reasons.append(f"its slot of {missed.slot} is {late} late, more than misfire_grace, and will be skipped")
    reasons += _unmet(task, store, now) if task.run_requested != "force" else []
    if not reasons and is_unknown(task.func) and not is_observed:
        return "due now"
    if not reasons and has_executor_ended:
        return "due now, but the main thread has ended, and Python's executors take no more calls"
    if not reasons and is_full:
        return "due now, but as many runs are in flight as max_running allows"
    if not reasons and not is_ticked:
        return "due now, but nothing ticks this registry: start_scheduler(registry=…)"
    due_now = "due now, it runs with the next tick" + (" of another instance" if is_observed else "")
    return ", and ".join(reasons) or due_now


def _wait(task: Task, due: datetime, now: datetime) -> str:
    """Return how long it is until `task` is due, and whether for a slot or a retry."""
    when = f"in {_format(due - to_utc(now))} at {show(task.timezone, due, now)}"
    if task.retry is None or due != due_retry(task):
        return f"due {when}{_skipped(task)}"
    error = one_line(str(task.error_message))
    return f"retries (attempt {task.attempt + 1} of {task.retry.attempts}) {when}, after {error}"


def options_found(task: Task) -> str:
    """Return which schedule options of `task` are set."""
    return "got " + (" and ".join(options_of(task)) or "none of them")


def _why_never(task: Task) -> str:
    if task.max_runs is not None and task.runs >= task.max_runs:
        return f"has run {task.runs} of {task.max_runs} times"
    if task.manual:
        return f"never due by itself: it runs by run_now({task.id!r}) only"
    if task.run_at is not None and task.last_run_at is not None:
        return f"ran once at {task.last_run_at}, never again"
    if task.run_at is not None and task.misfired_at is not None:
        return f"never due again: its slot of {task.misfired_at} came later than misfire_grace allows, and was skipped"
    if task.run_at is not None and not task.run_immediately:
        return f"never due: run_at, {task.run_at}, had passed when it was registered, and run_immediately is False"
    if task.start_at is None and task.end_at is None and not task.exclude:
        return "never due: its next slot is beyond the calendar"
    return f"never due again: no slot is left within start_at, end_at and exclude{_skipped(task)}"


def _skipped(task: Task) -> str:
    """Return the remark that the last slot was skipped, if it was, else an empty text."""
    misfired_at, last_run_at = task.misfired_at, task.last_run_at
    if misfired_at is None or (last_run_at is not None and to_utc(last_run_at) >= to_utc(misfired_at)):
        return ""
    return f" (its slot of {misfired_at} came later than misfire_grace allows, and was skipped)"


def label(task: Task, name: str | None = None) -> str:
    """Return the id of `task` as texts show it, with its name and description.

    `name`: the name of a task that has none of its own. It is not asked for here: to read that of a function may run
    code of the user, and the caller may hold the lock.
    """
    name = task.__dict__.get("name") or name
    said = [line for text in (name, task.description) if text and text != task.id and (line := _first_line(text))]
    return f"{task.id!r} ({': '.join(said)})" if said else repr(task.id)


def _first_line(text: str) -> str:
    line = next(iter(text.strip().splitlines()), "")
    return one_line(line if len(line) <= _LONGEST_LINE else line[:_LONGEST_LINE] + "…")


def misfire_text(task: Task, missed: Misfire) -> str:
    """Return the sentence that a slot was skipped, with the reason."""
    return (
        f"Task {label(task)} skipped its slot of {missed.slot}: it was {_format(missed.late)} late, more than its "
        f"misfire_grace of {task.misfire_grace:g} s."
    )


def _unmet(task: Task, store: Mapping[str, Task], now: datetime) -> list[str]:
    reasons = []
    cycle = find_cycle(task, store)
    if cycle and not all(store[task_id].last_success_at for task_id in cycle):
        reasons.append(f"waits for itself: {cycle_text(cycle)}")
    for task_id in inputs(task):
        dependency = store.get(task_id)
        if dependency is None:
            reasons.append(f"waits for {task_id!r}, which {missing_text(task, task_id, store)}")
        elif dependency.last_success_at is None:
            reasons.append(f"waits for {_label(dependency)}, which has not succeeded")
    waited_for = lacking(task, store)
    if waited_for and due_retry(task) is None:
        reasons.append(f"waits for a new success of {and_listed(waited_for)}")
    consumed = first_stale(task, store, now)
    if consumed is not None and consumed not in waited_for:
        success = store[consumed].last_success_at
        reasons.append(
            f"waits for {_label(store[consumed])} to succeed anew: its success of {success} has been made use of"
        )
    return reasons


def _label(task: Task) -> str:
    """Return the label of a task; with the name of its function if its id, which was generated, says nothing."""
    return label(task, None if "id" in task.model_fields_set else task.name)


def _format(time: timedelta) -> str:
    """Return a time in seconds, to three figures or to whole ones."""
    seconds = time.total_seconds()
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.3g} s"
