"""What becomes of a requested run: exactly of that one, whatever else the task does."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry
from est_alan_scheduler.cluster.completer import unstarted_error
from est_alan_scheduler.web import Role
from est_alan_scheduler.web.page.aliases import alias
from est_alan_scheduler.web.page.screens.requested import attempts_of
from tests.ways import wait_until
from tests.web.page.pages import Browser

DONE = ("success", 1, None)


class Job:
    """A function that fails when it is told so, and may be held up in the middle of a run."""

    def __init__(self) -> None:
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> str:
        """Run."""
        self.gate.wait(30)
        if self.fails:
            raise ValueError("broken")
        return "done"


@pytest.fixture
def job() -> Job:
    return Job()


@pytest.fixture(params=["memory", "store", "observer"])
def sites(request: pytest.FixtureRequest, job: Job, tmp_path: Path) -> Iterator[tuple[TaskRegistry, TaskRegistry]]:
    """Return the registry that runs, and that of the site."""
    url = None if request.param == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}"
    worker = TaskRegistry(backend=url, executor=lambda: ThreadPoolExecutor(2))
    worker.expose(job.__call__, "job")
    yield worker, TaskRegistry(backend=url, observe=True) if request.param == "observer" else worker
    job.gate.set()


def register(worker: TaskRegistry, job: Job, **fields: Any) -> None:
    given: dict[str, Any] = {} if "every" in fields else {"manual": True}
    worker.register(Task(id="a", func=job.__call__, **given, **fields))


class Caller:
    """A caller who requests runs, and asks what has become of them."""

    def __init__(self, shown: TaskRegistry) -> None:
        shown.refresh()
        self.browser = Browser(shown)

    def run(self) -> int:
        """Request a run."""
        (result,) = self.browser.post("act", {"action": "run", "tasks": [{"id": "a"}]})["results"]
        assert result["ok"]
        return int(result["after"])

    def asks(self, after: int) -> dict[str, Any]:
        """Return all that is said of the run that was requested then."""
        (run,) = self.browser.post("requested", {"runs": [{"id": "a", "after": after}]})["runs"]
        assert isinstance(run, dict)
        return run

    def sees(self, after: int) -> tuple[str, int, str | None]:
        """Return the state, the attempt and the error of the run that was requested then."""
        run = self.asks(after)
        return run["state"], run["attempt"], run["error"]


def until(condition: Callable[[], bool], worker: TaskRegistry) -> None:
    """Tick until a condition is true."""

    def is_true() -> bool:
        worker.tick()
        return condition()

    wait_until(is_true)


def test_a_run_has_its_own_outcome_and_not_that_of_the_run_before(
    sites: tuple[TaskRegistry, TaskRegistry], job: Job
) -> None:
    worker, shown = sites
    register(worker, job)
    caller = Caller(shown)
    first = caller.run()
    until(lambda: caller.sees(first) == DONE, worker)
    job.fails = True
    job.gate.clear()
    second = caller.run()
    assert caller.sees(second) == ("requested", 1, None)
    until(lambda: caller.sees(second) == ("running", 1, None), worker)
    assert caller.asks(second)["at"] is not None
    job.gate.set()
    until(lambda: caller.sees(second) == ("failed", 1, "ValueError: broken"), worker)
    assert caller.sees(first) == DONE


def test_a_request_during_a_run_waits_for_the_next_one(sites: tuple[TaskRegistry, TaskRegistry], job: Job) -> None:
    worker, shown = sites
    register(worker, job)
    caller = Caller(shown)
    job.gate.clear()
    first = caller.run()
    until(lambda: caller.sees(first)[0] == "running", worker)
    second = caller.run()
    assert (caller.sees(first)[0], caller.sees(second)[0]) == ("running", "waiting")
    job.gate.set()
    until(lambda: caller.sees(second) == DONE, worker)
    assert caller.sees(first) == DONE
    assert len(worker.history("a")) == 2


def test_two_requests_before_a_run_are_for_the_same(sites: tuple[TaskRegistry, TaskRegistry], job: Job) -> None:
    worker, shown = sites
    register(worker, job)
    caller = Caller(shown)
    assert caller.run() == caller.run()


def test_later_runs_change_nothing(sites: tuple[TaskRegistry, TaskRegistry], job: Job) -> None:
    worker, shown = sites
    register(worker, job)
    caller = Caller(shown)
    first = caller.run()
    until(lambda: caller.sees(first) == DONE, worker)
    job.fails = True
    for number in range(1, 4):
        later = caller.run()
        assert later == first + number
        until(lambda later=later: caller.sees(later)[0] == "failed", worker)  # type: ignore[misc]
    assert caller.sees(first) == DONE


def test_a_run_goes_on_until_its_last_attempt(sites: tuple[TaskRegistry, TaskRegistry], job: Job) -> None:
    worker, shown = sites
    register(worker, job, retry=Retry(max_retries=1, delay=0.5))
    caller = Caller(shown)
    job.fails = True
    after = caller.run()
    until(lambda: caller.sees(after) == ("retrying", 1, "ValueError: broken"), worker)
    run = caller.asks(after)
    assert (run["attempts"], run["at"] is not None) == (2, True)
    job.gate.clear()
    until(lambda: caller.sees(after) == ("running", 2, None), worker)
    job.gate.set()
    until(lambda: caller.sees(after) == ("failed", 2, "ValueError: broken"), worker)
    job.fails = False
    again = caller.run()
    until(lambda: caller.sees(again) == DONE, worker)
    assert caller.sees(after) == ("failed", 2, "ValueError: broken")


def test_a_new_request_ends_a_run_whose_retry_it_replaces(sites: tuple[TaskRegistry, TaskRegistry], job: Job) -> None:
    worker, shown = sites
    register(worker, job, retry=Retry(max_retries=3, delay=3_600))
    caller = Caller(shown)
    job.fails = True
    first = caller.run()
    until(lambda: caller.sees(first)[0] == "retrying", worker)
    job.fails = False
    second = caller.run()
    assert (caller.sees(first)[0], caller.sees(second)[0]) == ("failed", "requested")
    until(lambda: caller.sees(second) == DONE, worker)
    assert caller.sees(first) == ("failed", 1, "ValueError: broken")


def test_the_end_of_a_run_that_no_history_keeps_is_told(sites: tuple[TaskRegistry, TaskRegistry], job: Job) -> None:
    worker, shown = sites
    register(worker, job, history_limit=0)
    caller = Caller(shown)
    first = caller.run()
    until(lambda: caller.sees(first) == DONE, worker)
    assert caller.asks(first)["duration"] is None
    second = caller.run()
    until(lambda: caller.sees(second) == DONE, worker)
    assert caller.sees(first) == ("unkept", 1, None)


def test_a_task_that_is_removed_is_gone(sites: tuple[TaskRegistry, TaskRegistry], job: Job) -> None:
    worker, shown = sites
    register(worker, job)
    caller = Caller(shown)
    first = caller.run()
    until(lambda: caller.sees(first) == DONE, worker)
    second = caller.run()
    worker.remove("a")
    assert caller.sees(second) == ("gone", 1, None)


def test_a_run_by_the_schedule_while_another_is_in_flight_is_the_requested_one(job: Job) -> None:
    worker = TaskRegistry(executor=lambda: ThreadPoolExecutor(2))
    register(worker, job, every={"seconds": 0.2})
    caller = Caller(worker)
    job.gate.clear()
    until(lambda: worker["a"].status == "running", worker)
    after = caller.run()
    assert (after, caller.sees(after)[0]) == (1, "waiting")
    job.gate.set()
    until(lambda: len(worker["a"].history) >= 3, worker)
    assert caller.sees(after) == DONE


def test_a_run_that_has_ended_before_its_request_is_answered_is_found() -> None:
    class Quick(TaskRegistry):
        def run_now(self, *given: Any, **options: Any) -> Task:
            task = super().run_now(*given, **options)
            self.tick()
            return task

    registry = Quick()
    register(registry, Job())
    caller = Caller(registry)
    assert [caller.sees(caller.run()) for _ in range(2)] == [DONE, DONE]


def test_the_run_of_any_id_is_found_by_its_alias() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a\0b", manual=True, func=Job()))
    body = {"id": alias("a\0b")}
    browser = Browser(registry)
    (result,) = browser.post("act", {"action": "run", "tasks": [body]})["results"]
    registry.tick()
    (run,) = browser.post("requested", {"runs": [body | {"after": result["after"]}]})["runs"]
    assert (result["id"], run["state"]) == (body["id"], "success")


def run_row(attempt: int, owner: str | None = None, is_released: bool = False) -> dict[str, Any]:
    return {"attempt": attempt, "owner": owner, "error": unstarted_error(owner or "") if is_released else None}


@pytest.mark.parametrize(
    ("runs", "attempts"),
    [
        ({}, []),
        ({5: run_row(1)}, [5]),
        ({5: run_row(1), 6: run_row(2), 7: run_row(1)}, [5, 6]),
        ({5: run_row(1), 6: run_row(1), 7: run_row(2)}, [5]),
        ({5: run_row(2), 6: run_row(1)}, [6]),
        ({5: run_row(1, "me", is_released=True), 6: run_row(1, "me")}, [6]),
        ({5: run_row(1, "me"), 6: run_row(2, "me", is_released=True), 7: run_row(2, "me")}, [5, 7]),
        ({6: run_row(1)}, []),
        ({6: run_row(2), 7: run_row(3), 8: run_row(1)}, [6, 7]),
    ],
    ids=[
        "none",
        "one",
        "retry",
        "retry of another",
        "older retry",
        "released",
        "released retry",
        "not kept",
        "first not kept",
    ],
)
def test_the_attempts_of_a_run_are_found_among_those_of_others(runs: dict[int, Any], attempts: list[int]) -> None:
    assert list(attempts_of(runs, 4, 8)) == attempts


@pytest.mark.parametrize(("role", "status"), [(Role.READ, 403), (None, 401)])
def test_only_those_who_may_request_runs_ask(role: Role | None, status: int) -> None:
    Browser(TaskRegistry(), role).post("requested", {"runs": [{"id": "a", "after": 0}]}, status=status)


@pytest.mark.parametrize("runs", [[], [{"id": "a", "after": -1}], [{"id": "", "after": 0}], [{"id": "a"}]])
def test_a_question_that_makes_no_sense_is_refused(runs: list[Any]) -> None:
    Browser(TaskRegistry()).post("requested", {"runs": runs}, status=422)
