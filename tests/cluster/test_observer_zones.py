"""An observer in another time zone than the instances that run the tasks: it reads local time as they do."""

import json
from collections.abc import Callable
from copy import copy, deepcopy
from datetime import datetime, timedelta
from pickle import dumps, loads
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from est_alan_scheduler import TaskRegistry, UnknownTaskError, simulate
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.schedules.describe import describe
from tests import jobs
from tests.backends.stores import Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, runs
from tests.messages import missing

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

NIGHTLY: dict[str, Any] = {"every": None, "at": "03:00", "run_immediately": False}
SetZone = Callable[[str], None]


def utc(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=ZoneInfo("UTC"))  # type: ignore[arg-type, misc]


@pytest.fixture
def worker(join: Join, set_zone: SetZone) -> TaskRegistry:
    """A registry in UTC; the clock stands at 08:00 there on 2027-01-15, at 17:00 in Seoul."""
    set_zone("UTC")
    return join()


@pytest.fixture
def observer(join: Join, worker: TaskRegistry, set_zone: SetZone) -> TaskRegistry:
    """An observer in Seoul, with a task of each kind of local time."""
    worker.register(adder(**NIGHTLY))
    worker.tick()
    set_zone("Asia/Seoul")
    registry = join(observe=True)
    registry.expose(jobs.add)
    registry.refresh()
    return registry


def in_utc(set_zone: SetZone, work: Callable[[], Any]) -> Any:
    """Do something as a program in UTC does."""
    set_zone("UTC")
    try:
        return work()
    finally:
        set_zone("Asia/Seoul")


