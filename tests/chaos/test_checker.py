"""The checker: a lawful history passes, and each law has a test with a history that breaks it."""

import pytest

from tests.chaos.facts import State
from tests.chaos.history import REAPED, RELEASED, History, instant
from tests.chaos.journal import Act, Born, Died, Leased, Pulse, Start
from tests.chaos.workload import Job


def once(retries: int = 0) -> History:
    return History(Job("t", None, retries=retries)).lives()


def test_a_lawful_history_passes(history: History) -> None:
    assert history.goes_on(0, 30).check() == []


def test_a_slot_started_twice_is_a_violation(history: History) -> None:
    history.goes_on(0, 29)
    history.run(29.0, 30, slot=history.runs[28].slot)
    assert history.check() == [
        f"t slot {instant(28.0)} was started more than once: epochs 29, 30",
        f"t epoch 30 is attempt 1 of slot {instant(28.0)}, epoch 29 was attempt 1 of {instant(28.0)}",
    ]


def attempts(*tried: tuple[float, int]) -> History:
    """Return a history with a run each second up to 26, and then these attempts, as slot and number."""
    history = History(Job("t", 1.0, retries=2)).lives().goes_on(0, 27)
    for epoch, (slot, attempt) in enumerate(tried, 28):
        history.claim(epoch - 1.0, epoch, slot=instant(slot), attempt=attempt)
        history.start(epoch - 1.0, epoch, attempt=attempt)
        history.end(epoch - 0.9, epoch)
    return history


def test_the_attempts_of_a_slot_follow_each_other() -> None:
    assert attempts((27.0, 1), (27.0, 2), (27.0, 3)).check() == []
    assert attempts((27.0, 1), (27.0, 2), (29.0, 1)).check() == []


def test_an_attempt_started_twice_is_a_violation() -> None:
    slot = instant(27.0)
    assert attempts((27.0, 1), (27.0, 2), (27.0, 2)).check() == [
        f"t slot {slot}, attempt 2, was started more than once: epochs 29, 30",
        f"t epoch 30 is attempt 2 of slot {slot}, epoch 29 was attempt 2 of {slot}",
        f"t epoch 30 is attempt 2 of slot {slot}, and follows attempt 2 of {slot}",
    ]


def test_a_retry_for_another_slot_is_a_violation() -> None:
    assert attempts((27.0, 1), (28.1, 2), (29.0, 1)).check() == [
        f"t epoch 29 is attempt 2 of slot {instant(28.1)}, and follows attempt 1 of {instant(27.0)}"
    ]


def test_a_retry_after_the_next_slot_is_a_violation() -> None:
    assert attempts((27.0, 1), (28.0, 1), (27.0, 2)).check() == [
        f"t epoch 30 is attempt 2 of slot {instant(27.0)}, epoch 29 was attempt 1 of {instant(28.0)}",
        f"t epoch 30 is attempt 2 of slot {instant(27.0)}, and follows attempt 1 of {instant(28.0)}",
    ]


@pytest.mark.parametrize("attempt", [2, 3])
def test_a_retry_may_follow_a_run_that_expired_or_was_released_by_a_dying_owner(attempt: int) -> None:
    history = History(Job("t", 1.0, retries=2)).lives(1, end=10.0).lives(2).goes_on(0, 9)
    history.end(8.1, 9, status="failed", result=None, error="ValueError")
    history.claim(9.0, 10, slot=instant(8.0), attempt=2)
    history.finish(12.5, 10, status="failed", error=REAPED, late=True)
    history.claim(13.0, 11, number=2, slot=instant(8.0), attempt=attempt)
    history.start(13.0, 11, number=2, attempt=attempt)
    history.end(13.1, 11, number=2)
    for at in range(14, 30):
        history.run(float(at), at - 2, number=2)
    assert history.check() == []


def test_a_retry_without_an_attempt_before_it_is_a_violation() -> None:
    history = once(retries=2)
    history.claim(0.0, 1, attempt=2)
    history.start(0.0, 1, attempt=2)
    history.end(0.1, 1)
    assert history.check() == [f"t epoch 1 is attempt 2 of slot {instant(0.0)}, and follows nothing"]


def test_an_epoch_started_twice_is_a_violation(history: History) -> None:
    history.goes_on(0, 30).start(29.05, 30)
    assert "t epoch 30 was started 2 times" in history.check()


