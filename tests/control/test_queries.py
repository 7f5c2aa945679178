"""Looking at the tasks of a registry: by id, by task, by selection."""

from datetime import timedelta
from typing import Any

import pytest

from est_alan_scheduler import Retry, SchedulerError, Task, TaskStatus, UnknownTaskError, describe, next_run
from est_alan_scheduler.calendar.local_time import to_utc
from tests.frozen import START, Frozen, boom, work

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


def hourly(task_id: str, **fields: Any) -> Task:
    return Task(**{"id": task_id, "every": {"hours": 1}, "func": work, **fields})


class TestById:
    def test_a_task_is_found_by_its_id_or_by_itself(self, registry: Frozen) -> None:
        task = registry.register(hourly("a"))
        assert [registry["a"], registry[task], registry.get("a"), registry.get(task)] == [task] * 4

    def test_an_unknown_id_is_an_error_that_suggests_the_nearest_one(self, registry: Frozen) -> None:
        registry.register(hourly("nightly"))
        with pytest.raises(UnknownTaskError) as caught:
            registry["nightli"]
        assert str(caught.value) == "no task 'nightli' is registered (did you mean 'nightly'?)"
        assert registry.get("nightli") is None

    @pytest.mark.parametrize("task_id", [0, None, b"a", ["a"]])
    def test_what_is_no_id_is_refused(self, registry: Frozen, task_id: Any) -> None:
        for look in (registry.get, registry.__getitem__):
            with pytest.raises(TypeError, match="task_id must be a Task, or its id as a text, got"):
                look(task_id)

    def test_a_task_is_in_a_registry_if_it_is_this_very_one(self, registry: Frozen) -> None:
        task = registry.register(hourly("a"))
        assert (task in registry, "a" in registry, hourly("a") in registry, "b" in registry) == (
            True,
            True,
            False,
            False,
        )
        registry.remove(task)
        assert task not in registry

    def test_a_task_stands_for_its_id_in_every_method(self, registry: Frozen) -> None:
        task, other = registry.register(hourly("a")), registry.register(hourly("b"))
        for method in ("pause", "resume", "run_now"):
            assert getattr(registry, method)(task) is task
        assert registry.update(task, misfire_grace=60) is task
        assert registry.why_not(task) == "due now, but nothing ticks this registry: start_scheduler(registry=…)"
        registry.tick()
        assert [run["task_id"] for run in registry.history(task)] == ["a"]
        assert registry.statistics(task).runs == 1
        registry.prune([task, "b"])
        assert (list(registry), task in registry, other in registry) == ([], False, False)

    def test_prune_of_one_task_asks_for_a_list(self, registry: Frozen) -> None:
        task = registry.register(hourly("a"))
        with pytest.raises(TypeError, match=r"ids must be several ids, got the one of task 'a': prune\(\['a'\]\)"):
            registry.prune(task)  # type: ignore[arg-type]  # on purpose

    def test_a_task_in_depends_on_becomes_its_id(self, registry: Frozen) -> None:
        first = registry.register(hourly("a"))
        only: Any = [first]
        second = registry.register(hourly("b", depends_on=[first, "c"]))
        assert second.depends_on == ["a", "c"]
        second.depends_on = only
        assert second.depends_on == ["a"]
        assert registry.update(second, depends_on=tuple(only)).depends_on == ["a"]


