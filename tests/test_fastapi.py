"""An application of FastAPI whose routes return what a registry has."""

from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import Event, Instance, PlannedRun, Statistics, Task, TaskRegistry
from tests import jobs
from tests.frozen import START

fastapi = pytest.importorskip("fastapi")
testclient = pytest.importorskip("fastapi.testclient")


@pytest.fixture(scope="module")
def client() -> Any:
    with freeze_time(START):
        registry = TaskRegistry()
        registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2), tags=["sums"]))
        registry.register(Task(id="b", every={"hours": 1}, func=jobs.boom))
        events: list[Event] = []
        registry.on("failed", events.append)
        registry.tick()
        plan = list(registry.upcoming(limit=1))
    app = fastapi.FastAPI()

    def tasks() -> list[Task]:
        return list(registry)

    def counts() -> Statistics:
        return registry.statistics()

    def planned() -> list[PlannedRun]:
        return plan

    def failures() -> list[Event]:
        return events

    def instances() -> list[Instance]:
        return [Instance("host:1", START, START)]

    def untyped():  # type: ignore[no-untyped-def]  # a route without a type is what most people write
        return {"plan": plan, "counts": registry.statistics(), "instances": instances()}

    for route in (tasks, counts, planned, failures, instances, untyped):
        app.get(f"/{route.__name__}")(route)
    return testclient.TestClient(app)


def test_its_openapi_document_describes_a_task(client: Any) -> None:
    document = client.get("/openapi.json")
    assert document.status_code == 200
    schemas = document.json()["components"]["schemas"]
    assert list(schemas["Task"]["properties"]) == list(Task.model_fields)
    assert {"Event", "Instance", "PlannedRun", "Retry", "Statistics"} <= schemas.keys()


def test_tasks_come_as_objects_with_all_their_fields(client: Any) -> None:
    good, bad = client.get("/tasks").json()
    assert good.keys() == bad.keys() == Task.model_fields.keys()
    assert (good["func"], good["result"], good["tags"], good["status"]) == (
        "tests.jobs:add",
        3,
        ["sums"],
        "success",
    )
    assert (bad["error"], bad["error"]) == (bad["error_message"], bad["history"][0]["error"])


def test_answers_come_as_objects_with_a_type_and_without(client: Any) -> None:
    at = (START.replace(hour=START.hour + 1)).isoformat()
    plan, counts = [{"at": at, "task_id": "a"}], client.get("/counts").json()
    instance = {"owner": "host:1", "since": START.isoformat(), "lease_until": START.isoformat()}
    assert client.get("/planned").json() == plan
    assert (counts["runs"], counts["failures"], counts["lateness"]["count"]) == (2, 1, 0)
    assert client.get("/instances").json() == [instance]
    assert client.get("/untyped").json() == {"plan": plan, "counts": counts, "instances": [instance]}
    (failure,) = client.get("/failures").json()
    assert (failure["name"], failure["task_id"], failure["started_at"]) == ("failed", "b", START.isoformat())