def test_two_runs_in_flight_while_leases_hold_are_a_violation(history: History) -> None:
    history.lives(2).goes_on(0, 28)
    history.claim(28.0, 29)
    history.start(28.0, 29)
    history.claim(28.5, 30, number=2)
    history.start(28.5, 30, number=2)
    history.end(29.0, 29)
    history.end(29.5, 30, number=2)
    assert history.check() == ["t epoch 30 started on i2 while epoch 29 went on on i1, whose lease held"]


def test_a_run_may_start_beside_one_whose_lease_has_expired() -> None:
    history = History().lives(1, end=10.0).lives(2)
    history.goes_on(0, 9)
    history.claim(9.0, 10)
    history.start(9.0, 10)
    history.finish(12.5, 10, status="failed", error=REAPED, late=True)
    for at in range(13, 30):
        history.run(float(at), at - 2, number=2)
    assert history.check() == []


@pytest.mark.parametrize(
    ("at", "pause", "expected"),
    [
        (13.2, (9.0, 13.0), []),
        (13.7, (9.0, 13.0), ["t epoch 10 started on i1 while epoch 11 went on on i2, whose lease held"]),
        (13.2, (9.0, 9.5), ["t epoch 10 started on i1 while epoch 11 went on on i2, whose lease held"]),
    ],
)
def test_a_pause_from_right_before_a_start_past_the_lease_excuses_it(
    at: float, pause: tuple[float, float], expected: list[str]
) -> None:
    history = History().lives(2).goes_on(0, 9, number=2)
    history.lives(1, end=9.0).records.append(Pulse(pause[0], "i1"))
    history.records += [Pulse(pause[1] + step / 2, "i1") for step in range(8)]
    history.claim(9.0, 10)
    history.finish(12.2, 10, status="failed", error=REAPED, late=True)
    history.claim(13.0, 11, number=2)
    history.start(13.0, 11, number=2)
    history.start(at, 10)
    history.end(14.0, 11, number=2)
    history.end(14.1, 10, status="failed", error=REAPED, late=True)
    for second in range(15, 30):
        history.run(float(second), second - 3, number=2)
    assert [line for line in history.check() if "while epoch" in line] == expected


def test_a_start_without_an_outcome_is_a_violation(history: History) -> None:
    history.goes_on(0, 29)
    history.claim(29.0, 30)
    history.start(29.0, 30)
    assert "t epoch 30 has no outcome" in history.check()


def test_a_start_missing_in_the_history_is_a_violation(history: History) -> None:
    history.goes_on(0, 30)
    del history.runs[-1]
    assert history.check() == [
        "t epoch 30 was won, and is not in the history",
        "t epoch 30 was started, and is not in the history",
        f"t is at epoch 30, and has the rows {list(range(1, 30))}",
        "t stands at ('success', None, '30'), and by its rows at ('success', None, '29')",
    ]


def test_a_start_with_two_outcomes_is_a_violation(history: History) -> None:
    history.goes_on(0, 30).runs.append(history.runs[-1])
    assert "t epoch 30 has 2 rows" in history.check()


def test_an_outcome_that_differs_from_the_functions_is_a_violation(history: History) -> None:
    history.goes_on(0, 29)
    history.claim(29.0, 30)
    history.start(29.0, 30)
    history.end(29.1, 30, status="failed", result=None, error="ValueError")
    assert history.check() == []
    history.finish(29.1, 30, status="success", result="30", error=None)
    assert history.check() == ["t epoch 30 is recorded as success (None), its function says failed"]


def test_a_start_for_another_slot_than_in_the_history_is_a_violation(history: History) -> None:
    history.goes_on(0, 30)
    history.runs[-1] = history.runs[-1]._replace(slot=instant(28.5))
    assert history.check() == [
        f"t epoch 30 was started as attempt 1 of slot {instant(29.0)}, the history says attempt 1 of {instant(28.5)}"
    ]


def test_a_retry_for_another_slot_than_in_the_history_is_a_violation() -> None:
    history = attempts((27.0, 1), (27.0, 2), (29.0, 1))
    start = next(one for one in history.records if isinstance(one, Start) and one.attempt == 2)
    history.records[history.records.index(start)] = start._replace(slot=instant(28.0))
    assert history.check() == [
        f"t epoch 29 was started as attempt 2 of slot {instant(28.0)}, the history says attempt 2 of {instant(27.0)}"
    ]


