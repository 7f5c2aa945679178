"""Names of time zones: what is taken, as what it is kept, and what the error for any other says."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time
from pydantic import ValidationError

from est_alan_scheduler import Task, TaskRegistry, describe, next_run
from est_alan_scheduler.calendar.zones import named
from tests import jobs
from tests.backends.stores import Clock
from tests.frozen import work
from tests.messages import only_error

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

EIGHT: Any = timezone(timedelta(hours=8))


class OldZone(tzinfo):
    """A zone as pytz has it."""

    def __init__(self, zone: str | None, offset: timedelta | None = None) -> None:
        self.zone = zone
        self._offset = offset

    def utcoffset(self, _moment: datetime | None) -> timedelta | None:
        return self._offset

    dst = utcoffset

    def tzname(self, _moment: datetime | None) -> str | None:
        return self.zone


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (UTC, "UTC"),
        (timezone.utc, "UTC"),  # noqa: UP017  # as many write it
        (timezone(timedelta(0)), "UTC"),
        (EIGHT, "+08:00"),
        (timezone(timedelta(hours=9), "KST"), "+09:00"),
        (timezone(-timedelta(hours=3, minutes=30)), "-03:30"),
        (timezone(timedelta(hours=8, seconds=36)), "+08:00:36"),
        (ZoneInfo("Asia/Seoul"), "Asia/Seoul"),
        (OldZone("Asia/Seoul"), "Asia/Seoul"),
        (OldZone(None, timedelta(hours=2)), "+02:00"),
        ("+08:00", "+08:00"),
        ("+0800", "+08:00"),
        ("+8", "+08:00"),
        ("-03:30", "-03:30"),
        ("UTC+8", "+08:00"),
        ("UTC-03:30", "-03:30"),
        ("+00:00", "UTC"),
        ("UTC+0", "UTC"),
        ("Z", "UTC"),
        ("UTC", "UTC"),
        ("EST", "EST"),  # a name of the database
        (None, None),
    ],
)
def test_a_zone_is_kept_as_its_name_or_its_offset(given: Any, kept: str | None) -> None:
    assert Task(func=work, at="09:00", timezone=given).timezone == kept


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("KST", "'KST' is unknown: abbreviations name no zone: write 'Asia/Seoul'"),
        ("PST", "'PST' is unknown: abbreviations name no zone: write 'America/Los_Angeles'"),
        (
            "IST",
            "'IST' is unknown: abbreviations name no zone, and this one is that of several: "
            "write 'Asia/Kolkata', 'Europe/Dublin' or "
            "'Asia/Jerusalem'",
        ),
        (
            "CST",
            "'CST' is unknown: abbreviations name no zone, and this one is that of several: "
            "write 'America/Chicago', 'Asia/Shanghai' or "
            "'America/Havana'",
        ),
        (
            "BST",
            "'BST' is unknown: abbreviations name no zone, and this one is that of several: "
            "write 'Europe/London' or 'Asia/Dhaka'",
        ),
        (
            "XYZ",
            "'XYZ' is unknown: abbreviations name no zone: write a place such as 'Asia/Seoul', or an offset such as "
            "'+08:00'",
        ),
        ("GMT+8", "'GMT+8' is unknown: for a clock that is 8 hours ahead of UTC, write '+08:00'"),
        ("GMT-3", "'GMT-3' is unknown: for a clock that is 3 hours behind UTC, write '-03:00'"),
        ("utc +8", "'utc +8' is unknown: for a clock that is 8 hours ahead of UTC, write '+08:00'"),
        (
            "+25:00",
            "'+25:00' is unknown: abbreviations name no zone: write a place such as 'Asia/Seoul', or an offset such as "
            "'+08:00'",
        ),
        ("Seoul", "'Seoul' is unknown (did you mean 'Asia/Seoul'?)"),
        ("new york", "'new york' is unknown (did you mean 'America/New_York'?)"),
        ("asia/seoul", "'asia/seoul' is unknown (did you mean 'Asia/Seoul'?)"),
    ],
)
def test_the_error_for_another_name_says_what_to_write(given: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Task(func=work, at="09:00", timezone=given)
    assert only_error(caught).endswith(f"timezone {message}")


@pytest.mark.parametrize(
    "given", [OldZone(None), OldZone(None, timedelta(microseconds=1)), 9, "", timedelta(hours=8), ["UTC"]]
)
def test_another_value_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Task(func=work, at="09:00", timezone=given)
    assert "timezone must be a name such as 'Asia/Seoul', an offset such as '+08:00', a ZoneInfo" in only_error(caught)


@pytest.mark.parametrize("name", ["+08:00", "-03:30", "+05:45", "UTC", "+00:30:15"])
def test_a_fixed_offset_has_one_slot_a_day(name: str) -> None:
    task = Task(func=work, at="09:00", timezone=name)
    slots, moment = list[datetime](), datetime(2026, 3, 28, tzinfo=UTC)
    for _ in range(400):
        slot = next_run(task, moment)
        assert slot is not None
        slots.append(slot)
        moment = slot
    assert {(slot.hour, slot.minute, slot.utcoffset()) for slot in slots} == {(9, 0, named(name).tz.utcoffset(None))}
    assert {later - earlier for earlier, later in pairwise(slots)} == {timedelta(days=1)}


def test_moments_are_recorded_at_the_offset_and_survive_copies() -> None:
    with freeze_time("2026-06-01 05:29:59") as frozen:
        registry = TaskRegistry()
        task = registry.register(Task(id="a", func=work, at="13:30", timezone=EIGHT))
        frozen.tick(1)
        registry.tick()
        assert task.last_run_at is not None
        assert task.last_run_at.isoformat() == "2026-06-01T13:30:00+08:00"
        assert describe(task) == "at 13:30 +08:00"
        assert '"timezone":"+08:00"' in task.model_dump_json()
        loaded = Task.model_validate_json(task.model_dump_json())
        for other in (loaded, copy.deepcopy(task), pickle.loads(pickle.dumps(task))):
            assert (other.timezone, other.last_run_at) == ("+08:00", task.last_run_at)
            assert other.last_run_at is not None
            assert other.last_run_at.utcoffset() == timedelta(hours=8)
        task.timezone = "Asia/Seoul"
        assert task.last_run_at.isoformat() == "2026-06-01T14:30:00+09:00"


def test_instances_share_a_fixed_offset(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    first = join()
    first.register(Task(id="a", func=jobs.add, args=(1, 2), at="00:00", timezone=EIGHT))
    second = join()
    second.expose(jobs.add)
    second.tick()
    assert second.store["a"].timezone == "+08:00"
    clock.advance(86_400)
    second.tick()
    assert {str(run["run_at"].utcoffset()) for run in second.history("a")} == {"8:00:00"}
    first.tick()
    assert first.store["a"].last_run_at == second.store["a"].last_run_at


def test_a_zone_of_this_machine_that_looks_like_an_offset_is_none(
    join: Callable[..., TaskRegistry], set_zone: Callable[[str], None]
) -> None:
    set_zone("+08:00")  # which the operating system reads as UTC
    registry = join()
    registry.register(Task(id="a", func=jobs.add, args=(1, 2), at="00:00"))
    set_zone("UTC")
    join().register(Task(id="a", func=jobs.add, args=(1, 2), at="00:00"))


def test_utc_needs_no_database_of_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoneinfo import ZoneInfoNotFoundError

    def refuse(name: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError(name)

    monkeypatch.setattr("est_alan_scheduler.calendar.zones.ZoneInfo", refuse)
    named.cache_clear()
    assert [named(name).tz.utcoffset(None) for name in ("UTC", "+01:00")] == [timedelta(0), timedelta(hours=1)]
    with pytest.raises(ZoneInfoNotFoundError):
        named("Asia/Seoul")
    named.cache_clear()


@pytest.mark.parametrize(("name", "utc"), [("+08:00", "01:00"), ("-03:30", "12:30"), ("+00:30:15", "08:29:45")])
def test_an_offset_counts_ahead_of_utc(name: str, utc: str) -> None:
    slot = next_run(Task(func=work, at="09:00", timezone=name), datetime(2026, 6, 1, tzinfo=UTC))
    assert slot == datetime.fromisoformat(f"2026-06-01T{utc}Z")
