"""The reading of stored rows, and instants."""

import logging
from datetime import datetime

import pytest

from est_alan_scheduler.backends.clock import from_instant, to_instant
from est_alan_scheduler.backends.reading import to_runs
from est_alan_scheduler.backends.rows import RunRow
from est_alan_scheduler.task import TaskStatus

RUN = RunRow("a", 1, None, 1, "me", 5, 6, TaskStatus.SUCCESS, "1", None, late=False)


def test_an_unreadable_run_is_logged_and_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    spoilt = (*RUN[:1], 2, *RUN[2:7], "banana", *RUN[8:])
    with caplog.at_level(logging.WARNING, "est_alan_scheduler"):
        assert to_runs([spoilt, (*RUN[:7], "success", *RUN[8:])]) == [RUN]
    assert caplog.messages == ["the stored run 2 of task 'a' is unreadable: 'banana' is not a valid TaskStatus"]


@pytest.mark.parametrize(
    "moment", [datetime.min, datetime(1970, 1, 1), datetime(2026, 3, 29, 1, 2, 3, 4), datetime.max]
)
def test_an_instant_is_exact_both_ways(moment: datetime) -> None:
    assert from_instant(to_instant(moment)) == moment


def test_an_instant_counts_microseconds_since_1970() -> None:
    assert to_instant(datetime(1970, 1, 1, 0, 0, 1)) == 1_000_000