def test_a_start_of_a_released_claim_is_a_violation(history: History) -> None:
    history.goes_on(0, 30)
    history.finish(29.2, 30, status="failed", error=RELEASED, late=True)
    history.states["t"] = State("t", 30, "success", "29", None)
    assert history.check() == [f"t epoch 30 was started, and is recorded as {RELEASED!r}"]


def test_a_released_claim_counts_for_nothing(history: History) -> None:
    history.goes_on(0, 29)
    history.claim(29.0, 30)
    history.finish(29.2, 30, status="failed", error=RELEASED, late=True)
    history.run(29.3, 31, slot=instant(29.0))
    assert history.check() == []


@pytest.mark.parametrize("stands", [State("t", 10, "success", "9", None), State("t", 10, "failed", "9", REAPED)])
def test_an_owner_may_die_between_a_release_and_its_record(stands: State) -> None:
    history = History().lives(1, end=10.0).lives(2).goes_on(0, 9)
    history.claim(9.0, 10)
    history.finish(12.5, 10, status="failed", error=REAPED, late=True)
    history.states["t"] = stands
    assert [one for one in history.check() if "stands" in one] == []
    for at in range(13, 30):
        history.run(float(at), at - 2, number=2, slot=instant(9.0 if at == 13 else float(at)))
    assert history.check() == []


def test_an_outcome_without_a_start_is_a_violation(history: History) -> None:
    history.goes_on(0, 29)
    history.claim(29.0, 30)
    history.finish(29.1, 30, status="success", result="30")
    assert history.check() == ["t epoch 30 is recorded as success (None), and was never started"]


def test_a_run_reaped_while_its_lease_holds_is_a_violation(history: History) -> None:
    history.goes_on(0, 29)
    history.claim(29.0, 30)
    history.finish(29.5, 30, status="failed", error=REAPED, late=True)
    assert history.check() == [f"t epoch 30 is recorded as {REAPED!r}, and that lease held"]


def test_a_late_outcome_does_not_hide_a_reap_under_a_lease_that_held(history: History) -> None:
    history.claim(0.0, 1)
    history.start(0.0, 1)
    history.end(1.0, 1, status="failed", error=REAPED, late=True)
    for at in range(1, 30):
        history.run(float(at), at + 1)
    assert history.check() == [f"t epoch 1 is recorded as {REAPED!r}, and that lease held"]


def test_a_start_before_its_slot_is_a_violation(history: History) -> None:
    history.goes_on(0, 29)
    history.run(29.0, 30, slot=instant(29.5))
    assert history.check() == ["t epoch 30 started 0.5 s before its slot"]


def test_a_slot_missed_while_an_instance_is_healthy_is_a_violation(history: History) -> None:
    history.goes_on(0, 10)
    history.run(20.0, 11)
    for at in range(21, 30):
        history.run(float(at), at - 9)
    assert history.check() == ["t epoch 11 was left waiting for 10.0 s while an instance was healthy"]


def test_a_slot_never_claimed_is_a_violation(history: History) -> None:
    assert history.check() == ["t epoch 1 was left waiting for 30.0 s while an instance was healthy"]


def test_a_dead_run_that_is_not_reaped_is_a_violation() -> None:
    history = History().lives(1, end=10.0).lives(2).goes_on(0, 9)
    history.claim(9.0, 10)
    history.finish(25.0, 10, status="failed", error=REAPED, late=True)
    for at in range(25, 30):
        history.run(float(at), at - 14, number=2)
    assert history.check() == ["t epoch 11 was left waiting for 13.0 s while an instance was healthy"]


def test_slots_may_be_missed_without_a_healthy_instance() -> None:
    history = History().lives(1, end=10.0).lives(2, begin=24.0)
    history.goes_on(0, 10)
    for at in range(25, 30):
        history.run(float(at), at - 14, number=2)
    assert history.check() == []


def test_a_gap_in_the_epochs_is_a_violation(history: History) -> None:
    history.goes_on(0, 10).goes_on(10, 30, epoch=12)
    expected = [*range(1, 11), *range(12, 32)]
    assert history.check() == [f"t is at epoch 31, and has the rows {expected}"]


