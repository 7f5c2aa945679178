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
from est_alan_scheduler.schedules.kinds.table import options_of
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


class BusyRegistry(TaskRegistry):
    """A registry with tasks that are due all the time, and a record of what their runs have shown."""

    def __init__(self, executor: ThreadPoolExecutor) -> None:
        super().__init__(executor=executor)
        self.overlaps: list[str] = []
        self.published: list[str] = []
        self.ids = [*(str(number) for number in range(20)), "flaky"]
        self._inside: set[str] = set()
        self._calls = count()
        self._recorder.subscribers.remove("failed", log_outcome)
        for name in ("succeeded", "failed"):
            self.on(name, lambda event: self.published.append(event.name))
        for task_id in self.ids:
            every, kwargs = {"milliseconds": 3}, {"two": 0}
            self.register(
                Task(id=task_id, every=every, func=self._run, args=(task_id, 0), kwargs=kwargs, retry=Retry(delay=0))
            )
        self.register(Task(id="plan", every={"days": 1}, func=work, paused=True))

    def _run(self, task_id: str, one: int, two: int) -> None:
        if task_id in self._inside or one != two:  # equal, unless the call mixes two updates
            self.overlaps.append(task_id)
        self._inside.add(task_id)
        time.sleep(0.0005)
        self._inside.discard(task_id)
        if task_id == "flaky" and next(self._calls) % 3:
            raise ValueError("boom")

    def let_all_run(self) -> None:
        """Undo what the managers have left, and wait until each task has run again and one has been retried."""
        self.resume_all()
        self.update("flaky", retry=Retry(delay=0))
        for task_id in self.ids:
            self.resume(task_id)
        before = {task_id: self.statistics(task_id).runs for task_id in self.ids}
        wait_until(lambda: all(self.statistics(task_id).runs > before[task_id] for task_id in self.ids))
        self.update("flaky", every={"hours": 1})  # a slot that is always due would take over from the retry

        def has_retried() -> bool:
            if self.store["flaky"].status is TaskStatus.SUCCESS:
                self.run_now("flaky")
            return self.statistics("flaky").retries > 0

        wait_until(has_retried)


def manage(registry: BusyRegistry, seed: int, end: float) -> Counter[str]:
    """Change the tasks of a registry at random until `end`; return how often each extra task was added, net."""
    random, done, there = Random(seed), 0, Counter[str]()
    own = registry.register(Task(id=f"own {seed}", every={"hours": 1}, func=work))
    while time.monotonic() < end:
        done += 1
        registry.update(own.id, history_limit=done, timeout=done)
        assert (own.history_limit, own.timeout) == (done, done)
        change(registry, random, done, there)
    registry.remove(own.id)
    return there


def change(registry: BusyRegistry, random: Random, done: int, there: Counter[str]) -> None:
    """Make one random change; count extra tasks in `there`."""
    task_id, other_id = random.choice(registry.ids), random.choice(("x", "y"))
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
            swap_plans(registry, random)
            subscribe_and_unsubscribe(registry)
        case _:
            (registry.pause_all if random.random() < 0.2 else registry.resume_all)()


def swap_plans(registry: TaskRegistry, random: Random) -> None:
    """Replace one schedule option by another; of two concurrent replacements one has to be refused."""
    plans: dict[str, Any] = {"every": {"days": 1}, "at": "23:00", "run_at": FAR}
    for _ in range(10):
        old, new = random.sample(sorted(plans), 2)
        with suppress(ValueError):
            registry.update("plan", **{old: None, new: plans[new]})
        with registry._lock:
            assert len(options_of(registry.store["plan"])) == 1


def subscribe_and_unsubscribe(registry: TaskRegistry) -> None:
    """Subscribe and unsubscribe three times: a subscription that is missing would raise, one too many would remain."""

    def callback(event: Event) -> None:
        pass

    offs = [registry.on("updated", callback) for _ in range(3)]
    registry.off("updated", callback)
    for off in offs[:2]:
        off()


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
        there = Counter[str]()
        with ThreadPoolExecutor(4) as executor, ThreadPoolExecutor(16) as managers:
            registry = BusyRegistry(executor)
            end = time.monotonic() + 2
            with start_scheduler(interval=600, registry=registry):
                for part in managers.map(lambda seed: manage(registry, seed, end), range(16)):
                    there.update(part)  # a sum would leave negative counts out
                registry.let_all_run()
        assert registry.overlaps == []
        assert {task_id: int(task_id in registry) for task_id in ("x", "y")} == {id_: there[id_] for id_ in ("x", "y")}
        assert registry._recorder.subscribers.callbacks["updated"] == ()
        counts, published = registry.statistics(), registry.published
        assert (counts.runs, counts.failures) == (len(published), published.count("failed"))
        assert {task.status for task in registry if task.id not in ("flaky", "plan")} == {TaskStatus.SUCCESS}
        assert not registry._lock.locked()
