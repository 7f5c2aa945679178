"""Management of a running registry: update, pause, resume, pause_all, resume_all, unknown ids."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler import Event, Retry, Task, TaskStatus, simulate
from est_alan_scheduler.calendar.local_time import to_utc
from est_alan_scheduler.control import management
from est_alan_scheduler.planning.registration import call_refusal
from est_alan_scheduler.planning.task_dict import UnknownTaskError
from tests.frozen import SECOND, START, Frozen, boom, run_times, work
from tests.messages import missing

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def zone_of(moment: datetime | None) -> str | None:
    return None if moment is None or moment.tzinfo is None else str(moment.tzinfo)


class TestUpdate:
    def test_update_changes_all_fields_at_once_and_returns_the_task(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", at="23:00", func=dict, kwargs={"x": 1}))
        assert registry.update("a", at=None, every={"hours": 1}, func=work, kwargs={}, retry=2) is task
        registry.tick()
        assert (task.result, task.retry, task.at) == ("done", Retry(max_retries=2), None)

    @pytest.mark.parametrize(
        ("changes", "kind", "message"),
        [
            ({"args": (1,), "every": {"minutesss": 5}}, ValidationError, "Invalid key 'minutesss' in 'every' field"),
            ({"args": (1,), "timeout": -1}, ValidationError, "timeout must be a number of seconds greater than 0"),
            ({"args": (1,), "id": "b"}, ValueError, "the id of a task cannot be changed (it is 'a')"),
            ({"args": (1,), "evry": {}}, ValueError, "Task has no field 'evry' (did you mean 'every'?)"),
            ({"args": (1,), "task_id": 1}, ValueError, "Task has no field 'task_id'"),
            (
                {"args": (1,), "at": "07:00"},
                ValueError,
                "Task must specify exactly one of every / at / run_at / cron / after / manual, "
                "got every and at (task 'a').",
            ),
            ({"args": (1,), "every": None}, ValueError, "got none of them (task 'a')."),
            ({"args": (1,), "depends_on": ["c"]}, ValueError, "Task 'a' would depend on itself: a -> c -> a"),
            (
                {"args": (1,), "depends_on": ["d"], "kwargs": {"dep_d": 1}},
                ValueError,
                "kwargs of task 'a' hold 'dep_d', where the result of 'd' would go.",
            ),
            ({"args": (1,), "jitter": 3600}, ValueError, "jitter must be less than the 3600 s between slots, got 3600"),
            (
                {"args": (1,), "at": None},
                ValueError,
                "Task 'a' cannot call its function: func change takes no positional arguments, but args hold 1.",
            ),
            (
                {"depends_on": ["a b", "a-b"]},
                ValueError,
                "task 'a' takes the results of 'a b' and 'a-b', which would both go to 'dep_a_b'.",
            ),
        ],
    )
    def test_an_invalid_update_during_a_run_changes_nothing(
        self, registry: Frozen, changes: dict[str, Any], kind: type[Exception], message: str
    ) -> None:
        caught: list[Exception] = []

        def change() -> str:
            with pytest.raises(kind) as info:
                registry.update("a", **changes)
            caught.append(info.value)
            return "done"

        task = registry.register(Task(id="a", every={"hours": 1}, func=change))
        registry.register(Task(id="c", at="23:00", func=work, depends_on=["a"]))
        before = task.model_dump(include={"every", "at", "args", "kwargs", "depends_on", "jitter", "timeout"})
        registry.tick()
        assert message in str(caught[0])
        assert task.model_dump(include=set(before)) == before
        registry.tick_at(START + HOUR)
        assert [run["status"] for run in task.history] == ["success", "success"]

    def test_an_update_is_checked_with_what_is_assigned_meanwhile(
        self, registry: Frozen, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        task = registry.register(Task(id="a", at="23:00", func=divmod, args=(7, 2)))

        def check_slowly(changed: Task) -> str | None:
            answer = call_refusal(changed)
            if task.args:
                task.args = ()
            return answer

        monkeypatch.setattr(management, "call_refusal", check_slowly)
        with pytest.raises(ValueError, match=r"^Task 'a' cannot call its function: func divmod lacks the argument 'x'"):
            registry.update("a", every={"hours": 1}, at=None)
        assert registry.update("a", func=work).func is work

    def test_update_replaces_one_schedule_option_by_another(self, registry: Frozen) -> None:
        registry.register(Task(id="first", every={"hours": 1}, func=work))
        task = registry.register(Task(id="a", after=["first"], func=work))
        for change in ({"manual": True}, {"after": ["first"]}, {"every": {"hours": 1}}, {"at": "23:00"}):
            none: dict[str, Any] = {"every": None, "at": None, "after": None, "manual": False}
            registry.update("a", **(none | change))
        assert (task.at, task.after, task.manual, task.every) == ("23:00", None, False, None)

    def test_an_update_does_not_affect_the_run_in_flight(self, registry: Frozen) -> None:
        def change(word: str) -> str:
            registry.update("a", args=("new",), every={"minutes": 1}, timeout=1e-9)
            return word

        task = registry.register(Task(id="a", every={"hours": 1}, func=change, args=("old",)))
        registry.tick()
        assert (task.result, task.status) == ("old", TaskStatus.SUCCESS)
        assert registry.idle_seconds() == 60

    def test_update_checks_jitter_and_schedule_together(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"seconds": 10}, func=work, jitter=5))
        registry.update("a", jitter=100, every={"hours": 1})
        registry.update("a", every={"seconds": 10}, jitter=5)
        assert (task.every, task.jitter) == ({"seconds": 10}, 5)

    def test_update_converts_moments_to_the_zone_it_sets(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", at="07:00", func=work))
        registry.update("a", last_run_at="2026-06-01T00:00:00+00:00", timezone="Asia/Seoul")
        assert f"{task.last_run_at} {task.first_run_at}" == "2026-06-01 09:00:00+09:00 2026-06-01 09:00:00+09:00"

    @pytest.mark.parametrize(("before", "after"), [(None, "Asia/Seoul"), ("Asia/Seoul", None), ("Asia/Seoul", "UTC")])
    @pytest.mark.parametrize("func", [work, boom])
    def test_a_zone_changed_during_a_run_gives_fields_the_new_zone_and_the_record_the_old_one(
        self, registry: Frozen, before: str | None, after: str | None, func: Callable[[], Any]
    ) -> None:
        def change() -> Any:
            registry.update("a", timezone=after)
            return func()

        task = registry.register(
            Task(id="a", every={"hours": 1}, func=change, timezone=before, retry=Retry(max_retries=1))
        )
        events: list[Event] = []
        for name in ("succeeded", "failed"):
            registry.on(name, events.append)
        registry.tick()
        (line,), (event,) = task.history, events
        past = [line["run_at"], line["finished_at"], event.slot, event.started_at, event.finished_at, event.retry_at]
        kept = [task.first_run_at, task.last_run_at, task.last_success_at, task.retry_at]
        assert {zone_of(moment) for moment in past if moment} == {before}
        assert {zone_of(moment) for moment in kept if moment} == {after}
        assert {to_utc(moment) for moment in (*past, *kept) if moment} - {to_utc(START)} <= {
            to_utc(task.retry_at or START)
        }

    def test_naive_moments_of_a_task_get_the_zone_it_is_given(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=work))
        registry.tick()
        registry.update("a", timezone="Asia/Seoul")
        assert task.last_run_at == task.first_run_at == task.last_success_at
        assert (zone_of(task.last_run_at), to_utc(task.last_run_at)) == ("Asia/Seoul", to_utc(START))  # type: ignore[arg-type]  # it has run

    def test_update_drops_the_old_value_without_holding_the_lock(self, registry: Frozen) -> None:
        locked: list[bool] = []

        class Argument:
            def __del__(self) -> None:
                locked.append(registry._lock.locked())

        registry.register(Task(id="a", at="23:00", func=list, args=(Argument(),)))
        registry.update("a", args=())
        assert locked == [False]


class TestPause:
    def test_a_paused_task_is_not_due_and_catches_up_once(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"minutes": 1}, func=work))
        registry.tick()
        assert registry.pause("a") is task
        for minute in range(1, 5):
            registry.tick_at(START + minute * MINUTE)
        assert (run_times(task), registry.idle_seconds()) == (["12:00:00"], None)
        assert registry.why_not("a") == "paused: resume('a') lets it run"
        assert list(registry.upcoming(limit=3)) == []
        registry.now += 30 * SECOND
        assert registry.resume("a") is task
        for seconds in (0, 10, 30):
            registry.tick_at(START + 4 * MINUTE + (30 + seconds) * SECOND)
        assert run_times(task) == ["12:00:00", "12:04:30", "12:05:00"]  # on its old grid

    def test_a_future_slot_stays_where_it_is_after_pause_and_resume(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", run_at=START + HOUR, func=work))
        registry.pause("a")
        registry.tick_at(START + MINUTE)
        registry.resume("a")
        assert registry.idle_seconds() == 3540
        registry.tick_at(START + HOUR)
        assert run_times(task) == ["13:00:00"]

    def test_a_retry_of_a_paused_task_waits(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", run_at=START, func=boom, retry=Retry(max_retries=1)))
        registry.tick()
        registry.pause("a")
        registry.tick_at(START + HOUR)
        assert len(task.history) == 1
        registry.resume("a")
        registry.tick()
        assert [run["attempt"] for run in task.history] == [1, 2]

    def test_a_slot_beyond_its_grace_after_resume_misfires(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=work, misfire_grace=60))
        registry.tick()
        registry.pause("a")
        registry.tick_at(START + 90 * MINUTE)
        assert task.misfires == 0
        registry.resume("a")
        registry.tick()
        assert (task.misfires, len(task.history)) == (1, 1)

    def test_a_run_in_flight_goes_on_after_pause(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=lambda: registry.pause("a").id))
        registry.tick()
        assert (task.result, task.status, registry.idle_seconds()) == ("a", TaskStatus.SUCCESS, None)


class TestPauseAll:
    def test_pause_all_holds_new_tasks_and_forced_runs(self, registry: Frozen) -> None:
        tasks = [registry.register(Task(id="a", every={"minutes": 1}, func=work))]
        registry.pause_all()
        tasks.append(registry.register(Task(id="b", every={"minutes": 1}, func=work)))
        registry.run_now("a", force=True)
        registry.tick_at(START + MINUTE)
        assert ([len(task.history) for task in tasks], registry.idle_seconds(), registry.is_paused) == (
            [0, 0],
            None,
            True,
        )
        assert registry.why_not("a") == "all tasks are paused: resume_all() lets them run"
        assert (list(registry.upcoming(limit=1)), list(simulate(registry, START, START + DAY))) == ([], [])
        registry.resume_all()
        registry.tick()
        assert ([len(task.history) for task in tasks], registry.is_paused) == ([1, 1], False)

    def test_pause_all_during_a_tick_holds_the_remaining_tasks(self, registry: Frozen) -> None:
        registry.register(Task(id="a", every={"hours": 1}, func=registry.pause_all))
        other = registry.register(Task(id="b", every={"hours": 1}, func=work))
        registry.tick()
        assert other.history == []
        registry.resume_all()
        registry.tick()
        assert len(other.history) == 1

    def test_resume_all_does_not_resume_a_task_paused_by_itself(self, registry: Frozen) -> None:
        task = registry.register(Task(id="a", every={"hours": 1}, func=work))
        registry.pause("a")
        registry.pause_all()
        registry.resume_all()
        registry.tick()
        assert task.history == []


class TestUnknownIds:
    @pytest.mark.parametrize("method", ["update", "remove", "pause", "resume", "run_now", "why_not"])
    def test_the_error_for_an_unknown_id_suggests_the_nearest_id(self, registry: Frozen, method: str) -> None:
        registry.register(Task(id="nightly", at="23:00", func=work))
        with pytest.raises(UnknownTaskError) as caught:
            getattr(registry, method)("nightli")
        assert str(caught.value) == "no task 'nightli' is registered (did you mean 'nightly'?)"
        assert (isinstance(caught.value, KeyError), caught.value.args) == (True, ("nightli",))

    @pytest.mark.parametrize("task_id", [[1], {}, 3, None, b"nightly"])
    @pytest.mark.parametrize(
        "method", ["update", "remove", "pause", "resume", "run_now", "why_not", "statistics", "history"]
    )
    def test_an_id_that_is_not_a_string_is_refused(self, registry: Frozen, method: str, task_id: Any) -> None:
        is_optional = method in ("statistics", "history")
        if is_optional and task_id is None:
            return
        with pytest.raises(TypeError) as caught:
            getattr(registry, method)(task_id)
        assert missing(caught.value, "task_id", "text or None" if is_optional else "text", f"got {task_id!r}") == []

    def test_the_store_raises_the_same_error(self, registry: Frozen) -> None:
        with pytest.raises(KeyError) as caught:
            registry.store["x"]
        assert str(caught.value) == "no task 'x' is registered"
