"""Kinds of schedules: the one table of the schedule options of a task and their meaning.

A new kind is a file beside this one, a line here, and a field of `Task` that is marked as an `Option`.
"""

from operator import itemgetter

from est_alan_scheduler.calendar.zones import LOCAL, named
from est_alan_scheduler.schedules.kinds.after import After
from est_alan_scheduler.schedules.kinds.cron import Cron
from est_alan_scheduler.schedules.kinds.daily import Daily
from est_alan_scheduler.schedules.kinds.every import Every
from est_alan_scheduler.schedules.kinds.manual import Manual
from est_alan_scheduler.schedules.kinds.once import Once
from est_alan_scheduler.schedules.limited import Limited
from est_alan_scheduler.schedules.schedule import Kind, Schedule
from est_alan_scheduler.schedules.window import Window
from est_alan_scheduler.task import SCHEDULING, Task

KINDS: dict[str, type[Kind]] = {
    "every": Every,
    "at": Daily,
    "run_at": Once,
    "cron": Cron,
    "after": After,
    "manual": Manual,
}
_rare_around = SCHEDULING & Task.rare_defaults.keys() - KINDS.keys() - {"on", "max_runs"}
_around = sorted(SCHEDULING - KINDS.keys() - _rare_around - {"timezone", "on", "max_runs"})
_RARE = tuple(name for name in KINDS if name in Task.rare_defaults)
_COMMON = tuple(name for name in KINDS if name not in _RARE)
_read_around = itemgetter(*_around)
_NOTHING_AROUND = tuple(Task.model_fields[name].default for name in _around)


def options_of(task: Task) -> list[str]:
    """Return the names of the schedule options that are set: one, if the task is complete."""
    fields = task.__dict__
    found = [name for name in _COMMON if fields[name] is not None]
    return found if fields.keys().isdisjoint(_RARE) else found + [name for name in _RARE if fields.get(name)]


def read_schedule(task: Task) -> Schedule | None:
    """Return the schedule of `task` by its options; None unless exactly one is set."""
    schedule, most = _read_unlimited(task), task.__dict__.get("max_runs")
    return schedule if schedule is None or most is None else Limited(schedule, most)


def _read_unlimited(task: Task) -> Schedule | None:
    options, fields = options_of(task), task.__dict__
    if len(options) != 1:
        return None
    zone = LOCAL if fields["timezone"] is None else named(fields["timezone"])
    kind = KINDS[options[0]].of(fields[options[0]], zone)
    if not kind.has_slots:
        return kind
    if (dates := fields.get("on")) is not None:
        kind = kind.only_on(dates)
    is_bare = zone is LOCAL and not kind.waits_for_slot and fields.keys().isdisjoint(_rare_around)
    return kind if is_bare and _read_around(fields) == _NOTHING_AROUND else Window(task, kind, zone)
