"""Actions on tasks: each gets an answer of its own."""

import re
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import BackendUnavailableError, Task, TaskRegistry, TaskStatus
from est_alan_scheduler.web import Role
from tests.frozen import work
from tests.jobs import add
from tests.web.page.pages import Browser

GONE = "the task no longer exists"
CONFLICT = "changed meanwhile: nothing was done"


def registry_of(*ids: str) -> TaskRegistry:
    registry = TaskRegistry()
    for task_id in ids:
        registry.register(Task(id=task_id, func=work, every={"hours": 1}))
    return registry


def done(registry: TaskRegistry, action: str, *tasks: Any, **options: Any) -> list[tuple[str, bool, str | None, int]]:
    """Return the results of an action on tasks, each given by its id, or by its id and a version."""
    chosen = [{"id": one} if isinstance(one, str) else {"id": one[0], "version": one[1]} for one in tasks]
    answer = Browser(registry, **options).post("act", {"action": action, "tasks": chosen})
    return [tuple(one.values()) for one in answer["results"]]


def test_run_requests_runs_and_says_which_was_the_latest_before() -> None:
    registry = registry_of("a", "b")
    registry.tick()
    registry.run_now("b")
    registry.tick()
    assert done(registry, "run", "a", "b") == [("a", True, None, 1), ("b", True, None, 2)]
    assert [task.run_requested for task in registry] == ["ready", "ready"]


def test_pause_and_resume_take_the_version_that_was_seen() -> None:
    registry = registry_of("a")
    seen = registry.version("a")
    assert done(registry, "pause", ("a", seen)) == [("a", True, None, 0)]
    assert registry["a"].paused
    assert done(registry, "resume", ("a", seen)) == [("a", False, CONFLICT, 0)]
    assert registry["a"].paused
    assert done(registry, "resume", ("a", registry.version("a"))) == [("a", True, None, 0)]
    assert not registry["a"].paused


def test_remove_takes_the_version_that_was_seen_or_any() -> None:
    registry = registry_of("a", "b", "c")
    seen = registry.version("a")
    registry.update("a", name="Another")
    results = done(registry, "remove", ("a", seen), ("b", registry.version("b")), ("c", None))
    assert results == [("a", False, CONFLICT, 0), ("b", True, None, 0), ("c", True, None, 0)]
    assert list(registry.store) == ["a"]


def test_what_fails_for_one_does_not_hinder_the_others() -> None:
    registry = registry_of("a", "b")
    assert done(registry, "pause", "a", "no", "b") == [
        ("a", True, None, 0),
        ("no", False, GONE, 0),
        ("b", True, None, 0),
    ]
    assert all(task.paused for task in registry)


@pytest.mark.parametrize(
    "task_id", ["..", ".", "a/b", "a?b#c", "%2e%2e", " ", "<b>", "x" * 10_000, "작업", "\r\n", "\0"]
)
@pytest.mark.parametrize("action", ["run", "pause", "resume", "remove"])
def test_any_id_is_acted_on_and_it_alone(task_id: str, action: str) -> None:
    registry = registry_of(task_id, "other")
    assert done(registry, action, task_id) == [(task_id, True, None, 0)]
    other = registry["other"]
    assert (other.run_requested, other.paused, registry.is_paused) == (None, False, False)


def test_a_run_that_the_task_refuses_is_told() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="add", func=add, manual=True))
    ((task_id, ok, detail, after),) = done(registry, "run", "add")
    assert (task_id, ok, after) == ("add", False, 0)
    assert detail == "The function cannot be called: it lacks 'x', 'y'."
    ((_, ok, detail, _),) = done(registry, "run", "add", hide_values=True)
    assert (ok, detail) == (False, "The function cannot be called: its arguments do not fit.")


def test_versions_work_where_values_are_hidden() -> None:
    registry = registry_of("a")
    browser = Browser(registry, hide_values=True)
    seen = browser.get().one(".//tr[@data-id='a']").get("data-version")
    assert seen != registry.version("a")
    body = {"action": "pause", "tasks": [{"id": "a", "version": seen}]}
    assert [one["detail"] for _ in range(2) for one in browser.post("act", body)["results"]] == [None, CONFLICT]


def test_a_fault_of_the_server_is_logged_and_told(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(TaskRegistry):
        def pause(self, *_: Any, **__: Any) -> Task:
            raise RuntimeError("a secret")

    registry = Faulty()
    registry.register(Task(id="a", func=work, every={"hours": 1}))
    assert done(registry, "pause", "a") == [("a", False, "the server failed: its log says why", 0)]
    assert "a secret" in caplog.text


def test_an_outage_of_the_store_is_told(tmp_path: Path) -> None:
    class Out(TaskRegistry):
        def run_now(self, *_: Any, **__: Any) -> Task:
            raise BackendUnavailableError("db-7 is away")

    registry = Out(backend=f"sqlite:///{tmp_path / 'tasks.db'}")
    registry.register(Task(id="a", func=work, every={"hours": 1}))
    assert done(registry, "run", "a") == [("a", False, "the store is out of reach", 0)]


def test_details_come_in_the_language_of_the_page() -> None:
    response = Browser(TaskRegistry()).request(
        "POST", "act", json={"action": "run", "tasks": [{"id": "no"}]}, headers={"Accept-Language": "ko"}
    )
    assert response.json()["results"][0]["detail"] == "작업이 더 이상 없습니다"


@pytest.mark.parametrize(
    "body",
    [
        {"action": "run", "tasks": []},
        {"action": "run", "tasks": [{"id": ""}]},
        {"action": "destroy", "tasks": [{"id": "a"}]},
        {"action": "run", "tasks": [{"id": "a"}] * 1_001},
        {"action": "run", "tasks": [{"id": "a", "force": True}]},
    ],
)
def test_a_body_that_makes_no_sense_is_refused_as_a_whole(body: Any) -> None:
    registry = registry_of("a")
    answer = Browser(registry).post("act", body, status=422)
    assert re.match(r"(action|tasks)", answer["detail"])
    assert registry["a"].run_requested is None


@pytest.mark.parametrize(("role", "status"), [(Role.READ, 403), (None, 401)])
def test_readers_and_strangers_may_not_act(role: Role | None, status: int) -> None:
    registry = registry_of("a")
    Browser(registry, role).post("act", {"action": "pause", "tasks": [{"id": "a"}]}, status=status)
    assert not registry["a"].paused


def test_nobody_acts_on_a_site_that_is_read_only() -> None:
    registry = registry_of("a")
    Browser(registry, read_only=True).post("act", {"action": "pause", "tasks": [{"id": "a"}]}, status=403)
    assert not registry["a"].paused


def test_an_observer_acts_on_the_tasks_of_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    registry = TaskRegistry(backend=url)
    registry.register(Task(id="a", func=work, every={"hours": 1}))
    observer = TaskRegistry(backend=url, observe=True)
    observer.refresh()
    assert done(observer, "run", "a") == [("a", True, None, 0)]
    registry.tick()
    assert registry["a"].status is TaskStatus.SUCCESS
    assert done(observer, "remove", "a") == [("a", True, None, 1)]
    registry.refresh()
    assert list(registry.store) == []


def test_all_tasks_are_paused_and_resumed() -> None:
    registry = registry_of("a")
    browser = Browser(registry)
    assert (browser.post("pause-all", {"paused": True}), registry.is_paused) == ({"paused": True}, True)
    assert (browser.post("pause-all", {"paused": False}), registry.is_paused) == ({"paused": False}, False)
