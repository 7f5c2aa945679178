"""The checker: a lawful history passes, and each law has a test with a history that breaks it."""

from typing import Any

import pytest

from tests.chaos.checker import check
from tests.chaos.facts import Facts, Run, State
from tests.chaos.journal import Act, Born, Claimed, Died, End, Leased, Pulse, Record, Start, Trouble
from tests.chaos.spans import full, healthy, leases
from tests.chaos.summary import summary
from tests.chaos.workload import Job

LEASE, INTERVAL, OFFSET = 3.0, 0.25, 1000.0
REAPED = "lease expired: owner host:1 stopped renewing"
RELEASED = "not started: owner host:1 gave its claim back"


def instant(at: float) -> int:
    return round((OFFSET + at) * 1e6)


class History:
    """A history, written in few words: instance i1 with owner host:1, and others likewise; task t, each second."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = jobs or (Job("t", 1.0),)
        self.records: list[Record] = []
        self.runs: list[Run] = []
        self.log = ""
        self.states: dict[str, State] = {}
        self.all_paused = False

    def lives(self, number: int = 1, begin: float = 0.0, end: float = 30.0, since: int = 0) -> "History":
        """Let an instance renew its lease and pulse each second until it is dead."""
        self.records.append(Born(begin, f"i{number}", number, 4, 0.0))
        at = begin
        while at < end:
            self.records += [Leased(at, f"i{number}", f"host:{number}", at + LEASE, since), Pulse(at, f"i{number}")]
            self.records.append(Pulse(at + 0.5, f"i{number}"))
            at += 1.0
        self.records.append(Died(end, f"i{number}", 0 if end >= 30.0 else -9))
        return self

    def claim(self, at: float, epoch: int, number: int = 1, task: str = "t", **columns: Any) -> None:
        self.records.append(Claimed(at, f"i{number}", f"host:{number}", [(task, epoch)]))
        row = Run(task, epoch, instant(at), 1, f"host:{number}", instant(at), None, "running", None, None, False)
        self.runs.append(row._replace(**columns))

    def start(self, at: float, epoch: int, number: int = 1, task: str = "t", attempt: int = 1) -> None:
        slot = next(run.slot for run in self.runs if (run.task, run.epoch) == (task, epoch)) or 0
        self.records.append(Start(at, f"i{number}", number, task, slot, epoch, attempt))

    def end(self, at: float, epoch: int, number: int = 1, task: str = "t", **columns: Any) -> None:
        """Let the function end, and record its outcome."""
        self.records.append(End(at, f"i{number}", task, epoch, failed=columns.get("status") == "failed"))
        self.finish(at, epoch, task, **{"status": "success", "result": str(epoch), **columns})

    def finish(self, at: float, epoch: int, task: str = "t", **columns: Any) -> None:
        """Record an outcome."""
        index = next(n for n, run in enumerate(self.runs) if (run.task, run.epoch) == (task, epoch))
        self.runs[index] = run = self.runs[index]._replace(finished=instant(at), **columns)
        known = self.states.get(task)
        result = run.result if run.status == "success" else known.result if known else None
        if not (run.late and (run.error or "").startswith("not started")):
            self.states[task] = State(task, epoch, run.status, result, run.error)
        elif known:
            self.states[task] = known._replace(epoch=epoch)

    def run(self, at: float, epoch: int, number: int = 1, **columns: Any) -> None:
        """Make a whole run, short and successful."""
        self.claim(at, epoch, number, **columns)
        self.start(at, epoch, number)
        self.end(at + 0.1, epoch, number)

    def goes_on(self, begin: int, end: int, epoch: int = 1, number: int = 1) -> "History":
        """Make a run each second."""
        for at in range(begin, end):
            self.run(float(at), epoch + at - begin, number)
        return self

    def facts(self) -> Facts:
        records = sorted(self.records, key=lambda record: record.at)
        states = list(self.states.values())
        return Facts(self.jobs, records, self.runs, states, LEASE, INTERVAL, OFFSET, 30.0, self.log, self.all_paused)

    def check(self) -> list[str]:
        return check(self.facts())


@pytest.fixture
def history() -> History:
    return History().lives()


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


def test_a_lease_is_unbroken_while_the_store_returns_the_same_beginning() -> None:
    records = [Leased(0.0, "a", "o", 3.0, 7), Leased(2.0, "a", "o", 5.0, 7), Leased(4.0, "a", "o", 7.0, 8)]
    assert leases(records) == {"o": [(0.0, 5.0), (4.0, 7.0)]}
    assert leases([*records, Leased(6.0, "a", "o", 6.0, 0)]) == {"o": [(0.0, 5.0), (4.0, 6.0)]}


def test_an_instance_that_is_paused_cut_off_or_busy_inline_is_not_healthy() -> None:
    leased: list[Record] = [Leased(float(at), "a", "o", at + 3.0, 0) for at in range(28)]
    pulses: list[Record] = [Pulse(at / 2, "a") for at in range(60) if not 4 < at < 10]
    busy: list[Record] = [
        Born(0.0, "a", 1, 0, 0.0),
        Start(20.0, "a", 1, "t", 0, 1, 1),
        End(21.0, "a", "t", 1, failed=False),
    ]
    trouble: list[Record] = [Trouble(10.5, "a", 10.0, "claim: lost"), Trouble(18.0, "a", 17.0, "claim: slow")]
    records: list[Record] = [*leased, *pulses, *busy, *trouble]
    records.sort(key=lambda record: record.at)
    assert healthy(records, 25.0) == [(0.0, 2.0), (5.0, 10.0), (15.5, 17.0), (18.0, 20.0), (21.0, 25.0)]


def test_an_instance_without_a_free_thread_is_not_healthy() -> None:
    runs: list[Record] = [
        Start(1.0, "a", 1, "t", 0, 1, 1),
        Start(2.0, "a", 1, "u", 0, 1, 1),
        Start(3.0, "a", 1, "v", 0, 1, 1),
        End(3.1, "a", "v", 1, failed=False),  # too short to count
        End(4.0, "a", "t", 1, failed=False),
        Start(6.0, "a", 1, "w", 0, 1, 1),
        End(8.0, "a", "u", 1, failed=False),
        Start(9.0, "a", 1, "x", 0, 1, 1),
    ]
    never = float("inf")
    assert full([Born(0.0, "a", 1, 2, 0.0), *runs]) == {"a": [(2.0, 4.0), (6.0, 8.0), (9.0, never)]}
    assert full([Born(0.0, "a", 1, 3, 0.0), *runs]) == {}


def test_the_summary_counts_what_happened(history: History) -> None:
    history.goes_on(0, 30).records += [Act(1.0, "i1", "pause 4.0 s"), Act(2.0, "", "crash")]
    lines = summary(history.facts(), ["a law is broken"]).splitlines()
    assert [line.split("  ")[-1].strip() for line in lines] == [
        "30", "0", "30", "1", "0", "0", "1, 0", "0, 1", "0, 0", "0, 0", "0, 0", "0, 0", "0", "0", "1",
        "a law is broken",
    ]  # fmt: skip
