"""Help for tests of an application: a plan of a year, played in frozen time within moments."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import time
from typing import NamedTuple, Protocol

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError, WrongStateError
from est_alan_scheduler._support.text import listed, short_repr
from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.calendar.local_time import from_utc, to_utc
from est_alan_scheduler.calendar.zones import is_frozen
from est_alan_scheduler.control.loop_side import LONGEST_WAIT
from est_alan_scheduler.events.event import Event
from est_alan_scheduler.task import TaskStatus
from est_alan_scheduler.task_registry import TaskRegistry

__all__ = ["FrozenTime", "PlayedRun", "play"]

_MOST_TICKS = 1_000  # at one moment, beside one for each task: a chain of dependencies is as long as that
_EPOCH = datetime(1970, 1, 1)
_MINUTE, _MILLISECOND = timedelta(minutes=1), timedelta(milliseconds=1)


class FrozenTime(Protocol):
    """What `freezegun.freeze_time` gives: a clock that can be moved."""

    def move_to(self, target_datetime: datetime, /) -> None:
        """Set the clock to this moment."""


class PlayedRun(NamedTuple):
    """One run that `play` has seen, equal to a tuple: `(at, task_id, status)`."""

    at: datetime
    """When it started, in the form in which the task records moments."""
    task_id: str
    status: TaskStatus
    """`SUCCESS` or `FAILED`, as of this run."""


def play(registry: TaskRegistry, frozen_time: FrozenTime, until: datetime | timedelta) -> list[PlayedRun]:
    """Move the frozen clock from due moment to due moment, tick at each, and return the runs in order of their ends.

    It begins with a tick now. Due moments up to `until` are played, `until` included: a naive local time, an aware
    one, or a `timedelta` from now. Afterwards the clock shows `until`. Functions are called for real; one that moves
    the clock itself takes that long. With an executor the clock stands still until the runs in flight have ended.

    The clock of freezegun shows each wall time of this machine once. Where this machine's zone repeats an hour, what is
    due in the second pass runs at the end of it. A machine in UTC repeats none, and tasks with a `timezone` are exact.

    Raises `RuntimeError` if tasks are due at one moment again and again, if time is not frozen, or if the registry does
    not read this clock; `ValueError` if `until` lies in the past or the registry has a backend, whose clock is not
    frozen; `TypeError` for anything else than these types.
    """
    player = _Player(registry, frozen_time)
    end = player.end(until)
    with player.watching():
        last, ticks = player.now(), 0
        while True:
            player.tick()
            idle = registry.idle_seconds()
            now = player.now()
            ticks = ticks + 1 if now <= last else 0
            if ticks > _MOST_TICKS + len(registry):
                raise WrongStateError(player.complaint(now, ticks))
            if idle is None or idle > (end - now).total_seconds():
                break
            player.move_to(now + timedelta(seconds=idle), now)
            last = now
        player.move_to(end, now)
    return player.runs


class _Player:
    def __init__(self, registry: TaskRegistry, frozen_time: FrozenTime) -> None:
        if not isinstance(registry, TaskRegistry):
            raise InvalidTypeError(f"registry must be a TaskRegistry, got {short_repr(registry)}")
        if not callable(getattr(frozen_time, "move_to", None)):
            raise InvalidTypeError(f"frozen_time must be what freeze_time() gives, got {short_repr(frozen_time)}")
        if registry.backend is not None:
            raise InvalidValueError(
                "a registry with a backend cannot be played: the clock of the backend is not frozen"
            )
        now = registry._now()
        if type(frozen_time).__module__.startswith("freezegun.") and not is_frozen(now):
            raise WrongStateError(
                f"time is not frozen: it is {now}; call play() within the `with freeze_time(…)` block of its clock"
            )
        self.runs: list[PlayedRun] = []
        self._registry = registry
        self._frozen_time = frozen_time
        # Between two readings, because a clock may go on with each: freezegun's `auto_tick_seconds`.
        before, wall, after = time(), registry._now(), time()
        self._offset = wall - (_EPOCH + timedelta(seconds=(before + after) / 2))

    def end(self, until: datetime | timedelta) -> datetime:
        """Return the instant at which to end."""
        now = self.now()
        if isinstance(until, timedelta):
            end = now + until
        elif isinstance(until, datetime):
            end = to_utc(until)
        else:
            raise InvalidTypeError(f"until must be a datetime or a timedelta, got {short_repr(until)}")
        if end < now:
            raise InvalidValueError(f"until must not lie in the past, got {until}; it is {from_utc(now)}")
        return end

    def now(self) -> datetime:
        """Return the instant that the registry reads."""
        return to_utc(self._registry._now())

    def move_to(self, utc: datetime, now: datetime) -> None:
        """Move the clock forward to an instant, or to the first one after it that it can show; never back."""
        if utc <= now:
            return
        while (wall := from_utc(utc)).fold:
            utc += _MINUTE
        self._frozen_time.move_to((wall - self._offset).replace(tzinfo=UTC))
        if self.now() < utc - _MILLISECOND:  # another clock goes on by itself
            raise WrongStateError(
                "the registry does not read the clock of frozen_time: is it that of another freeze_time?"
            )

    def tick(self) -> None:
        """Tick, and wait until the runs in flight have ended."""
        side = self._registry._loop_side
        if not side.waits_for_calls():
            self._registry.tick()
            return
        wake = Wakeup()
        side.add_waker(wake.call)
        try:
            self._registry.tick()
            while True:
                wake.wait(0)
                runs, deadline = side.pending()
                if not runs:
                    return
                wake.wait(LONGEST_WAIT if deadline is None else min(deadline, LONGEST_WAIT))
        finally:
            side.remove_waker(wake.call)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note the outcomes of runs meanwhile."""
        ends = [self._registry.on(name, self._note) for name in ("succeeded", "failed")]
        try:
            yield
        finally:
            for end in ends:
                end()

    def complaint(self, now: datetime, ticks: int) -> str:
        """Return why playing cannot go on."""
        ids = listed(list(dict.fromkeys(run.task_id for run in self.runs[-ticks:])))
        again = f"{ids} ran again and again" if ids else "nothing ran"
        return f"the clock does not get past {from_utc(now)}: after {ticks} ticks there, {again}, and more is due"

    def _note(self, event: Event) -> None:
        if event.started_at is not None and event.task_id is not None:
            status = TaskStatus.FAILED if event.name == "failed" else TaskStatus.SUCCESS
            self.runs.append(PlayedRun(event.started_at, event.task_id, status))
