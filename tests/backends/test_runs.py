"""The contract of `claim` and `finish`, on real stores."""

import json

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Assignment, Change, Claim, DeadRunOutcome, RunOutcome, RunRow, State
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import FRESH, LEASE, Clock, claim, define, failure, state, success

PENDING, RUNNING, SUCCESS, FAILED = TaskStatus


class TestClaim:
    def test_starts_a_run(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.change([Change("a", run_requested=2)])
        wanted = Claim("a", 2, 40, 3, 42, first_run_at=41, last_run_at=42, retry_at=None)
        assert backend.claim("me", "token", [wanted]) == {"a": 1}
        assert state(backend, "a") == State(
            "a", 3, 1, RUNNING, 41, 42, None, None, 3, None, None, 0, None, False, 0, "me", slot=40
        )
        assert backend.history() == [RunRow("a", 1, 40, 3, "me", 42, None, RUNNING, None, None, late=False)]

    def test_writes_the_moments_of_the_claim(self, backend: Backend, running: State) -> None:
        backend.finish("me", [failure("a", 1)])
        assert state(backend, "a").retry_at == 300
        backend.claim("me", "two", [Claim("a", 3, None, 2, 9, None, None, retry_at=77)])
        now = state(backend, "a")
        assert (now.first_run_at, now.last_run_at, now.retry_at, now.slot) == (None, None, 77, None)
        assert backend.history()[0].slot is None

    def test_a_claim_on_another_version_fails(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        assert backend.claim("me", "token", [claim("a", 2), claim("a", 0), claim("b", 1)]) == {"b": 1}
        assert state(backend, "a") == FRESH
        assert [run.task_id for run in backend.history()] == ["b"]

    def test_one_of_two_owners_wins(self, backend: Backend) -> None:
        define(backend, "a")
        backend.renew("me", LEASE)
        backend.renew("you", LEASE)
        assert backend.claim("you", "yours", [claim("a", 1)]) == {"a": 1}
        before = state(backend, "a")
        assert backend.claim("me", "mine", [claim("a", 1)]) == {}
        assert state(backend, "a") == before

    def test_a_running_task_is_not_claimed_whatever_its_version(self, backend: Backend, running: State) -> None:
        assert backend.claim("me", "other", [claim("a", running.version)]) == {}
        assert state(backend, "a") == running

    def test_a_repetition_with_the_same_token_gives_the_same_answer(self, backend: Backend, running: State) -> None:
        before = backend.history()
        assert backend.claim("me", "token", [claim("a", 1)]) == {"a": 1}
        assert backend.claim("you", "token", [claim("a", 1)]) == {}
        assert state(backend, "a") == running
        assert backend.history() == before

    def test_a_repetition_after_a_reap_starts_nothing(self, backend: Backend, running: State, clock: Clock) -> None:
        clock.advance(LEASE + 1)
        backend.reap([DeadRunOutcome("a", 1, "me")])
        backend.renew("me", LEASE)
        assert backend.claim("me", "token", [claim("a", 1)]) == {}

    def test_a_repetition_starts_the_rest_of_a_batch_and_returns_all(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        backend.claim("me", "token", [claim("a", 1)])
        assert backend.claim("me", "token", [claim("a", 1), claim("b", 1)]) == {"a": 1, "b": 1}

    def test_a_claim_needs_a_live_lease(self, backend: Backend, clock: Clock) -> None:
        define(backend, "a")
        assert backend.claim("me", "one", [claim("a", 1)]) == {}
        backend.renew("me", LEASE)
        clock.advance(LEASE)
        assert backend.claim("me", "two", [claim("a", 1)]) == {}
        assert (state(backend, "a"), backend.history()) == (FRESH, [])
        backend.renew("me", LEASE)
        clock.advance(LEASE - 0.001)
        assert backend.claim("me", "three", [claim("a", 1)]) == {"a": 1}

    def test_empty_batches_are_allowed(self, backend: Backend) -> None:
        assert backend.claim("me", "token", []) == {}
        assert backend.finish("me", []) == set()
        assert backend.assign([]) == {}
        assert backend.define([]) == {}
        assert backend.change([]) == {}
        assert backend.reap([]) == set()
        backend.remove([])


class TestFinish:
    def test_records_a_success(self, backend: Backend, running: State) -> None:
        assert backend.finish("me", [success("a", 1)]) == {("a", 1)}
        assert state(backend, "a") == running._replace(
            version=3, status=SUCCESS, result="[1]", last_success_at=200, attempt=0, owner=None
        )
        assert backend.history() == [RunRow("a", 1, 99, 1, "me", 100, 200, SUCCESS, "[1]", None, late=False)]

    def test_a_failure_leaves_result_and_last_success_alone(self, backend: Backend, running: State) -> None:
        backend.finish("me", [success("a", 1)])
        backend.claim("me", "two", [claim("a", 3)])
        assert backend.finish("me", [failure("a", 2)]) == {("a", 2)}
        assert state(backend, "a") == running._replace(
            version=5,
            epoch=2,
            status=FAILED,
            result="[1]",
            last_success_at=200,
            retry_at=300,
            attempt=2,
            error_message="ValueError: boom",
            owner=None,
        )
        assert backend.history()[-1] == RunRow(
            "a", 2, 99, 1, "me", 100, 200, FAILED, None, "ValueError: boom", late=False
        )

    def test_consumed_successes_stay_until_a_run_consumes_others(self, backend: Backend, running: State) -> None:
        backend.finish("me", [failure("a", 1)._replace(consumed='{"b": 1}')])
        backend.claim("me", "two", [claim("a", 3)])
        backend.finish("me", [success("a", 2)])
        assert state(backend, "a").consumed == '{"b": 1}'
        backend.claim("me", "three", [claim("a", 5)])
        backend.finish("me", [success("a", 3)._replace(consumed='{"b": 2}')])
        assert state(backend, "a").consumed == '{"b": 2}'

    def test_a_repetition_gives_the_same_answer(self, backend: Backend, running: State) -> None:
        backend.finish("me", [success("a", 1, history_limit=1)])
        before = backend.fetch(["a"], 0), backend.history()
        assert backend.finish("me", [success("a", 1, finished=999)]) == {("a", 1)}
        assert (backend.fetch(["a"], 0), backend.history()) == before

    @pytest.mark.parametrize("is_success", [True, False])
    def test_a_limit_of_0_keeps_no_run_and_a_repetition_gives_the_same_answer(
        self, backend: Backend, running: State, is_success: bool
    ) -> None:
        first, second = (
            (success("a", epoch) if is_success else failure("a", epoch))._replace(history_limit=0) for epoch in (1, 2)
        )
        for outcome in (first, second):
            for _ in range(3):
                assert backend.finish("me", [outcome]) == {(outcome.id, outcome.epoch)}
                assert (backend.history(), backend.past({"a": 9})) == ([], {})
            before = state(backend, "a")
            assert before.status is (SUCCESS if is_success else FAILED)
            if outcome is first:
                assert backend.claim("me", "two", [claim("a", before.version)]) == {"a": 2}
                assert [run.epoch for run in backend.history()] == [2]
        others = (
            second._replace(error="another"),
            second._replace(retry_at=9),
            success("a", 2, finished=999, history_limit=0),
            first,
        )
        for other in others:
            assert backend.finish("me", [other]) == set()
            assert state(backend, "a") == before

    def test_with_a_limit_of_0_a_late_run_is_kept_until_the_next_one_ends(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        clock.advance(LEASE)
        backend.reap([DeadRunOutcome("a", 1, "me")])
        for _ in range(2):
            assert backend.finish("me", [success("a", 1, history_limit=0)]) == set()
            assert [(run.epoch, run.status, run.late) for run in backend.history()] == [(1, FAILED, True)]
        backend.renew("you", LEASE)
        backend.claim("you", "yours", [claim("a", 3, started=150)])
        assert backend.finish("you", [success("a", 2, history_limit=0)]) == {("a", 2)}
        assert backend.history() == []

    def test_another_owner_or_epoch_changes_nothing(self, backend: Backend, running: State) -> None:
        before = backend.history()
        assert backend.finish("you", [success("a", 1)]) == set()
        assert backend.finish("me", [success("a", 0), success("a", 2), success("nobody", 1)]) == set()
        assert (state(backend, "a"), backend.history()) == (running, before)

    def test_an_outcome_after_a_reap_and_a_new_run_is_late_and_changes_no_state(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        clock.advance(LEASE)
        backend.reap([DeadRunOutcome("a", 1, "me")])
        backend.renew("you", LEASE)
        backend.claim("you", "yours", [claim("a", 3, started=150)])
        theirs = state(backend, "a")
        for _ in range(2):
            assert backend.finish("me", [success("a", 1)]) == set()
            assert state(backend, "a") == theirs
            assert backend.history() == [
                RunRow(
                    "a", 1, 99, 1, "me", 100, 200, FAILED, "[1]", "lease expired: owner me stopped renewing", late=True
                ),
                RunRow("a", 2, 99, 1, "you", 150, None, RUNNING, None, None, late=False),
            ]
        assert backend.finish("you", [success("a", 2)]) == {("a", 2)}

    def test_an_outcome_after_a_reap_alone_is_late_and_changes_no_state(
        self, backend: Backend, running: State, clock: Clock
    ) -> None:
        clock.advance(LEASE)
        backend.reap([DeadRunOutcome("a", 1, "me")])
        reaped = state(backend, "a")
        assert backend.finish("me", [success("a", 1)]) == set()
        assert state(backend, "a") == reaped

    def test_keeps_the_newest_runs_of_each_task(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        for number in range(5):
            won = backend.claim("me", str(number), [claim(one, 1 + 2 * number, started=number) for one in "ab"])
            backend.finish("me", [success("a", won["a"], history_limit=2), success("b", won["b"], history_limit=3)])
        kept = [(run.task_id, run.epoch) for run in backend.history()]
        assert kept == [("b", 3), ("a", 4), ("b", 4), ("a", 5), ("b", 5)]
        assert backend.history("a") == [run for run in backend.history() if run.task_id == "a"]

    def test_does_not_delete_a_run_without_an_outcome(self, backend: Backend, running: State) -> None:
        backend.assign([Assignment("a", 2, {"status": PENDING})])
        backend.claim("me", "two", [claim("a", 3)])
        backend.finish("me", [success("a", 2, history_limit=1)])
        assert [(run.epoch, run.status) for run in backend.history("a")] == [(1, RUNNING), (2, SUCCESS)]

    def test_stores_any_text_and_any_limit(self, backend: Backend, running: State) -> None:
        error = "ValueError: \0 \ud800 ü 🐢 '; --"
        value = json.dumps("\0 \ud800 ü")
        outcome = RunOutcome(
            "a", 1, 2, SUCCESS, result=value, result_text="\0\ud800", error=error, history_limit=10**30
        )
        assert backend.finish("me", [outcome]) == {("a", 1)}
        now = state(backend, "a")
        assert now.error_message == "ValueError: \\x00 \\ud800 ü 🐢 '; --"
        assert now.result == value
        assert backend.history()[0].result == "\\x00\\ud800"
