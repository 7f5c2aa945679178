"""Run notes: the slots and tracebacks of the runs of this process, which the history leaves out."""

import threading
import weakref
from collections import OrderedDict
from datetime import datetime
from typing import NamedTuple

from est_alan_scheduler._support.signals import UNREADABLE, is_for_program
from est_alan_scheduler._support.tracebacks import format_traceback
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.events.event import Event
from est_alan_scheduler.task_registry import TaskRegistry

MOST_RUNS = 2_000
MOST_CHARACTERS = 5_000_000
"""Of all tracebacks together."""
LONGEST = 20_000
"""Characters of one traceback."""
_HEAD = LONGEST // 4  # of a longer one; the end, which tells the error, gets the rest
CUT = "\n⋯\n"


class RunNote(NamedTuple):
    """The note of one run."""

    slot: datetime | None = None
    """As in `current_run()`: the moment of its start if nothing was due."""
    traceback: str | None = None


_Key = tuple[str, datetime, int]  # the id of the task, the start in UTC, the attempt
NOTHING_NOTED = RunNote()
"""The note of a run that is not known."""


class RunNotes:
    """The notes of the latest runs of a registry, from its events: bounded in number and in size.

    A registry keeps its subscribers for good, so it gets one that refers to this weakly. `_lock` guards all of it. It
    is reentrant, because a finalizer or a signal handler may publish an event under it.
    """

    def __init__(self, registry: TaskRegistry) -> None:
        self._lock = threading.RLock()
        self._notes: OrderedDict[_Key, RunNote] = OrderedDict()
        self._characters = 0
        _subscribe(registry, weakref.ref(self))

    def __len__(self) -> int:
        return len(self._notes)

    def of(self, task_id: str, start: datetime, attempt: int) -> RunNote:
        """Return what is known of a run; an empty note if nothing is."""
        with self._lock:
            return self._notes.get((task_id, to_utc(start), attempt), NOTHING_NOTED)

    def take(self, event: Event) -> None:
        """Note what an event tells of a run."""
        if event.task_id is None or event.started_at is None or event.attempt is None:
            return
        text = None if event.error is None else traceback_of(event.error)
        key = event.task_id, to_utc(event.started_at), event.attempt
        with self._lock:
            former = self._notes.pop(key, NOTHING_NOTED)
            note = RunNote(event.slot or former.slot, text)
            self._characters += len(note.traceback or "") - len(former.traceback or "")
            self._notes[key] = note
            while len(self._notes) > MOST_RUNS or self._characters > MOST_CHARACTERS:
                _, oldest = self._notes.popitem(last=False)
                self._characters -= len(oldest.traceback or "")


def _subscribe(registry: TaskRegistry, notes: "weakref.ref[RunNotes]") -> None:
    """Let notes take the starts and failures of runs; not the successes: runs without a subscriber to them are faster.

    A finalizer that ended the subscription might wait for a lock that its own thread holds. The next event ends it.
    """

    def take(event: Event) -> None:
        found = notes()
        if found is None:
            end()
        else:
            found.take(event)

    end = registry.on("started", "failed", callback=take)


def traceback_of(error: BaseException) -> str | None:
    """Return the traceback of an error as text, shortened; None for an error that was never raised here."""
    if error.__traceback__ is None and error.__cause__ is None:
        return None
    try:
        text = format_traceback(error).rstrip("\n")
    except UNREADABLE as failure:  # of a class of the error
        if is_for_program(failure):
            raise
        return None
    return text if len(text) <= LONGEST else text[:_HEAD] + CUT + text[-(LONGEST - _HEAD - len(CUT)) :]
