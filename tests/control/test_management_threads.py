"""Management of a registry by several threads, while a loop ticks it."""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, TaskStatus, start_scheduler
from est_alan_scheduler.events.subscribers import log_outcome
from est_alan_scheduler.schedules.kinds import options_of
from tests import jobs
from tests.frozen import work
from tests.ways import wait_until

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

PAST, FAR = datetime(2020, 1, 1), datetime(2999, 1, 1)


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Make threads switch so often that any two steps may be interleaved."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


class TestThreads:
    @pytest.mark.parametrize(
        "change",
        [
            lambda registry: registry.run_now("a"),
            lambda registry: registry.resume("paused"),
            lambda registry: registry.update("later", run_at=PAST),
            lambda registry: registry.resume_all(),
        ],
    )
    def test_a_change_wakes_the_loop(self, change: Callable[[TaskRegistry], Any]) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", run_at=FAR, func=work))
        registry.register(Task(id="paused", run_at=PAST, func=work, paused=True))
        registry.register(Task(id="later", run_at=FAR, func=work))
        with start_scheduler(interval=600, registry=registry):
            time.sleep(0.02)
            registry.pause_all()
            registry.register(Task(run_at=PAST, func=work))
            if change.__code__.co_names[0] != "resume_all":
                registry.resume_all()
                wait_until(lambda: any(task.history for task in registry))
            ran = sum(len(task.history) for task in registry)
            change(registry)
            wait_until(lambda: sum(len(task.history) for task in registry) > ran)

    def test_a_forced_run_does_not_overlap_the_run_in_a_pool(self, tmp_path: Path) -> None:
        with ThreadPoolExecutor(2) as pool:
            registry = TaskRegistry(executor=pool)
            task = registry.register(Task(id="a", run_at=PAST, func=jobs.hold, args=(str(tmp_path),)))
            registry.tick()
            wait_until(lambda: jobs.count(str(tmp_path), "started") == 1)
            registry.run_now("a", force=True)
            registry.tick()
            assert jobs.count(str(tmp_path), "started") == 1
            jobs.release_unstarted(str(tmp_path))
            wait_until(lambda: bool(task.history))
            registry.tick()
            wait_until(lambda: len(task.history) == 2)

    @pytest.mark.slow
    def test_sixteen_threads_manage_a_running_loop(self, restless_threads: None) -> None:
        overlaps: list[str] = []
        inside: set[str] = set()
        published: list[str] = []
        calls = count()

        def run(task_id: str, one: int, two: int) -> None:
            if task_id in inside or one != two:  # equal, unless the call mixes two updates
                overlaps.append(task_id)
            inside.add(task_id)
            time.sleep(0.0005)
            inside.discard(task_id)
            if task_id == "flaky" and next(calls) % 3:
                raise ValueError("boom")

        with ThreadPoolExecutor(4) as executor, ThreadPoolExecutor(16) as managers:
            registry = TaskRegistry(executor=executor)
            registry._recorder.subscribers.remove("failed", log_outcome)
            for name in ("succeeded", "failed"):
                registry.on(name, lambda event: published.append(event.name))
            ids = [*(str(number) for number in range(20)), "flaky"]
            for task_id in ids:
                registry.register(
                    Task(
                        id=task_id,
                        every={"milliseconds": 3},
                        func=run,
                        args=(task_id, 0),
                        kwargs={"two": 0},
                        retry=Retry(delay=0),
                    )
                )
            registry.register(Task(id="plan", every={"days": 1}, func=work, paused=True))

            def manage(seed: int) -> Counter[str]:
                random, done, there = Random(seed), 0, Counter[str]()
                own = registry.register(Task(id=f"own {seed}", every={"hours": 1}, func=work))
                while time.monotonic() < end:
                    done += 1
                    registry.update(own.id, history_limit=done, timeout=done)
                    assert (own.history_limit, own.timeout) == (done, done)
                    task_id, other_id = random.choice(ids), random.choice(("x", "y"))
                    match random.randrange(12):
                        case 0:
                            registry.pause(task_id)
                        case 1 | 2:
                            registry.resume(task_id)
                        case 3:
                            registry.run_now(task_id, force=random.random() < 0.5)
                        case 4:
                            registry.update(task_id, args=(task_id, done), kwargs={"two": done})
                        case 5:
                            registry.update("flaky", retry=Retry(max_retries=done % 4, delay=0))
                        case 6:
                            with suppress(ValueError):  # it is there
                                registry.register(Task(id=other_id, every={"milliseconds": 3}, func=work))
                                there[other_id] += 1
                        case 7:
                            with suppress(KeyError):  # it is not
                                registry.remove(other_id)
                                there[other_id] -= 1
                        case 8 | 9 | 10:
                            self.swap_plans(registry, random)
                            self.subscribe_and_unsubscribe(registry)
                        case _:
                            (registry.pause_all if random.random() < 0.2 else registry.resume_all)()
                registry.remove(own.id)
                return there

            end = time.monotonic() + 2
            with start_scheduler(interval=600, registry=registry):
                there = Counter[str]()
                for part in managers.map(manage, range(16)):
                    there.update(part)  # a sum would leave negative counts out
                registry.resume_all()
                registry.update("flaky", retry=Retry(delay=0))
                for task_id in ids:
                    registry.resume(task_id)
                before = {task_id: registry.statistics(task_id).runs for task_id in ids}
                wait_until(lambda: all(registry.statistics(task_id).runs > before[task_id] for task_id in ids))
                registry.update("flaky", every={"hours": 1})  # a slot that is always due would take over from the retry

                def has_retried() -> bool:
                    if registry.store["flaky"].status is TaskStatus.SUCCESS:
                        registry.run_now("flaky")
                    return registry.statistics("flaky").retries > 0

                wait_until(has_retried)
        assert overlaps == []
        assert {task_id: int(task_id in registry) for task_id in ("x", "y")} == {id_: there[id_] for id_ in ("x", "y")}
        assert registry._recorder.subscribers.callbacks["updated"] == ()
        counts = registry.statistics()
        assert (counts.runs, counts.failures) == (len(published), published.count("failed"))
        assert {task.status for task in registry if task.id not in ("flaky", "plan")} == {TaskStatus.SUCCESS}
        assert not registry._lock.locked()

    @staticmethod
    def swap_plans(registry: TaskRegistry, random: Random) -> None:
        """Replace one schedule option by another; of two concurrent replacements one has to be refused."""
        plans: dict[str, Any] = {"every": {"days": 1}, "at": "23:00", "run_at": FAR}
        for _ in range(10):
            old, new = random.sample(sorted(plans), 2)
            with suppress(ValueError):
                registry.update("plan", **{old: None, new: plans[new]})
            with registry._lock:
                assert len(options_of(registry.store["plan"])) == 1

    @staticmethod
    def subscribe_and_unsubscribe(registry: TaskRegistry) -> None:
        """Subscribe and unsubscribe three times: a lost subscription would raise, or remain."""

        def callback(event: Event) -> None:
            pass

        offs = [registry.on("updated", callback) for _ in range(3)]
        registry.off("updated", callback)
        for off in offs[:2]:
            off()
