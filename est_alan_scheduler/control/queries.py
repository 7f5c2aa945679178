"""What can be asked of a registry."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Never

from est_alan_scheduler._support.errors import InvalidTypeError
from est_alan_scheduler.cluster.codecs.versions import version_of
from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.control.reports import Reports
from est_alan_scheduler.control.waiting import Waits
from est_alan_scheduler.fields.checks import refuse_unknown
from est_alan_scheduler.planning.task_dict import TaskDict
from est_alan_scheduler.task import Task, TaskStatus, id_of

if TYPE_CHECKING:
    from est_alan_scheduler.backends import Backend
    from est_alan_scheduler.cluster.change_log import Changes
    from est_alan_scheduler.cluster.lease import Instance
    from est_alan_scheduler.control.health import Health, HealthCheck
    from est_alan_scheduler.executors.pool import ExecutorSource
    from est_alan_scheduler.runs.statistics import Statistics
    from est_alan_scheduler.schedules.upcoming import PlannedRun


class RegistryQueries:
    """The methods of a registry that look at its tasks. They change nothing, but that `store` may be edited.

    A task stands for its id. An id that is not a text raises a `TypeError` that says so.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reports = Reports(parts)
        self._waits = Waits(parts, self._reports)
        self._health: HealthCheck | None = None

    @property
    def executor(self) -> "ExecutorSource | None":
        """What makes the calls, as it was given: see `configure`."""
        return self._parts.capacity.executor

    @property
    def max_running(self) -> int | None:
        """The limit of runs in flight, as it was given: see `configure`."""
        return self._parts.capacity.max_running

    @property
    def backend(self) -> "str | Backend | None":
        """Where the state of the tasks lives, as it was given: see `configure`."""
        return self._parts.backend

    @property
    def is_observer(self) -> bool:
        """Whether this registry only shows and manages the tasks of its backend: see `configure(observe=True)`."""
        return self._parts.is_observer

    @property
    def defaults(self) -> dict[str, Any]:
        """The values of the fields that tasks leave open, as tasks keep them: see the constructor."""
        return dict(self._parts.defaults)

    @property
    def store(self) -> TaskDict:
        """All tasks by id, in registration order. It may be edited directly, or replaced by another mapping."""
        return self._parts.agenda.store

    @store.setter
    def store(self, tasks: Mapping[str, Task]) -> None:
        self._parts.agenda.store = TaskDict(tasks, self._parts.agenda)
        self._parts.agenda.note_all()

    def get(self, task_id: str | Task) -> Task | None:
        """Return the task of that id, None if there is none."""
        return self.store.get(id_of(task_id))

    def __getitem__(self, task_id: str | Task) -> Task:
        """Return the task of that id; `UnknownTaskError`, a `KeyError`, with the nearest id if there is none."""
        return self._reports.task(task_id)

    def __len__(self) -> int:
        return len(self.store)

    def __contains__(self, task: object) -> bool:
        """Return whether there is a task of that id; of a task, whether it is this very one that is registered."""
        return self.store.get(task.id) is task if isinstance(task, Task) else task in self.store

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self.store.values()))

    def select(
        self,
        *,
        tag: str | None = None,
        status: TaskStatus | str | None = None,
        text: str | None = None,
        **others: Never,
    ) -> list[Task]:
        """Return the tasks that have this tag, this status and this text, each if it is given, in registration order.

        `text` is found in the id, the name and the description, in upper or lower case. Raises `ValueError` for an
        unknown status, `TypeError` for a tag or a text that is not a `str`.
        """
        refuse_unknown("select", others)
        return self._reports.select(tag, status, text)

    def version(self, task_id: str | Task) -> str:
        """Return a short text that stands for the definition and the pause of the task: another one if they differ.

        Runs do not change it, and all instances on a backend have the same one for the same. `update`, `pause`,
        `resume` and `remove` take it as `if_version`. `UnknownTaskError`, a `KeyError`, if there is no such task.
        """
        return version_of(self._reports.task(task_id), self._parts.functions)

    def table(self) -> str:
        """Return all tasks as aligned text, for `print`: id, schedule in words, next run, last run, status."""
        from est_alan_scheduler.control import table  # late: a program that prints none needs none

        return table.table(self._parts)

    def __repr__(self) -> str:
        from est_alan_scheduler.control import table

        return table.summary(self._parts, type(self).__name__)

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        from est_alan_scheduler.control import table

        return table.html(self._parts, type(self).__name__)

    def why_not(self, task_id: str | Task) -> str:
        """Return in one sentence why the task is not running now; `KeyError` with the id if there is none."""
        return self._reports.why_not(task_id)

    def next_run(self, task_id: str | Task) -> datetime | None:
        """Return when the task is due next: now if it is due; None if it never is, or is paused.

        A retry and a requested run count, dependencies and the end of a run in flight do not: `why_not` tells these.
        The moment is naive local time, or aware if the task has a `timezone`. `UnknownTaskError`, a `KeyError`, if
        there is no such task.
        """
        return self._reports.next_run(task_id)

    def wait(self, task_id: str | Task, timeout: float | timedelta | None = None) -> Task:
        """Wait until the run of the task in flight, or else its next run, has ended, and return the task.

        After `run_now` in this thread or in the coroutine that calls `asyncio.to_thread(registry.wait, …)`, that is the
        requested run, even if it has ended already. A run has ended when its outcome is recorded, also if a retry
        follows. Returns at once if the task has run and no run is to come.
        With a backend, a run of another instance counts as well: the store is asked about it up to once a second.
        Something has to tick the registry meanwhile: a loop, another thread, or another instance on the backend.

        `timeout` is in seconds, or a `timedelta`; None to wait until then, however long it takes. Raises `TimeoutError`
        that says why the task does not run; `UnknownTaskError`, a `KeyError`, if there is no such task, or if it is
        removed before its run; `RuntimeError` in a run of the task itself, and in a thread that ticks the registry,
        that of an event loop included; `ValueError` for an invalid timeout.
        """
        return self._waits.wait(task_id, timeout)

    def upcoming(
        self, *bare: Never, until: datetime | timedelta | None = None, limit: int | None = None
    ) -> "Iterator[PlannedRun]":
        """Return the planned runs of all tasks, in order and lazily: up to `until`, at most `limit` of them.

        A plan follows the slots: a task that is due runs now, then at each slot. It leaves out dependencies, failures
        and the duration of runs; `simulate` takes dependencies into account. `until` is naive local time, aware,
        or a `timedelta` from now. Raises `TypeError` or `ValueError` for an invalid limit.
        """
        if bare:
            example = "upcoming(limit=5), upcoming(until=timedelta(days=1))"
            raise InvalidTypeError(f"the limits of upcoming are given by name: {example}")
        return self._reports.upcoming(until, limit)

    @property
    def is_paused(self) -> bool:
        """Whether `pause_all` is in force, with a backend as far as this registry has seen it."""
        return self._parts.is_paused

    def unresolved(self) -> dict[str, str]:
        """Return, by id, why tasks of the backend cannot be shown here: nonsense, a missing extra, another zone."""
        return self._parts.unresolved()

    def known_functions(self) -> list[str]:
        """Return the names of the functions that run here, in order: those of registered tasks, and the exposed ones.

        A task of the backend with another function runs on other instances only: its `func` is a stand-in.
        """
        return self._parts.known_functions()

    def _check_sharing(self, task: Task) -> None:
        """Raise `ValueError` for a task that the backend cannot hold, as `register` and `update` do."""
        if self._parts.session is not None:
            self._parts.session.registrations.check(task)

    def _dependents(self, task_id: str) -> list[Task]:
        """Return the tasks that name an id in `depends_on` or `after`; that costs no look at all the others."""
        return self._reports.dependents(task_id)

    def _latest_run(self, task_id: str) -> tuple[int, Task] | None:
        """Return the number of the latest run of a task that has begun, and a copy of the task at that very moment.

        The number is that of `history`; 0 before the first run. None if there is no such task.
        """
        return self._reports.latest_run(task_id)

    def _past(self, ids: Collection[str], limit: int) -> dict[str, list[dict[str, Any]]]:
        """Return the latest finished runs of each of these tasks, at most `limit`, oldest first, as in `Task.history`.

        Tasks without any may be left out. Raises `BackendUnavailableError`.
        """
        return self._reports.past(ids, limit)

    @property
    def _store_url(self) -> str | None:
        """Where the backend is, without a password; None without a backend."""
        session = self._parts.session
        return None if session is None else session.backend.url

    @property
    def _owner(self) -> str | None:
        """The name of this instance on the backend; None without one."""
        session = self._parts.session
        return None if session is None else session.lease.owner

    @property
    def _is_store_lost(self) -> bool:
        """Whether the backend did not answer when it was last asked."""
        session = self._parts.session
        return session is not None and session.outage.is_on()

    def _managed_fields(self, task_id: str) -> list[str]:
        """Return the fields of a task that were changed since code registered it, with a backend."""
        return self._reports.managed_fields(task_id)

    def refresh(self, *ids: str | Task) -> None:
        """Read what other instances have changed in the backend, in one round trip; without a backend, do nothing.

        These are definitions, pauses, and the states of the tasks of these ids, and of those that may have run since:
        they are due by now, or run elsewhere. Fields assigned here are written first. An observer that has more than
        some hundreds of due tasks, because nobody runs them, looks at some in turn each time.
        A registry that ticks needs no call: its ticks read the same. Cheap, and allowed from any thread.
        Raises `BackendUnavailableError`, at once for up to 5 seconds after the backend has not answered.
        """
        session, wanted = self._parts.session, {id_of(one) for one in ids}
        if session is not None:
            session.refresh(wanted)

    def changes(self, since: int | None = None) -> "Changes":
        """Return which tasks other instances have changed, run or removed, as far as ticks and `refresh` have read it.

        `since` is the `mark` of a former answer. The first answer, without it, names none. A task that was changed here
        may be among them; one that only ran here is not, for events tell that. It asks nothing of the backend, and
        without one it names none.
        """
        session = self._parts.session
        from est_alan_scheduler.cluster.change_log import Changes

        if session is None:
            return Changes(0, frozenset())
        with self._parts.lock:
            return session.records.changes.since(since)

    def instances(self) -> "list[Instance]":
        """Return the instances on the backend whose lease is alive, the oldest first; none without a backend.

        Raises `BackendUnavailableError`.
        """
        session = self._parts.session
        return [] if session is None else session.instances()

    def history(
        self,
        task_id: str | Task | None = None,
        status: TaskStatus | str | None = None,
        since: datetime | None = None,
        limit: int = 100,
        before: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """Return the latest runs, at most `limit`, oldest first: dicts as in `Task.history`, `task_id` and `epoch`.

        `status`: only runs with this outcome; `since`: only runs that started then or later, in naive local time, or
        aware; `before`: only those before this run of a former answer. The runs are in the order of `run_at`, then of
        `task_id`, then of `epoch`, the number of the run, so that the pages `before=page[0]` have each run once.
        An unknown id has no runs and is no error. `remove` takes the finished runs with it; one in flight then stays.
        A backend adds `slot`, `owner` and `late`, and the runs in flight. Raises `TypeError` or `ValueError` for an
        invalid argument, `BackendUnavailableError`.
        """
        return self._reports.history(task_id, status, since, limit, before)

    def statistics(self, task_id: str | Task | None = None) -> "Statistics":
        """Return counts of the runs of a task since it was registered, by default of all runs of all tasks.

        The counts cover the runs that this registry has recorded. With a backend these are its own runs, and the dead
        runs of other instances that it has recorded as failed.
        Raises `UnknownTaskError`, a `KeyError`, if there is no such task.
        """
        return self._reports.statistics(task_id)

    def health(self) -> "Health":
        """Return whether the loop of this registry ticks, and whether its backend answers, in 3 seconds at most.

        A loop that waits for a run in its own thread counts as one that ticks. Not for the thread of an event loop.
        """
        if self._health is None:
            from est_alan_scheduler.control.health import HealthCheck  # late: many programs ask for none

            self._health = HealthCheck(self._parts)
        return self._health.health()
