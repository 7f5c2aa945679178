"""Lookout for tasks that other instances may have run: those that are due, on a registry that does not start them."""

from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.planning.dependencies import first_stale, first_unmet
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.schedules.due import due_moment
from est_alan_scheduler.task import TaskStatus

MOST = 500
"""Due tasks that `refresh` looks at in one go, so that one of many costs no more. The others follow in turn."""
MOST_OF_TICK = 100
"""The same for a tick, of tasks whose functions are unknown here."""

_Item = TypeVar("_Item")


def due_ids(agenda: Agenda, utc: datetime) -> set[str]:
    """Return the ids of the tasks that may be due, and of those that others wait for; the agenda stays as it is.

    Of tasks whose functions are unknown here, these are the next ones in turn.
    """
    found = {entry.task.id for entry in agenda.held}
    moments, filed, places = agenda.heap.moments, agenda.heap.filed, [0]
    for place in places:  # of a heap: no moment comes before that of its parent
        if place < len(moments) and moments[place] <= utc:
            entries = filed.get(moments[place], ())
            found.update(entry.task.id for entry in ((entries,) if isinstance(entries, Entry) else entries))
            places += (2 * place + 1, 2 * place + 2)
    return found | agenda.waiting.keys() | stand_in_ids(agenda, utc)


def next_due_ids(agenda: Agenda, now: datetime, utc: datetime, most: int = MOST) -> set[str]:
    """Return the ids of the next tasks in turn of those, for an observer, on which no tick takes them off the agenda.

    The latest ones come first, but leave half of the places to the others. A due task is held from then on, or waits
    for a dependency, until it is read again. It makes no difference here whether its function is known.
    """
    found = agenda.heap.take(utc, most)
    found += agenda.stand_ins.heap.take(utc, most - len(found))
    found += _next(agenda.held, max(most - len(found), most // 2))
    for entry in found:
        _put_back(agenda, entry, now, utc)
    return {entry.task.id for entry in found}.union(_next(agenda.waiting, most // 2))


def stand_in_ids(agenda: Agenda, utc: datetime, most: int = MOST) -> set[str]:
    """Return the ids of the next tasks in turn of those that may be due and whose functions are unknown here."""
    return {task.id for task in agenda.stand_ins.look(utc, most)}


def _put_back(agenda: Agenda, entry: Entry, now: datetime, utc: datetime) -> None:
    task, due = entry.task, due_moment(entry.task, now)
    if entry.is_dropped:
        agenda.take_off(entry)
        return
    if task.status is TaskStatus.RUNNING or due is None or due > utc:
        agenda.file_anew(entry, now)
        return
    lacking = first_unmet(task, agenda.store) or first_stale(task, agenda.store, now)
    if lacking is None or task.run_requested == "force":
        agenda.hold(entry)
    else:
        agenda.wait(entry, lacking, now)


def _next(items: dict[_Item, Any], number: int) -> list[_Item]:
    """Return the first items, and move them to the end."""
    found = list(islice(items, number))
    for item in found:
        items[item] = items.pop(item)
    return found