def stored(observer: TaskRegistry, task_id: str = "a") -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the fields of a task, and its zone, as the store has them."""
    assert observer.backend is not None
    assert not isinstance(observer.backend, str)
    values = json.loads(observer.backend.fetch(None, 0).definitions[task_id].json)  # type: ignore[union-attr]
    return {name: value for name, value in values["task"].items() if value is not None}, values["zone"]


UTC_ZONE = {"name": "UTC", "offsets": [0, 0]}
FIELDS = {"args": [1, 2], "at": "03:00", "func": "tests.jobs:add", "run_immediately": False}


class TestShows:
    def test_its_times_are_those_of_the_workers(self, observer: TaskRegistry) -> None:
        assert ([task.id for task in observer], observer.unresolved()) == (["a"], {})
        assert observer.next_run("a") == utc(2027, 1, 16, 3)
        slots = [run.at for run in observer.upcoming(limit=2)]
        assert slots == [utc(2027, 1, 16, 3), utc(2027, 1, 17, 3)]
        assert describe(observer["a"]) == "at 03:00 UTC"
        assert observer.why_not("a") == "due in 68400 s at 2027-01-16 03:00:00+00:00"
        start = datetime(2027, 1, 15, 17)
        assert [run.at for run in simulate(observer, start, start + timedelta(days=2))] == slots

    def test_its_history_has_the_moments_of_the_workers(
        self, worker: TaskRegistry, observer: TaskRegistry, clock: Clock, set_zone: SetZone
    ) -> None:
        clock.advance(20 * 3600)
        in_utc(set_zone, worker.tick)
        observer.refresh()
        assert (observer["a"].last_run_at, runs(observer, "a")) == (utc(2027, 1, 16, 4), 1)
        assert observer.history()[0]["slot"] == utc(2027, 1, 16, 3)

    @pytest.mark.parametrize(
        "fields",
        [
            {"every": {"hours": 1}, "start_at": datetime(2027, 1, 16, 3)},
            {"every": None, "run_at": datetime(2027, 1, 16, 3)},
            {"every": {"days": 1}, "at": None, "start_at": datetime(2027, 1, 16, 3), "exclude": ["2027-01-17"]},
        ],
    )
    def test_naive_moments_are_theirs(
        self, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone, fields: dict[str, Any]
    ) -> None:
        in_utc(set_zone, lambda: worker.register(adder("b", **fields)))
        before = in_utc(set_zone, lambda: (worker.version("b"), [run.at for run in worker.upcoming(limit=4)]))
        observer.refresh()
        shown = [to_utc(run.at).replace(tzinfo=None) for run in observer.upcoming(limit=4)]
        assert (observer.version("b"), shown) == before

    @pytest.mark.parametrize("fold", [0, 1])
    def test_a_repeated_hour_stays_the_same_one(
        self, join: Join, worker: TaskRegistry, set_zone: SetZone, fold: int
    ) -> None:
        set_zone("Europe/Berlin")
        worker.register(adder(every=None, run_at=datetime(2027, 10, 31, 2, 30, fold=fold)))
        set_zone("Asia/Seoul")
        observer = join(observe=True)
        observer.refresh()
        before = stored(observer)
        assert to_utc(observer.next_run("a") or datetime.min) == datetime(2027, 10, 31, fold, 30)
        observer.update("a", args=(5, 6))
        zone = None if fold else before[1]  # the text of a second pass has an offset
        assert stored(observer) == (before[0] | {"args": [5, 6]}, zone)

    def test_a_copy_is_in_their_time_too(self, observer: TaskRegistry) -> None:
        task = observer["a"]
        for one in (copy(task), deepcopy(task), loads(dumps(task)), task.model_copy()):
            assert (one.timezone, one.model_dump(mode="json")["timezone"]) == ("UTC", "UTC")
            observer.register(one.model_copy(update={"id": "b"}))
            assert stored(observer, "b") == (FIELDS, UTC_ZONE)
            observer.remove("b")

    def test_a_zone_without_a_name_is_known_by_its_offset(
        self, join: Join, worker: TaskRegistry, set_zone: SetZone
    ) -> None:
        set_zone("XYZ-5:30")
        worker.register(adder(**NIGHTLY))
        set_zone("Asia/Seoul")
        observer = join(observe=True)
        observer.refresh()
        assert observer["a"].timezone == "+05:30"
        assert to_utc(observer.next_run("a") or datetime.min) == datetime(2027, 1, 15, 21, 30)
        assert stored(observer)[1] == {"name": "UTC+5.5", "offsets": [19800, 19800]}

    def test_a_zone_by_a_rule_is_not_known_here(self, join: Join, worker: TaskRegistry, set_zone: SetZone) -> None:
        set_zone("XYZ-1ABC,M3.5.0,M10.5.0")
        worker.register(adder(**NIGHTLY))
        set_zone("Asia/Seoul")
        observer = join(observe=True)
        observer.refresh()
        assert list(observer) == []
        assert missing(observer.unresolved()["a"], "local time is UTC+1/UTC+2, here it is Asia/Seoul") == []

    def test_a_zone_of_its_own_is_one_since_the_task_has_it(
        self, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone
    ) -> None:
        in_utc(set_zone, lambda: worker.update("a", timezone="UTC"))
        observer.refresh()
        observer.update("a", args=(5, 6))
        assert stored(observer) == (FIELDS | {"args": [5, 6], "timezone": "UTC"}, None)
        in_utc(set_zone, lambda: worker.update("a", timezone=None))
        observer.refresh()
        observer.update("a", args=(1, 2))
        assert stored(observer) == (FIELDS, UTC_ZONE)

    def test_a_zone_that_changes_alone_is_seen(
        self, join: Join, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone
    ) -> None:
        worker.remove("a")
        set_zone("Europe/Berlin")
        join().register(adder(**NIGHTLY))
        set_zone("Asia/Seoul")
        observer.refresh()
        assert (observer["a"].timezone, observer.next_run("a")) == ("Europe/Berlin", utc(2027, 1, 16, 2))


class TestManages:
    def test_a_pause_and_its_end(self, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone) -> None:
        assert observer.pause("a").paused
        in_utc(set_zone, worker.tick)
        assert worker["a"].paused
        observer.resume("a")
        in_utc(set_zone, worker.tick)
        assert not worker["a"].paused
        assert stored(observer) == (FIELDS, UTC_ZONE)

    def test_a_requested_run(self, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone) -> None:
        observer.run_now("a")
        in_utc(set_zone, worker.tick)
        in_utc(set_zone, worker.tick)
        observer.refresh()
        assert (observer["a"].runs, observer["a"].last_run_at) == (1, utc(2027, 1, 15, 8))

    def test_an_update_leaves_the_zone_to_the_workers(
        self, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone
    ) -> None:
        observer.update("a", args=(5, 6), at="04:00")
        assert stored(observer) == (FIELDS | {"args": [5, 6], "at": "04:00"}, UTC_ZONE)
        assert observer.next_run("a") == utc(2027, 1, 16, 4)
        in_utc(set_zone, worker.tick)
        next_run = in_utc(set_zone, lambda: worker.next_run("a"))
        assert (worker["a"].timezone, next_run) == (None, datetime(2027, 1, 16, 4))
        assert worker.unresolved() == {}

    def test_an_update_of_the_zone_is_one(
        self, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone
    ) -> None:
        observer.update("a", timezone="UTC")
        assert stored(observer) == (FIELDS | {"timezone": "UTC"}, None)
        in_utc(set_zone, worker.tick)
        assert worker["a"].timezone == "UTC"

    def test_its_version_is_that_of_the_workers(
        self, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone
    ) -> None:
        token = observer.version("a")
        assert in_utc(set_zone, lambda: worker.version("a")) == token
        observer.update("a", args=(5, 6), if_version=token)
        in_utc(set_zone, worker.tick)
        assert in_utc(set_zone, lambda: worker.version("a")) == observer.version("a") != token

    def test_a_removal(self, worker: TaskRegistry, observer: TaskRegistry, set_zone: SetZone) -> None:
        observer.remove("a")
        in_utc(set_zone, worker.tick)
        assert (list(worker), list(observer)) == ([], [])

    def test_what_it_manages_comes_back_from_the_code_as_managed(
        self, join: Join, observer: TaskRegistry, set_zone: SetZone
    ) -> None:
        observer.update("a", at="04:00")
        again = in_utc(set_zone, lambda: join().register(adder(**NIGHTLY)))
        assert (again.at, again.timezone) == ("04:00", None)


class TestTicks:
    def test_a_registry_that_ticks_elsewhere_leaves_it_alone(
        self, join: Join, observer: TaskRegistry, store: Store
    ) -> None:
        ticking = join()
        ticking.tick()
        with pytest.raises(UnknownTaskError):
            ticking.pause("a")
        assert missing(ticking.unresolved()["a"], "local time is UTC, here it is Asia/Seoul") == []
        observer.configure(observe=False)
        observer.refresh()
        assert (list(observer), list(observer.unresolved())) == ([], ["a"])


class TestNewLocalTimes:
    """What an observer writes would be in its own local time, in which those that run the tasks cannot run it."""

    TEXT = (
        "task {!r} needs a timezone, for example timezone='UTC': local time is Asia/Seoul here, and UTC where the tasks"
        " of this list run"
    )

    def test_a_new_task_in_local_time_needs_a_timezone(self, observer: TaskRegistry) -> None:
        with pytest.raises(ValueError, match="needs") as caught:
            observer.register(adder("b", every=None, at="09:00"))
        assert (str(caught.value), list(observer.store)) == (self.TEXT.format("b"), ["a"])
        observer.register(adder("b", every=None, at="09:00", timezone="UTC"))

    def test_so_does_a_change_into_local_time(self, observer: TaskRegistry, worker: TaskRegistry) -> None:
        observer.register(adder("b"))
        with pytest.raises(ValueError, match="needs") as caught:
            observer.update("b", every=None, at="09:00")
        assert (str(caught.value), stored(observer, "b")[0]["every"]) == (self.TEXT.format("b"), MINUTE)
        with pytest.raises(ValueError, match="needs"):
            observer.update("a", timezone=None)
        observer.update("a", at="04:00")
        assert stored(observer) == ({**FIELDS, "at": "04:00"}, UTC_ZONE)
