"""Endpoints about the registry as a whole."""

from typing import Annotated

from pydantic import Field

from est_alan_scheduler.runs.statistics import Statistics
from est_alan_scheduler.web.api.definitions import known_functions
from est_alan_scheduler.web.api.endpoint import Answer, Call, Input
from est_alan_scheduler.web.api.models import HealthModel, InstanceModel, PauseModel


class StatisticsQuery(Input):
    """Whose statistics."""

    task: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Of the task of this id; of all runs of all tasks by default."
    )


def instances(call: Call) -> list[InstanceModel]:
    """Return the instances on the backend whose lease is alive."""
    return [
        InstanceModel(owner=one.owner, since=one.since, lease_until=one.lease_until)
        for one in call.registry.instances()
    ]


def statistics(call: Call) -> Statistics:
    """Return counts of the runs that this process has recorded."""
    if call.query.task is not None:
        call.registry.refresh()  # it may be new
    return call.registry.statistics(call.query.task)


def functions(call: Call) -> list[str]:
    """Return the names of the functions that run here."""
    return known_functions(call.registry)


def pause(call: Call) -> PauseModel:
    """Return whether all tasks are paused."""
    call.registry.refresh()
    return PauseModel(paused=call.registry.is_paused)


def pause_all(call: Call) -> PauseModel:
    """Let nothing start, until `resume_all`."""
    call.registry.pause_all()
    return PauseModel(paused=call.registry.is_paused)


def resume_all(call: Call) -> PauseModel:
    """Undo `pause_all`."""
    call.registry.resume_all()
    return PauseModel(paused=call.registry.is_paused)


def health(call: Call) -> Answer:
    """Return whether the loop ticks and the store answers; 503 if either does not."""
    found = call.registry.health()
    shown = HealthModel(status="ok" if found.is_ok else "failing", loop=found.loop, store=found.store)
    return Answer(shown, None if found.is_ok else 503)
