"""The preview of a definition: its words, its next slots, and what it would change."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import freezegun
import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.web import Role
from tests import jobs
from tests.web.client import Client

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def noon(set_zone: Callable[[str], None]) -> Iterator[Any]:
    set_zone("UTC")  # a frozen clock is local time
    with freezegun.freeze_time(NOON) as clock:
        yield clock


def shown(client: Client, **definition: Any) -> Any:
    answer = client.request("POST", "/preview", json=definition)
    assert answer.status_code == 200, answer.text
    return answer.json()


def slots(plan: Any) -> list[tuple[str, str | None]]:
    return [(one["at"], one["mark"]) for one in plan["slots"]]


class TestNew:
    def test_a_definition_in_words_with_its_next_slots(self, noon: Any) -> None:
        registry = TaskRegistry()
        found = shown(Client(registry), at=["09:00", "21:30"], timezone="Asia/Seoul")
        wall = ["01T21:00", "01T21:30", *(f"0{day}T{time}" for day in range(2, 6) for time in ("09:00", "21:30"))]
        at = [f"2026-03-{one}:00+09:00" for one in wall]  # that of today has passed: it runs at once
        plan = {
            "schedule": "at 09:00 and 21:30 Asia/Seoul",
            "timezone": "Asia/Seoul",
            "slots": [{"at": one, "mark": None} for one in at],
        }
        expected: dict[str, Any] = {
            "before": None,
            "changes": [],
            "version": None,
            "not_registered": [],
            "values_hidden": False,
        }
        assert found == {"plan": plan, **expected}
        assert len(registry) == 0

    def test_an_interval_begins_at_once(self, noon: Any) -> None:
        found = shown(Client(TaskRegistry()), id="a", every={"hours": 1})
        assert [at[11:16] for at, _ in slots(found["plan"])][:3] == ["12:00", "13:00", "14:00"]

    def test_a_slot_that_is_made_up_for_at_once_has_no_mark_while_the_clock_goes_on(self) -> None:
        with freezegun.freeze_time(NOON, auto_tick_seconds=1):
            found = shown(Client(TaskRegistry()), at="02:30", timezone="Europe/Berlin")
        assert {mark for _, mark in slots(found["plan"])} == {None}

    def test_a_limit_and_an_end_leave_fewer_slots(self, noon: Any) -> None:
        client = Client(TaskRegistry())
        assert len(slots(shown(client, every={"hours": 1}, max_runs=3)["plan"])) == 3
        assert slots(shown(client, manual=True)["plan"]) == []
        assert slots(shown(client, run_at="2026-03-02T09:00")["plan"]) == [("2026-03-02T09:00:00+00:00", None)]

    def test_the_defaults_of_the_registry_count(self, noon: Any) -> None:
        registry = TaskRegistry(defaults={"timezone": "Asia/Seoul", "max_runs": 1})
        plan = shown(Client(registry), at="09:00")["plan"]
        assert (plan["timezone"], slots(plan)) == ("Asia/Seoul", [("2026-03-01T21:00:00+09:00", None)])

    def test_errors_are_those_of_a_real_one(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.process_id, manual=True, depends_on=["b"]))
        client = Client(registry)
        for definition in (
            {"id": "b", "func": "tests.jobs:process_id", "every": {"minutes": 5}, "depends_on": ["a"]},
            {"id": "b", "func": "tests.jobs:process_id"},
            {"id": "b", "func": "tests.jobs:process_id", "every": {"minutes": 5}, "args": [1]},
            {"id": "b", "func": "tests.jobs:nothing", "every": {"minute": 5}},
            {"id": "b", "func": "tests.jobs:process_id", "every": {"minute": 5}, "evry": 3},
            {"id": "b", "func": "tests.jobs:process_id", "every": {"minute": 5}, "at": 3},
            {"id": 3, "func": "tests.jobs:process_id", "every": {"minutes": 5}},
        ):
            real = client.request("POST", "/tasks", json=definition)
            found = client.request("POST", "/preview", json=definition)
            assert (found.status_code, found.json()) == (422, real.json())

    def test_ids_that_are_not_registered_are_told(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.process_id, manual=True))
        client = Client(registry)
        found = shown(client, id="b", every={"minutes": 5}, depends_on=["a", "x"])
        assert found["not_registered"] == ["x"]
        assert shown(client, id="b", after=["y", "a", "x"], depends_on=["x"])["not_registered"] == ["x", "y"]
        assert shown(client, id="a", depends_on=["z"])["not_registered"] == ["z"]
        assert shown(client, id="a", depends_on=[])["not_registered"] == []

    def test_a_reader_may_ask(self) -> None:
        assert shown(Client(TaskRegistry(), Role.READ, read_only=True), every={"minutes": 5})["changes"] == []


class TestWithBackend:
    """What the backend cannot hold, a preview refuses as well."""

    @pytest.mark.parametrize(
        "given",
        [
            '"args": [1e999]',
            '"id": "\\u0000"',
            f'"id": "{"x" * 2_001}"',
            '"depends_on": ["\\u0000"]',
        ],
    )
    def test_errors_are_those_of_a_real_one(self, given: str) -> None:
        registry = TaskRegistry(backend=MemoryBackend())
        registry.register(Task(id="a", func=jobs.echo, args=(1,), every={"minutes": 5}))
        client = Client(registry)
        headers = {"If-Match": "*", "Content-Type": "application/json"}
        new = f'{{"id": "b", "func": "tests.jobs:echo", "manual": true, "args": [1], {given}}}'
        real = client.request("POST", "/tasks", content=new, headers=headers)
        found = client.request("POST", "/preview", content=new, headers=headers)
        assert (found.status_code, found.json()) == (422, real.json())
        if '"id"' in given:
            return
        real = client.request("PATCH", "/tasks/a", content=f"{{{given}}}", headers=headers)
        found = client.request("POST", "/preview", content=f'{{"id": "a", {given}}}', headers=headers)
        assert (found.status_code, found.json()) == (422, real.json())

    def test_a_draft_may_lack_its_id_and_its_function_and_makes_nothing_known(self) -> None:
        registry = TaskRegistry(backend=MemoryBackend())
        assert shown(Client(registry), every={"minutes": 5})["plan"]["schedule"] == "every 5 minutes"
        assert (registry.known_functions(), len(registry)) == ([], 0)


class TestChange:
    @pytest.fixture
    def registry(self, noon: Any) -> TaskRegistry:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.process_id, every={"minutes": 5}))
        registry.tick()
        noon.tick(60)
        return registry

    def test_what_would_change_with_the_plans_before_and_after(self, registry: TaskRegistry) -> None:
        before = Client(registry).get("/tasks/a")
        found = shown(Client(registry), id="a", every=None, at="13:00", timeout=3, func="tests.jobs:process_id")
        assert found["changes"] == [
            {"field": "every", "old": {"minutes": 5}, "new": None},
            {"field": "at", "old": None, "new": "13:00"},
            {"field": "timeout", "old": None, "new": 3},
        ]
        assert (found["before"]["schedule"], found["plan"]["schedule"]) == ("every 5 minutes", "at 13:00")
        assert [at[11:16] for at, _ in slots(found["before"])] == [f"12:{minute:02}" for minute in range(5, 55, 5)]
        assert [at[:16] for at, _ in slots(found["plan"])][:2] == ["2026-03-01T13:00", "2026-03-02T13:00"]
        assert found["version"] == before["version"]
        assert Client(registry).get("/tasks/a") == before

    def test_the_plan_is_the_one_that_the_change_brings(self, registry: TaskRegistry) -> None:
        client = Client(registry)
        for change in ({"every": {"minutes": 7}}, {"cron": "*/20 * * * *", "every": None}, {"start_at": "2026-03-04"}):
            found = shown(client, id="a", **change)
            client.request("PATCH", "/tasks/a", json=change, headers={"If-Match": "*"})
            real = client.get("/tasks/a/upcoming", limit=10)
            assert [at for at, _ in slots(found["plan"])] == [one["at"] for one in real]

    def test_the_slots_of_a_task_that_has_not_run_count_from_its_registration_or_the_change(
        self, registry: TaskRegistry, noon: Any
    ) -> None:
        registry.register(Task(id="b", func=jobs.process_id, every={"minutes": 10}, run_immediately=False))
        noon.tick(240)
        found = shown(Client(registry), id="b", every={"minutes": 20})
        assert (slots(found["before"])[0], slots(found["plan"])[0]) == (
            ("2026-03-01T12:11:00+00:00", None),
            ("2026-03-01T12:25:00+00:00", None),
        )

    def test_no_change_has_the_same_plan(self, registry: TaskRegistry) -> None:
        found = shown(Client(registry), id="a")
        assert (found["changes"], found["plan"]) == ([], found["before"])

    def test_a_pause_a_request_and_a_retry_have_no_effect_on_the_slots(self, registry: TaskRegistry) -> None:
        plan = shown(Client(registry), id="a")["plan"]
        registry.pause("a")
        registry.run_now("a")
        registry["a"].retry_at = datetime(2026, 3, 1, 12, 2)
        found = shown(Client(registry), id="a", paused=False)
        assert found["plan"] == found["before"] == plan
        assert found["changes"] == [{"field": "paused", "old": True, "new": False}]
        assert (registry["a"].paused, registry["a"].run_requested) == (True, "ready")

    def test_errors_are_those_of_a_real_one(self, registry: TaskRegistry) -> None:
        registry.register(Task(id="b", func=jobs.process_id, manual=True, depends_on=["a"]))
        client = Client(registry)
        for change in (
            {"depends_on": ["b"]},
            {"at": "09:00"},
            {"args": [1]},
            {"every": {"minute": 1}, "timeout": -1},
            {"evry": 1},
            {"func": "os:system"},
            {"every": None},
        ):
            real = client.request("PATCH", "/tasks/a", json=change, headers={"If-Match": "*"})
            found = client.request("POST", "/preview", json={"id": "a", **change})
            assert (found.status_code, found.json()) == (422, real.json())

    def test_a_reader_cannot_guess_hidden_values(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.echo, kwargs={"value": "secret"}, manual=True))
        client = Client(registry, Role.READ, hide_values=True)
        found = [shown(client, id="a", kwargs={"value": guess}) for guess in ("wrong", "secret")]
        assert found[0] == found[1]
        assert found[1]["changes"] == [{"field": "kwargs", "old": None, "new": None}]
        assert shown(client, id="a", args=None, kwargs=None)["changes"] == []

    def test_hidden_values_are_not_shown(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.echo, args=("secret-1",), manual=True))
        found = shown(Client(registry, hide_values=True), id="a", args=["secret-2"])
        assert found["changes"] == [{"field": "args", "old": None, "new": None}]
        assert found["values_hidden"]
        assert "secret" not in json.dumps(found)


class TestClockChanges:
    @pytest.mark.parametrize(
        ("start", "definition", "expected"),
        [
            # New York, 8 March 2026: 02:00 to 03:00 is skipped.
            ("2026-03-07 12:00", {"at": "02:30"}, [("03-08T03:00:00-04:00", "moved"), ("03-09T02:30:00-04:00", None)]),
            (
                "2026-03-07 12:00",
                {"at": ["02:15", "03:00"]},
                [("03-08T03:00:00-04:00", "merged"), ("03-09T02:15:00-04:00", None)],
            ),
            (
                "2026-03-07 12:00",
                {"cron": "30 2 * * *"},
                [("03-08T03:00:00-04:00", "moved"), ("03-09T02:30:00-04:00", None)],
            ),
            (
                "2026-03-08 06:00",
                {"cron": "30 * * * *"},
                [("03-08T01:30:00-05:00", None), ("03-08T03:30:00-04:00", None)],
            ),
            ("2026-03-08 06:59", {"every": {"minutes": 1}}, [("03-08T03:00:00-04:00", None)]),
            # 1 November 2026: 01:00 to 02:00 comes twice.
            (
                "2026-10-31 12:00",
                {"at": "01:30"},
                [("11-01T01:30:00-04:00", "repeated"), ("11-02T01:30:00-05:00", None)],
            ),
        ],
    )
    def test_a_slot_that_one_touches_is_marked(
        self, start: str, definition: dict[str, Any], expected: list[tuple[str, str | None]]
    ) -> None:
        with freezegun.freeze_time(start):
            client = Client(TaskRegistry())
            found = slots(shown(client, timezone="America/New_York", run_immediately=False, **definition)["plan"])
        assert found[: len(expected)] == [(f"2026-{at}", mark) for at, mark in expected]
