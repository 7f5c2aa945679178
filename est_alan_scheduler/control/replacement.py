"""Replacement of a registered task by another one of its id, which gets its state."""

from datetime import datetime
from typing import Any

from est_alan_scheduler.control.configuration import Parts
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.entry import Entry, own
from est_alan_scheduler.task import SCHEDULING, Task


def new_definition(task: Task, former: Task) -> dict[str, Any]:
    """Return the values by which `former` becomes what `task` says.

    An option of the schedule that is the same is left out, or its slots would count from now on. A pause is state,
    unless the constructor of `task` has named it.
    """
    from est_alan_scheduler.cluster.definition_codec import DEFINING  # late: a registry without a backend needs none

    mine, theirs = ({**one.rare_defaults, **one.__dict__} for one in (task, former))
    values = {
        name: mine[name]
        for name in DEFINING
        if name not in SCHEDULING or repr(mine[name]) != repr(theirs[name])  # unlike ==, it tells two folds apart
    }
    return values | ({"paused": task.paused} if "paused" in task.model_fields_set else {})


def put_in_place(parts: Parts, task: Task, former: Task) -> bool:
    """Put `task` into the store instead of `former`, which has its definition; return False if that is gone."""
    agenda, in_flight, failures = parts.agenda, parts.in_flight, parts.recorder.outbox.failures
    with parts.lock, agenda:
        now = parts.hooks._now()
        agenda.work_in(now)
        if dict.get(agenda.store, task.id) is not former:
            return False
        fields = dict(former.__dict__)
        former.__dict__["history"] = fields["history"].copy()
        object.__setattr__(task, "__dict__", fields)  # in one step: others may read it
        dict.__setitem__(agenda.store, task.id, task)
        entry = _inherit(agenda, task, former, now)
        for run in {*in_flight.all(), *failures.values()}:
            if run.task is former:
                run.move_to(task, entry)
    return True


def _inherit(agenda: Agenda, task: Task, former: Task, now: datetime) -> Entry:
    """Return the entry of a task that has been put into the store: all that was known beside the fields of `former`."""
    left = agenda.entries[task.id]
    agenda.drop(task.id)
    task._entry = former._entry
    entry = own(task, agenda.reference)
    entry.order, entry.started, entry.counters = left.order, left.started, left.counters
    agenda.add(task, now)
    entry.order = left.order
    return entry
