"""The texts of the timeline: titles of its marks, labels and summaries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from gettext import NullTranslations

from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.calendar.zones import Zone
from est_alan_scheduler.task import Task
from est_alan_scheduler.web.api.models import SlotModel
from est_alan_scheduler.web.page.drawing.axis import Change, Tick
from est_alan_scheduler.web.page.drawing.timeline import shift_text
from est_alan_scheduler.web.page.excerpts import line
from est_alan_scheduler.web.page.moments import lasting, weekday
from est_alan_scheduler.web.page.timeline.bars import worst
from est_alan_scheduler.web.page.timeline.kept import Gap
from est_alan_scheduler.web.page.timeline.past import MOST_OF_TASK, PastRun
from est_alan_scheduler.web.page.timeline.plan import MOST_WALKED, Plan
from est_alan_scheduler.web.page.words.statuses import status_name

_LONGEST_NAME, _LONGEST_ERROR, _LONGEST_LABEL = 30, 80, 300
_ISOLATE, _END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"  # for texts from right to left


@dataclass(frozen=True)
class Titles:
    """The texts in one language and in one zone."""

    texts: NullTranslations
    zone: Zone

    def moment(self, at: datetime) -> str:
        """Return a moment, in naive UTC, to the second."""
        return f"{self.zone.from_utc(at):%m-%d %H:%M:%S}"

    def day(self, day: date) -> str:
        """Return a date with the day of its week."""
        return f"{weekday(day, self.texts.gettext)} {day.month:02}-{day.day:02}"

    def tick(self, tick: Tick) -> str:
        """Return the label of a tick: a date where it begins, else a wall time."""
        return self.day(tick.wall.date()) if tick.is_day else f"{tick.wall:%H:%M}"

    def outcome(self, status: str) -> str:
        """Return the word for an outcome."""
        return status_name(status, self.texts.gettext)

    def duration(self, length: timedelta) -> str:
        """Return how long something lasts."""
        return lasting(max(length.total_seconds(), 0.0), self.texts.gettext)

    def runs(self, task: Task, runs: Sequence[PastRun], now: datetime) -> str:
        """Return what a bar says of its runs: when, with which outcome, how long, with which error."""
        first, last = runs[0], runs[-1]
        failed = [run for run in runs if run.status == "failed"]
        if len(runs) == 1:
            end = now if first.status == "running" else first.end
            parts = [self.moment(first.start), self.outcome(first.status)]
            parts += [] if end is None else [self.duration(end - first.start)]
        else:
            count = self.texts.ngettext("%(num)s run", "%(num)s runs", len(runs)) % {"num": len(runs)}
            parts = [f"{self.moment(first.start)} \N{EN DASH} {self.moment(last.start)}", count]
            if failed:
                parts.append(self.failures(len(failed)))
            else:
                parts.append(self.outcome(worst(runs)))
        if failed:
            parts.append(line(failed[-1].error or "", _LONGEST_ERROR))
        return self._said(task, parts)

    def failures(self, number: int) -> str:
        """Return a number of failures in words."""
        return self.texts.ngettext("%(num)s failed", "%(num)s failed", number) % {"num": f"{number:,}"}

    def trouble(self, failed: int, late: int) -> str:
        """Return how many tasks have failed and how many are late, in words."""
        _, ngettext = self.texts.gettext, self.texts.ngettext
        parts = [self.failures(failed)] if failed else []
        parts += [ngettext("%(num)s late", "%(num)s late", late) % {"num": f"{late:,}"}] if late else []
        return _("Trouble: %s") % ", ".join(parts) if parts else _("No trouble: nothing has failed, nothing is late")

    def slot(self, task: Task, slot: SlotModel) -> str:
        """Return what a tick says of its slot."""
        _ = self.texts.gettext
        marks = {
            "moved": _("the clock skips its time on this date: it comes when the gap ends"),
            "merged": _("the clock skips the time of another slot: both come as one"),
            "repeated": _("the clock shows its time twice on this date: it counts once"),
        }
        return self._said(task, [self.moment(to_utc(slot.at)), *([marks[slot.mark]] if slot.mark else [])])

    def slots(self, plan: Plan) -> str:
        """Return how many slots a plan has, in words."""
        if plan.number is None:
            return self.texts.gettext("more than %(num)s slots") % {"num": MOST_WALKED}
        return self.texts.ngettext("%(num)s slot", "%(num)s slots", plan.number) % {"num": f"{plan.number:,}"}

    def note(self, schedule: str, plan: Plan) -> str:
        """Return what is written below a band: `every 5 seconds, 12,096 slots`."""
        return f"{line(schedule, _LONGEST_NAME)}, {self.slots(plan)}"

    def band(self, task: Task, schedule: str, plan: Plan) -> str:
        """Return what a band says of its slots."""
        return self._said(task, [line(schedule, _LONGEST_ERROR), self.slots(plan)])

    @staticmethod
    def label(task: Task) -> str:
        """Return the name and the id of a task, the id in a line of its own."""
        name, task_id = line(task.name, _LONGEST_LABEL), line(task.id, _LONGEST_LABEL)
        return name if task.name == task.id else f"{name}\n{task_id}"

    def about(self, task: Task, text: str) -> str:
        """Return what is said of a task."""
        return self._said(task, [text])

    def summary(self, runs: Sequence[PastRun], plan: Plan, gap: str = "") -> str:
        """Return a lane in words."""
        failed = sum(run.status == "failed" for run in runs)
        parts = [self.texts.ngettext("%(num)s run", "%(num)s runs", len(runs)) % {"num": len(runs)}]
        parts += [self.failures(failed)] if failed else []
        parts += [gap] if gap else []
        parts.append(self.slots(plan))
        if plan.slots:
            parts.append(self.texts.gettext("next at %s") % self.moment(to_utc(plan.slots[0].at)))
        return ", ".join(parts)

    def gap(self, gap: Gap, task: Task) -> str:
        """Return why runs of a task are missing: they are not kept, or too many to be read."""
        _ = self.texts.gettext
        if gap.is_kept:
            text, number = _("runs before %(at)s: only the latest %(num)s are shown"), MOST_OF_TASK
        else:
            text, number = _("runs before %(at)s are not kept (history_limit: %(num)s)"), task.history_limit
        return text % {"at": self.moment(gap.until), "num": f"{number:,}"}

    def change(self, change: Change) -> str:
        """Return a change of the clock as a sentence."""
        _ = self.texts.gettext
        forward, back = (
            _("The clock goes forward by %(shift)s, to %(wall)s."),
            _("The clock goes back by %(shift)s, to %(wall)s."),
        )
        text = forward if change.shift > timedelta(0) else back
        return text % {"shift": shift_text(change.shift)[1:], "wall": f"{change.wall:%Y-%m-%d %H:%M}"}

    @staticmethod
    def _said(task: Task, parts: Sequence[str]) -> str:
        return " · ".join([_ISOLATE + line(task.name, _LONGEST_NAME) + _END, *parts])
