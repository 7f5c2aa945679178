"""The rows of the page of all tasks, kept as long as nothing in them changes: many open pages ask for the same."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from markupsafe import Markup

from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.describe import describe
from est_alan_scheduler.task import Task, TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.page.drawing.sparkline import MOST_BARS, Bar, sparkline
from est_alan_scheduler.web.page.excerpts import line
from est_alan_scheduler.web.page.links import tag_link, task_link
from est_alan_scheduler.web.page.moments import lasting
from est_alan_scheduler.web.page.screens.next_run import NO_RUN, NextRun, next_run_of
from est_alan_scheduler.web.page.standing import standing
from est_alan_scheduler.web.page.view import View, templates, with_pauses
from est_alan_scheduler.web.page.words.language import TRANSLATIONS

_MOST_KEPT = 3_000  # rows: some ten megabytes
_LONGEST = 100  # characters of a name, an id
_LONGEST_SCHEDULE = 200
_LONGEST_ERROR = 160
_LONGEST_TAG = 30
_MOST_TAGS = 6

T = TypeVar("T")
Runs = Sequence[Mapping[str, Any]]
"""Runs of a task as `Task.history` has them, oldest first."""


class Kept(Generic[T]):
    """The values asked for last, by key, each with what it depends on: a bounded number. `_lock` guards them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Hashable, T]] = OrderedDict()

    def get(self, key: Hashable, basis: Hashable) -> T | None:
        """Return a value unless what it depends on has changed."""
        with self._lock:
            found = self._values.get(key)
            if found is None or found[0] != basis:
                return None
            self._values.move_to_end(key)
            return found[1]

    def put(self, key: Hashable, basis: Hashable, value: T) -> None:
        """Keep a value."""
        with self._lock:
            self._values[key] = basis, value
            self._values.move_to_end(key)
            if len(self._values) > self._most:
                self._values.popitem(last=False)


class Rows:
    """The rows of one site."""

    def __init__(self) -> None:
        self._rows: Kept[Markup] = Kept(_MOST_KEPT)
        self._runs: Kept[Runs] = Kept(_MOST_KEPT)

    def html(self, tasks: Sequence[Task], view: View, may_ask: bool) -> Markup:
        """Return the rows of tasks. `may_ask`: the store, about the runs that are not known yet."""
        registry = view.site.registry
        now, is_paused = registry._now(), registry.is_paused
        runs = self._runs_of(registry, tasks, may_ask)
        rows = (self._row(task, view, now, is_paused, runs.get(task.id, ())) for task in tasks)
        return Markup("").join(with_pauses(rows))

    def _row(self, task: Task, view: View, now: datetime, is_paused: bool, runs: Runs) -> Markup:
        stands = standing(task, now, is_paused)
        following = NO_RUN if is_paused else next_run_of(task, now, view.site.registry.store)
        fields = task.__dict__
        version = view.site.version(task)
        state = (fields["last_run_at"], fields["runs"], fields.get("consecutive_failures"), fields["error_message"])
        last = (runs[-1]["run_at"], runs[-1]["finished_at"]) if runs else None
        basis = (version, stands, fields["paused"], following, state, len(runs), last)
        key = (task.id, view.language, view.may_manage)
        row = self._rows.get(key, basis)
        if row is None:
            row = _drawn(task, view, version, stands, following, runs)
            self._rows.put(key, basis, row)
        return row

    def _runs_of(self, registry: TaskRegistry, tasks: Sequence[Task], may_ask: bool) -> Mapping[str, Runs]:
        """Return the last runs of each task. The store is asked only about tasks that have run since."""
        if registry.backend is None:
            return registry._past([task.id for task in tasks], MOST_BARS)
        found: dict[str, Runs] = {}
        wanted: dict[str, tuple[Task, Hashable]] = {}
        for task in tasks:
            fields = task.__dict__
            basis = (fields["last_run_at"], fields["attempt"], fields["status"])
            runs = self._runs.get(task.id, basis)
            if runs is None and fields["last_run_at"] is not None:
                wanted[task.id] = task, basis
            found[task.id] = runs or ()
        if wanted and may_ask:
            found |= self._read(registry, wanted)
        return found

    def _read(self, registry: TaskRegistry, wanted: Mapping[str, tuple[Task, Hashable]]) -> Mapping[str, Runs]:
        try:
            read = registry._past(wanted, MOST_BARS)
        except BackendUnavailableError:
            return {}  # the next page tells of an outage
        for task_id, (task, basis) in wanted.items():
            runs = read.get(task_id, [])
            # The outcome of a run here is known a moment before it is in the store.
            if task.status is TaskStatus.RUNNING or task.history_limit == 0 or _has_last(task, runs):
                self._runs.put(task_id, basis, runs)
        return read


def _has_last(task: Task, runs: Runs) -> bool:
    return bool(runs) and task.last_run_at is not None and to_utc(runs[-1]["run_at"]) == to_utc(task.last_run_at)


def _drawn(task: Task, view: View, version: str, stands: str, following: NextRun, runs: Runs) -> Markup:
    """Return a row as HTML."""
    gettext = TRANSLATIONS[view.language].gettext
    bars = [Bar(run["status"], _seconds(run)) for run in runs if run["finished_at"] is not None]
    is_last_known = bool(bars) and task.status is not TaskStatus.RUNNING and _has_last(task, runs)
    tags = [(tag_link(tag), line(tag, _LONGEST_TAG)) for tag in task.tags[:_MOST_TAGS]]
    failures = sum(bar.outcome == "failed" for bar in bars)
    template = templates(view.language).get_template("row.html")
    return Markup(  # noqa: S704  # the template has escaped it
        template.render(
            view=view,
            task=task,
            link=task_link(task.id),
            version=version,
            stands=stands,
            name=line(task.name, _LONGEST),
            shown_id=None if task.name == task.id else line(task.id, _LONGEST),
            title=line(task.description or "", 500),
            error=None if task.error_message is None else line(task.error_message, _LONGEST_ERROR),
            schedule=line(describe(task), _LONGEST_SCHEDULE),
            following=following._replace(awaited=line(following.awaited, _LONGEST)),
            awaited_link=task_link(following.awaited),
            duration=lasting(bars[-1].seconds, gettext) if is_last_known else None,
            number=len(bars),
            failures=failures,
            draw=lambda label: sparkline(bars, label),
            tags=tags,
            more_tags=len(task.tags) - len(tags),
        )
    )


def _seconds(run: Mapping[str, Any]) -> float:
    return (to_utc(run["finished_at"]) - to_utc(run["run_at"])).total_seconds()
