"""The endpoints of tasks: what there is, one of them, and what may be done with it."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import freezegun
import httpx
import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.backends.rows import Definition
from est_alan_scheduler.web import Role
from est_alan_scheduler.web.api import tasks
from est_alan_scheduler.web.api.models import with_offset
from tests import jobs
from tests.web.client import Client

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADD = "tests.jobs:add"


@pytest.fixture
def noon(set_zone: Callable[[str], None]) -> Iterator[Any]:
    set_zone("UTC")  # a frozen clock is local time
    with freezegun.freeze_time(NOON) as clock:
        yield clock


def a_registry(**options: Any) -> TaskRegistry:
    """Return a registry with one task, "sum"."""
    registry = TaskRegistry(**options)
    registry.register(Task(id="sum", func=jobs.add, args=(1, 2), every={"minutes": 5}, timezone="Asia/Seoul"))
    return registry


def problem(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the detail of a problem."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["detail"]


def errors(response: httpx.Response) -> dict[str, str]:
    """Return what is wrong with each field."""
    assert response.status_code == 422, response.text
    return {one["field"]: one["detail"] for one in response.json()["errors"]}


def patch(client: Client, task_id: str, seen: str = "*", **changes: Any) -> httpx.Response:
    return client.request("PATCH", f"/tasks/{task_id}", json=changes, headers={"If-Match": seen})


def patch_with(content: str | bytes) -> httpx.Response:
    headers = {"If-Match": "*", "Content-Type": "application/json"}
    return Client(a_registry()).request("PATCH", "/tasks/sum", content=content, headers=headers)


def post(client: Client, **definition: Any) -> httpx.Response:
    return client.request("POST", "/tasks", json={"func": ADD, "args": [1, 2], "every": {"minutes": 1}} | definition)


class TestGet:
    def test_a_task_has_its_definition_and_its_state(self, noon: Any) -> None:
        registry = a_registry()
        registry.update("sum", retry=Retry(on=OSError), tags=["daily"], start_at=datetime(2026, 3, 1, 9))
        registry.tick()
        shown = Client(registry).get("/tasks/sum")
        definition = shown.pop("definition")
        assert len(shown.pop("version")) <= 32
        moment = "2026-03-01T21:00:00+09:00"
        assert shown == {
            "id": "sum",
            "name": "add",
            "description": None,
            "tags": ["daily"],
            "status": "success",
            "schedule": "every 5 minutes, from 2026-03-01 09:00:00 Asia/Seoul",
            "paused": False,
            "next_run": "2026-03-01T21:05:00+09:00",
            "last_run_at": moment,
            "last_success_at": moment,
            "first_run_at": moment,
            "runs": 1,
            "consecutive_failures": 0,
            "error_message": None,
            "timezone": "Asia/Seoul",
            "runs_here": True,
            "result": 3,
            "attempt": 1,
            "retry_at": None,
            "run_requested": None,
            "misfires": 0,
            "misfired_at": None,
            "values_hidden": False,
        }
        given = ("every", "func", "args", "kwargs", "retry", "tags", "start_at", "timezone", "name")
        assert {name: definition[name] for name in given} == {
            "every": {"minutes": 5},
            "func": ADD,
            "args": [1, 2],
            "kwargs": {},
            "retry": {
                "max_retries": 3, "delay": 1.0, "backoff": 2.0, "max_delay": 60.0, "jitter": 0.1,
                "on": ["builtins:OSError"],
            },
            "tags": ["daily"],
            "start_at": "2026-03-01T09:00:00+09:00",
            "timezone": "Asia/Seoul",
            "name": None,
        }  # fmt: skip

    def test_its_etag_is_its_version_which_runs_leave_alone(self, noon: Any) -> None:
        registry = a_registry()
        client = Client(registry)
        first = client.request("GET", "/tasks/sum")
        assert first.headers["etag"] == f'"{first.json()["version"]}"'
        registry.tick()
        assert client.request("GET", "/tasks/sum").headers["etag"] == first.headers["etag"]
        registry.pause("sum")
        assert client.request("GET", "/tasks/sum").headers["etag"] != first.headers["etag"]

    @pytest.mark.parametrize("task_id", ["a/b", "..", "100% & é?#", "한글", " "])
    def test_any_id_has_a_path(self, task_id: str) -> None:
        registry = TaskRegistry()
        registry.register(Task(id=task_id, func=jobs.process_id, manual=True))
        path = "/tasks/" + "".join(f"%{byte:02X}" for byte in task_id.encode())
        assert Client(registry).get(path)["id"] == task_id

    def test_an_unknown_id_is_not_found_and_a_similar_one_is_named(self) -> None:
        found = problem(Client(a_registry()).request("GET", "/tasks/summ"))
        assert found == (404, "no task 'summ' is registered (did you mean 'sum'?)")

    def test_a_result_that_is_no_json_is_shown_as_text(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.echo, args=({1},), every={"minutes": 5}))
        registry.tick()
        shown = Client(registry).get("/tasks/a")
        assert (shown["result"], shown["definition"]["args"]) == ("{1}", [{"__not_json__": "{1}"}])

    def test_texts_that_utf_8_cannot_encode_are_escaped(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="\ud800", func=jobs.echo, args=("\ud800",), manual=True, tags=["\udfff"]))
        registry.register(
            Task(id="a", func=jobs.echo, args=({"\ud800": ["\udfff"]},), manual=True, name="\udfff", tags=["\udfff"])
        )
        registry.run_now("a")
        registry.tick()
        client = Client(registry)
        shown = client.get("/tasks")["items"][1]
        assert (shown["id"], shown["tags"]) == ("\\ud800", ["\\udfff"])
        shown = client.get("/tasks/a")
        assert (shown["name"], shown["result"]) == ("\\udfff", "{'\\ud800': ['\\udfff']}")
        assert (shown["definition"]["name"], shown["definition"]["tags"]) == ("\\udfff", ["\\udfff"])

    def test_the_etag_is_that_of_the_definition_shown_while_others_change_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = a_registry()
        registry.update("sum", timeout=1)
        client = Client(registry)
        monkeypatch.setattr(tasks, "describe", lambda _task: registry.update("sum", timeout=2).id)
        answer = client.request("GET", "/tasks/sum")
        monkeypatch.undo()
        assert answer.json()["definition"]["timeout"] == 1
        assert patch(client, "sum", answer.headers["etag"], timeout=3).status_code == 412

    @pytest.mark.parametrize(
        ("moment", "shown"),
        [
            (datetime(2026, 3, 1, 9), "2026-03-01T09:00:00+00:00"),
            (datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=9))), "2026-03-01T09:00:00+09:00"),
            (datetime(1900, 1, 1, tzinfo=timezone(timedelta(seconds=30472))), "1899-12-31T15:32:08+00:00"),
            (datetime.min, "0001-01-01T00:00:00+00:00"),
            (datetime.max, "9999-12-31T23:59:59.999999+00:00"),
        ],
    )
    def test_moments_are_those_of_rfc_3339(self, set_zone: Callable[[str], None], moment: datetime, shown: str) -> None:
        set_zone("UTC")
        assert with_offset(moment) == shown


class TestList:
    def test_the_tasks_come_in_the_order_of_their_ids_and_can_be_chosen(self) -> None:
        registry = TaskRegistry()
        for task_id, tags in (("b", ["x"]), ("a", []), ("C", ["x"])):
            registry.register(Task(id=task_id, func=jobs.boom, manual=True, tags=tags, description=f"Task {task_id}"))
        client = Client(registry)

        def ids(**query: Any) -> list[str]:
            page = client.get("/tasks", **query)
            assert page["next_cursor"] is None
            return [one["id"] for one in page["items"]]

        assert ids() == ["C", "a", "b"]
        assert ids(tag="x") == ["C", "b"]
        assert ids(q="TASK c") == ["C"]
        assert ids(q="oom", status="pending", tag="x") == ["C", "b"]
        assert ids(status="failed") == ids(q="nothing") == ids(tag="y") == []

    def test_an_item_has_no_values_whose_size_has_no_bounds(self) -> None:
        (item,) = Client(a_registry()).get("/tasks")["items"]
        assert not item.keys() & {"definition", "result"}

    @pytest.mark.parametrize(
        ("query", "field"), [({"status": "odd"}, "status"), ({"limit": 0}, "limit"), ({"limit": 1001}, "limit")]
    )
    def test_a_bad_query_is_refused_with_the_field(self, query: dict[str, Any], field: str) -> None:
        assert errors(Client(a_registry()).request("GET", "/tasks", params=query)).keys() == {field}


class TestPatch:
    def test_fields_that_are_given_change_and_the_others_stay(self) -> None:
        registry = a_registry()
        client = Client(registry)
        before = client.request("GET", "/tasks/sum")
        answer = patch(client, "sum", before.headers["etag"], every=None, at=["09:00", "17:00"], description="New")
        assert answer.status_code == 200
        assert answer.headers["etag"] == client.request("GET", "/tasks/sum").headers["etag"] != before.headers["etag"]
        kept = {"every": None, "at": ["09:00", "17:00"], "description": "New"}
        assert answer.json()["definition"] == before.json()["definition"] | kept
        assert registry["sum"].at == ("09:00", "17:00")

    def test_every_field_of_a_definition_may_be_given_back_and_changes_nothing(self, noon: Any) -> None:
        registry = a_registry()
        registry.update("sum", start_at=datetime(2026, 3, 1, 9), exclude=["2026-12-25"], retry=2, timeout=3)
        client = Client(registry)
        before = client.request("GET", "/tasks/sum")
        entry: Any = registry["sum"]._entry
        armed = entry.armed
        noon.tick(60)
        after = patch(client, "sum", before.headers["etag"], **before.json()["definition"], paused=False)
        assert after.headers["etag"] == before.headers["etag"]
        assert registry["sum"].start_at == datetime(2026, 3, 1, 9)  # as naive as it was
        assert entry.armed is armed

    @pytest.mark.parametrize("args", [[True, 2], [1.0, 2], [1, 2.0]])
    def test_a_value_that_is_another_one_in_json_is_a_change(self, args: list[Any]) -> None:
        registry = a_registry()
        registry.update("sum", args=(1, 2))
        client = Client(registry)
        before = client.request("GET", "/tasks/sum")
        answer = patch(client, "sum", before.headers["etag"], args=args)
        assert json.dumps(answer.json()["definition"]["args"]) == json.dumps(args)
        assert repr(registry["sum"].args) == repr(tuple(args))
        assert answer.headers["etag"] != before.headers["etag"]

    def test_a_pause_is_a_field(self) -> None:
        registry = a_registry()
        assert patch(Client(registry), "sum", paused=True).json()["paused"]
        assert registry["sum"].paused

    def test_a_version_is_needed(self) -> None:
        answer = Client(a_registry()).request("PATCH", "/tasks/sum", json={"at": "09:00"})
        assert problem(answer) == (428, "If-Match is needed: the ETag of the task as you have seen it, or * for any")

    def test_a_stale_version_is_refused_and_nothing_changes(self) -> None:
        registry = a_registry()
        client = Client(registry)
        seen = client.request("GET", "/tasks/sum").headers["etag"]
        registry.update("sum", timeout=3)
        assert problem(patch(client, "sum", seen, timeout=4))[0] == 412
        assert problem(patch(client, "sum", seen))[0] == 412
        assert registry["sum"].timeout == 3

    def test_all_bad_fields_are_named_with_the_texts_of_python(self) -> None:
        registry = a_registry()
        client = Client(registry)
        found = errors(patch(client, "sum", every={"minute": 3}, jitter=-1, tags="daily", timeout=3))
        assert found == {
            "every": "Invalid key 'minute' in 'every' field (did you mean 'minutes'?); allowed: weeks, days, hours, "
            "minutes, seconds, milliseconds, microseconds",
            "jitter": "jitter must be a number of seconds greater than 0, a timedelta, or None, got -1",
            "tags": "tags must be a list of texts such as ['daily', 'billing'], got 'daily'",
        }
        assert registry["sum"].timeout is None

    def test_fields_that_contradict_each_other_are_refused_with_the_text_of_python(self) -> None:
        assert problem(patch(Client(a_registry()), "sum", at="09:00")) == (
            422,
            "Task must specify exactly one of every / at / run_at / cron / after / manual, got every and at (task "
            "'sum'). To change its schedule, write every=None, at='09:00'",
        )

    def test_unknown_fields_get_a_hint_and_state_cannot_be_given(self) -> None:
        found = errors(patch(Client(a_registry()), "sum", evry=1, minutes=3, status="success", id="x"))
        assert found == {
            "evry": "Task has no field 'evry' (did you mean 'every'?)",
            "minutes": "Task has no field 'minutes': an interval is every={'minutes': 3}",
            "status": "status is part of the state of a task, which its runs change",
            "id": "the id of a task cannot be changed: make a new task instead",
        }

    def test_errors_to_retry_on_are_names_that_are_never_imported(self, spy: str) -> None:
        registry = a_registry()
        answer = patch(Client(registry), "sum", retry={"max_retries": 1, "on": ["builtins:OSError", f"{spy}:Error"]})
        assert answer.json()["definition"]["retry"]["on"] == ["builtins:OSError", f"{spy}:Error"]
        retry = registry["sum"].retry
        assert retry is not None
        assert retry.on[0] is OSError
        assert errors(patch(Client(registry), "sum", retry={"on": ["odd"]})).keys() == {"retry.on"}
        assert errors(patch(Client(registry), "sum", retry={"on": [3]})).keys() == {"retry.on"}

    def test_an_argument_that_was_shown_as_text_cannot_come_back_in_another_place(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.echo, args=({1},), manual=True))
        client = Client(registry)
        shown = client.get("/tasks/a")["definition"]
        assert patch(client, "a", **shown).status_code == 200
        assert registry["a"].args == ({1},)
        found = errors(patch(client, "a", kwargs={"value": shown["args"][0]}, args=[]))
        assert found == {"kwargs": "{1} is a value that JSON could not hold: set it in code"}

    def test_an_unknown_id_is_not_found(self) -> None:
        assert problem(patch(Client(a_registry()), "sun"))[0] == 404

    @pytest.mark.parametrize("body", ["[]", "3", "null", '"every"'])
    def test_a_body_that_is_no_object_is_refused(self, body: str) -> None:
        assert patch_with(body).status_code == 422

    @pytest.mark.parametrize(
        "body",
        [
            '{"timeout": NaN}',
            '{"args": [Infinity]}',
            '{"name": "\\ud800"}',
            b'{"name": "\xed\xa0\x80"}',
            '{"name": "\\ud800"}'.encode("utf-16"),
            '{"name": "a"}'.encode("utf-16"),
            "{",
            "\\xff",
        ],
    )
    def test_a_body_that_is_no_json_is_refused(self, body: str | bytes) -> None:
        assert problem(patch_with(body)) == (400, "the body is not JSON")


@pytest.fixture
def spy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the name of a module that is not to be imported."""
    (tmp_path / "imported_by_a_request.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "imported_by_a_request"
    assert "imported_by_a_request" not in sys.modules


class TestPost:
    def test_a_task_is_registered(self) -> None:
        registry = a_registry()
        client = Client(registry)
        answer = post(client, id="a/ü", every={"hours": 2}, tags=["new"])
        assert (answer.status_code, answer.headers["location"]) == (201, "tasks/a%2F%C3%BC")
        followed = client.request("GET", "/tasks/a%2F%C3%BC")
        assert (followed.headers["etag"], followed.json()) == (answer.headers["etag"], answer.json() | {
            "next_run": followed.json()["next_run"]
        })  # fmt: skip
        assert (registry["a/ü"].func, registry["a/ü"].every) == (jobs.add, {"hours": 2})

    def test_without_a_backend_it_gets_an_id(self) -> None:
        registry = a_registry()
        made = post(Client(registry)).json()["id"]
        assert registry[made].args == (1, 2)

    def test_with_a_backend_it_needs_an_id(self) -> None:
        registry = a_registry(backend=MemoryBackend())
        assert errors(post(Client(registry))) == {"id": "a backend needs a stable id: give one"}
        assert post(Client(registry), id="b").status_code == 201

    @pytest.mark.parametrize("task_id", [".", ".."])
    def test_an_id_that_no_path_can_have_is_refused(self, task_id: str) -> None:
        client, text = Client(a_registry()), f"no URL can have '{task_id}' as a part of its path: take another id"
        assert errors(post(client, id=task_id)) == {"id": text}
        assert errors(client.request("POST", "/preview", json={"id": task_id, "manual": True})) == {"id": text}
        assert post(client, id="...").status_code == 201

    def test_an_argument_that_json_cannot_hold_is_named(self) -> None:
        client = Client(a_registry(backend=MemoryBackend()))
        headers = {"Content-Type": "application/json"}
        body = f'{{"id": "b", "func": "{ADD}", "every": {{"minutes": 1}}, "args": [1], "kwargs": {{"y": 1e999}}}}'
        answer = client.request("POST", "/tasks", content=body, headers=headers)
        text = (
            "kwargs['y'] of task 'b' is inf, which JSON cannot hold: with a backend, pass texts, numbers, lists and"
            " dicts"
        )
        assert (problem(answer)[1], errors(answer)) == (text, {"kwargs": text})

    def test_an_id_that_is_taken_is_a_conflict(self) -> None:
        assert problem(post(Client(a_registry()), id="sum")) == (409, "there is a task with the id 'sum' already")

    def test_a_function_is_found_by_a_known_name_alone(self, spy: str) -> None:
        client = Client(a_registry())
        for name in (f"{spy}:f", "os:system", "builtins:eval", "tests.jobs:boom"):
            assert errors(post(client, id="a", func=name)).keys() == {"func"}
        assert errors(post(client, id="a", func="tests.jobs:ad")) == {
            "func": "no function is known by the name 'tests.jobs:ad' (did you mean 'tests.jobs:add'?): register or "
            "expose it"
        }

    def test_an_exposed_function_is_known_by_its_name(self) -> None:
        registry = a_registry()
        registry.expose(lambda: 3, "three")
        answer = post(Client(registry), id="a", func="three", args=[])
        assert answer.json()["definition"]["func"] == "three"
        assert registry["a"].func() == 3

    @pytest.mark.parametrize("func", [3, None, "", ["a"], {"name": "f"}])
    def test_a_function_that_is_no_name_is_refused(self, func: Any) -> None:
        assert errors(post(Client(a_registry()), func=func)).keys() == {"func"}

    def test_all_bad_fields_are_named(self) -> None:
        found = errors(post(Client(a_registry()), id="", every=3, timeout="x"))
        assert found.keys() == {"id", "every", "timeout"}
        assert found["every"].endswith("got 3: write every={'seconds': 3} if seconds are meant")

    def test_what_register_refuses_is_refused_with_its_text(self) -> None:
        client = Client(a_registry())
        assert problem(post(client, id="a", args=[])) == (
            422,
            "Task 'a' cannot call its function: func add lacks the arguments 'x', 'y'.",
        )
        assert problem(post(client, id="a", depends_on=["a"]))[1] == "Task 'a' would depend on itself: a -> a"


class TestDelete:
    def test_a_task_is_removed(self) -> None:
        registry = a_registry()
        client = Client(registry)
        assert problem(client.request("DELETE", "/tasks/sum"))[0] == 428
        assert problem(client.request("DELETE", "/tasks/sum", headers={"If-Match": '"0"'}))[0] == 412
        seen = client.request("GET", "/tasks/sum").headers["etag"]
        answer = client.request("DELETE", "/tasks/sum", headers={"If-Match": seen})
        assert (answer.status_code, answer.content, "sum" in registry) == (204, b"", False)
        assert problem(client.request("DELETE", "/tasks/sum", headers={"If-Match": "*"}))[0] == 404


class TestCommands:
    def test_a_run_is_requested(self) -> None:
        registry = a_registry()
        registry.tick()
        client = Client(registry)
        assert client.request("POST", "/tasks/sum/run").json()["run_requested"] == "ready"
        answer = client.request("POST", "/tasks/sum/run", json={"force": True, "args": [3], "kwargs": {"y": 4}})
        assert answer.json()["run_requested"] == "force"
        registry.tick()
        assert registry["sum"].result == 7

    def test_arguments_that_do_not_fit_are_refused(self) -> None:
        answer = Client(a_registry()).request("POST", "/tasks/sum/run", json={"args": [3]})
        assert problem(answer) == (422, "Task 'sum' cannot call its function: func add lacks the argument 'y'.")
        answer = Client(a_registry()).request("POST", "/tasks/sum/run", json={"args": 3, "forced": True})
        assert errors(answer).keys() == {"args", "forced"}

    def test_a_task_is_paused_and_resumed(self) -> None:
        registry = a_registry()
        client = Client(registry)
        paused = client.request("POST", "/tasks/sum/pause")
        assert (paused.json()["paused"], registry["sum"].paused, paused.json()["next_run"]) == (True, True, None)
        stale = client.request("POST", "/tasks/sum/resume", headers={"If-Match": '"0"'})
        assert (problem(stale)[0], registry["sum"].paused) == (412, True)
        resumed = client.request("POST", "/tasks/sum/resume", headers={"If-Match": paused.headers["etag"]})
        assert (resumed.json()["paused"], registry["sum"].paused) == (False, False)

    @pytest.mark.parametrize(
        ("given", "status"),
        [
            ('"0", {now}', 200),
            ('{now},"0"', 200),
            ("{now}", 200),
            ("*", 200),
            ('"0", "1"', 412),
            ("W/{now}", 412),
            ('W/{now}, "0"', 412),
            ('"*"', 412),
            ('""', 412),
            ("", 412),
            (",", 412),
        ],
    )
    @pytest.mark.parametrize("hide_values", [False, True])
    def test_one_of_several_versions_has_to_match(self, hide_values: bool, given: str, status: int) -> None:
        registry = a_registry()
        client = Client(registry, hide_values=hide_values)
        now = client.request("GET", "/tasks/sum").headers["etag"]
        answer = client.request("POST", "/tasks/sum/pause", headers={"If-Match": given.replace("{now}", now)})
        assert (answer.status_code, registry["sum"].paused) == (status, status == 200)

    @pytest.mark.parametrize("given", ["", '"0", "1"', 'W/"0"'])
    def test_a_body_that_makes_no_sense_is_told_before_a_version_that_does_not_match(self, given: str) -> None:
        client = Client(a_registry())
        assert errors(patch(client, "sum", given, timeout="x")).keys() == {"timeout"}
        assert problem(patch(client, "sum", given, timeout=3))[0] == 412

    def test_several_headers_are_as_one(self) -> None:
        client = Client(a_registry())
        now = client.request("GET", "/tasks/sum").headers["etag"]
        answer = client.request("POST", "/tasks/sum/pause", headers=[("If-Match", '"0"'), ("If-Match", now)])
        assert answer.status_code == 200

    @pytest.mark.parametrize("command", ["run", "pause", "resume"])
    def test_an_unknown_id_is_not_found(self, command: str) -> None:
        found = problem(Client(a_registry()).request("POST", f"/tasks/sun/{command}"))
        assert found == (404, "no task 'sun' is registered (did you mean 'sum'?)")


class TestQuestions:
    def test_why_a_task_does_not_run(self, noon: Any) -> None:
        registry = a_registry()
        registry.tick()
        assert Client(registry).get("/tasks/sum/why") == {
            "id": "sum",
            "why": "due in 300 s at 2026-03-01 21:05:00+09:00",
            "next_run": "2026-03-01T21:05:00+09:00",
        }

    def test_the_runs_to_come_of_one_task(self, noon: Any) -> None:
        registry = a_registry()
        registry.register(Task(id="other", func=jobs.process_id, every={"seconds": 1}))
        registry.tick()
        client = Client(registry)
        planned = [f"2026-03-01T21:{minute:02}:00+09:00" for minute in (5, 10, 15)]
        assert client.get("/tasks/sum/upcoming", limit=3) == [{"task_id": "sum", "at": at} for at in planned]
        until = client.get("/tasks/sum/upcoming", until="2026-03-01T12:10:00Z")
        assert [one["at"] for one in until] == planned[:2]
        assert len(client.get("/tasks/sum/upcoming")) == 10
        registry.pause_all()
        assert client.get("/tasks/sum/upcoming") == []

    def test_the_runs_of_one_task_newest_first_by_pages(self, noon: Any) -> None:
        registry = a_registry()
        registry.register(Task(id="other", func=jobs.process_id, every={"minutes": 5}))
        for _ in range(3):
            registry.tick()
            noon.tick(300)
        client = Client(registry)
        page = client.get("/tasks/sum/runs", limit=2)
        rest = client.get("/tasks/sum/runs", cursor=page["next_cursor"])
        runs = page["items"] + rest["items"]
        assert [(run["task_id"], run["result"]) for run in runs] == [("sum", "3")] * 3
        assert [run["run_at"][14:16] for run in runs] == ["10", "05", "00"]
        assert (rest["next_cursor"], client.get("/tasks/sum/runs", status="failed")["items"]) == (None, [])

    def test_an_argument_that_json_could_not_hold_is_not_taken_for_a_value(self) -> None:
        registry, marked = a_registry(), {"__not_json__": "{1}"}
        client = Client(registry)
        bodies: list[tuple[str, Any]] = [
            ("/tasks", {"id": "b", "func": ADD, "args": [1, marked], "manual": True}),
            ("/preview", {"id": "b", "func": ADD, "args": [1, marked], "manual": True}),
            ("/preview", {"id": "b", "kwargs": {"x": marked}, "manual": True}),
            ("/tasks/sum/run", {"kwargs": {"x": marked}}),
        ]
        for path, body in bodies:
            status, detail = problem(client.request("POST", path, json=body))
            assert (status, "{1} is a value that JSON could not hold: set it in code" in detail) == (422, True)
        assert (list(registry.store), registry["sum"].run_requested) == (["sum"], None)

    def test_a_task_without_runs_has_an_empty_page(self) -> None:
        assert Client(a_registry()).get("/tasks/sum/runs") == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize("question", ["why", "upcoming", "runs"])
    def test_an_unknown_id_is_not_found(self, question: str) -> None:
        assert problem(Client(a_registry()).request("GET", f"/tasks/sun/{question}"))[0] == 404


class TestHiddenValues:
    def test_arguments_and_results_are_in_no_answer(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.echo, args=("secret-1",), every={"minutes": 5}))
        registry.tick()
        client = Client(registry, hide_values=True)
        shown = client.get("/tasks/a")
        assert (shown["values_hidden"], shown["result"]) == (True, None)
        assert (shown["definition"]["args"], shown["definition"]["kwargs"]) == (None, None)
        texts = [
            json.dumps(shown),
            json.dumps(client.get("/tasks")),
            json.dumps(client.get("/tasks/a/runs")),
            patch(client, "a", description="x").text,
            client.request("POST", "/tasks/a/run", json={"args": ["secret-2"]}).text,
            client.request("POST", "/tasks/a/run", json={"args": "secret-3"}).text,
            patch(client, "a", args="secret-4").text,
            patch(client, "a", kwargs=["secret-5"]).text,
            patch(client, "a", kwargs={"value": "secret-6"}).text,
            patch(client, "a", kwargs={"secret-key": "secret-7"}, args=[]).text,
            post(client, id="b", func="tests.jobs:echo", args="secret-8").text,
            post(client, id="b", func="tests.jobs:echo", args=["secret-9"], kwargs={"value": "secret-10"}).text,
        ]
        assert [text for text in texts if "secret-" in text.replace("secret-key", "")] == []

    def test_a_definition_with_its_hidden_values_may_be_given_back(self) -> None:
        registry = a_registry()
        client = Client(registry, hide_values=True)
        assert patch(client, "sum", **client.get("/tasks/sum")["definition"]).status_code == 200
        assert registry["sum"].args == (1, 2)

    def test_texts_tell_neither_names_nor_values_of_stored_arguments(self) -> None:
        registry = TaskRegistry(backend=MemoryBackend())
        registry.expose(jobs.process_id)
        kwargs = {"secret_key": "secret-value", "dep_secret": 3}
        registry.register(Task(id="a", func=jobs.take_result, kwargs=kwargs, every={"minutes": 5}))
        registry.register(Task(id="b", func=jobs.take_result, kwargs=kwargs, manual=True))
        registry.register(Task(id="secret", func=jobs.process_id, manual=True))
        client = Client(registry, hide_values=True)
        none = "tests.jobs:process_id"
        misfit = "Task 'a' cannot call its function: its arguments do not fit"
        assert problem(patch(client, "a", func=none)) == (422, misfit)
        assert problem(client.request("POST", "/preview", json={"id": "a", "func": none})) == (422, misfit)
        collision = "kwargs of task 'a' hold an argument, where the result of 'secret' would go."
        assert problem(patch(client, "a", depends_on=["secret"])) == (422, collision)
        assert problem(client.request("POST", "/preview", json={"id": "a", "depends_on": ["secret"]}))[1] == collision
        marked = client.request("POST", "/tasks/a/run", json={"kwargs": {"value": {"__not_json__": "secret-1"}}})
        texts = [
            marked.text,
            client.request("POST", "/tasks/a/run", json={"args": [1]}).text,
            client.request("POST", "/tasks/b/run", json={"args": [{"__not_json__": "secret-1"}]}).text,
            patch(client, "a", args=[{"__not_json__": "secret-1"}]).text,
            client.request("GET", "/tasks/a/why").text,
        ]
        assert [text for text in texts if "secret" in text] == []

    def test_a_value_that_json_cannot_hold_is_not_told(self) -> None:
        registry = TaskRegistry(backend=MemoryBackend())
        registry.store["a"] = Task(id="a", func=jobs.take_result, kwargs={"secret-key": b"secret"}, manual=True)
        client = Client(registry, hide_values=True)
        client.get("/tasks/a")
        assert "secret" in registry.why_not("a")
        assert client.get("/tasks/a/why")["why"] == "cannot run here: the log says why"
        assert "secret" not in patch(client, "a", timeout=3).text

    def test_a_definition_that_makes_no_sense_is_not_told(self) -> None:
        backend = MemoryBackend()
        backend.define([Definition("a", '{"task": {"args": "secret", "func": "f"}, "armed": 1, "zone": null}', "h")])
        registry = TaskRegistry(backend=backend)
        assert "secret" in problem(Client(registry).request("GET", "/tasks/a"))[1]
        hidden = Client(registry, hide_values=True).request("GET", "/tasks/a")
        assert problem(hidden) == (404, "task 'a' of the backend can only be removed here: the log says why")

    def test_a_version_tells_no_arguments(self) -> None:
        registry = a_registry()
        registry.register(Task(id="twin", func=jobs.add, args=(1, 2), every={"minutes": 5}, timezone="Asia/Seoul"))
        client = Client(registry, hide_values=True)
        shown = [one["version"] for one in client.get("/tasks")["items"]]
        assert len({*shown, registry.version("sum"), registry.version("twin")}) == 3 + (
            registry.version("sum") != registry.version("twin")
        )
        answer = client.request("GET", "/tasks/sum")
        preview = client.request("POST", "/preview", json={"id": "sum"}).json()
        assert [answer.headers["etag"], f'"{answer.json()["version"]}"', f'"{preview["version"]}"'] == [
            f'"{shown[0]}"'
        ] * 3
        assert Client(registry, hide_values=True).get("/tasks/sum")["version"] == shown[0]

    @pytest.mark.parametrize("backend", [None, MemoryBackend], ids=["without a backend", "with a backend"])
    def test_a_version_is_good_for_if_match(self, backend: Any) -> None:
        registry = a_registry(backend=backend and backend())
        client = Client(registry, hide_values=True)
        seen = client.request("GET", "/tasks/sum").headers["etag"]
        changed = patch(client, "sum", seen, args=[3, 4])
        paused = client.request("POST", "/tasks/sum/pause", headers={"If-Match": changed.headers["etag"]})
        resumed = client.request("POST", "/tasks/sum/resume", headers={"If-Match": paused.headers["etag"]})
        assert [changed.status_code, paused.status_code, resumed.status_code] == [200] * 3
        text = "task 'sum' does not have the version in If-Match: read it again, and repeat the change"
        for stale in (seen, paused.headers["etag"], f'"{registry.version("sum")}"'):
            assert problem(patch(client, "sum", stale, timeout=3)) == (412, text)
            assert problem(client.request("DELETE", "/tasks/sum", headers={"If-Match": stale})) == (412, text)
            assert problem(client.request("POST", "/tasks/sum/pause", headers={"If-Match": stale})) == (412, text)
        current = resumed.headers["etag"]
        assert client.request("DELETE", "/tasks/sum", headers={"If-Match": current}).status_code == 204
        assert problem(client.request("DELETE", "/tasks/sum", headers={"If-Match": current}))[0] == 404

    def test_a_conflict_tells_no_version(self, monkeypatch: pytest.MonkeyPatch) -> None:
        registry = a_registry()
        client, version = Client(registry, hide_values=True), registry.version("sum")
        seen = client.request("GET", "/tasks/sum").headers["etag"]
        update = registry.update

        def update_late(*given: Any, **options: Any) -> Task:
            update("sum", args=(5, 6))
            return update(*given, **options)

        monkeypatch.setattr(registry, "update", update_late)
        answer = patch(client, "sum", seen, timeout=3)
        assert problem(answer) == (
            412,
            "task 'sum' has changed since it was of the version that was seen: read it again, and repeat the change if "
            "it is still wanted",
        )
        assert not {version, registry.version("sum")} & set(re.findall("[0-9a-f]{32}", answer.text))

    def test_of_those_that_have_seen_one_version_one_changes_it(self) -> None:
        client = Client(a_registry(), hide_values=True)
        seen = client.request("GET", "/tasks/sum").headers["etag"]
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda number: patch(client, "sum", seen, args=[number, 1]), range(2, 18)))
        assert sorted(answer.status_code for answer in answers) == [200, *[412] * 15]

    def test_arguments_may_be_set(self) -> None:
        registry = a_registry()
        assert patch(Client(registry, hide_values=True), "sum", args=[3, 4]).status_code == 200
        assert registry["sum"].args == (3, 4)


