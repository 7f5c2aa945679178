"""Registrations: tasks that code registers, or that are shared again, on their way to the store."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from threading import get_ident
from typing import NamedTuple

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import listed, short_repr
from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.checks import check_ids
from est_alan_scheduler.backends.rows import Change, Definition, State
from est_alan_scheduler.cluster.codecs.definitions import (
    ForeignZone,
    TaskDefinition,
    build,
    check_zone,
    decode,
    differences,
    encode,
    is_equal,
)
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.codecs.states import past_of
from est_alan_scheduler.cluster.replica import Replica
from est_alan_scheduler.cluster.task_records import KnownRow, TaskRecords
from est_alan_scheduler.fields.unknown_function import is_unknown
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.schedules.due import due_moment
from est_alan_scheduler.task import Task

_MOST_NAMED = 10  # tasks in a line of the log
_TRIES = 5  # to register a task that others change at the same moment


class _Plan(NamedTuple):
    """What a registration makes of the row of a task."""

    row: KnownRow
    """The row as it is to be."""
    known: TaskDefinition | None
    """The definition that the store had when the plan was made."""
    seen_hash: str | None
    """The hash of that; empty if there was none; None if the row is written whatever stands there."""
    managed: Task | None
    """The task as management has left it, if code has not changed since: that stays in force."""

    def is_news(self) -> bool:
        """Return whether code says something else than the store has."""
        return self.managed is None and self.known is not None and self.row.definition.code is None


@dataclass(eq=False)
class Registrations:
    """Shares tasks through the backend. What code says and what was managed are told apart here.

    The registry's lock guards the rest; the backend is never asked under it.
    """

    _backend: Backend
    _records: TaskRecords
    _replica: Replica
    _agenda: Agenda
    _names: FunctionNames
    _count: int = 0  # how often this program has registered tasks so far
    _count_seen: int = -1
    _thread: int = 0  # the one that did so last
    _is_starting: bool = True

    def check(self, task: Task) -> TaskDefinition:
        """Return the definition of a task; ValueError if it cannot be shared."""
        own = encode(task, self._names)
        check_ids([Definition(task.id, "", "")])
        self._check_ids(task)
        self._check_zone(task, own)
        return own

    def is_known(self, task: Task) -> bool:
        """Return whether code says of a task what it said last; `ValueError` if it cannot be shared."""
        own, row = encode(task, self._names), self._records.row(task.id)
        self._check_ids(task)
        return row is not None and is_equal(own.task, row.definition.registered)

    def _check_zone(self, task: Task, own: TaskDefinition) -> None:
        """Raise `ValueError` for a task in the local time of an observer, if the others of the list run in another."""
        if own.zone is None or isinstance(task.timezone, ForeignZone) or not self._replica.is_observer:
            return
        zones = (other.timezone for other in list(self._agenda.store.values()))
        theirs = next((zone for zone in zones if isinstance(zone, ForeignZone)), None)
        if theirs is not None:
            raise InvalidValueError(
                f"task {task.id!r} needs a timezone, for example timezone={str(theirs)!r}: local time is"
                f" {own.zone['name']} here, and {theirs} where the tasks of this list run"
            )

    def _check_ids(self, task: Task) -> None:
        for name, ids in (("id", [task.id]), ("depends_on", task.depends_on), ("after", task.after or ())):
            for task_id in ids:
                if not self._backend.can_hold(task_id):
                    raise InvalidValueError(
                        f"the {name} of task {short_repr(task.id)} cannot be stored: the encoding of the database lacks"
                        f" a character of {short_repr(task_id)}"
                    )

    def join(
        self,
        tasks: Iterable[Task],
        refuse: Callable[[Task, bool], None] = lambda _, __: None,
        put_in: Callable[[Task], None] = lambda _: None,
    ) -> None:
        """Share tasks: write their definitions if these are new, and take over their states.

        `refuse` raises ValueError for a task that the registry, as it is then, does not take; its second argument tells
        whether other instances have registered it. `put_in` puts a task into the registry. ValueError also if a task
        cannot be shared. Nothing is written then. A task whose definition in the store makes no sense gets its own. One
        whose state there cannot be read is put in, and is unresolved: its removal clears the row.
        """
        tasks = list(tasks)
        definitions = {task.id: self._own_definition(task) for task in tasks}
        news = dict[str, _Plan]()
        with self._replica.sync_lock:
            for number in range(_TRIES):
                self._replica.refresh(definitions)
                is_last = number == _TRIES - 1
                plans = {task.id: self._plan(task, definitions[task.id], is_last) for task in tasks}
                with self._records.lock:
                    for task in tasks:
                        refuse(plans[task.id].managed or task, self._records.is_adopted(task.id))
                states = self._write(tasks, plans)
                news.update((task_id, plan) for task_id, plan in plans.items() if task_id in states and plan.is_news())
                if all(task_id in states or plan.seen_hash is None for task_id, plan in plans.items()):
                    break
            self._take(tasks, plans, states, put_in)
        for task_id, plan in news.items():
            if plan.known is not None:
                log_new_code(task_id, plan.known, plan.row.definition)

    def _own_definition(self, task: Task) -> TaskDefinition:
        """Return the definition of a task that joins, on what code said of it if it is shared again."""
        own = self.check(task)
        registered = self._replica.registered.get(task.id)
        return own if registered is None else own.on(registered)

    def _plan(self, task: Task, own: TaskDefinition, is_last: bool) -> _Plan:
        """Return what is to be made of the row of a task, as it was read; at `is_last`, whatever stands there then."""
        task_id, (known, found) = task.id, self._known_definition(task.id)
        seen_hash = None if is_last or task_id in self._records.problems else found
        managed = None if known is None else self._managed(task_id, known, own)
        if managed is not None and known is not None:
            return _Plan(KnownRow(known, known.hash()), known, seen_hash, managed)
        return _Plan(self._new_row(task_id, own, known), known, seen_hash, None)

    def _managed(self, task_id: str, known: TaskDefinition, own: TaskDefinition) -> Task | None:
        """Return the task that management has made of what code registers again; None if it has made nothing of it."""
        if known.code is None or not is_equal(known.code, own.registered):
            return None
        check_zone(task_id, known)
        try:
            return build(task_id, known, self._names)
        except ValueError:  # it makes no sense: the task gets the definition of the code
            return None

    def _write(self, tasks: Collection[Task], plans: Mapping[str, _Plan]) -> dict[str, State]:
        """Write the definitions that are new; return the states of all, without those that others have written."""
        wanted = []
        for task in tasks:
            row, seen_hash = plans[task.id].row, plans[task.id].seen_hash
            wanted.append(Definition(task.id, row.definition.text(), row.hash, task.paused, seen_hash))
        states = self._backend.define(wanted) if wanted else {}
        nonsense = [one for one in wanted if self._is_nonsense(plans[one.id], one.id)]
        return states | (self._backend.change([Change(one.id, one) for one in nonsense]) if nonsense else {})

    def _take(
        self,
        tasks: Collection[Task],
        plans: Mapping[str, _Plan],
        states: Mapping[str, State],
        put_in: Callable[[Task], None],
    ) -> None:
        """Take over the states of tasks, and what was managed, and put the tasks into the registry."""
        ran = [plans[task.id].managed or task for task in tasks if task.id in states and states[task.id].epoch]
        runs = self._backend.past({task.id: task.history_limit for task in ran}) if ran else {}
        past = {task.id: [past_of(run, task) for run in runs[task.id]] for task in ran if task.id in runs}
        with self._records.lock, self._agenda:
            self._count, self._thread = self._count + bool(tasks), get_ident()
            for task in tasks:
                row, known, _, managed = plans[task.id]
                self._replica.take_joined(task, row, states.get(task.id), known is None, managed)
                if task.id in past:
                    task.__dict__["history"] = past[task.id]
                put_in(task)

    def _is_nonsense(self, plan: _Plan, task_id: str) -> bool:
        """Return whether the definition in the store has to be written whatever hash stands beside it."""
        own, known = plan.row.definition, plan.known
        return task_id in self._records.problems and (known is None or not is_equal(known.task, own.task))

    def _known_definition(self, task_id: str) -> tuple[TaskDefinition | None, str]:
        """Return the definition that the store has of a task, if it makes sense, and the hash; empty if it has none."""
        if (row := self._records.row(task_id)) is not None:
            return row.definition, row.hash
        found = self._records.unresolved.get(task_id)
        known = self._replica.met.get(task_id) if found is None else None
        if found is not None:
            with suppress(ValueError):
                known = decode(found.json)
        return known, "" if known is None else known.hash()

    def _new_row(self, task_id: str, own: TaskDefinition, known: TaskDefinition | None) -> KnownRow:
        """Return the row to be written: it keeps its place, an equal schedule the moment and the zone, as stored."""
        armed = self._backend.now()
        if known is not None:
            if own.zone is not None and known.zone is not None:
                check_zone(task_id, known)
                own = own._replace(zone=known.zone)
            if known.has_schedule_of(own) and known.armed is not None:
                armed = known.armed
        own = own._replace(armed=armed, place=self._replica.order.place(task_id, self._backend.now()))
        return KnownRow(own, own.hash())

    def warn_of_others(self) -> None:
        """Log, once the program has registered its tasks, those of the store that it runs without having done so.

        It has if it has not registered any since the last tick, or if the thread that does so is the one that ticks. A
        program that registers none at all works for others.
        """
        if not self._is_starting:
            return
        is_same_thread = self._thread == get_ident()
        is_settled, self._count_seen = self._count == self._count_seen or is_same_thread, self._count
        if not self._count or not is_settled:
            return
        self._is_starting = False
        with self._records.lock:
            now, is_adopted = self._replica.now(), self._records.is_adopted
            others = [task for task in self._agenda.store.values() if is_adopted(task.id)]
            ids = [task.id for task in others if not is_unknown(task.func) and due_moment(task, now) is not None]
        if ids:
            log(
                logging.WARNING,
                f"Tasks of the store run here that this program has not registered: {listed(ids, _MOST_NAMED)}."
                " Another program, a former version of this one or a person has registered them. Only if nobody needs"
                " one of them, remove it: registry.remove(id)",
            )


def log_new_code(task_id: str, before: TaskDefinition, after: TaskDefinition) -> None:
    """Log which fields of a task code has changed, and which of them had been changed by management."""
    changed = differences(before.task, after.task)
    if not changed:
        return
    managed = [name for name in differences(before.task, before.registered) if name in changed]
    replaced = f"; this replaces what was managed: {listed(managed)}" if managed else ""
    log(logging.INFO, f"Code has changed {listed(changed)} of task {task_id!r}{replaced}.")
