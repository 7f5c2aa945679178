"""The fields of rows in Redis."""

import pytest

from est_alan_scheduler.backends.redis.fields import RUN, read_runs
from est_alan_scheduler.task import TaskStatus

FIELDS = {
    "slot": "5",
    "attempt": "1",
    "owner": "me",
    "started": "7",
    "status": "success",
    "result": '"text"',
    "late": "0",
}


def test_an_unreadable_run_is_logged_and_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    kinds = [FIELDS, FIELDS | {"started": "soon"}, FIELDS | {"result": "{"}, FIELDS]
    found = [("a", epoch, [kind.get(name, "") for name in RUN]) for epoch, kind in enumerate(kinds, 1)]
    runs = read_runs(found)
    assert [(run.epoch, run.started, run.status, run.result) for run in runs] == [
        (epoch, 7, TaskStatus.SUCCESS, "text") for epoch in (1, 4)
    ]
    assert caplog.messages == [
        "the stored run 2 of task 'a' is unreadable: started must be an integer from -62135596800000000 to"
        " 253402300799999999, it is 'soon'",
        "the stored run 3 of task 'a' is unreadable: result must be a text, it is b'{'",
    ]
