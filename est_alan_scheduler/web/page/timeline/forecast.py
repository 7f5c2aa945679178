"""The forecast with dependencies, by a simulation kept for a while: an open page asks again and again."""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.problems import Problem
from est_alan_scheduler.web.api.runs import MOST_SIMULATED, permitted_simulation

_MOST_RUNS = 10_000
_KEPT = 10
"""A forecast is kept for so many times as long as it took."""


@dataclass(frozen=True)
class Forecast:
    """The runs to come, as if each succeeded at once."""

    moments: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    """In order, by the ids of the tasks."""
    until: datetime | None = None
    """In naive UTC: of what comes later nothing is known. None: it is complete."""
    refusal: str | None = None
    """`many` tasks, or `busy` with other simulations: then there is none."""


@dataclass(frozen=True, slots=True)
class _Kept:
    end: datetime
    best_before: float
    forecast: Forecast


_kept: "weakref.WeakKeyDictionary[TaskRegistry, _Kept]" = weakref.WeakKeyDictionary()


def forecast_of(registry: TaskRegistry, end: datetime) -> Forecast:
    """Return the runs from now to `end`, in naive UTC, or a little later."""
    if len(registry) > MOST_SIMULATED:
        return Forecast(refusal="many")
    begin, kept = monotonic(), _kept.get(registry)
    now = to_utc(registry._now())
    if kept is not None and begin < kept.best_before and now < end <= kept.end:
        return kept.forecast
    reserve = (end - now) / 50  # the end of an open page moves on
    try:
        found = permitted_simulation(registry, now.replace(tzinfo=UTC), (end + reserve).replace(tzinfo=UTC), _MOST_RUNS)
    except Problem:
        return Forecast(refusal="busy")
    moments: dict[str, list[datetime]] = {}
    for run in found.items:
        moments.setdefault(run.task_id, []).append(run.at)
    forecast = Forecast(moments, to_utc(found.until) if found.is_truncated else None)
    seconds = monotonic() - begin
    _kept[registry] = _Kept(end + reserve, begin + (1 + _KEPT) * seconds, forecast)
    return forecast
