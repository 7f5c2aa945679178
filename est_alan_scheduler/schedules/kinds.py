"""Kinds of schedules: the one table of the schedule options of a task and their meaning.

A new kind is a file beside this one, and a field of `Task` with an `Option` that names it.
"""

from importlib import import_module
from operator import itemgetter

from est_alan_scheduler.calendar.zones import LOCAL, named
from est_alan_scheduler.schedules.schedule import Kind, Schedule
from est_alan_scheduler.schedules.window import Window
from est_alan_scheduler.task import OPTIONS, SCHEDULING, Task


def _load(kind: str) -> type[Kind]:
    module, _, name = kind.partition(":")
    loaded: type[Kind] = getattr(import_module(f"{__package__}.{module}"), name)
    return loaded


KINDS = {name: _load(option.kind) for name, option in OPTIONS.items()}
"""By the name of the option; the mark of its field names the class."""

_makers = tuple((name, kind.of, kind.waits_for_slot) for name, kind in KINDS.items())
_around = sorted(SCHEDULING - KINDS.keys() - {"timezone"})
_read_around = itemgetter(*_around)
_NOTHING_AROUND = tuple(Task.model_fields[name].default for name in _around)


def options_of(task: Task) -> list[str]:
    """Return the names of the schedule options that are set: one, if the task is complete."""
    return [name for name in KINDS if task.__dict__[name] is not None]


def read_schedule(task: Task) -> Schedule | None:
    """Return the schedule of `task` by its options; None unless exactly one is set."""
    fields = task.__dict__
    make = option = None
    needs_window = False
    for name, of, waits_for_slot in _makers:
        value = fields[name]
        if value is not None:
            if make is not None:
                return None
            make, option, needs_window = of, value, waits_for_slot
    if make is None:
        return None
    if fields["timezone"] is None:
        kind = make(option, LOCAL)
        return kind if not needs_window and _read_around(fields) == _NOTHING_AROUND else Window(task, kind, LOCAL)
    zone = named(fields["timezone"])
    return Window(task, make(option, zone), zone)
