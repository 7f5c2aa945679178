"""Reports on the tasks of a registry: why one does not run, what comes, what has run, how often."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.fields.checks import check_count, choice_check
from est_alan_scheduler.planning.indexes.stand_ins import unknown_text
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from est_alan_scheduler.runs.counters import RunCounters
from est_alan_scheduler.task import Task, TaskStatus, id_of

if TYPE_CHECKING:
    from est_alan_scheduler.runs.history import Key
    from est_alan_scheduler.runs.statistics import Statistics
    from est_alan_scheduler.schedules.upcoming import PlannedRun


class Reports:
    """Answers of a registry about its tasks. They change nothing.

    What an answer takes is imported when it is asked for: many programs only run tasks.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def task(self, which: str | Task) -> Task:
        """Return the task of an id; `UnknownTaskError` if there is none."""
        task_id, store = id_of(which), self._parts.agenda.store
        task = dict.get(store, task_id)
        if task is None:
            raise UnknownTaskError(task_id, store, self._parts.unresolved().get(task_id))
        return task

    def why_not(self, which: str | Task) -> str:
        """Do what `TaskRegistry.why_not` says."""
        task_id = id_of(which)
        parts, session, store = self._parts, self._parts.session, self._parts.agenda.store
        problem = None if session is None else session.records.problems.get(task_id)
        if problem is not None:
            return f"cannot run here: {problem}"
        task = store[task_id]
        if session is not None and session.outage.seconds_left():
            return "nothing starts until the store, which is out of reach, is back"
        calls = parts.in_flight.calls
        run = calls.get(task_id)
        number = sum(other.is_call for other in list(calls.values()))
        from est_alan_scheduler.planning.why_not import explain

        reason = explain(
            task,
            store,
            parts.hooks._now(),
            called=None if run is None else run.task,
            is_outcome_dropped=run is not None and run.is_over,
            has_executor_ended=parts.capacity.has_ended,
            is_full=number > 0 and number >= parts.capacity.limit(),
            are_all_paused=parts.is_paused,
            is_ticked=parts.is_ticked or session is not None,
            is_observed=parts.is_observer,
        )
        unknown = unknown_text(task)
        if unknown is None or parts.is_observer:
            return reason
        return f"{'cannot run here' if session is None else 'runs on other instances only'}: {unknown}; {reason}"

    def select(self, tag: str | None, status: TaskStatus | str | None, text: str | None) -> list[Task]:
        """Do what `TaskRegistry.select` says."""
        is_chosen = selection(tag, status, text)
        return list(filter(is_chosen, list(self._parts.agenda.store.values())))

    def next_run(self, which: str | Task) -> datetime | None:
        """Do what `TaskRegistry.next_run` says."""
        task, parts = self.task(which), self._parts
        if parts.is_paused:
            return None
        with parts.lock, parts.agenda as agenda:
            now = parts.hooks._now()
            agenda.work_in(now)
            agenda.note_time(now)
        from est_alan_scheduler.schedules.upcoming import first_run_from

        return first_run_from(task, now)

    def upcoming(self, until: datetime | timedelta | None, limit: int | None) -> "Iterator[PlannedRun]":
        """Do what `TaskRegistry.upcoming` says."""
        if not isinstance(until, datetime | timedelta | None):
            raise InvalidTypeError(f"until must be a datetime, a timedelta or None, got {short_repr(until)}")
        if limit is not None:
            check_count("limit", limit, 0, ", or None")
        if self._parts.is_paused:
            return iter(())
        end = to_utc(until) if isinstance(until, datetime) else None
        with self._parts.lock, self._parts.agenda as agenda:
            now = self._parts.hooks._now()
            agenda.work_in(now)
            utc = agenda.note_time(now)
            end = utc + until if isinstance(until, timedelta) else end
            tasks = {entry.order: entry.task for entry in agenda.entries.values()}
            # None before now: so the first of what is overdue comes before the rest has been asked.
            bounds = [(max(entry.due or utc, utc), entry.order) for entry in agenda.entries.values()]
        from est_alan_scheduler.schedules.upcoming import upcoming

        runs = islice(upcoming(tasks, bounds, now), limit)
        return runs if end is None else takewhile(lambda run: to_utc(run.at) <= end, runs)

    def history(
        self,
        which: str | Task | None,
        status: TaskStatus | str | None,
        since: datetime | None,
        limit: int,
        before: Mapping[str, Any] | None,
    ) -> list[dict[str, Any]]:
        """Do what `TaskRegistry.history` says."""
        check_count("limit", limit, 0)
        task_id = None if which is None else id_of(which, " or None")
        _check_moment("since", since)
        wanted, key = _status(status), _key(before)
        if self._parts.session is not None:
            return self._parts.session.history(task_id, wanted, since, limit, key)
        from est_alan_scheduler.runs.history import Past, latest_runs

        with self._parts.lock, self._parts.agenda as agenda:
            agenda.work_in(self._parts.hooks._now())
            pasts = [
                Past(task.id, list(task.history), 0 if entry.counters is None else entry.counters.runs)
                for task in self._tasks(task_id)
                if (entry := agenda.entries.get(task.id)) is not None
            ]
        return latest_runs(pasts, wanted, since, limit, key)

    def latest_run(self, task_id: str) -> tuple[int, Task] | None:
        """Return the number of the latest run of a task that has begun, and a copy of the task at that very moment.

        The number is that of `history`; 0 before the first run. None if there is no such task.
        """
        session = self._parts.session
        with self._parts.lock, self._parts.agenda as agenda:
            agenda.work_in(self._parts.hooks._now())
            task, entry = dict.get(agenda.store, task_id), agenda.entries.get(task_id)
            if task is None:
                return None
            if session is not None:
                row = session.records.row(task_id)
                return 0 if row is None else row.epoch, task.model_copy()
            ended = 0 if entry is None or entry.counters is None else entry.counters.runs
            return ended + (task.status is TaskStatus.RUNNING), task.model_copy()

    def _tasks(self, task_id: str | None) -> list[Task]:
        """Return the task of an id, if there is one; all tasks without an id."""
        store = self._parts.agenda.store
        if task_id is None:
            return list(store.values())
        task = dict.get(store, task_id)
        return [] if task is None else [task]

    def dependents(self, task_id: str) -> list[Task]:
        """Return the tasks that name an id in `depends_on` or `after`."""
        with self._parts.lock, self._parts.agenda as agenda:
            agenda.work_in(self._parts.hooks._now())
            return agenda.dependents.of(task_id)

    def managed_fields(self, task_id: str) -> list[str]:
        """Return the fields that differ from what code registered last, because they were changed since."""
        session = self._parts.session
        row = None if session is None else session.records.row(task_id)
        if row is None or row.definition.code is None:
            return []
        from est_alan_scheduler.cluster.codecs.definitions import differences

        return differences(row.definition.code, row.definition.task)

    def past(self, ids: Collection[str], limit: int) -> dict[str, list[dict[str, Any]]]:
        """Return the latest finished runs of each of these tasks, at most `limit`, oldest first, as in `Task.history`.

        Tasks without any may be left out. Raises `BackendUnavailableError`.
        """
        session, store = self._parts.session, self._parts.agenda.store
        if session is not None:
            return session.past(ids, limit)
        return {task_id: task.history[-limit:] for task_id in ids if (task := store.get(task_id)) is not None}

    def statistics(self, which: str | Task | None) -> "Statistics":
        """Do what `TaskRegistry.statistics` says."""
        task_id = None if which is None else id_of(which, " or None")
        parts = self._parts
        with parts.lock, parts.agenda as agenda:
            agenda.work_in(parts.hooks._now())
            if task_id is None:
                return parts.recorder.counters.statistics()
            entry = agenda.entries.get(task_id)
            if entry is not None:
                return (entry.counters or RunCounters()).statistics()
        raise UnknownTaskError(task_id, agenda.store)


