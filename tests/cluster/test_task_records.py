"""Records of tasks: the state of a claim through its life, and the index sets that go with it."""

import threading
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler.backends.rows import Definition
from est_alan_scheduler.cluster.codecs.definitions import TaskDefinition
from est_alan_scheduler.cluster.codecs.states import FIELDS
from est_alan_scheduler.cluster.task_records import ClaimState, KnownRow, TaskRecords, is_same
from est_alan_scheduler.runs.observer import ClaimedRun
from est_alan_scheduler.task import Task, TaskStatus

RUN = ClaimedRun(epoch=1, attempt=1, due=datetime(2027, 1, 1))
UNREADABLE = Definition("a", "{}", "")


@pytest.fixture
def records() -> TaskRecords:
    return TaskRecords(threading.Lock())


@pytest.fixture
def row(records: TaskRecords) -> KnownRow:
    """The row of task "a", which is known and pending."""
    row = KnownRow(TaskDefinition({}, None, None), "")
    row.version, row.fields = 1, {**dict.fromkeys(FIELDS), "status": TaskStatus.PENDING}
    records.set_row("a", row, is_adopted=False)
    return row


class Moment(datetime):
    """A subclass, as other libraries have one."""


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        (None, None, True),
        (12_345_678, int("12345678"), True),  # equal, but not the same object
        ({"a": [1, 2]}, {"a": [1, 2]}, True),
        (datetime(2026, 6, 1), datetime(2026, 6, 1), True),
        (Moment(2026, 6, 1), datetime(2026, 6, 1), True),
        (datetime(2026, 6, 1), datetime(2026, 6, 2), False),
        (datetime(2026, 6, 1), None, False),
        (1, True, False),  # a store tells them apart
        (1, 1.0, False),
        ("pending", "failed", False),
    ],
)
def test_an_equal_value_of_the_same_type_is_no_edit(one: Any, other: Any, answer: bool) -> None:
    assert is_same(one, other) is answer


def state(records: TaskRecords) -> ClaimState | None:
    record = records.get("a")
    return None if record is None else record.state


def running() -> Task:
    return Task(id="a", func=print, status=TaskStatus.RUNNING)


class TestClaim:
    def test_a_run_is_held_then_runs_then_ends(self, records: TaskRecords, row: KnownRow) -> None:
        assert state(records) is ClaimState.FREE
        records.hold("a", row, 1, RUN, 5)
        assert (state(records), records.is_held("a"), row.epoch, row.version) == (ClaimState.HELD, True, 1, 2)
        records.note_start(running())
        assert (state(records), records.is_held("a"), records.is_claimed("a", 1)) == (ClaimState.RUNNING, False, True)
        row.fields["status"] = TaskStatus.SUCCESS
        assert records.end("a", 1)
        assert (state(records), records.is_claimed("a")) == (ClaimState.FREE, False)

    def test_a_released_run_does_not_start_and_waits_to_be_undone(self, records: TaskRecords, row: KnownRow) -> None:
        records.hold("a", row, 1, RUN, 5)
        records.release("a")
        assert (state(records), records.is_held("a"), records.is_claimed("a")) == (ClaimState.RELEASED, False, True)
        released = records.take_released()
        assert (released, records.take_released()) == ({"a": 1}, {})
        records.keep_released(released)
        assert records.take_released() == {"a": 1}

    def test_a_run_that_has_started_is_not_released(self, records: TaskRecords, row: KnownRow) -> None:
        records.hold("a", row, 1, RUN, 5)
        records.note_start(running())
        records.release("a")
        assert (state(records), records.take_released()) == (ClaimState.RUNNING, {})

    def test_a_claim_for_a_row_that_was_replaced_is_released(self, records: TaskRecords, row: KnownRow) -> None:
        records.set_row("a", KnownRow(row.definition, ""), is_adopted=False)
        records.hold("a", row, 1, RUN, 5)
        assert (state(records), records.take_released()) == (ClaimState.RELEASED, {"a": 1})

    def test_an_undone_start_is_held_under_no_lease(self, records: TaskRecords, row: KnownRow) -> None:
        records.hold("a", row, 1, RUN, 5)
        records.note_start(running())
        records.undo_start("a", RUN, {"status": TaskStatus.PENDING})
        record = records.get("a")
        assert record is not None
        assert (record.state, record.lease_since, row.fields["status"]) == (ClaimState.HELD, None, TaskStatus.PENDING)

    def test_a_claim_ends_by_its_own_epoch_alone(self, records: TaskRecords, row: KnownRow) -> None:
        records.hold("a", row, 1, RUN, 5)
        assert (records.end("a", 2), state(records)) == (False, ClaimState.HELD)

    def test_a_task_with_an_assigned_status_is_free_and_its_held_run_is_closed(
        self, records: TaskRecords, row: KnownRow
    ) -> None:
        records.hold("a", row, 1, RUN, 5)
        records.end_claim_by_status("a")
        assert (state(records), records.is_claimed("a"), records.take_released()) == (ClaimState.FREE, False, {"a": 1})

    def test_a_claim_of_this_instance_outlasts_a_run_elsewhere(self, records: TaskRecords, row: KnownRow) -> None:
        records.set_running_elsewhere("a", True)
        assert (state(records), set(records.elsewhere)) == (ClaimState.ELSEWHERE, {"a"})
        records.hold("a", row, 1, RUN, 5)
        records.set_running_elsewhere("a", True)
        assert (state(records), set(records.elsewhere)) == (ClaimState.HELD, set())

    def test_a_task_that_another_instance_runs_when_a_claim_ends_runs_elsewhere(
        self, records: TaskRecords, row: KnownRow
    ) -> None:
        records.hold("a", row, 1, RUN, 5)
        row.fields["status"] = TaskStatus.RUNNING
        records.end("a", 1)
        assert (state(records), set(records.elsewhere)) == (ClaimState.ELSEWHERE, {"a"})


class TestForget:
    def test_a_record_without_a_claim_is_dropped(self, records: TaskRecords, row: KnownRow) -> None:
        records.set_running_elsewhere("a", True)
        records.forget("a")
        assert (records.get("a"), set(records.elsewhere)) == (None, set())

    def test_a_run_that_goes_on_is_known_until_it_ends(self, records: TaskRecords, row: KnownRow) -> None:
        records.hold("a", row, 1, RUN, 5)
        records.note_start(running())
        records.forget("a")
        assert (records.row("a"), records.is_claimed("a", 1)) == (None, True)
        records.end("a", 1)
        assert records.get("a") is None

    def test_a_child_process_has_no_claims(self, records: TaskRecords, row: KnownRow) -> None:
        records.hold("a", row, 1, RUN, 5)
        records.release("a")
        lock = threading.Lock()
        records.clear_after_fork(lock)
        assert (records.lock, state(records), records.take_released()) == (lock, ClaimState.FREE, {})
        stale = set[str]()
        records.take_stale(stale)
        assert (stale, row.version, row.fields) == ({"a"}, 0, {})


class TestUnresolved:
    def test_a_problem_is_logged_once(self, records: TaskRecords) -> None:
        for _ in range(2):
            records.set_problem("a", "its row cannot be read", UNREADABLE)
        assert (records.take_unlogged(), records.take_unlogged()) == ([("a", "its row cannot be read")], [])
        assert records.problems == {"a": "its row cannot be read"}

    def test_a_problem_that_is_gone_leaves_nothing_behind(self, records: TaskRecords) -> None:
        records.set_problem("a", "its row cannot be read", UNREADABLE)
        records.clear_problem("a")
        assert (records.get("a"), records.problems.get("a"), records.take_unlogged()) == (None, None, [])
