"""The contract of a row's version, on real stores."""

from collections.abc import Callable

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Assignment, Change, DeadRunOutcome, Definition, State
from tests.backends.stores import LEASE, Clock, claim, define, failure, state, success


class TestVersion:
    def test_grows_by_one_with_each_change_of_a_row(self, backend: Backend, clock: Clock) -> None:
        steps: list[Callable[[], object]] = [
            lambda: define(backend, "a"),
            lambda: backend.define([Definition("a", "{}", "other")]),
            lambda: backend.change([Change("a", paused=True)]),
            lambda: backend.change([Change("a", Definition("a", "{}", "third"), paused=False, run_requested=1)]),
            lambda: backend.assign([Assignment("a", 4, {"attempt": 1, "result": "1"})]),
            lambda: backend.claim("me", "one", [claim("a", 5)]),
            lambda: backend.finish("me", [success("a", 1)]),
            lambda: backend.claim("me", "two", [claim("a", 7)]),
            lambda: backend.finish("me", [failure("a", 2)]),
            lambda: backend.claim("me", "three", [claim("a", 9)]),
            lambda: backend.change([Change("a", paused=True)]),  # of a task that runs
            lambda: backend.leave("me"),
            lambda: backend.reap([DeadRunOutcome("a", 3, "me", retry_at=5, attempt=1)]),
            lambda: backend.remove(["a"]),
            lambda: define(backend, "a"),
        ]
        backend.renew("me", LEASE)
        versions = []
        for step in steps:
            step()
            snapshot = backend.fetch(["a"], 0)
            versions.append(snapshot.states["a"].version if snapshot.states else None)
        assert versions == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 11, 12, None, 14]

    def test_stays_when_nothing_changes(self, backend: Backend, running: State, clock: Clock) -> None:
        def write_nothing_new() -> None:
            backend.renew("me", LEASE)
            backend.claim("me", "token", [claim("a", 1)])  # a repetition
            backend.claim("me", "other", [claim("a", backend.fetch(["a"], 0).states["a"].version)])
            backend.assign([Assignment("a", 1, {"attempt": 5})])
            define(backend, "a")
            backend.change([Change("a", seen_hash="another", paused=True)])
            backend.finish("me", [success("a", 7)])
            backend.finish("you", [success("a", 1)])
            backend.reap([DeadRunOutcome("a", 1, "me")])

        write_nothing_new()
        assert state(backend, "a") == running
        backend.finish("me", [success("a", 1)])
        ended = state(backend, "a")
        backend.finish("me", [success("a", 1)])  # a repetition
        clock.advance(LEASE)
        backend.reap([DeadRunOutcome("a", 1, "me")])
        assert (ended.version, state(backend, "a")) == (running.version + 1, ended)
