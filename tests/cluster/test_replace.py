"""Replacement and removal of tasks of a backend: by one of several instances."""

from collections.abc import Callable
from typing import Any

import pytest

from est_alan_scheduler import Retry, TaskRegistry, TaskStatus, UnknownTaskError
from est_alan_scheduler.backends import BackendUnavailableError
from tests import jobs
from tests.backends.stores import Clock
from tests.cluster.helpers import Flaky, adder, end_pause


def test_the_past_stays_here_and_elsewhere(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    first, second = join(), join()
    first.register(adder())
    first.tick()
    second.expose(jobs.add)
    second.tick()
    new = first.register(adder(args=(3, 4), retry=1), replace=True)
    assert (new.result, len(new.history), new.status) == (3, 1, TaskStatus.SUCCESS)
    clock.advance(60)
    second.tick()
    theirs = second["a"]
    assert (theirs.args, theirs.retry, theirs.result) == ((3, 4), Retry(max_retries=1), 7)
    first.tick()
    assert (new.result, first["a"] is new, len(first.history("a"))) == (7, True, 2)


def test_one_that_runs_here_goes_on_to_its_end(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    first, second = join(), join()

    def change() -> int:
        first.register(adder(args=(3, 4)), replace=True)
        return 9

    first.expose(change, "change")
    first.register(adder(func=change, args=()))
    first.tick()
    new = first["a"]
    assert (new.status, new.result, new.func) == (TaskStatus.SUCCESS, 9, jobs.add)
    clock.advance(60)
    first.tick()
    second.expose(jobs.add)
    second.tick()
    assert [(run["status"], run["result"]) for run in second.history("a")] == [("success", "9"), ("success", "7")]
    assert (new.result, second["a"].result) == (7, 7)


def test_one_that_runs_elsewhere_goes_on_to_its_end(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    first, second = join(), join()

    def meanwhile() -> int:
        first.tick()
        assert first["a"].status is TaskStatus.RUNNING
        first.register(adder(args=(3, 4)), replace=True)
        return 9

    for registry in (first, second):
        registry.expose(meanwhile, "meanwhile")
        registry.expose(jobs.add)
    first.register(adder(func=meanwhile, args=()))
    second.tick()
    first.tick()
    new = first["a"]
    assert (new.status, new.result, new.args) == (TaskStatus.SUCCESS, 9, (3, 4))
    clock.advance(60)
    second.tick()
    assert second["a"].result == 7


def test_an_adopted_task_is_replaced(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    first, second = join(), join()
    first.register(adder())
    first.tick()
    second.expose(jobs.add)
    second.tick()
    new = second.register(adder(args=(3, 4)), replace=True)
    assert (new.result, len(new.history)) == (3, 1)
    clock.advance(60)
    first.tick()
    assert first["a"].result == 7


def test_the_former_task_keeps_its_definition_and_may_come_back(
    join: Callable[..., TaskRegistry], clock: Clock
) -> None:
    first, second = join(), join()
    former = first.register(adder(retry=1, tags=["x"]))
    first.tick()
    second.expose(jobs.add)
    second.tick()
    first.register(adder(args=(3, 4)), replace=True)
    assert (former.args, former.retry, former.tags, former.status) == (
        (1, 2),
        Retry(max_retries=1),
        ("x",),
        TaskStatus.SUCCESS,
    )
    first.register(former, replace=True)
    clock.advance(60)
    second.tick()
    first.tick()
    theirs = second["a"]
    assert (theirs.args, theirs.retry, theirs.tags, theirs.result) == ((1, 2), Retry(max_retries=1), ("x",), 3)
    assert (first["a"] is former, len(first.history("a"))) == (True, 2)


def test_one_that_runs_elsewhere_does_not_stay_running(join: Callable[..., TaskRegistry], clock: Clock) -> None:
    first, second = join(), join()
    statuses = list[TaskStatus]()

    def meanwhile() -> None:
        first.tick()
        former = first["a"]
        first.register(adder(func=meanwhile, args=(), retry=1), replace=True)
        statuses.extend((former.status, first["a"].status))

    for registry in (first, second):
        registry.expose(meanwhile, "meanwhile")
    first.register(adder(func=meanwhile, args=()))
    second.tick()
    assert statuses == [TaskStatus.PENDING, TaskStatus.RUNNING]


def test_an_edit_of_another_instance_is_replaced_and_stays_with_the_former_task(
    join: Callable[..., TaskRegistry], clock: Clock
) -> None:
    first, second = join(), join()
    former = first.register(adder())
    second.expose(jobs.add)
    second.tick()
    second.update("a", args=(5, 6))
    new = first.register(adder(args=(3, 4)), replace=True)
    assert (former.args, new.args) == ((5, 6), (3, 4))
    second.tick()
    assert second["a"].args == (3, 4)


def test_an_assignment_to_the_former_task_meanwhile_does_not_outlast_the_exchange(
    registry: TaskRegistry, flaky: Flaky
) -> None:
    former, new = registry.register(adder()), adder(args=(3, 4))
    registry.tick()
    change, assigned = flaky.change, [(7, 7)]

    def assign_meanwhile(changes: Any) -> Any:
        states = change(changes)
        if assigned:
            former.args = assigned.pop()
        return states

    flaky.change = assign_meanwhile  # type: ignore[method-assign]
    registry.register(new, replace=True)
    registry.tick()
    assert (former.args, new.args, registry["a"] is new) == ((7, 7), (3, 4), True)
    assert '"args":[3,4]' in registry._session.records.row("a").definition.text()  # type: ignore[union-attr]


def test_the_arguments_of_a_run_requested_elsewhere_have_to_fit(
    join: Callable[..., TaskRegistry], clock: Clock
) -> None:
    first, second = join(), join()
    former = first.register(adder())
    first.tick()
    second.expose(jobs.add)
    second.tick()
    second.run_now("a", args=(5, 6))
    refused = "echo takes 1 positional argument .*, but args hold 2. These arguments are those of its requested run"
    with pytest.raises(ValueError, match=refused):
        first.register(adder(func=jobs.echo, args=(7,)), replace=True)
    with pytest.raises(ValueError, match=refused):
        first.update("a", func=jobs.echo, args=(7,))
    first.tick()
    assert (first["a"] is former, former.result) == (True, 11)
    assert first.register(adder(func=jobs.echo, args=(7,)), replace=True).result == 11
    clock.advance(60)
    first.tick()
    assert first["a"].result == 7


def test_one_definition_is_written(registry: TaskRegistry, flaky: Flaky) -> None:
    registry.register(adder())
    registry.tick()
    flaky.asked.clear()
    registry.register(adder(args=(3, 4)), replace=True)
    registry.tick()
    assert [name for name in flaky.asked if name in ("define", "change", "assign")] == ["change"]


def test_an_outage_leaves_the_former_task(registry: TaskRegistry, flaky: Flaky) -> None:
    former = registry.register(adder())
    registry.tick()
    before, said = former.model_dump(), set(former.model_fields_set)
    flaky.fails_before.add("change")
    with pytest.raises(BackendUnavailableError):
        registry.register(adder(args=(3, 4)), replace=True)
    flaky.fails_before.clear()
    end_pause(registry)
    assert (registry["a"] is former, former.model_dump(), former.model_fields_set) == (True, before, said)


def test_a_function_without_a_name_is_refused(join: Callable[..., TaskRegistry]) -> None:
    registry = join()
    former = registry.register(adder())
    with pytest.raises(ValueError, match="lambda"):
        registry.register(adder(func=lambda: None, args=()), replace=True)
    assert (registry["a"] is former, former.args) == (True, (1, 2))


def test_with_a_backend_the_tasks_that_others_alone_have_registered_stay(join: Callable[..., TaskRegistry]) -> None:
    first, second = join(), join()
    first.register(adder("theirs"))
    second.register(adder("own"))
    second.register(adder("shared"))
    first.register(adder("shared"))
    second.tick()
    assert [task.id for task in second] == ["theirs", "own", "shared"]
    second.clear()
    assert [task.id for task in second] == ["theirs"]
    first.tick()
    assert [task.id for task in first] == ["theirs"]
    with pytest.raises(UnknownTaskError):
        first["own"]


def test_all_are_removed_for_everyone_by_their_ids(join: Callable[..., TaskRegistry]) -> None:
    first, second = join(), join()
    first.register(adder("theirs"))
    second.register(adder("own"))
    second.tick()
    second.prune(second)
    first.tick()
    assert (len(first), len(second)) == (0, 0)
