"""The endpoints about runs: those that have been, those that come, those that a simulation expects."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import freezegun
import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.web.api import runs
from est_alan_scheduler.web.paging import cursor_of
from tests import jobs
from tests.web.client import Client

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon(set_zone: Callable[[str], None]) -> Iterator[Any]:
    set_zone("UTC")  # a frozen clock is local time
    with freezegun.freeze_time(NOON) as clock:
        yield clock


def registry_with_runs(clock: Any, count: int) -> TaskRegistry:
    """Return a registry whose two tasks have run so many times, one minute after the other."""
    registry = TaskRegistry()
    registry.register(Task(id="good", every={"minutes": 1}, func=jobs.add, args=(1, 2), timezone="Asia/Seoul"))
    registry.register(Task(id="bad", every={"minutes": 1}, func=jobs.boom, timezone="UTC"))
    for _ in range(count):
        registry.tick()
        clock.tick(60)
    return registry


def test_a_run_has_its_outcome_and_moments_with_the_offset_of_its_task(noon: Any) -> None:
    client = Client(registry_with_runs(noon, 1))
    good, bad = client.get("/runs")["items"]
    assert {name: value for name, value in good.items() if value is not None} == {
        "task_id": "good",
        "run_at": "2026-03-01T21:00:00+09:00",
        "finished_at": "2026-03-01T21:00:00+09:00",
        "status": "success",
        "result": "3",
        "attempt": 1,
        "duration": 0.0,
        "epoch": 1,
    }
    assert (bad["status"], bad["error"], bad["run_at"]) == (
        "failed",
        "ValueError: boom",
        "2026-03-01T12:00:00+00:00",
    )


def test_runs_come_newest_first_and_can_be_chosen(noon: Any) -> None:
    client = Client(registry_with_runs(noon, 3))
    minutes = ["2026-03-01T12:02:00+00:00", "2026-03-01T12:01:00+00:00", "2026-03-01T12:00:00+00:00"]
    assert [run["run_at"] for run in client.get("/runs", task="bad")["items"]] == minutes
    assert [run["task_id"] for run in client.get("/runs", status="success")["items"]] == ["good"] * 3
    found = client.get("/runs", task="bad", since="2026-03-01T21:01:00+09:00")["items"]
    assert [run["run_at"] for run in found] == minutes[:2]
    assert client.get("/runs", task="bad", status="success") == {"items": [], "next_cursor": None}


def test_the_runs_of_an_unknown_id_are_not_found(noon: Any) -> None:
    registry = registry_with_runs(noon, 1)
    client = Client(registry)
    assert client.refused("/runs", task="goood") == (404, "no task 'goood' is registered (did you mean 'good'?)")
    registry.register(Task(id="new", every={"hours": 1}, func=jobs.boom))
    assert client.get("/runs", task="new") == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("backend", [None, MemoryBackend], ids=["without a backend", "with a backend"])
@pytest.mark.parametrize(
    "key",
    [
        '["2026-01-01T00:00:00", "a", -1]',
        f'["2026-01-01T00:00:00", "a", {10**40}]',
        '["2026-01-01T00:00:00", "\\u0000", 1]',
        '["0001-01-01T00:00:00", "a", 1]',
        '["9999-12-31T23:59:59.999999", "a", 1]',
    ],
)
def test_a_cursor_that_no_run_can_have_is_refused_or_has_an_empty_page(backend: Any, key: str) -> None:
    registry = TaskRegistry(backend=backend and backend())
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.process_id))
    answer = Client(registry).request("GET", "/runs", params={"cursor": cursor_of(key)})
    detail = "it is not one that a page has given as next_cursor"
    if answer.status_code == 200:
        assert answer.json()["items"] == []
    else:
        assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "cursor", "detail": detail}])


def test_a_cursor_that_no_run_can_have_is_refused_without_internals() -> None:
    registry = TaskRegistry(backend=MemoryBackend())
    cursor = cursor_of('["2026-01-01T00:00:00", "a", -1]')
    for path in ("/runs", "/tasks/a/runs"):
        found = Client(registry).refused(path, cursor=cursor)
        assert found == (422, "cursor: it is not one that a page has given as next_cursor")


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_have_each_run_once(noon: Any, size: int) -> None:
    registry = registry_with_runs(noon, 3)
    client = Client(registry)
    whole = client.get("/runs")
    assert (len(whole["items"]), whole["next_cursor"]) == (6, None)
    found, query = [], dict[str, str]()
    while True:
        page = client.get("/runs", limit=size, **query)
        found += page["items"]
        noon.tick(60)
        registry.tick()  # what is new comes before the first page
        if page["next_cursor"] is None:
            break
        assert len(page["items"]) == size
        query = {"cursor": page["next_cursor"]}
    assert found == whole["items"]


def test_a_page_goes_on_with_the_same_choice(noon: Any) -> None:
    client = Client(registry_with_runs(noon, 3))
    page = client.get("/runs", status="failed", limit=2)
    rest = client.get("/runs", status="failed", limit=2, cursor=page["next_cursor"])
    assert [run["task_id"] for run in page["items"] + rest["items"]] == ["bad"] * 3
    assert rest["next_cursor"] is None


def test_a_plus_that_was_not_escaped_is_one_all_the_same(noon: Any) -> None:
    client = Client(registry_with_runs(noon, 3))
    response = client.request("GET", "/runs?task=bad&since=2026-03-01T21:01:00+09:00")
    assert len(response.json()["items"]) == 2


def test_a_run_may_have_texts_that_no_encoding_has() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="\ud800", every={"hours": 1}, func=str, args=("\udfff",)))
    registry.tick()
    client = Client(registry)
    (run,) = client.get("/runs")["items"]
    assert (run["task_id"], run["result"]) == ("\\ud800", "'\\udfff'")
    assert client.get("/upcoming", limit=1)[0]["task_id"] == "\\ud800"
    assert client.get("/simulate", limit=1)["items"][0]["task_id"] == "\\ud800"


def test_a_site_that_hides_values_shows_no_results(noon: Any) -> None:
    found = Client(registry_with_runs(noon, 1), hide_values=True).get("/runs", task="good")["items"]
    assert [run["result"] for run in found] == [None]


@pytest.mark.parametrize(
    ("path", "query", "detail"),
    [
        ("/runs", {"cursor": "x"}, "cursor: it is not one that a page has given as next_cursor"),
        ("/runs", {"cursor": "bnVsbA"}, "cursor: it is not one that a page has given as next_cursor"),
        *(
            ("/runs", {"cursor": cursor_of(key)}, "cursor: it is not one that a page has given as next_cursor")
            for key in ('["2026-01-01", "a", true]', '["2026-01-01", 7, 1]', '["soon", "a", 1]', "[" * 20_000, "{}")
        ),
        ("/runs", {"limit": "0"}, "limit: Input should be greater than or equal to 1"),
        ("/runs", {"limit": "1001"}, "limit: Input should be less than or equal to 1000"),
        ("/runs", {"status": "lost"}, "status: Input should be 'pending', 'running', 'success' or 'failed'"),
        ("/runs", {"task": ""}, "task: String should have at least 1 character"),
        ("/runs", {"taks": "a"}, "taks: Extra inputs are not permitted"),
        (
            "/upcoming",
            {"until": "2026-03-01"},
            "until: a date and a time with an offset are needed, as in 2026-01-31T09:00:00+09:00",
        ),
        (
            "/upcoming",
            {"until": "2026-03-01T12:00:00"},
            "until: a date and a time with an offset are needed, as in 2026-01-31T09:00:00+09:00",
        ),
        ("/upcoming", {"until": "2026-02-29T12:00:00Z"}, "until: day is out of range for month"),
    ],
)
def test_an_invalid_question_is_told_what_is_wrong(path: str, query: dict[str, str], detail: str) -> None:
    assert Client(TaskRegistry()).refused(path, **query) == (422, detail)


def test_what_comes_is_listed_in_order_up_to_a_moment_or_a_number(noon: Any) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="hourly", every={"hours": 1}, func=jobs.boom, start_at=NOON, timezone="UTC"))
    registry.register(Task(id="daily", at="21:30", func=jobs.boom, timezone="Asia/Seoul"))
    client = Client(registry)
    planned = [
        {"task_id": "hourly", "at": "2026-03-01T12:00:00+00:00"},
        {"task_id": "daily", "at": "2026-03-01T21:30:00+09:00"},
        {"task_id": "hourly", "at": "2026-03-01T13:00:00+00:00"},
    ]
    assert client.get("/upcoming", limit=3) == planned
    assert client.get("/upcoming", until="2026-03-01T12:59:59Z") == planned[:2]
    assert len(client.get("/upcoming")) == 100
    assert len(client.get("/upcoming", until="9999-12-31T23:59:59-12:00", limit=2)) == 2
    assert client.get("/upcoming", until="0001-01-01T00:00:00+12:00", limit=2) == []


def test_a_simulation_takes_dependencies_into_account_and_says_when_it_is_whole(noon: Any) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="first", at="15:00", func=jobs.boom, timezone="UTC"))
    registry.register(Task(id="then", at="13:00", timezone="UTC", depends_on=["first"], func=jobs.boom))
    client = Client(registry)
    plan = [
        {"task_id": "first", "at": "2026-03-01T15:00:00+00:00"},
        {"task_id": "then", "at": "2026-03-01T15:00:00+00:00"},
    ]
    day = {"items": plan, "until": "2026-03-02T12:00:00+00:00", "is_truncated": False}
    assert client.get("/simulate") == day
    assert client.get("/simulate", **{"from": "2026-03-01T12:00:00Z", "to": "2026-03-02T12:00:00Z"}) == day
    cut = {"items": plan[:1], "until": "2026-03-01T15:00:00+00:00", "is_truncated": True}
    assert client.get("/simulate", limit=1) == cut
    assert client.get("/simulate", limit=2) == day


def test_a_simulation_that_takes_long_is_cut_short(noon: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_SIMULATION_SECONDS", -1.0)
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"seconds": 1}, func=jobs.boom, timezone="UTC"))
    cut = {
        "items": [{"task_id": "a", "at": "2026-03-01T12:00:00+00:00"}],
        "until": "2026-03-01T12:00:00+00:00",
        "is_truncated": True,
    }
    assert Client(registry).get("/simulate") == cut


def test_a_simulation_of_too_many_tasks_is_refused_before_they_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST_SIMULATED", 2)
    registry = TaskRegistry()
    client = Client(registry)
    for task_id in "ab":
        registry.register(Task(id=task_id, manual=True, func=jobs.boom))
    assert client.get("/simulate")["items"] == []
    registry.register(Task(id="c", manual=True, func=jobs.boom))
    monkeypatch.setattr(runs, "simulate", None)
    assert client.refused("/simulate") == (
        422,
        "there are 3 tasks: a simulation over HTTP takes at most 2; call simulate() in a program of your own, or ask "
        "for /upcoming",
    )


def test_few_simulate_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "_PERMIT_SECONDS", 0.01)
    client = Client(TaskRegistry())
    with runs._permits, runs._permits:
        assert client.refused("/simulate") == (503, "others simulate already")
    assert client.get("/simulate")["items"] == []


def test_a_simulation_that_ends_before_it_begins_is_refused() -> None:
    client = Client(TaskRegistry())
    status, detail = client.refused("/simulate", **{"from": "2026-03-01T12:00:00Z", "to": "2026-02-01T12:00:00Z"})
    assert status == 422
    assert detail.startswith("end must not lie before start")
