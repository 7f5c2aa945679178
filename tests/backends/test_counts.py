"""The counts of runs and of failures in a row, and the arguments of a requested run, in the row of a task."""

from typing import Any

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Assignment, Change, Claim, DeadRunOutcome, State
from tests.backends.stores import FRESH, LEASE, SHARED, Clock, Store, claim, define, failure, state, success

ARGUMENTS = '{"args": [1], "kwargs": {"x": "y"}}'


def start(backend: Backend, seen_version: int, attempt: int = 1, runs: int = 1) -> State:
    wanted = Claim("a", seen_version, 40, attempt, 42, first_run_at=41, last_run_at=42, runs=runs)
    assert set(backend.claim("me", f"token {seen_version}", [wanted])) == {"a"}
    return state(backend, "a")


@pytest.fixture
def defined(backend: Backend) -> Backend:
    define(backend, "a")
    backend.renew("me", LEASE)
    return backend


def test_a_new_task_has_none(defined: Backend) -> None:
    assert state(defined, "a") == FRESH
    assert FRESH[-3:] == (0, 0, None)


def test_a_claim_writes_the_number_of_runs(defined: Backend) -> None:
    assert start(defined, 1, runs=7).runs == 7
    defined.finish("me", [failure("a", 1)])
    assert start(defined, 3, attempt=2, runs=7).runs == 7


def test_an_outcome_writes_the_failures_in_a_row(defined: Backend) -> None:
    start(defined, 1)
    defined.finish("me", [failure("a", 1)._replace(consecutive_failures=4)])
    assert state(defined, "a").consecutive_failures == 4
    start(defined, 3)
    defined.finish("me", [success("a", 2)])
    assert state(defined, "a").consecutive_failures == 0


def test_a_late_outcome_leaves_them_alone(defined: Backend) -> None:
    start(defined, 1)
    defined.assign([Assignment("a", 2, {"status": "pending", "consecutive_failures": 2})])
    assert defined.finish("me", [failure("a", 1)._replace(consecutive_failures=9)]) == set()
    assert state(defined, "a").consecutive_failures == 2


def test_a_reaped_run_writes_them_too(defined: Backend, clock: Clock) -> None:
    start(defined, 1)
    clock.advance(LEASE)
    assert defined.reap([DeadRunOutcome("a", 1, "me", consecutive_failures=3)]) == {("a", 1)}
    assert state(defined, "a").consecutive_failures == 3


def test_a_request_comes_with_its_arguments(defined: Backend) -> None:
    changed = defined.change([Change("a", run_requested=1, run_arguments=ARGUMENTS)])
    assert changed["a"].run_arguments == state(defined, "a").run_arguments == ARGUMENTS
    defined.change([Change("a", paused=True)])
    assert state(defined, "a").run_arguments == ARGUMENTS
    defined.change([Change("a", run_requested=1, run_arguments="null")])
    assert state(defined, "a").run_arguments is None


def test_the_arguments_last_as_long_as_the_attempts_of_their_run(defined: Backend) -> None:
    defined.change([Change("a", run_requested=1, run_arguments=ARGUMENTS)])
    assert start(defined, 2).run_arguments == ARGUMENTS
    defined.finish("me", [failure("a", 1)])
    assert start(defined, 4, attempt=2).run_arguments == ARGUMENTS
    defined.finish("me", [failure("a", 2)])
    assert start(defined, 6, runs=2).run_arguments is None


def test_the_arguments_of_one_request_are_not_those_of_another_task(defined: Backend) -> None:
    define(defined, "b")
    defined.change([Change("a", run_requested=1, run_arguments=ARGUMENTS), Change("b", run_requested=1)])
    defined.claim("me", "both", [claim("a", 2), claim("b", 2)])
    assert (state(defined, "a").run_arguments, state(defined, "b").run_arguments) == (ARGUMENTS, None)


def test_all_of_them_may_be_assigned(defined: Backend) -> None:
    fields: dict[str, Any] = {"runs": 2**53 - 1, "consecutive_failures": 2**31 - 1, "run_arguments": ARGUMENTS}
    defined.assign([Assignment("a", 1, fields)])
    assert state(defined, "a") == FRESH._replace(version=2, **fields)
    defined.assign([Assignment("a", 2, {"run_arguments": None})])
    assert state(defined, "a").run_arguments is None


def test_a_removed_task_comes_back_without_them(defined: Backend) -> None:
    start(defined, 1)
    defined.finish("me", [failure("a", 1)._replace(consecutive_failures=1)])
    defined.change([Change("a", run_requested=1, run_arguments=ARGUMENTS)])
    defined.remove(["a"])
    assert define(defined, "a")["a"][-3:] == (0, 0, None)


@pytest.mark.parametrize("store", SHARED, indirect=True)
@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("runs", -1, "runs must be an integer from 0 to 9007199254740991, it is -1"),
        ("consecutive_failures", -1, "consecutive_failures must be an integer from 0 to 2147483647, it is -1"),
        ("run_arguments", "{", "run_arguments is no JSON: Expecting property name enclosed in double quotes"),
        ("run_arguments", "null", "run_arguments must be a JSON object of args and kwargs, it is null"),
        ("run_arguments", '{"args": []}', 'run_arguments must be a JSON object of args and kwargs, it is {"args": []}'),
        (
            "run_arguments",
            '{"args": {}, "kwargs": {}}',
            'run_arguments must be a JSON object of args and kwargs, it is {"args": {}, "kwargs": {}}',
        ),
        (
            "run_arguments",
            '{"args": [], "kwargs": []}',
            'run_arguments must be a JSON object of args and kwargs, it is {"args": [], "kwargs": []}',
        ),
    ],
)
def test_a_value_of_nonsense_is_reported(
    store: Store, defined: Backend, column: str, value: object, problem: str
) -> None:
    define(defined, "b")
    store.spoil("a", column, value)
    snapshot = defined.fetch(None, 0)
    assert set(snapshot.states) == {"b"}
    assert snapshot.unreadable["a"].startswith(problem)
