"""Outcomes and assignments that a store refuses for what they are: they hinder no others, and are not lost."""

import logging
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from est_alan_scheduler import TaskRegistry, TaskStatus
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.backends import BackendUnavailableError, ValueRefusedError
from est_alan_scheduler.cluster.completer import RunCompleter
from tests.backends.stores import Clock
from tests.cluster.helpers import Flaky, adder, end_pause
from tests.jobs import echo
from tests.messages import missing


class Refusing(Flaky):
    """A store that refuses rows."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.refuses: Callable[[Any], bool] = lambda _: False
        self.writes: list[list[str]] = []

    def _check(self, rows: Sequence[Any]) -> None:
        self.writes.append([row.id for row in rows])
        if any(map(self.refuses, rows)):
            raise ValueRefusedError("memory: some value is refused")

    def finish(self, owner: str, outcomes: Sequence[Any]) -> Any:
        self._check(outcomes)
        return super().finish(owner, outcomes)

    def assign(self, assignments: Sequence[Any]) -> Any:
        self._check(assignments)
        return super().assign(assignments)


@pytest.fixture
def refusing(clock: Clock) -> Refusing:
    return Refusing(clock)


@pytest.fixture
def registry(refusing: Refusing, monkeypatch: pytest.MonkeyPatch) -> Iterator[TaskRegistry]:
    registry = TaskRegistry(backend=refusing, lease=600)
    assert registry._session is not None
    registry._session.claims.inline_batch = 100  # one write for all
    registry._session._heartbeat.stop(60)
    monkeypatch.setattr(registry._session._heartbeat, "start", lambda: None)
    yield registry
    refusing.refuses = lambda _: False
    refusing.fails_before.clear()
    registry.shutdown(0)


def fail(text: str) -> None:
    raise ValueError(text)


def completer(registry: TaskRegistry) -> RunCompleter:
    assert registry._session is not None
    return registry._session.completer


def test_a_refused_batch_is_written_in_halves(registry: TaskRegistry, refusing: Refusing) -> None:
    tasks = [registry.register(adder(name)) for name in "abcde"]
    tasks.append(registry.register(adder("f", func=fail, args=("é",))))
    tasks += [registry.register(adder(name)) for name in "gh"]
    refusing.writes.clear()
    refusing.refuses = lambda row: "é" in str(row.error)
    registry.tick()
    assert refusing.writes == [
        list("abcdefgh"),
        list("abcd"),
        list("efgh"),
        list("ef"),
        ["e"],
        *[["f"]] * 2,
        list("gh"),
    ]
    assert not completer(registry)
    assert [task.status for task in tasks] == [*[TaskStatus.SUCCESS] * 5, TaskStatus.FAILED, *[TaskStatus.SUCCESS] * 2]


def test_a_result_that_is_too_large_is_recorded_as_its_repr(
    registry: TaskRegistry, refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    task = registry.register(adder("a", func=operator.mul, args=("é", 5_000)))
    refusing.refuses = lambda row: len(row.result) > 10_000
    registry.tick()
    registry.tick()
    shown = short_repr("é" * 5_000).encode("ascii", "backslashreplace").decode()
    assert (task.status, task.result) == (TaskStatus.SUCCESS, shown)
    assert [row["result"] for row in registry.history()] == [shown]
    (record,) = [record for record in caplog.records if "refuses" in record.message]
    assert record.levelno == logging.WARNING
    assert missing(record.message, "run 1", "task 'a'", "escaped", "some value is refused") == []


def test_an_outcome_that_cannot_be_written_at_all_hinders_no_others(
    registry: TaskRegistry, refusing: Refusing, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    registry.register(adder("bad"))
    good = registry.register(adder("good"))
    refusing.refuses = lambda row: row.id == "bad"
    registry.tick()
    assert not completer(registry)
    (record,) = [record for record in caplog.records if "refuses" in record.message]
    assert record.levelno == logging.ERROR
    assert missing(record.message, "run 1", "task 'bad'", "nothing is recorded") == []
    clock.advance(60)
    registry.tick()
    assert len(registry.history("good")) == 2
    assert good.status is TaskStatus.SUCCESS


def test_an_outcome_that_no_words_make_acceptable_is_recorded_as_a_failure(
    registry: TaskRegistry, refusing: Refusing, clock: Clock
) -> None:
    task = registry.register(adder("bad"))
    refusing.refuses = lambda row: getattr(row, "last_success_at", None) is not None
    registry.tick()
    (run,) = registry.history("bad")
    assert (run["status"], run["error"]) == (TaskStatus.FAILED, "the store refuses the outcome (success)")
    refusing.refuses = lambda _: False
    clock.advance(60)
    registry.tick()
    assert task.status is TaskStatus.SUCCESS


def test_a_refused_outcome_may_also_be_late(
    registry: TaskRegistry, refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    def remove_and_fail() -> None:
        registry.remove("a")
        raise ValueError("é")

    registry.expose(remove_and_fail, "remove_and_fail")
    registry.register(adder("a", func=remove_and_fail, args=()))
    refusing.refuses = lambda row: "é" in str(getattr(row, "error", ""))
    registry.tick()
    assert [(row["late"], row["error"]) for row in registry.history()] == [(True, "ValueError: \\xe9")]
    messages = [record.message for record in caplog.records]
    assert [sum(word in message for message in messages) for word in ("refuses", "ended late")] == [1, 1]


def test_a_store_that_refuses_everything_is_an_outage_in_which_nothing_is_lost(
    registry: TaskRegistry, refusing: Refusing
) -> None:
    task = registry.register(adder("a"))
    refusing.refuses = lambda _: True
    refusing.fails_before = {"instances"}
    registry.tick()
    assert len(completer(registry)) == 1
    refusing.refuses = lambda _: False
    end_pause(registry)
    registry.tick()
    assert not completer(registry)
    assert [row["status"] for row in registry.history()] == ["success"]
    assert task.result == 3


def test_an_outage_between_the_halves_loses_nothing(registry: TaskRegistry, refusing: Refusing) -> None:
    for name in "abc":
        registry.register(adder(name))
    bad = registry.register(adder("d", func=fail, args=("é",)))
    refusing.refuses = lambda row: "é" in str(row.error)
    finish, left = Refusing.finish, [3]  # writes until the store is out of reach

    def finish_for_a_while(backend: Refusing, owner: str, outcomes: Sequence[Any]) -> Any:
        left[0] -= 1
        if left[0] == 0:
            raise BackendUnavailableError("memory: out of reach")
        return finish(backend, owner, outcomes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Refusing, "finish", finish_for_a_while)
        registry.tick()
        assert len(completer(registry)) == 4
        end_pause(registry)
        registry.tick()
    assert sorted((row["task_id"], row["late"]) for row in registry.history()) == [(name, False) for name in "abcd"]
    assert bad.error_message == "ValueError: \\xe9"


@pytest.mark.parametrize("takes_escaped", [True, False])
def test_an_assignment_that_is_refused_hinders_no_others(
    takes_escaped: bool, registry: TaskRegistry, refusing: Refusing, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = (registry.register(adder(name, paused=True)) for name in ("bad", "good"))
    refusing.refuses = lambda row: row.id == "bad" and not (takes_escaped and row.fields["error_message"].isascii())
    bad.error_message, good.error_message = "né", "fine"
    for _ in range(3):
        registry.tick()
    assert good.error_message == "fine"
    assert bad.error_message == ("n\\xe9" if takes_escaped else None)
    (record,) = [record for record in caplog.records if "refuses" in record.message]
    assert missing(record.message, "error_message of task 'bad'", "escaped text" if takes_escaped else "nothing") == []


def test_a_definition_that_is_refused_is_an_error_of_its_registration(
    registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def define(*_: Any) -> Any:
        raise ValueRefusedError("memory: too large")

    monkeypatch.setattr(registry.backend, "define", define)
    with pytest.raises(ValueError, match="too large"):
        registry.register(adder("a", func=echo, args=("x",)))
    assert len(registry) == 0
