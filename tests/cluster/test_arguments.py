"""Arguments of functions on each store: refused before anything is written, results of any id across instances."""

from typing import Any

import pytest

from est_alan_scheduler import Task
from tests import jobs
from tests.cluster.helpers import MINUTE, Join, adder, runs
from tests.ways import logged, without_seconds

pytestmark = pytest.mark.pydantic


def take(dep_load_users: Any) -> Any:
    return dep_load_users


def fail() -> None:
    raise ValueError("boom")


def test_a_function_that_cannot_be_called_is_refused_and_not_stored(join: Join) -> None:
    first, second = join(), join()
    with pytest.raises(ValueError, match=r"^Task 'a' cannot call its function: func add lacks the argument 'y'\.$"):
        first.register(adder(args=(1,)))
    task = first.register(adder())
    with pytest.raises(ValueError, match=r"^Task 'a' cannot call its function: func add takes 2 positional arguments"):
        first.update("a", args=(1, 2, 3))
    second.tick()
    assert (task.args, second.store["a"].args) == ((1, 2), (1, 2))


def test_a_row_that_cannot_be_called_fails_at_its_run(join: Join) -> None:
    """What other code has stored is not refused: it is a task of the list, and its run says what is wrong."""
    first, second = join(), join()
    task = first.register(adder())
    second.register(adder())
    task.args = (1,)
    first.tick()
    second.tick()
    assert [run["error"] for run in second.history("a")] == [
        "TypeError: add() missing 1 required positional argument: 'y'"
    ]


def test_the_result_of_an_id_that_is_no_identifier_reaches_a_task_of_another_instance(join: Join) -> None:
    first, second = join(), join()
    first.register(adder("load users"))
    first.tick()
    second.expose(jobs.add)
    task = second.register(Task(id="다음", every=MINUTE, func=take, depends_on=["load users"]))
    second.tick()
    second.tick()
    assert (runs(second, "다음"), task.result) == (1, 3)


def test_a_failure_shows_the_name_that_another_instance_has_given(join: Join, caplog: pytest.LogCaptureFixture) -> None:
    first, second = join(), join()
    second.expose(fail)
    first.register(Task(id="a", every=MINUTE, func=fail, name="Prices", description="Loads the prices"))
    second.tick()
    assert without_seconds(logged(caplog)) == ["Task 'a' (Prices: Loads the prices) failed after N s: ValueError: boom"]
    assert second.store["a"].name == "Prices"


def test_a_decorated_function_has_a_stable_id(join: Join) -> None:
    first, second = join(), join()
    second.expose(fail)
    first.task(every=MINUTE)(fail)
    second.tick()
    assert runs(second, "fail") == 1
