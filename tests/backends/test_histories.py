"""The contract of `history` and `past`, on real stores."""

from typing import Any

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import LEASE, claim, define, failure, success

PENDING, RUNNING, SUCCESS, FAILED = TaskStatus


class TestHistory:
    @pytest.fixture(autouse=True)
    def runs(self, backend: Backend) -> None:
        define(backend, "a", "b")
        backend.renew("me", LEASE)
        for number in range(6):
            one, epoch = "ab"[number % 2], 1 + number // 2
            backend.claim("me", str(number), [claim(one, 2 * epoch - 1, started=number)])
            backend.finish("me", [failure(one, epoch) if number == 3 else success(one, epoch)])

    @pytest.mark.parametrize(
        ("asked", "starts"),
        [
            ({}, [0, 1, 2, 3, 4, 5]),
            ({"limit": 2}, [4, 5]),
            ({"limit": 0}, []),
            ({"task_id": "a"}, [0, 2, 4]),
            ({"task_id": "a", "limit": 1}, [4]),
            ({"task_id": "nobody"}, []),
            ({"status": FAILED}, [3]),
            ({"status": SUCCESS, "limit": 3}, [2, 4, 5]),
            ({"since": 4}, [4, 5]),
            ({"task_id": "b", "status": SUCCESS, "since": 1}, [1, 5]),
        ],
    )
    def test_returns_the_latest_matching_runs(self, backend: Backend, asked: Any, starts: list[int]) -> None:
        assert [run.started for run in backend.history(**asked)] == starts


class TestPast:
    def test_returns_the_newest_finished_runs_of_each_task(self, backend: Backend) -> None:
        define(backend, "a", "b", "c")
        backend.renew("me", LEASE)
        for epoch in (1, 2, 3):
            for one in "ab":
                backend.claim("me", f"{one}{epoch}", [claim(one, 2 * epoch - 1, started=epoch)])
                backend.finish("me", [failure(one, epoch) if epoch == 2 else success(one, epoch)])
        backend.claim("me", "goes on", [claim("a", 7), claim("c", 1)])
        past = backend.past({"a": 2, "b": 10**30, "c": 5, "nobody": 5})
        assert past == {"a": backend.history("a")[1:3], "b": backend.history("b")}
        assert [(run.epoch, run.status) for run in past["a"]] == [(2, FAILED), (3, SUCCESS)]
        assert len(past["b"]) == 3
        assert backend.past({"a": 2, "b": 1}) == {"a": past["a"], "b": past["b"][2:]}
        assert backend.past({"a": 0}) == {}

    def test_returns_nothing_without_tasks(self, backend: Backend) -> None:
        assert backend.past({}) == {}
