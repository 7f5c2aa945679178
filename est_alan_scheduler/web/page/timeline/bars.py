"""Runs that are put together because they are too near to each other to be drawn apart."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from est_alan_scheduler.web.page.drawing.axis import Axis
from est_alan_scheduler.web.page.timeline.past import PastRun

_PIXEL = 0.1
"""Percent of the width of an axis on a large screen."""
_WORST = ("failed", "running", "success")


def grouped(runs: Iterable[PastRun], axis: Axis, most: int) -> list[list[PastRun]]:
    """Return runs that are on the axis in at most `most` groups, in order: those of a group are near to each other."""
    shown = [run for run in runs if run.start <= axis.end and (run.end is None or run.end >= axis.start)]
    shown.sort(key=lambda run: run.start)
    gap = _PIXEL
    while len(groups := _within(gap, shown, axis)) > most:
        gap *= 2
    return groups


def _within(gap: float, runs: Iterable[PastRun], axis: Axis) -> list[list[PastRun]]:
    groups: list[list[PastRun]] = []
    for run in runs:
        if groups and axis.place(run.start) - axis.place(groups[-1][0].start) < gap:
            groups[-1].append(run)
        else:
            groups.append([run])
    return groups


def worst(runs: Iterable[PastRun]) -> str:
    """Return the worst outcome of runs."""
    found = {run.status for run in runs}
    return next((outcome for outcome in _WORST if outcome in found), "success")


def end_of(runs: Sequence[PastRun], now: datetime) -> datetime:
    """Return when the last of these runs ended; `now` if one is in flight."""
    return max(run.end or (now if run.status == "running" else run.start) for run in runs)
