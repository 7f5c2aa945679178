"""The notes of runs: slots and tracebacks of those that this process has made."""

import gc
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.events.event import Event
from est_alan_scheduler.web.page import run_notes
from est_alan_scheduler.web.page.run_notes import CUT, LONGEST, RunNote, RunNotes, traceback_of

NOON = datetime(2026, 11, 29, 12)


def nothing() -> None:
    pass


def boom() -> None:
    raise ValueError("boom")


def failure(number: int = 0, error: BaseException | None = None) -> Event:
    start = NOON + timedelta(seconds=number)
    return Event("failed", "job", slot=start, attempt=1, started_at=start, error=error or raised("boom"))


def raised(text: str) -> ValueError:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def note_of(notes: RunNotes, task: Task) -> RunNote:
    assert task.last_run_at is not None
    return notes.of(task.id, task.last_run_at, task.attempt)


def test_a_run_that_succeeds_has_its_slot() -> None:
    registry = TaskRegistry()
    notes = RunNotes(registry)
    with freeze_time("2026-11-29 12:00:05"):
        task = registry.register(Task(id="job", func=nothing, at="12:00"))
        registry.tick()
    assert note_of(notes, task) == RunNote(NOON)


def test_a_run_that_fails_has_its_slot_and_its_traceback() -> None:
    registry = TaskRegistry()
    notes = RunNotes(registry)
    with freeze_time("2026-11-29 12:00:05"):
        task = registry.register(Task(id="job", func=boom, at="12:00"))
        registry.tick()
    note = note_of(notes, task)
    assert note.slot == NOON
    assert note.traceback is not None
    lines = note.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2:] == ['    raise ValueError("boom")', "ValueError: boom"]


@pytest.mark.parametrize("zone", [None, "Asia/Seoul"])
def test_a_run_of_the_history_of_a_backend_finds_its_note(join: Callable[..., TaskRegistry], zone: str | None) -> None:
    registry = join()
    notes = RunNotes(registry)
    registry.register(Task(id="job", func=boom, every={"hours": 1}, timezone=zone))
    registry.tick()
    (run,) = registry.history("job")
    assert notes.of("job", run["run_at"], run["attempt"]).traceback is not None


def test_nothing_is_known_of_any_other_run() -> None:
    notes = RunNotes(TaskRegistry())
    notes.take(failure())
    assert notes.of("job", NOON, 1).traceback is not None
    assert [notes.of("job", NOON, 2), notes.of("other", NOON, 1), notes.of("job", datetime.min, 1)] == [RunNote()] * 3


def test_the_oldest_notes_go_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_notes, "MOST_RUNS", 3)
    notes = RunNotes(TaskRegistry())
    for number in range(5):
        notes.take(failure(number))
    kept = [notes.of("job", NOON + timedelta(seconds=number), 1).slot is not None for number in range(5)]
    assert kept == [False, False, True, True, True]


def test_the_oldest_notes_go_when_their_tracebacks_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    one = traceback_of(raised("boom"))
    assert one is not None
    monkeypatch.setattr(run_notes, "MOST_CHARACTERS", 3 * len(one))
    notes = RunNotes(TaskRegistry())
    for number in range(100):
        notes.take(failure(number))
        notes.take(failure(number))  # the same run does not count twice
    assert len(notes) == 3


def test_a_long_traceback_keeps_its_beginning_and_its_end() -> None:
    text = traceback_of(raised("x" * 30_000 + " the end"))
    assert text is not None
    assert len(text) == LONGEST
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("x the end")
    assert text.count(CUT) == 1


def test_an_error_that_was_never_raised_has_no_traceback() -> None:
    assert traceback_of(RuntimeError("lease expired: owner a stopped renewing")) is None


def test_an_error_whose_notes_are_hostile_has_no_traceback() -> None:
    class Unprintable:
        def __str__(self) -> str:
            raise KeyError("no text")

    error: Any = raised("boom")
    error.__notes__ = [Unprintable()]
    assert traceback_of(error) is None


def test_a_registry_does_not_keep_notes_that_nobody_wants() -> None:
    registry = TaskRegistry()
    notes = RunNotes(registry)
    callbacks = registry._recorder.subscribers.callbacks
    before = len(callbacks["started"])
    gone = weakref.ref(notes)
    del notes
    gc.collect()
    assert gone() is None
    registry.register(Task(id="job", func=nothing, every={"hours": 1}))
    registry.tick()
    assert (before, len(callbacks["started"])) == (1, 0)


def test_an_end_without_a_slot_leaves_the_slot_of_the_start() -> None:
    notes = RunNotes(TaskRegistry())
    start = NOON + timedelta(seconds=3)
    notes.take(Event("started", "job", slot=NOON, attempt=1, started_at=start))
    notes.take(Event("failed", "job", attempt=1, started_at=start, error=ValueError("never raised")))
    assert notes.of("job", start, 1) == RunNote(NOON)
