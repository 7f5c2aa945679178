"""Any JSON for the fields of a definition: it is taken or refused, and what was taken can be shown."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.web.api.models import DEFINITION
from tests import jobs
from tests.web.client import Client

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False)
    | st.text()
)
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
PLAUSIBLE: dict[str, list[Any]] = {
    "every": [{"minutes": 5}, {"days": 999999999}, {"microseconds": 1}, {"weeks": 1e-9}, {"hours": -1, "days": 1}],
    "at": ["09:00", ["09:00", "23:59:59"], "24:00", []],
    "on": ["mon-fri", "last fri", "30 feb", "29 feb"],
    "run_at": ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "2026-03-29T02:30", "2026-01-01T00:00:00+23:59"],
    "cron": ["* * * * *", "0 0 30 2 *", "@daily", "* * * * * *", "0 0 29 2 *"],
    "after": [["a"], ["b", "b"], ["é" * 500]],
    "manual": [True],
    "timezone": ["Asia/Seoul", "+14:00", "../../etc/passwd", "Europe/Berlin", "+23:59:59", "UTC"],
    "start_at": ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999", "1900-01-01T00:00:00", "2026-10-25T02:30:00"],
    "end_at": ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999999-23:59", "2030-01-01"],
    "exclude": [["0001-01-01", "9999-12-31"], ["2026-01-01"] * 3],
    "jitter": [1e-9, 1e9, 30],
    "misfire_grace": [1e-9, 1e9],
    "func": ["tests.jobs:echo", "tests.jobs:boom", "os:system", "\0"],
    "args": [[1], [[[1]]], []],
    "kwargs": [{"value": 1}, {"value": {"a": None}}],
    "depends_on": [["a"], ["\0"], ["x" * 1000]],
    "depends_on_mode": ["fresh"],
    "retry": [3, {"on": ["builtins:OSError"]}, {"on": ["\0:\0"]}, {"on": "a:b"}, {"delay": 1e308}],
    "max_runs": [1, 2**31],
    "tags": [["a", "a"], ["\0"]],
    "name": ["\n", "x" * 10_000],
    "description": ["\u202e"],
}  # fmt: skip


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from((*DEFINITION, "paused")), unique=True, max_size=5))
    return {name: draw(st.sampled_from(PLAUSIBLE[name]) if name in PLAUSIBLE else JSON) for name in names}


@pytest.mark.parametrize("backend", [None, MemoryBackend], ids=["without a backend", "with a backend"])
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(definitions() | st.dictionaries(st.sampled_from(DEFINITION), JSON, max_size=3), st.booleans())
def test_a_definition_is_taken_or_refused_and_can_be_shown(
    backend: Any, definition: dict[str, Any], hide_values: bool
) -> None:
    registry = TaskRegistry(backend=backend and backend())
    registry.register(Task(id="a", func=jobs.echo, args=(1,), every={"minutes": 5}))
    client = Client(registry, hide_values=hide_values)
    try:
        body = json.dumps(definition, allow_nan=False)
    except ValueError:  # an integer of too many digits
        return
    cleared = dict.fromkeys(("every", "at", "cron", "run_at", "after")) | {"manual": False}
    for method, path, given_too in (
        ("POST", "/preview", {"id": "a"}),
        ("POST", "/preview", {}),
        ("PATCH", "/tasks/a", {}),
        ("PATCH", "/tasks/a", cleared),
        ("POST", "/tasks", {"id": "b", "func": "tests.jobs:echo"}),
    ):
        content = json.dumps({**given_too, **json.loads(body)})
        headers = {"If-Match": "*", "Content-Type": "application/json"}
        answer = client.request(method, path, content=content, headers=headers)
        assert answer.status_code in (200, 201, 400, 422), (method, path, content, answer.text)
        for question in ("/tasks", "/tasks/a", "/tasks/a/why", "/tasks/a/upcoming"):
            client.get(question)
