"""The contract of `history` and `past`, on real stores."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import RunKey, RunRow
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import LEASE, Store, claim, define, failure, success

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


TASKS = ("a", "a b", "aa", "b", "ä", "\U0001f600")
"""Ids in the order of their bytes."""
FILTERS: list[dict[str, Any]] = [
    {},
    {"task_id": "aa"},
    {"status": FAILED},
    {"status": RUNNING},
    {"since": 102},
    {"task_id": "b", "status": SUCCESS, "since": 101},
]


class TestBefore:
    """Keyset paging: `before` is the key of a run."""

    @pytest.fixture(autouse=True)
    def runs(self, backend: Backend) -> None:
        """Start runs, most of them at the same moment as others, as the runs of one tick are."""
        define(backend, *TASKS)
        backend.renew("me", LEASE)
        for epoch in range(1, 6):
            claims = [claim(task_id, 2 * epoch - 1, started=100 + epoch // 2) for task_id in TASKS]
            assert len(backend.claim("me", str(epoch), claims)) == len(TASKS)
            if epoch < 5:
                outcomes = [success(task_id, epoch) for task_id in TASKS if (task_id, epoch) != ("aa", 2)]
                backend.finish("me", [*outcomes, failure("aa", 2)] if epoch == 2 else outcomes)

    @pytest.fixture
    def everything(self, backend: Backend) -> list[RunRow]:
        return backend.history(limit=1_000)

    def test_runs_are_in_the_order_of_their_keys(self, everything: list[RunRow]) -> None:
        keys = [run.key for run in everything]
        expected = [(100 + epoch // 2, task_id, epoch) for epoch in range(1, 6) for task_id in TASKS]
        assert keys == sorted(expected, key=lambda key: (key[0], key[1].encode(), key[2]))

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(size=st.integers(1, 40), asked=st.sampled_from(FILTERS))
    def test_pages_of_any_size_have_each_run_once(self, backend: Backend, size: int, asked: dict[str, Any]) -> None:
        pages, before = list[list[RunRow]](), None
        while not pages or pages[-1]:
            assert len(pages) < 100, "it goes on for ever"
            pages.append(backend.history(**asked, limit=size, before=before))
            before = pages[-1][0].key if pages[-1] else None
        assert [run for page in reversed(pages) for run in page] == backend.history(**asked, limit=1_000)
        assert all(len(page) == size for page in pages[:-2])

    @pytest.mark.parametrize(
        "key",
        [(101, "aa", 2), (101, "aa", 9), (101, "aaa", 0), (101, "", 0), (102, "a", 4), (0, "a", 1), (10**15, "a", 1)],
    )
    def test_the_run_of_the_key_need_not_be_there(
        self, backend: Backend, everything: list[RunRow], key: tuple[int, str, int]
    ) -> None:
        expected = [run for run in everything if run.key < key]
        assert backend.history(limit=1_000, before=RunKey(*key)) == expected
        assert backend.history(limit=3, before=RunKey(*key)) == expected[-3:]

    def test_pages_go_on_while_runs_start_and_tasks_are_removed(
        self, backend: Backend, everything: list[RunRow]
    ) -> None:
        page = backend.history(limit=4)
        backend.finish("me", [success(task_id, 5) for task_id in TASKS])
        backend.claim("me", "new", [claim("a", 11, started=900)])
        backend.remove([page[0].task_id])
        expected = [run for run in everything if run.key < page[0].key and run.task_id != page[0].task_id]
        found = backend.history(limit=1_000, before=page[0].key)
        assert [run.key for run in found] == [run.key for run in expected]


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({}, "ended"),
        ({"since": 5}, "ended"),
        ({"status": SUCCESS}, "ended"),
        ({"before": RunKey(5, "a", 1)}, "ended"),
        ({"before": RunKey(5, "a", 1), "since": 1}, "ended"),
        ({"status": FAILED}, "failed"),
        ({"status": FAILED, "since": 1, "before": RunKey(5, "a", 1)}, "failed"),
        ({"status": RUNNING}, "open"),
        ({"task_id": "a"}, "the primary key"),
        ({"task_id": "a", "status": FAILED, "before": RunKey(5, "a", 1)}, "the primary key"),
    ],
)
def test_no_question_reads_or_sorts_all_runs(
    store: Store, backend: Backend, asked: dict[str, Any], index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(store)
    plans: list[str] = []
    database: Any = backend
    rows = database._rows

    def explain(connection: Any, statement: str, parameters: dict[str, Any]) -> Any:
        prefix = "EXPLAIN QUERY PLAN" if store.kind == "sqlite" else "EXPLAIN"
        plans.extend(str(row[-1]) for row in rows(connection, f"{prefix} {statement}", parameters))
        return rows(connection, statement, parameters)

    monkeypatch.setattr(database, "_rows", explain)
    backend.history(**asked)
    plan = "\n".join(plans)
    name = {"sqlite": "PRIMARY KEY", "postgres": "_pkey"}[store.kind] if index == "the primary key" else f"runs_{index}"
    assert name in plan
    assert ("Seq Scan" in plan, "SCAN r\n" in plan) == (False, False)
    if asked.get("status") in (SUCCESS, FAILED) and "task_id" not in asked:  # else few: in flight, or of one task
        assert ("Sort" in plan, "TEMP B-TREE" in plan) == (False, False)


def _fill(store: Store) -> None:
    """Write the runs of many tasks, five each: one tick starts a run of each task."""
    numbers = "SELECT 0 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 2999"
    store.execute(
        f"INSERT INTO {store.name}_runs (task_id, epoch, owner, attempt, started, status, late, finished)"
        f" WITH RECURSIVE n(i) AS ({numbers}) SELECT 'task ' || i, e, 'me', 1, e,"
        " CASE WHEN i % 1000 = 0 THEN 'failed' WHEN i = 1 AND e = 5 THEN 'running' ELSE 'success' END, false,"
        " CASE WHEN i = 1 AND e = 5 THEN NULL ELSE e END FROM n, (SELECT 1 AS e UNION ALL SELECT 2 UNION ALL SELECT 3"
        " UNION ALL SELECT 4 UNION ALL SELECT 5) AS epochs"
    )
    store.execute(f"ANALYZE {store.name}_runs")


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
