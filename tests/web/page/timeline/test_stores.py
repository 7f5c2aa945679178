"""The contents of the timeline, from every store."""

from collections.abc import Callable
from datetime import timedelta

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.web.page.timeline.lanes import chosen
from est_alan_scheduler.web.page.timeline.past import runs_of
from tests import jobs
from tests.backends.stores import Clock

HOUR = timedelta(hours=1)


def test_an_observer_sees_runs_and_trouble(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    registry = join()
    registry.register(Task(id="fine", func=jobs.process_id, every={"hours": 3}))
    registry.register(Task(id="broken", func=jobs.boom, every={"hours": 3}))
    registry.tick()
    registry.shutdown()  # what has ended is written
    clock.advance(600)
    observer = join(observe=True)
    observer.refresh()
    now = to_utc(observer._now())
    found = chosen(observer, now - HOUR, now + HOUR)
    assert [task.id for task in found.tasks] == ["broken", "fine"]
    assert [(one.task.id, one.kind, one.error) for one in found.troubles] == [("broken", "failed", "ValueError: boom")]
    runs = runs_of(observer, found.tasks, now - HOUR, now + HOUR)
    assert {key: [run.status for run in value] for key, value in runs.items()} == {
        "broken": ["failed"],
        "fine": ["success"],
    }
    assert runs_of(observer, found.tasks, now - HOUR, now - HOUR / 2) == {"broken": [], "fine": []}
