"""What code says of a task and what was managed: an edit outlives restarts until the code changes."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends.rows import Change, Definition
from est_alan_scheduler.cluster.codecs.definitions import decode
from tests import jobs
from tests.backends.stores import SHARED, Clock, Store
from tests.cluster.helpers import MINUTE, Join, adder, at, runs, spawn

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

HOUR = {"hours": 1}


@pytest.fixture(autouse=True)
def infos(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return a function that returns the INFO lines about code since the last call."""
    caplog.set_level(logging.INFO, "est_alan_scheduler")

    def take() -> list[str]:
        found = [record.getMessage() for record in caplog.records if "ode has changed" in record.getMessage()]
        caplog.clear()
        return found

    return take


def stored(registry: TaskRegistry, task_id: str = "a") -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that the store has in force, and those that code registered last."""
    assert registry._session is not None
    found = registry._session.backend.fetch(None, 0).definitions[task_id]
    assert found is not None
    definition = decode(found.json)
    assert found.hash == definition.hash()
    return definition.task, definition.registered


Infos = Callable[[], list[str]]


class TestRestart:
    def test_an_update_outlives_restarts_of_unchanged_code(self, join: Join, infos: Infos) -> None:
        first = join()
        first.register(adder(tags=["code"]))
        first.update("a", every=HOUR, args=(5, 6), timeout=9, name="A", tags=[], description="Edited.")
        first.shutdown()
        for _ in range(2):
            registry = join()
            task = registry.register(adder(tags=["code"]))
            found = (task.every, task.args, task.timeout, task.name, task.tags, task.description)
            assert found == (HOUR, (5, 6), 9, "A", (), "Edited.")
            registry.tick()
            registry.tick()
            assert (registry["a"] is task, task.every) == (True, HOUR)
        assert (runs(registry, "a"), task.result, infos()) == (1, 11, [])
        code = {name: value for name, value in stored(registry)[1].items() if value is not None}
        assert code == {"args": [1, 2], "every": MINUTE, "func": "tests.jobs:add", "tags": ["code"]}

    def test_new_code_wins_and_the_log_names_the_fields_and_the_edits_that_it_replaces(
        self, join: Join, infos: Infos
    ) -> None:
        first = join()
        first.register(adder())
        first.update("a", every=HOUR, timeout=9)
        second = join()
        task = second.register(adder(args=(3, 4)))
        assert (task.every, task.args, task.timeout) == (MINUTE, (3, 4), None)
        assert infos() == [
            "Code has changed 'args', 'every', 'timeout' of task 'a'; "
            "this replaces what was managed: 'every', 'timeout'."
        ]
        first.tick()
        assert (first["a"].every, first["a"].args, first["a"].timeout) == (MINUTE, (3, 4), None)
        third = join()
        third.register(adder(args=(3, 4)))
        assert infos() == []
        third.shutdown()
        join().register(adder(args=(3, 4), kwargs={}, retry=2))
        assert infos() == ["Code has changed 'retry' of task 'a'."]

    def test_code_that_takes_over_an_edit_changes_nothing_and_is_known_from_then_on(
        self, join: Join, infos: Infos
    ) -> None:
        registry = join()
        registry.register(adder())
        registry.update("a", every=HOUR)
        join().register(adder(every=HOUR))
        assert infos() == []
        task = join().register(adder())  # the former code again
        assert (task.every, infos()) == (MINUTE, ["Code has changed 'every' of task 'a'."])

    def test_an_edit_back_to_the_code_is_none(self, join: Join) -> None:
        registry = join()
        registry.register(adder())
        before = stored(registry)
        registry.update("a", every=HOUR)
        assert stored(registry) != before
        registry.update("a", every=MINUTE)
        text = registry._session.backend.fetch(None, 0).definitions["a"].json  # type: ignore[union-attr]
        assert (stored(registry), "code" in json.loads(text)) == (before, False)

    def test_two_programs_with_code_of_their_own_win_in_turn_and_each_keeps_edits(self, join: Join) -> None:
        def start(**fields: Any) -> Any:
            task = join().register(adder(**fields))
            return task.every, task.timeout

        assert start(every=HOUR) == (HOUR, None)
        assert start(timeout=5) == (MINUTE, 5)
        join().register(adder(timeout=5))
        registry = join()
        registry.register(adder(timeout=5))
        registry.update("a", every={"minutes": 7})
        assert start(timeout=5) == ({"minutes": 7}, 5)
        assert start(every=HOUR) == (HOUR, None)
        assert start(timeout=5) == (MINUTE, 5)

    def test_an_edit_of_another_instance_that_has_no_code_of_the_task_survives(self, join: Join) -> None:
        worker, page = join(), join()
        worker.register(adder())
        page.tick()
        page.update("a", every=HOUR)
        page.pause("a")
        worker.shutdown()
        task = join().register(adder())
        assert (task.every, task.paused, task.func) == (HOUR, True, jobs.add)

    def test_fields_assigned_by_hand_count_as_edits(self, join: Join) -> None:
        registry = join()
        task = registry.register(adder())
        task.every = HOUR
        registry.tick()
        registry.shutdown()
        assert join().register(adder()).every == HOUR

    def test_an_edit_during_a_run_survives(self, join: Join) -> None:
        registry = join()

        def edit() -> None:
            registry.update("a", every=HOUR)

        registry.expose(edit, "edit")
        registry.register(adder(func=edit, args=()))
        registry.tick()
        again = join()
        again.expose(edit, "edit")
        assert again.register(adder(func=edit, args=())).every == HOUR

    def test_another_kind_of_schedule_and_another_function_survive(self, join: Join, clock: Clock) -> None:
        first = join(defaults={"jitter": 3, "timeout": 8})
        first.register(adder())
        first.expose(divmod)
        first.update("a", every=None, manual=True, func=divmod, args=(7, 2))
        second = join(defaults={"jitter": 3, "timeout": 8})
        task = second.register(adder())
        assert (task.every, task.manual, task.func.__name__, task.timeout) == (None, True, "divmod", 8)
        assert task.jitter is None
        second.tick()
        assert runs(second, "a") == 0
        assert "unknown here" in second.why_not("a")  # this program does not have that function
        second.expose(divmod)
        second.run_now("a")
        second.tick()
        second.tick()
        assert (task.result, task.func) == ([3, 1], divmod)

    def test_slots_count_from_the_edit_of_the_schedule_not_from_the_restart(self, join: Join, clock: Clock) -> None:
        first = join()
        first.register(adder(every=None, at="03:00"))
        first.tick()
        slot = at(clock) + timedelta(minutes=10)
        first.update("a", at=slot.strftime("%H:%M"))
        first.shutdown()
        clock.advance(1200)
        second = join()
        task = second.register(adder(every=None, at="03:00"))
        second.tick()
        second.tick()
        assert task.at == slot.strftime("%H:%M")
        assert [run["slot"] for run in second.history("a")][-1] == slot.replace(second=0, microsecond=0)

    def test_registered_fields_stay_those_of_the_code_for_defaults_of_the_registry(self, join: Join) -> None:
        first = join(defaults={"timeout": 5})
        first.register(adder())
        first.update("a", args=(5, 6))
        assert join(defaults={"timeout": 5}).register(adder()).args == (5, 6)
        assert join(defaults={"timeout": 6}).register(adder()).args == (1, 2)  # the defaults are code, too

    def test_a_restart_of_two_instances_at_once_changes_nothing(self, join: Join, infos: Infos) -> None:
        first = join()
        first.register(adder())
        first.update("a", every=HOUR)
        version = first.version("a")
        pair = join(), join()
        tasks = [registry.register(adder()) for registry in pair]
        for registry in (*pair, first, *pair):
            registry.tick()
        assert ([task.every for task in tasks], infos()) == ([HOUR, HOUR], [])
        assert {registry.version("a") for registry in (first, *pair)} == {version}

    def test_a_removed_task_starts_over_as_code_says(self, join: Join) -> None:
        registry = join()
        registry.register(adder())
        registry.update("a", every=HOUR)
        registry.remove("a")
        assert registry.register(adder()).every == MINUTE
        assert stored(registry)[0] == stored(registry)[1]

    def test_a_program_in_another_process_finds_the_edit(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/tasks.db"
        code = (
            "import sys\nfrom est_alan_scheduler import Task, TaskRegistry\nfrom tests import jobs\n"
            "registry = TaskRegistry(backend=sys.argv[1])\n"
            "task = Task(id='a', every={'minutes': 1}, func=jobs.add, args=(1, 2))\n"
            "print(registry.register(task).every)"
        )
        assert spawn(code, url).communicate(timeout=60)[0] == "{'minutes': 1}\n"
        page = TaskRegistry(backend=url)
        page.update("a", if_version=page.version("a"), every=HOUR)
        page.shutdown(0)
        assert spawn(code, url).communicate(timeout=60)[0] == "{'hours': 1}\n"


class TestReplace:
    def test_a_replacement_by_unchanged_code_takes_over_what_was_managed(self, join: Join, infos: Infos) -> None:
        registry, other = join(), join()
        registry.register(adder(tags=["code"]))
        registry.update("a", every=HOUR, tags=[], max_runs=9)
        before = stored(registry)
        for _ in range(2):
            task = adder(tags=["code"])
            assert registry.register(task, replace=True) is task is registry["a"]
            assert (task.every, task.tags, task.max_runs, task.args) == (HOUR, (), 9, (1, 2))
        other.refresh()
        other.update("a", timeout=7)
        decorated = registry.task(id="a", every=MINUTE, args=(1, 2), tags=["code"], replace=True)
        decorated(jobs.add)
        assert (registry["a"].timeout, registry["a"].every, infos()) == (7, HOUR, [])
        assert (stored(registry)[1], stored(registry)[0]) == (before[1], {**before[0], "timeout": 7})
        registry.tick()
        other.tick()
        assert registry.version("a") == other.version("a")

    def test_a_replacement_by_new_code_wins_and_says_which_edits_it_replaces(self, join: Join, infos: Infos) -> None:
        registry = join()
        registry.register(adder())
        registry.update("a", every=HOUR)
        task = registry.register(adder(args=(3, 4)), replace=True)
        assert (task.every, registry["a"] is task) == (MINUTE, True)
        assert infos() == ["Code has changed 'args', 'every' of task 'a'; this replaces what was managed: 'every'."]
        assert stored(registry)[0] == stored(registry)[1]
        registry.register(adder(every={"minutes": 2}), replace=True)
        assert infos() == ["Code has changed 'args', 'every' of task 'a'."]
        assert join().register(adder(every={"minutes": 2})).every == {"minutes": 2}

    def test_a_replacement_by_unchanged_code_keeps_the_newest_function_and_what_was_assigned(self, join: Join) -> None:
        registry = join()
        former = registry.register(adder(func=divmod, args=(7, 2)))
        former.timeout = 9  # not written yet
        task = registry.register(adder(func=divmod, args=(7, 2)), replace=True)
        assert (task.func, task.timeout, former.timeout) == (divmod, 9, 9)
        registry.expose(jobs.add)
        registry.update("a", func=jobs.add, kwargs={"y": 1}, args=(5,))
        task = registry.register(adder(func=divmod, args=(7, 2)), replace=True)
        assert (task.func, task.args, task.kwargs) == (jobs.add, (5,), {"y": 1})
        assert stored(registry)[0]["timeout"] == 9

    def test_a_replacement_that_is_refused_leaves_the_new_task_as_it_was(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        registry = join()
        former = registry.register(adder(tags=["x"]))
        registry.update("a", every=HOUR, timeout=9, tags=[])
        task = adder(tags=["x"])
        before, said = task.model_dump(), set(task.model_fields_set)
        monkeypatch.setattr("est_alan_scheduler.control.management.refusal_of_change", lambda *_: "no")
        with pytest.raises(ValueError, match="no"):
            registry.register(task, replace=True)
        assert (task.model_dump(), task.model_fields_set, registry["a"] is former) == (before, said, True)

    def test_a_replacement_by_the_edit_is_the_code_from_then_on(self, join: Join) -> None:
        registry = join()
        registry.register(adder())
        registry.update("a", every=HOUR)
        registry.register(adder(every=HOUR), replace=True)
        assert stored(registry)[0] == stored(registry)[1]

    def test_the_first_registration_of_a_program_leaves_edits_alone_also_with_replace(self, join: Join) -> None:
        registry = join()
        registry.register(adder())
        registry.update("a", every=HOUR)
        for _ in range(2):
            again = join()
            again.expose(jobs.add)
            again.tick()
            assert again.register(adder(), replace=True).every == HOUR


class TestRaces:
    @pytest.mark.parametrize("is_known", [True, False])
    def test_an_edit_that_comes_while_a_task_is_registered_again_is_kept(
        self, join: Join, monkeypatch: pytest.MonkeyPatch, is_known: bool
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        if is_known:
            first.update("a", timeout=9)
        _before_define(monkeypatch, second, lambda: first.update("a", every=HOUR))
        task = second.register(adder())
        assert (task.every, task.timeout) == (HOUR, 9 if is_known else None)
        first.tick()
        assert (first["a"].every, stored(second)[1]["every"]) == (HOUR, MINUTE)

    def test_a_task_that_another_program_registers_and_edits_meanwhile_is_not_overwritten(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()

        def be_first() -> None:
            first.register(adder())
            first.update("a", every=HOUR)

        _before_define(monkeypatch, second, be_first)
        assert second.register(adder()).every == HOUR

    def test_a_task_that_is_removed_meanwhile_is_registered_as_code_says(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        first.update("a", every=HOUR)
        _before_define(monkeypatch, second, lambda: first.remove("a"))
        assert second.register(adder()).every == MINUTE
        first.tick()
        assert list(first.store) == ["a"]

    def test_new_code_wins_also_over_an_edit_of_that_moment(
        self, join: Join, monkeypatch: pytest.MonkeyPatch, infos: Infos
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        _before_define(monkeypatch, second, lambda: first.update("a", every=HOUR))
        task = second.register(adder(args=(3, 4)))
        first.tick()
        assert (task.every, first["a"].every, first["a"].args) == (MINUTE, MINUTE, (3, 4))
        assert infos() == ["Code has changed 'args', 'every' of task 'a'; this replaces what was managed: 'every'."]

    def test_a_program_that_is_always_overtaken_registers_in_the_end(
        self, join: Join, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = join(), join()
        first.register(adder())
        backend: Any = second._session and second._session.backend
        define, seconds = backend.define, iter(range(1, 100))

        def be_slow(definitions: Any) -> Any:
            first.update("a", every={"seconds": next(seconds)})
            return define(definitions)

        monkeypatch.setattr(backend, "define", be_slow)
        second.register(adder())
        monkeypatch.undo()
        second.tick()
        first.tick()
        assert first["a"].every == second["a"].every


def _before_define(monkeypatch: pytest.MonkeyPatch, registry: TaskRegistry, edit: Callable[[], object]) -> None:
    backend: Any = registry._session and registry._session.backend
    define = backend.define

    def be_late(definitions: Any) -> Any:
        monkeypatch.setattr(backend, "define", define)
        edit()
        return define(definitions)

    monkeypatch.setattr(backend, "define", be_late)


class TestMoves:
    def test_tasks_registered_before_the_backend_is_configured_take_over_the_edits(
        self, join: Join, store: Store, clock: Clock
    ) -> None:
        first = join()
        first.register(adder())
        first.update("a", every=HOUR)
        registry = TaskRegistry()
        task = registry.register(adder())
        registry.configure(backend=store.open(clock), lease=600)
        assert task.every == HOUR
        registry.configure(lease=500)  # joins anew
        registry.update("a", timeout=3)
        registry.shutdown(0)
        task = join().register(adder())
        assert (task.every, task.timeout) == (HOUR, 3)

    def test_tasks_put_into_the_store_of_a_registry_count_as_code(self, join: Join) -> None:
        first = join()
        first.store["a"] = adder()
        first.tick()
        first.update("a", every=HOUR)
        second = join()
        second.store["a"] = adder()
        second.tick()
        assert second["a"].every == HOUR
        third = join()
        third.store["a"] = adder(timeout=5)
        third.tick()
        assert (third["a"].every, third["a"].timeout) == (MINUTE, 5)

    @pytest.mark.parametrize("store", SHARED, indirect=True)
    @pytest.mark.parametrize("revision", [None, 0])
    def test_an_edit_outlives_the_loss_of_the_store_and_a_restart_after_it(
        self, join: Join, store: Store, revision: int | None, infos: Infos
    ) -> None:
        first, second = join(), join()
        for registry in (first, second):
            registry.register(adder())
            registry.tick()
        first.update("a", every=HOUR)
        second.tick()
        store.empty(revision)
        for registry in (second, first, second):
            registry.tick()
        assert stored(first)[1]["every"] == MINUTE
        assert [registry["a"].every for registry in (first, second, join())] == [HOUR, HOUR, HOUR]
        assert (join().register(adder()).every, infos()) == (HOUR, [])

    def test_the_cycle_check_goes_by_what_is_in_force(self, join: Join) -> None:
        first = join()
        first.register(adder("b"))
        first.register(adder("a", func=jobs.take, args=(1,), kwargs={}, depends_on=["b"]))
        first.update("a", depends_on=[])
        first.update("b", depends_on=["a"])
        second = join()
        second.expose(jobs.add)
        second.tick()
        task = second.register(adder("a", func=jobs.take, args=(1,), kwargs={}, depends_on=["b"]))
        assert task.depends_on == []
        second.register(adder("b"))
        assert second["b"].depends_on == ["a"]


def test_what_is_none_by_default_may_be_left_out_of_the_code_in_the_store(join: Join) -> None:
    registry = join()
    registry.register(adder())
    registry.update("a", every=HOUR)
    backend: Any = registry._session and registry._session.backend
    values = json.loads(backend.fetch(None, 0).definitions["a"].json)
    for fields in (values["code"], values["task"]):
        for name in [name for name, value in fields.items() if value is None]:
            del fields[name]  # as other versions of pydantic write it
    backend.change([Change("a", Definition("a", json.dumps(values), "shorter"))])
    assert join().register(adder()).every == HOUR


class TestNonsense:
    @pytest.mark.parametrize("code", ["x", 7, [], True, {"every": "x"}])
    def test_nonsense_in_the_place_of_the_code_hinders_nothing(self, join: Join, code: Any) -> None:
        registry = join()
        registry.register(adder())
        registry.register(adder("b"))
        registry.update("a", every=HOUR)
        backend: Any = registry._session and registry._session.backend
        text = backend.fetch(None, 0).definitions["a"].json
        spoiled = json.dumps(json.loads(text) | {"code": code})
        backend.change([Change("a", Definition("a", spoiled, "spoiled"))])
        registry.tick()
        assert (registry.unresolved(), registry["a"].every, runs(registry, "b")) == ({}, HOUR, 1)
        again = join()
        assert again.register(adder()).every == MINUTE  # what the code said last is not known: it wins
        registry.tick()
        assert registry["a"].every == MINUTE
        assert stored(again)[0] == stored(again)[1]

    def test_an_edit_that_makes_no_sense_here_gives_way_to_the_code(self, join: Join) -> None:
        registry = join()
        registry.register(adder())
        registry.update("a", every=HOUR)
        backend: Any = registry._session and registry._session.backend
        values = json.loads(backend.fetch(None, 0).definitions["a"].json)
        values["task"]["every"] = {"fortnights": 1}
        backend.change([Change("a", Definition("a", json.dumps(values), "spoiled"))])
        again = join()
        assert again.register(adder()).every == MINUTE
        again.tick()
        assert (again.unresolved(), runs(again, "a")) == ({}, 1)

    def test_an_edited_schedule_in_the_local_time_of_another_zone_is_refused_as_such(
        self, join: Join, set_zone: Callable[[str], None]
    ) -> None:
        set_zone("Asia/Seoul")
        first = join()
        first.register(adder(every=None, at="12:00", timezone="UTC"))
        first.update("a", timezone=None)
        set_zone("America/New_York")
        with pytest.raises(ValueError, match=r"^task 'a' was first registered where local time is Asia/Seoul, here"):
            join().register(adder(every=None, at="12:00", timezone="UTC"))
        task = join().register(adder(every=None, at="13:00", timezone="UTC"))
        assert (task.at, task.timezone) == ("13:00", "UTC")


def test_a_task_that_is_registered_takes_over_edits_as_its_own_fields(join: Join) -> None:
    first = join()
    first.register(adder())
    first.update("a", every=HOUR, timeout=None, tags=["x"], max_runs=7)
    task = join().register(adder())
    assert {"every", "tags", "max_runs"} <= task.model_fields_set
    assert Task(**task.model_dump(exclude={"error_message"})).every == HOUR
    assert json.loads(task.model_dump_json())["max_runs"] == 7
    assert (task.tags, task.model_copy().tags) == (("x",), ("x",))