class TestNextRun:
    def test_the_next_run_of_a_task_that_is_due_is_now(self, registry: Frozen) -> None:
        task = registry.register(hourly("a"))
        assert registry.next_run("a") == START
        registry.tick()
        assert registry.next_run(task) == START + HOUR
        registry.now += 90 * MINUTE
        assert registry.next_run("a") == START + 90 * MINUTE

    def test_a_requested_run_counts_and_a_pause_does(self, registry: Frozen) -> None:
        registry.register(hourly("a", start_at=START + HOUR))
        registry.pause("a")
        assert registry.next_run("a") is None
        registry.run_now("a")
        assert registry.next_run("a") == START
        registry.pause_all()
        assert registry.next_run("a") is None

    def test_a_retry_before_the_next_slot_counts(self, registry: Frozen) -> None:
        registry.register(hourly("a", func=boom, retry=Retry(max_retries=1, delay=60, jitter=0)))
        registry.tick()
        assert registry.next_run("a") == START + MINUTE

    def test_a_retry_counts_also_after_a_misfire(self, registry: Frozen) -> None:
        task = registry.register(
            hourly("a", func=boom, retry=Retry(max_retries=1, delay=5400, jitter=0), misfire_grace=60)
        )
        registry.tick()
        registry.now += HOUR + 2 * MINUTE
        assert registry.next_run("a") == START + 90 * MINUTE
        registry.tick()
        assert (task.misfires, registry.next_run("a")) == (1, START + 90 * MINUTE)

    def test_a_task_that_has_run_once_and_for_all_has_no_next_run(self, registry: Frozen) -> None:
        registry.register(Task(id="a", run_at=START, func=work))
        assert registry.next_run("a") == START
        registry.tick()
        assert registry.next_run("a") is None

    def test_the_next_run_is_in_the_zone_of_the_task(self, registry: Frozen) -> None:
        registry.register(hourly("a", timezone="Asia/Seoul"))
        moments = [registry.next_run("a")]
        registry.tick()
        moments.append(registry.next_run("a"))
        assert [moment and (str(moment.tzinfo), to_utc(moment)) for moment in moments] == [
            ("Asia/Seoul", to_utc(START)),
            ("Asia/Seoul", to_utc(START + HOUR)),
        ]

    def test_slots_of_a_task_put_into_the_store_count_from_then_on(self, registry: Frozen) -> None:
        pytest.importorskip("cronsim")
        registry.store["a"] = Task(id="a", cron="0 * * * *", func=work)
        assert registry.next_run("a") == START + HOUR

    def test_a_task_without_slots_has_a_next_run_once_it_is_requested(self, registry: Frozen) -> None:
        registry.register(hourly("first"))
        for task in (Task(id="m", manual=True, func=work), Task(id="a", after=["first"], func=work)):
            registry.register(task)
            assert registry.next_run(task) is None
            registry.run_now(task)
            assert registry.next_run(task) == START

    def test_an_unknown_id_has_no_next_run(self, registry: Frozen) -> None:
        with pytest.raises(UnknownTaskError):
            registry.next_run("a")

    def test_the_functions_at_the_root_take_a_task_and_say_so(self) -> None:
        wrong: Any = "x"
        with pytest.raises(TypeError, match="describe takes a Task, got 'x'"):
            describe(wrong)
        for arguments in ((wrong, START), (hourly("a"), wrong)):
            with pytest.raises(SchedulerError) as caught:
                next_run(*arguments)
            assert str(caught.value) in (
                "next_run takes a Task, got 'x': ask the registry, registry.next_run('x')",
                "after must be a datetime, got 'x'",
            )


class TestSelect:
    @pytest.fixture
    def registry(self) -> Frozen:
        registry = Frozen()
        registry.register(hourly("load", tags=["daily", "in"], name="Lade Übersicht"))
        registry.register(hourly("report", tags=["daily"], description="Makes the NIGHTLY report", func=boom))
        registry.register(Task(id="later", at="23:00", func=work))
        registry.tick()
        return registry

    @pytest.mark.parametrize(
        ("wanted", "ids"),
        [
            ({}, ["load", "report", "later"]),
            ({"tag": "daily"}, ["load", "report"]),
            ({"tag": "dail"}, []),
            ({"status": "failed"}, ["report"]),
            ({"status": TaskStatus.PENDING}, ["later"]),
            ({"text": "nightly"}, ["report"]),
            ({"text": "ÜBER"}, ["load"]),
            ({"text": "WORK"}, ["later"]),
            ({"text": "lat"}, ["later"]),
            ({"text": ""}, ["load", "report", "later"]),
            ({"tag": "daily", "status": "success", "text": "load"}, ["load"]),
            ({"tag": "in", "status": "failed"}, []),
        ],
    )
    def test_tasks_are_selected_by_tag_status_and_text(
        self, registry: Frozen, wanted: dict[str, Any], ids: list[str]
    ) -> None:
        assert [task.id for task in registry.select(**wanted)] == ids

    def test_the_selection_may_be_changed_in_a_loop(self, registry: Frozen) -> None:
        for task in registry.select(tag="daily"):
            registry.remove(task)
        assert list(registry) == [registry["later"]]

    @pytest.mark.parametrize(
        ("wanted", "kind", "message"),
        [
            ({"status": "faild"}, ValueError, "status must be 'pending' or 'running' or 'success' or 'failed'"),
            ({"status": "faild"}, ValueError, "(did you mean 'failed'?)"),
            ({"status": 3}, ValueError, "got 3"),
            ({"tag": ["daily"]}, TypeError, "tag must be a text or None, got ['daily']"),
            ({"text": 3}, TypeError, "text must be a text or None, got 3"),
        ],
    )
    def test_an_invalid_selection_is_refused(
        self, registry: Frozen, wanted: dict[str, Any], kind: type[Exception], message: str
    ) -> None:
        with pytest.raises(kind) as caught:
            registry.select(**wanted)
        assert message in str(caught.value)
