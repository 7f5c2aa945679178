"""Kinds of schedules: the one table of the schedule options of a task and their meaning.

A new kind is a file beside this one, a line here, and a field of `Task` that is marked as an `Option`.
"""

from operator import itemgetter

from est_alan_scheduler.calendar.zones import LOCAL, Zone, named
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
_COUNT = Task.common_count
_read_around = itemgetter(*_around)
_NOTHING_AROUND = tuple(Task.model_fields[name].default for name in _around)


def options_of(task: Task) -> list[str]:
    """Return the names of the schedule options that are set: one, if the task is complete."""
    fields = task.__dict__
    found = [name for name in _COMMON if fields[name] is not None]
    return found if len(fields) == _COUNT else found + [name for name in _RARE if fields.get(name)]


def read_schedule(task: Task) -> Schedule | None:
    """Return the schedule of `task` by its options; None unless exactly one is set."""
    options, fields = options_of(task), task.__dict__
    if len(options) != 1:
        return None
    zone = LOCAL if fields["timezone"] is None else named(fields["timezone"])
    kind = KINDS[options[0]].of(fields[options[0]], zone)
    if len(fields) == _COUNT:
        return _within(task, kind, zone)
    if kind.has_slots and (dates := fields.get("on")) is not None:
        kind = kind.only_on(dates)
    schedule, most = _within(task, kind, zone) if kind.has_slots else kind, fields.get("max_runs")
    return schedule if most is None else Limited(schedule, most)


def _within(task: Task, kind: Kind, zone: Zone) -> Schedule:
    """Return the slots of a kind within the limits of `task`."""
    fields = task.__dict__
    is_bare = zone is LOCAL and not kind.waits_for_slot and _read_around(fields) == _NOTHING_AROUND
    return kind if is_bare and (len(fields) == _COUNT or _rare_around.isdisjoint(fields)) else Window(task, kind, zone)
