"""A recorder of events for the tests of this folder."""

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.events.event import EVENTS


def record_events(registry: TaskRegistry) -> list[str]:
    """Return a list that fills with the names of all events and the ids of their tasks."""
    names: list[str] = []
    for name in EVENTS:
        registry.on(name, lambda event: names.append(f"{event.name} {event.task_id}"))
    return names
