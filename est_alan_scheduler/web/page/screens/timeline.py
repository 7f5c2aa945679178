"""The page of the timeline: past runs and slots to come, of all tasks on one axis."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, TypeVar

from markupsafe import Markup
from pydantic import Field
from starlette.responses import Response

from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.calendar.zones import LOCAL, Zone, named
from est_alan_scheduler.schedules.describe import describe
from est_alan_scheduler.task import Task
from est_alan_scheduler.web.api.endpoint import GivenMoment, Input
from est_alan_scheduler.web.api.problems import refused
from est_alan_scheduler.web.api.tasks import zone_name
from est_alan_scheduler.web.page.drawing.axis import SCALES, Axis
from est_alan_scheduler.web.page.drawing.timeline import (
    Band,
    Bar,
    Lane,
    SlotTick,
    axis_drawing,
    grid_drawing,
    lane_drawing,
)
from est_alan_scheduler.web.page.links import task_link
from est_alan_scheduler.web.page.standing import standing
from est_alan_scheduler.web.page.timeline.bars import end_of, grouped, worst
from est_alan_scheduler.web.page.timeline.forecast import Forecast, forecast_of
from est_alan_scheduler.web.page.timeline.kept import gap_of
from est_alan_scheduler.web.page.timeline.lanes import chosen
from est_alan_scheduler.web.page.timeline.past import PastRun, runs_of
from est_alan_scheduler.web.page.timeline.plan import Plan, plan_of, plan_of_moments
from est_alan_scheduler.web.page.timeline.titles import Titles
from est_alan_scheduler.web.page.view import PageCall
from est_alan_scheduler.web.page.words.language import TRANSLATIONS
from est_alan_scheduler.web.page.words.sentences import in_words

T = TypeVar("T")
Span = Literal["hour", "day", "week"]

_LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
_PAST = 0.5
"""How much of the length lies before the moment that is asked for; the whole length lies after it."""
_EARLIEST, _LATEST = datetime(2, 1, 1), datetime(9998, 1, 1)
_MOST_BARS, _MOST_SLOTS = 1_120, 1_920
"""Of all lanes together, that of a drawing of 300 KB."""


class TimelineQuery(Input):
    """The query of the timeline: time, tasks and forecast."""

    span: Span = "hour"
    at: GivenMoment | None = None
    """A third of the time lies before it; now by default."""
    zone: str | None = Field(None, min_length=1, max_length=100)
    forecast: Literal["schedules", "dependencies"] = "schedules"
    show: Literal["all", "trouble"] = "all"
    q: str | None = None
    tag: str | None = None
    page: int = Field(1, ge=1, le=1_000_000)


@dataclass(frozen=True)
class LaneRow:
    """A lane with its label."""

    task: Task
    standing: str
    drawing: Markup
    summary: str
    """The same in words."""
    label: str
    """The name and the id in full, as far as a line can be."""
    has_namesake: bool
    """Whether another lane has the same name: then only the ids tell which is which."""


def page(call: PageCall) -> Response:
    """Answer the timeline."""
    return call.view.html("timeline.html", line=_Timeline(call), query=call.query, task_link=task_link)


class _Timeline:
    """The values that the template shows."""

    def __init__(self, call: PageCall) -> None:
        query, registry = call.query, call.registry
        self._call, self._registry = call, registry
        self.is_store_away = not call.refresh()
        self.now = to_utc(registry._now())
        self.zone, self.zone_name = _zone_of(query.zone)
        self.axis = _axis(query, self.now, self.zone)
        self.titles = Titles(TRANSLATIONS[call.view.language], self.zone)
        self.changes = [self.titles.change(change) for change in self.axis.changes()]
        axis = self.axis
        self.chosen = self._read(
            lambda is_away: chosen(
                registry,
                axis.start,
                axis.end,
                text=query.q or None,
                tag=query.tag or None,
                only_trouble=query.show == "trouble",
                page=query.page,
                is_store_away=is_away,
            )
        )
        self.forecast = Forecast()
        if query.forecast == "dependencies" and axis.end > self.now:
            self.forecast = forecast_of(registry, axis.end)
        self.has_gaps = False
        """Whether the runs of some time are not known."""
        self.marks: set[str] = set()
        """What changes of the clock do to the slots that are shown."""
        self.rows = self._rows()

    @property
    def axis_drawing(self) -> Markup:
        """The labels of the axis."""
        label = self.titles.texts.gettext("now")
        return axis_drawing(self.axis, SCALES[self._call.query.span], self.now, label, self.titles.tick)

    @property
    def grid_drawing(self) -> Markup:
        """What is behind the lanes."""
        title = self.titles.texts.gettext("The forecast ends here.")
        scale = SCALES[self._call.query.span]
        return grid_drawing(self.axis, scale, self.now, self.titles.change, self.forecast.until, title)

    @property
    def trouble(self) -> str:
        """What has failed and what is late, in words."""
        kinds = [trouble.kind for trouble in self.chosen.troubles]
        return self.titles.trouble(kinds.count("failed"), kinds.count("late"))

    def link_to(self, steps: int) -> str:
        """Return the link to an earlier time or to a later one."""
        query = self._call.query
        pivot = self.axis.start + _PAST * _LENGTHS[query.span] + steps * _LENGTHS[query.span]
        at = min(max(pivot, _EARLIEST), _LATEST)
        return self._call.view.link(at=f"{at:%Y-%m-%dT%H:%M:%SZ}".rjust(20, "0"), page=None)

    def moment(self, at: datetime) -> datetime:
        """Return an instant as the page shows moments."""
        return self.zone.show(at) if self.zone is not LOCAL else LOCAL.from_utc(at)

    def _read(self, function: Callable[[bool], T]) -> T:
        """Return what a function reads that is told whether the store is away; it is, if it does not answer."""
        if not self.is_store_away:
            try:
                return self._call.site.reads.read(partial(function, False))
            except BackendUnavailableError:
                self.is_store_away = True
        return function(True)

    def _rows(self) -> list[LaneRow]:
        tasks, axis = self.chosen.tasks, self.axis
        earlier = (axis.end - axis.start) / 4  # for runs that take long
        begin = axis.start - earlier
        runs = self._read(lambda is_away: {} if is_away else runs_of(self._registry, tasks, begin, axis.end))
        lanes = max(len(tasks), 1)
        most = min(_MOST_BARS // lanes, 40), min(_MOST_SLOTS // lanes, 60)
        names = Counter(task.name for task in tasks)
        return [self._row(task, runs.get(task.id, []), *most, names[task.name] > 1) for task in tasks]

    def _row(self, task: Task, runs: list[PastRun], most_bars: int, most_slots: int, has_namesake: bool) -> LaneRow:
        titles, axis, now = self.titles, self.axis, self.now
        groups = grouped(runs, axis, most_bars)
        bars = [
            Bar(group[0].start, end_of(group, now), worst(group), titles.runs(task, group, now)) for group in groups
        ]
        plan = self._plan(task, most_slots)
        schedule = in_words(describe(task), self._call.view.language) if plan.spans else ""
        band = titles.band(task, schedule, plan)
        slots = [*plan.slots, *plan.marks]
        self.marks.update(slot.mark for slot in slots if slot.mark is not None)
        gap = None if self.is_store_away else gap_of(self._registry, task, runs, axis.start, axis.end)
        missing = "" if gap is None else titles.gap(gap, task)
        self.has_gaps = self.has_gaps or gap is not None
        lane = Lane(
            task_link(task.id),
            bars,
            [SlotTick(to_utc(slot.at), slot.mark, titles.slot(task, slot)) for slot in slots],
            [Band(start, end, band) for start, end in plan.spans],
            titles.note(schedule, plan) if plan.spans else "",
            None if gap is None else Band(gap.since, gap.until, titles.about(task, missing)),
        )
        stands = standing(task, self._registry._now(), self._registry.is_paused)
        shown = [run for group in groups for run in group]
        summary = titles.summary(shown, plan, missing)
        return LaneRow(task, stands, lane_drawing(lane, axis), summary, titles.label(task), has_namesake)

    def _plan(self, task: Task, most: int) -> Plan:
        axis = self.axis
        if self._call.query.forecast == "schedules" or self.forecast.refusal is not None:
            return plan_of(self._registry, task, axis.start, axis.end, most)
        begin = max(axis.start, self.now)
        moments = [at for at in self.forecast.moments.get(task.id, ()) if begin <= to_utc(at) <= axis.end]
        end = min(axis.end, self.forecast.until or axis.end)
        return plan_of_moments(task, moments, self._registry._now(), end, most)


def _zone_of(name: str | None) -> tuple[Zone, str]:
    if name is None:
        return LOCAL, zone_name()
    try:
        return named(name), name
    except (KeyError, ValueError, OSError):
        raise refused([("zone", "there is no time zone of this name")]) from None


def _axis(query: TimelineQuery, now: datetime, zone: Zone) -> Axis:
    length = _LENGTHS[query.span]
    pivot = now if query.at is None else min(max(to_utc(query.at), _EARLIEST), _LATEST)
    return Axis(pivot - _PAST * length, pivot + length, zone)