def selection(tag: str | None, status: TaskStatus | str | None, text: str | None) -> Callable[[Task], bool] | None:
    """Return what tells whether a task is one that `select` returns; None if all are.

    Raises `ValueError` for an unknown status, `TypeError` for a tag or a text that is not a `str`.
    """
    for name, value in (("tag", tag), ("text", text)):
        if not isinstance(value, str | None):
            raise InvalidTypeError(f"{name} must be a text or None, got {short_repr(value)}")
    wanted = _status(status)
    conditions: list[Callable[[Task], bool]] = []
    if tag is not None:  # first what few tasks meet
        conditions.append(_tag_search(tag))
    if wanted is not None:
        conditions.append(lambda task: task.__dict__["status"] == wanted)
    if text:
        conditions.append(_text_search(text.casefold()))
    return reduce(_both, conditions) if conditions else None


def _both(one: Callable[[Task], bool], other: Callable[[Task], bool]) -> Callable[[Task], bool]:
    return lambda task: one(task) and other(task)


# By `__dict__`, which lacks rare fields that are not set: a registry may have a hundred thousand tasks.


def _tag_search(tag: str) -> Callable[[Task], bool]:
    def is_found(task: Task) -> bool:
        fields = task.__dict__
        return "tags" in fields and tag in fields["tags"]

    return is_found


def _text_search(part: str) -> Callable[[Task], bool]:
    """Return what tells whether a text in lower case is found in a task: in its id, its name, its description."""
    functions: dict[int, tuple[Any, bool]] = {}  # whether it is in the name of one

    def is_found(task: Task) -> bool:
        fields = task.__dict__
        if part in fields["id"].casefold():
            return True
        if "description" in fields and part in (fields["description"] or "").casefold():
            return True
        if "name" in fields:
            return part in (fields["name"] or "").casefold()
        func = fields["func"]
        found = functions.get(id(func))
        if found is None:  # kept with the function: as long as it lives, no other one has its number
            found = functions[id(func)] = func, part in task.name.casefold()
        return found[1]

    return is_found


_check_status = choice_check("status", (*(status.value for status in TaskStatus), None))


def _status(value: object) -> TaskStatus | None:
    """Return a status that is given as such, or as its text; `ValueError` for anything else."""
    try:
        chosen = _check_status(value)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None
    return None if chosen is None else TaskStatus(chosen)


def _key(run: object) -> "Key | None":
    """Return the place of a run of a former answer in the history."""
    if run is None:
        return None
    if isinstance(run, Mapping):
        at, task_id, number = (run.get(name) for name in ("run_at", "task_id", "epoch"))
        if isinstance(at, datetime) and isinstance(task_id, str) and type(number) is int:
            return to_utc(at), task_id, number
    raise InvalidTypeError(
        "before must be a run that history() has returned, with its run_at, task_id and epoch, or None, got "
        + short_repr(run)
    )


def _check_moment(name: str, value: object) -> None:
    if value is not None and not isinstance(value, datetime):
        raise InvalidTypeError(f"{name} must be a datetime or None, got {short_repr(value)}")