@pytest.mark.parametrize("backend", [None, MemoryBackend], ids=["without a backend", "with a backend"])
class TestAtOnce:
    """Callers that do the same at the same time: one of them succeeds."""

    def test_of_those_that_have_seen_one_version_one_changes_it(self, backend: Any) -> None:
        registry = a_registry(backend=backend and backend())
        client = Client(registry)
        seen = client.request("GET", "/tasks/sum").headers["etag"]
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda number: patch(client, "sum", seen, timeout=number), range(1, 17)))
        assert sorted(answer.status_code for answer in answers) == [200, *[412] * 15]
        (changed,) = [answer.json()["definition"]["timeout"] for answer in answers if answer.status_code == 200]
        assert registry["sum"].timeout == changed

    def test_of_those_that_make_a_task_of_one_id_one_does(self, backend: Any) -> None:
        registry = a_registry(backend=backend and backend())
        client = Client(registry)
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda number: post(client, id="new", timeout=number), range(1, 17)))
        assert sorted(answer.status_code for answer in answers) == [201, *[409] * 15]


class TestObserver:
    """A site whose registry knows the functions of nobody, beside a worker on the same backend."""

    @pytest.fixture(params=["memory", "sqlite"])
    def backend(self, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
        return MemoryBackend() if request.param == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}"

    @pytest.fixture
    def worker(self, backend: Any) -> Iterator[TaskRegistry]:
        worker = a_registry(backend=backend)
        yield worker
        worker.configure(backend=None)

    @pytest.fixture
    def client(self, backend: Any, worker: TaskRegistry) -> Iterator[Client]:
        observer = TaskRegistry(backend=backend, observe=True)
        yield Client(observer)
        observer.configure(backend=None, observe=False)

    def test_a_task_whose_function_is_elsewhere_is_shown(self, worker: TaskRegistry, client: Client) -> None:
        worker.tick()
        shown = client.get("/tasks/sum")
        assert (shown["runs_here"], shown["name"], shown["definition"]["func"]) == (False, "add", ADD)
        assert (shown["status"], shown["result"], shown["version"]) == ("success", 3, worker.version("sum"))
        assert [one["id"] for one in client.get("/tasks", q="ADD")["items"]] == ["sum"]
        assert [run["result"] for run in client.get("/tasks/sum/runs")["items"]] == ["3"]
        assert client.get("/tasks/sum/why")["why"].startswith("due in 300 s at")
        assert len(client.get("/tasks/sum/upcoming", limit=2)) == 2

    def test_a_change_a_pause_a_request_and_a_removal_reach_the_worker(
        self, worker: TaskRegistry, client: Client
    ) -> None:
        worker.tick()
        shown = client.request("GET", "/tasks/sum")
        changed = patch(client, "sum", shown.headers["etag"], **shown.json()["definition"] | {"args": [3, 4]})
        assert changed.status_code == 200
        stale = patch(client, "sum", shown.headers["etag"], args=[5, 6])
        assert problem(stale)[0] == 412
        assert client.request("POST", "/tasks/sum/run").json()["run_requested"] == "ready"
        worker.tick()
        worker.tick()
        assert client.get("/tasks/sum")["result"] == worker["sum"].result == 7
        paused = client.request("POST", "/tasks/sum/pause", headers={"If-Match": changed.headers["etag"]})
        assert (paused.status_code, paused.json()["paused"]) == (200, True)
        worker.tick()
        assert worker["sum"].paused
        removed = client.request("DELETE", "/tasks/sum", headers={"If-Match": paused.headers["etag"]})
        assert removed.status_code == 204
        worker.tick()
        assert "sum" not in worker

    def test_a_change_of_the_worker_makes_a_version_stale(self, worker: TaskRegistry, client: Client) -> None:
        seen = client.request("GET", "/tasks/sum").headers["etag"]
        worker.update("sum", timeout=3)
        for method, path, body in (
            ("PATCH", "/tasks/sum", {"timeout": 4}),
            ("DELETE", "/tasks/sum", None),
            ("POST", "/tasks/sum/pause", None),
        ):
            answer = client.request(method, path, json=body, headers={"If-Match": seen})
            assert problem(answer)[0] == 412
        assert (worker["sum"].timeout, worker["sum"].paused) == (3, False)

    def test_a_new_task_may_have_a_function_that_another_one_has(self, worker: TaskRegistry, client: Client) -> None:
        made = post(client, id="new", args=[5, 6])
        assert made.status_code == 201, made.text
        assert (made.status_code, made.json()["runs_here"], made.json()["definition"]["func"]) == (201, False, ADD)
        worker.tick()
        worker.tick()
        assert worker["new"].result == 11
        assert errors(post(client, id="other", func="tests.jobs:boom")).keys() == {"func"}
        assert problem(post(client, id="new"))[0] == 409

    def test_a_worker_refuses_a_new_task_whose_function_is_elsewhere(self, backend: Any, worker: TaskRegistry) -> None:
        other = TaskRegistry(backend=backend)
        assert problem(post(Client(other), id="new")) == (
            422,
            f"task 'new' cannot be registered: its function '{ADD}' is unknown here: register or expose it",
        )
        other.configure(backend=None)

    def test_a_preview_of_a_change(self, client: Client) -> None:
        answer = client.request("POST", "/preview", json={"id": "sum", "every": {"minutes": 7}, "func": ADD})
        new = client.request("POST", "/preview", json={"id": "new", "every": {"minutes": 7}, "func": ADD})
        assert new.json()["plan"]["schedule"] == "every 7 minutes"
        assert answer.json()["changes"] == [{"field": "every", "old": {"minutes": 5}, "new": {"minutes": 7}}]
        assert (answer.json()["plan"]["schedule"], len(answer.json()["plan"]["slots"])) == ("every 7 minutes", 10)


def test_whoever_may_only_read_changes_nothing() -> None:
    registry = a_registry()
    client = Client(registry, Role.READ)
    assert client.get("/tasks/sum")["id"] == "sum"
    assert patch(client, "sum", at="09:00").status_code == 403
    assert post(client, id="b").status_code == 403