def test_a_slot_after_a_later_one_is_a_violation(history: History) -> None:
    history.goes_on(0, 29)
    history.run(29.0, 30, slot=instant(27.5))
    assert history.check() == [
        f"t epoch 30 is attempt 1 of slot {instant(27.5)}, epoch 29 was attempt 1 of {instant(28.0)}"
    ]


def test_a_result_of_another_run_is_a_violation(history: History) -> None:
    history.goes_on(0, 29)
    history.claim(29.0, 30)
    history.start(29.0, 30)
    history.end(29.1, 30, result="29")
    history.states["t"] = State("t", 30, "success", "30", None)
    assert history.check() == ["t epoch 30 has the result of epoch 29"]


def test_a_state_overwritten_by_an_earlier_epoch_is_a_violation(history: History) -> None:
    history.goes_on(0, 30).states["t"] = State("t", 30, "success", "29", None)
    assert history.check() == [
        "t stands at ('success', None, '29'), and by its rows at ('success', None, '30')",
    ]


def test_a_single_slot_with_a_retry_left_and_no_success_is_a_violation() -> None:
    history = once(retries=2)
    history.claim(0.0, 1)
    history.start(0.0, 1)
    history.end(0.1, 1, status="failed", result=None, error="ValueError")
    assert history.check() == ["t ended with attempt 1 of 3, 'ValueError', and nothing followed"]
    for epoch in (2, 3):
        history.claim(epoch - 1.0, epoch, slot=instant(0.0), attempt=epoch)
        history.start(epoch - 1.0, epoch, attempt=epoch)
        history.end(epoch - 0.9, epoch, status="failed", result=None, error="ValueError")
    assert history.check() == []


def test_a_single_slot_without_retry_may_die_with_its_instance() -> None:
    history = History(Job("t", None)).lives(1, end=10.0).lives(2)
    history.claim(0.0, 1)
    history.finish(13.0, 1, status="failed", error=REAPED, late=True)
    assert history.check() == []


def test_a_dependent_is_due_only_after_a_success() -> None:
    history = History(Job("t", 1.0), Job("u", 1.0, after="t")).lives().goes_on(0, 30)
    assert history.check() == ["u epoch 1 was left waiting for 29.9 s while an instance was healthy"]
    history = History(Job("t", None), Job("u", 1.0, after="t")).lives()
    history.claim(0.0, 1)
    history.start(0.0, 1)
    history.end(0.1, 1, status="failed", result=None, error="ValueError")
    assert history.check() == []


def test_an_instance_that_ends_by_itself_is_a_violation(history: History) -> None:
    history.goes_on(0, 30).records.append(Died(20.0, "i2", 1))
    assert history.check() == ["instance i2 ended by itself with status 1"]


def test_a_failed_tick_is_a_violation(history: History) -> None:
    history.goes_on(0, 30).log = "Task 't' failed\nA tick failed; the scheduler goes on.\n"
    assert history.check() == ["the log says: A tick failed; the scheduler goes on."]


def test_an_outcome_that_the_store_refuses_is_a_violation(history: History) -> None:
    history.goes_on(0, 30).log = "The store refuses the outcome of run 1 of task 't'\n"
    assert history.check() == ["the log says: The store refuses the outcome of run 1 of task 't'"]


def test_an_instance_that_does_not_find_the_store_again_is_a_violation(history: History) -> None:
    history.goes_on(0, 30).records += [Act(15.0, "", "heal"), Born(1.0, "i2", 2, 4, 0.0), Born(2.0, "i3", 3, 4, 0.0)]
    history.records += [Leased(5.0, "i2", "host:2", 8.0, 0), Died(12.0, "i3", -9), Born(16.0, "i4", 4, 4, 0.0)]
    assert history.check() == ["instance i2 has not found the store again since all harm was over"]


def test_an_instance_has_time_to_find_the_store_again(history: History) -> None:
    history.goes_on(0, 30).records += [Act(20.0, "", "heal"), Born(1.0, "i2", 2, 4, 0.0)]
    assert history.check() == []


def test_a_row_of_nonsense_that_is_started_is_a_violation(history: History) -> None:
    history.goes_on(0, 30).records.append(Start(5.0, "i1", 1, "nonsense-1", 0, 1, 1))
    assert history.check() == ["nonsense-1 makes no sense, and was started on i1"]
