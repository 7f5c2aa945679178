"""The table of endpoints."""

from functools import cache
from typing import Any

from est_alan_scheduler.runs.statistics import Statistics
from est_alan_scheduler.web.api import events, overview, preview, runs, tasks
from est_alan_scheduler.web.api.definitions import Draft
from est_alan_scheduler.web.api.endpoint import Call, Endpoint
from est_alan_scheduler.web.api.models import (
    HealthModel,
    InstanceModel,
    PauseModel,
    PlannedRunModel,
    PreviewModel,
    RunPage,
    SimulationModel,
)
from est_alan_scheduler.web.api.openapi import document
from est_alan_scheduler.web.auth import Role


@cache
def _document() -> dict[str, Any]:
    return document(ENDPOINTS)


def description(_call: Call) -> dict[str, Any]:
    """Return the OpenAPI document of all endpoints."""
    return _document()


ENDPOINTS = (
    *tasks.ENDPOINTS,
    Endpoint(
        "POST",
        "/preview",
        preview.preview,
        "What a definition means, and what it would change of a task; nothing is changed.",
        PreviewModel,
        body=Draft,
    ),
    Endpoint("GET", "/runs", runs.runs, "Runs, the newest first.", RunPage, query=runs.RunQuery, problems=(404,)),
    Endpoint(
        "GET",
        "/upcoming",
        runs.upcoming,
        "The runs to come of all tasks, in order.",
        list[PlannedRunModel],
        query=runs.UpcomingQuery,
    ),
    Endpoint(
        "GET",
        "/simulate",
        runs.simulation,
        "What would run in a time, with dependencies, as if each run succeeded at once.",
        SimulationModel,
        query=runs.SimulationQuery,
    ),
    Endpoint("GET", "/instances", overview.instances, "The instances that are alive.", list[InstanceModel]),
    Endpoint(
        "GET",
        "/statistics",
        overview.statistics,
        "Counts of the runs that this process has recorded.",
        Statistics,
        query=overview.StatisticsQuery,
        problems=(404,),
    ),
    Endpoint("GET", "/functions", overview.functions, "The names of the functions that run here.", list[str]),
    Endpoint(
        "GET",
        "/health",
        overview.health,
        "Whether the loop ticks and the store answers; 503 if either does not.",
        HealthModel,
        role=None,
        also=(503,),
    ),
    Endpoint("GET", "/pause", overview.pause, "Whether all tasks are paused.", PauseModel),
    Endpoint("POST", "/pause", overview.pause_all, "Let no task start.", PauseModel, role=Role.MANAGE),
    Endpoint("POST", "/resume", overview.resume_all, "Let tasks start again.", PauseModel, role=Role.MANAGE),
    Endpoint(
        "GET",
        "/events",
        events.events,
        "What changes, as server-sent events: its kind, an id to resume by, and the ids of tasks; `reset` if some of"
        " it was missed.",
        str,
        media_type=events.MEDIA_TYPE,
    ),
    Endpoint("GET", "/openapi.json", description, "This description, by OpenAPI 3.1.", dict[str, Any]),
)
"""All endpoints of the API, in the order of the OpenAPI document."""
