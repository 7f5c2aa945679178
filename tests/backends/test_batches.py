"""Large batches, and many threads at once, on real stores."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Assignment
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import LEASE, Store, claim, define, success

PENDING, RUNNING, SUCCESS, FAILED = TaskStatus


class TestManyAtOnce:
    def test_a_thousand_tasks_take_a_handful_of_round_trips(
        self, store: Store, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ids = [f"task {number:04}" for number in range(1_000)]
        backend.renew("me", LEASE)
        claims = [claim(one, 2) for one in ids]
        outcomes = [success(one, 1) for one in ids]
        define(backend, "warm the connection and the scripts")
        backend.fetch([], 0)
        backend.claim("me", "t", [claim("nobody", 1)])
        backend.finish("me", [success("nobody", 1)])
        backend.assign([Assignment("nobody", 1, {"attempt": 1})])
        counts = {}

        def count(name: str, operation: Any) -> None:
            with store.round_trips(monkeypatch) as sent:
                operation()
            counts[name] = len(sent)
            monkeypatch.undo()

        count("define", lambda: define(backend, *ids))
        revision = backend.fetch([], 0).revision
        count("assign", lambda: backend.assign([Assignment(one, 1, {"attempt": 1}) for one in ids]))
        count("fetch", lambda: backend.fetch(ids, revision))
        count("claim", lambda: backend.claim("me", "token", claims))
        count("finish", lambda: backend.finish("me", outcomes))
        backend.past({"warm": 1})
        backend.history(ids[0])
        count("past", lambda: backend.past(dict.fromkeys(ids, 100)))
        assert {run.status for run in backend.history(limit=2_000)} == {SUCCESS}
        assert counts["fetch"] <= 1
        assert max(counts.values()) <= 9, counts
        assert counts["past"] <= 2
        if store.kind in ("postgres", "redis"):
            assert (counts["claim"], counts["finish"]) == (1, 1)

    @pytest.mark.slow
    def test_each_run_is_started_by_one_of_eight_threads(self, store: Store) -> None:
        ids = [f"{number:03}" for number in range(100)]
        backends = [store.open() for _ in range(8)]
        define(backends[0], *ids)
        barrier = threading.Barrier(8)

        def work(number: int) -> list[tuple[str, int]]:
            backend, owner = backends[number], f"owner {number}"
            backend.renew(owner, 600)
            wins = []
            barrier.wait(60)
            for round_number in range(5):
                for part in range(4):  # of different tasks at a time, so that batches overlap
                    mine = ids[(number * 7 + part * 25) % 50 :][:50]
                    states = backend.fetch(mine, 0).states
                    claims = [claim(one, states[one].version) for one in mine if states[one].status != RUNNING]
                    won = backend.claim(owner, f"{round_number}.{part}", claims)
                    wins += list(won.items())
                    recorded = backend.finish(owner, [success(*one, history_limit=1_000) for one in won.items()])
                    assert recorded == set(won.items())
            return wins

        with ThreadPoolExecutor(8) as pool:
            wins = [win for found in pool.map(work, range(8)) for win in found]
        assert len(wins) == len(set(wins)) > 0
        epochs = {one: found.epoch for one, found in backends[0].fetch(None, 0).states.items()}
        assert sum(epochs.values()) == len(wins)
        assert len(backends[0].history(limit=10_000)) == len(wins)

    @pytest.mark.slow
    def test_revisions_report_every_change_by_eight_threads(self, store: Store) -> None:
        backends = [store.open() for _ in range(8)]

        def work(number: int) -> None:
            for round_number in range(10):
                define(backends[number], f"{number}.{round_number}")

        reader = store.open()
        seen: dict[str, Any] = {}
        revision = 0
        with ThreadPoolExecutor(8) as pool:
            done = [pool.submit(work, number) for number in range(8)]
            while not all(one.done() for one in done):
                snapshot = reader.fetch([], revision)
                seen.update(snapshot.definitions)
                revision = snapshot.revision
            for one in done:
                one.result()
        seen.update(reader.fetch([], revision).definitions)
        assert set(seen) == {f"{number}.{round_number}" for number in range(8) for round_number in range(10)}
