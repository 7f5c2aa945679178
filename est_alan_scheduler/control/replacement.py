"""Replacement of a registered task by another one of its id, which gets its state."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.entry import Entry, own
from est_alan_scheduler.schedules.state import ScheduleState
from est_alan_scheduler.task import RECORDED, SCHEDULING, Task, TaskStatus


@contextmanager
def as_managed(parts: Parts, task: Task, former: Task) -> Generator[bool]:
    """Give `task` the definition of `former` if code says what it said last; undo that unless it takes the place.

    Yield whether code says something else. ValueError if the task cannot be shared.
    """
    session, own = parts.session, set(task.model_fields_set)
    if session is None or not session.registrations.is_known(task):
        yield True
        return
    from est_alan_scheduler.cluster.codecs.definitions import values_to_become

    managed, names = former.model_copy(), parts.functions
    values = values_to_become(task, managed)
    if names.shown_name(task.func) != names.shown_name(managed.func):  # the one of a cell that ran again is newer
        values["func"] = managed.func
    replaced = task._store(values)
    task.model_fields_set.difference_update(values.keys() - managed.model_fields_set)
    try:
        yield False
    finally:
        if dict.get(parts.agenda.store, task.id) is not task:
            task._store(replaced)
            task.__pydantic_fields_set__.intersection_update(own)


def new_definition(task: Task, former: Task) -> dict[str, Any]:
    """Return the values by which `former` becomes what `task` says.

    An option of the schedule that is the same is left out, or its slots would count from now on. A pause is state,
    unless the constructor of `task` has named it.
    """
    from est_alan_scheduler.cluster.codecs.definitions import DEFINING  # late: a registry without a backend needs none

    mine, theirs = ({**one.rare_defaults, **one.__dict__} for one in (task, former))
    values = {
        name: mine[name]
        for name in DEFINING
        if name not in SCHEDULING or repr(mine[name]) != repr(theirs[name])  # unlike ==, it tells two folds apart
    }
    return values | ({"paused": task.paused} if "paused" in task.model_fields_set else {})


def put_in_place(
    parts: Parts, task: Task, former: Task, values: Mapping[str, Any], replaced: Mapping[str, Any]
) -> bool:
    """Put `task` into the store instead of `former`, which has got its definition: `values` in place of `replaced`.

    `former` gets back what it was. Return False if the store does not have it any more. The caller holds the lock.
    """
    from est_alan_scheduler.cluster.codecs.states import FIELDS, read, write

    agenda, in_flight, failures = parts.agenda, parts.in_flight, parts.recorder.outbox.failures
    now, fields = parts.hooks._now(), former.__dict__
    agenda.work_in(now)  # while `former` has the schedule that it is noted with
    state = {**read(fields, FIELDS), "error": fields["error"], "history": fields["history"]}
    _restore(former, values, replaced)  # before the exchange, or a Ctrl+C could keep it from that
    if dict.get(agenda.store, task.id) is not former:
        return False
    write(task, state)
    dict.__setitem__(agenda.store, task.id, task)
    _end(former)
    entry = _inherit(agenda, task, former, now)
    for run in {*in_flight.all(), *failures.values()}:
        if run.task is former:
            run.move_to(task, entry)
    agenda.note_task(task)  # `former` may have been assigned to while it was written into a backend
    return True


def _end(former: Task) -> None:
    """Let a task that was replaced keep its state of now, apart from what the other one has of it."""
    fields = former.__dict__
    fields["history"] = fields["history"].copy()
    if fields["status"] is TaskStatus.RUNNING:  # for ever: the other one gets the outcome
        has_run, has_failed = fields["last_success_at"] is not None, fields["error_message"] is not None
        status = TaskStatus.SUCCESS if has_run else TaskStatus.PENDING
        fields["status"] = TaskStatus.FAILED if has_failed else status


def _restore(former: Task, values: Mapping[str, Any], replaced: Mapping[str, Any]) -> None:
    """Undo the change of a task to these values, but for what was assigned since."""
    fields = {**former.rare_defaults, **former.__dict__}
    own = {name: replaced[name] for name, value in values.items() if fields[name] is value}
    former.__dict__.update(own)
    former._leave_out(former.__dict__, own)
    if "timezone" in own:
        former.keep_moments(RECORDED)


def _inherit(agenda: Agenda, task: Task, former: Task, now: datetime) -> Entry:
    """Return the entry of a task that has been put into the store: all that was known beside the fields of `former`.

    `former` keeps the slot of its last run alone: others count by the schedule of `task`.
    """
    left = agenda.entries[task.id]
    agenda.drop(task.id)
    task._entry, former._entry = former._entry, ScheduleState()
    former._entry.tried = task._entry.tried
    entry = own(task, agenda.reference)
    entry.order, entry.started, entry.counters = left.order, left.started, left.counters
    agenda.add(task, now)
    entry.order = left.order
    return entry
