"""Arguments for one run: `run_now` with `args` and `kwargs`."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskStatus
from tests.frozen import SECOND, START, Frozen

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


@pytest.fixture
def registry() -> Frozen:
    return Frozen()


class Calls:
    """A task that notes what it is called with, and fails at first."""

    def __init__(self, registry: Frozen, failures: int = 0, **fields: Any) -> None:
        self.given: list[Any] = []
        self._failures = failures
        given: dict[str, Any] = {"id": "a", "every": {"hours": 1}, "args": (1,), "kwargs": {"x": 2}} | fields
        self.task = registry.register(Task(func=self.call, **given))

    def call(self, *args: Any, **kwargs: Any) -> None:
        self.given.append((*args, kwargs))
        if len(self.given) <= self._failures:
            raise ValueError("boom")


OWN = (1, {"x": 2})


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        ({"args": (7, 8)}, (7, 8, {"x": 2})),
        ({"args": [7]}, (7, {"x": 2})),
        ({"args": ()}, ({"x": 2},)),
        ({"kwargs": {"y": 3}}, (1, {"y": 3})),
        ({"args": (7,), "kwargs": {}}, (7, {})),
        ({}, OWN),
    ],
)
def test_given_arguments_replace_those_of_the_task_for_one_run(
    registry: Frozen, arguments: dict[str, Any], call: Any
) -> None:
    calls = Calls(registry, manual=True, every=None)
    registry.run_now("a", **arguments)
    registry.tick()
    registry.run_now("a")
    registry.tick()
    assert calls.given == [call, OWN]
    assert (calls.task.args, calls.task.kwargs) == ((1,), {"x": 2})


def resize(path: str, *, width: int) -> str:
    return f"{path} to {width}"


class TestWhatAManualTaskLacks:
    """Each run has to give it."""

    def test_run_now_gives_it(self, registry: Frozen) -> None:
        task = registry.register(Task(id="resize", manual=True, func=resize, kwargs={"width": 80}))
        registry.run_now("resize", args=["a.png"])
        registry.tick()
        assert task.result == "a.png to 80"
        assert registry.task(id="other", manual=True)(resize) is resize

    @pytest.mark.parametrize(
        ("given", "fault"),
        [
            ({}, "lacks the arguments 'path', 'width'. Give run_now the args or kwargs of this run."),
            ({"args": ["a.png"]}, "lacks the argument 'width'."),
            ({"args": ["a.png"], "kwargs": {"with": 1}}, "takes no argument 'with' (did you mean 'width'?)"),
        ],
    )
    def test_a_run_without_it_is_refused(self, registry: Frozen, given: dict[str, Any], fault: str) -> None:
        task = registry.register(Task(id="resize", manual=True, func=resize))
        with pytest.raises(ValueError, match=re.escape(f"Task 'resize' cannot call its function: func resize {fault}")):
            registry.run_now("resize", **given)
        assert task.run_requested is None

    @pytest.mark.parametrize(
        ("fields", "fault"),
        [
            ({"args": (1, 2)}, "func resize takes 1 positional argument ('path'), but args hold 2"),
            ({"kwargs": {"with": 1}}, "func resize takes no argument 'with' (did you mean 'width'?), but kwargs hold"),
        ],
    )
    def test_what_is_too_much_is_still_refused_at_once(
        self, registry: Frozen, fields: dict[str, Any], fault: str
    ) -> None:
        with pytest.raises(ValueError, match=re.escape(fault)):
            registry.register(Task(id="resize", manual=True, func=resize, **fields))

    def test_a_task_that_runs_by_itself_must_have_it(self, registry: Frozen) -> None:
        for options in ({"every": {"hours": 1}}, {"after": ["x"]}):
            with pytest.raises(ValueError, match="func resize lacks the arguments 'path', 'width'"):
                registry.register(Task(id="resize", func=resize, **options))
        task = registry.register(Task(id="resize", manual=True, func=resize))
        with pytest.raises(ValueError, match="func resize lacks the arguments 'path', 'width'"):
            registry.update("resize", manual=False, at="07:00")
        registry.update("resize", args=("a.png",))
        assert (task.manual, task.args) == (True, ("a.png",))


def test_the_next_slot_has_the_arguments_of_the_task(registry: Frozen) -> None:
    calls = Calls(registry)
    registry.tick()
    registry.run_now("a", args=(7,))
    registry.tick()
    registry.tick_at(START + 3600 * SECOND)
    assert calls.given == [OWN, (7, {"x": 2}), OWN]


def test_the_retries_of_the_run_have_its_arguments(registry: Frozen) -> None:
    calls = Calls(registry, failures=2, retry=Retry(max_retries=3, delay=10, jitter=0))
    registry.run_now("a", args=(7,))
    for second in (0, 10, 30):
        registry.tick_at(START + second * SECOND)
    registry.tick_at(START + 3600 * SECOND)
    assert calls.given == [(7, {"x": 2})] * 3 + [OWN]


def test_a_slot_that_replaces_the_retry_has_the_arguments_of_the_task(registry: Frozen) -> None:
    calls = Calls(registry, failures=2, every={"minutes": 1}, retry=Retry(max_retries=3, delay=90, jitter=0))
    registry.run_now("a", args=(7,))
    for second in (0, 60, 120, 150, 240):
        registry.tick_at(START + second * SECOND)
    assert calls.given == [(7, {"x": 2}), OWN, OWN, OWN]
    assert [run["attempt"] for run in calls.task.history] == [1, 1, 1, 1]


def test_the_latest_request_before_the_run_counts(registry: Frozen) -> None:
    calls = Calls(registry, manual=True, every=None)
    registry.run_now("a", args=(7,))
    registry.run_now("a", args=(8,), force=True)
    registry.tick()
    registry.run_now("a", force=True)
    registry.run_now("a", args=(9,))
    assert calls.task.run_requested == "force"
    registry.tick()
    registry.run_now("a", args=(10,))
    registry.run_now("a")
    registry.tick()
    assert calls.given == [(8, {"x": 2}), (9, {"x": 2}), OWN]


@pytest.mark.parametrize(
    "take_back",
    [
        lambda registry: setattr(registry["a"], "run_requested", None),
        lambda registry: registry.update("a", run_requested=None),
    ],
)
def test_a_request_that_is_taken_back_leaves_no_arguments_to_a_retry_that_waits(
    registry: Frozen, take_back: Callable[[Frozen], object]
) -> None:
    calls = Calls(registry, failures=1, retry=Retry(max_retries=1, delay=5, jitter=0))
    registry.tick()
    registry.run_now("a", args=[9])
    take_back(registry)
    assert calls.task.run_arguments is None
    registry.tick_at(START + 5 * SECOND)
    assert calls.given == [OWN, OWN]


def test_a_retry_keeps_its_arguments_if_no_request_is_taken_back(registry: Frozen) -> None:
    calls = Calls(registry, failures=1, retry=Retry(max_retries=1, delay=5, jitter=0), every=None, manual=True)
    registry.run_now("a", args=[9])
    registry.tick()
    calls.task.run_requested = None
    registry.tick_at(START + 5 * SECOND)
    assert calls.given == [(9, {"x": 2})] * 2


def test_a_request_during_a_run_is_for_the_run_after_it(registry: Frozen) -> None:
    calls = Calls(registry, failures=1, retry=Retry(max_retries=1, delay=10, jitter=0))
    registry.on("started", lambda event: registry.run_now("a", args=(7,)) if not calls.given else None)
    registry.tick()
    registry.tick()
    registry.tick_at(START + 60 * SECOND)
    assert calls.given == [OWN, (7, {"x": 2})]


def test_arguments_are_kept_as_they_are_at_the_request(registry: Frozen) -> None:
    calls, given = Calls(registry), [7]
    registry.run_now("a", args=given)
    given.append(8)
    registry.tick()
    assert calls.given == [(7, {"x": 2})]


def test_results_of_other_tasks_come_along(registry: Frozen) -> None:
    registry.register(Task(id="b", every={"hours": 1}, func=lambda: "b"))
    calls = Calls(registry, after=["b"], every=None)
    registry.tick()
    registry.run_now("a", args=(7,), kwargs={})
    registry.tick()
    assert calls.given == [(7, {"dep_b": "b"})]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"args": 5}, "args must be a tuple or list of positional arguments, got 5"),
        ({"args": "ab"}, "args must be a tuple or list of positional arguments, got 'ab'"),
        ({"kwargs": [1]}, "kwargs must be a dict with text keys"),
        ({"kwargs": {"dep_b": 1}}, "kwargs of task 'a' hold 'dep_b', where the result of 'b' would go."),
    ],
)
def test_impossible_arguments_are_refused_and_nothing_is_requested(
    registry: Frozen, arguments: dict[str, Any], text: str
) -> None:
    calls = Calls(registry, depends_on=["b"])
    with pytest.raises(ValueError, match=re.escape(text)):
        registry.run_now("a", **arguments)
    assert (calls.task.run_requested, calls.task.run_arguments) == (None, None)


def test_arguments_that_the_function_cannot_take_are_refused(registry: Frozen) -> None:
    task = registry.register(Task(id="a", manual=True, func=lambda x, y=1: x + y, args=(1,)))
    with pytest.raises(ValueError, match="Task 'a' cannot call its function"):
        registry.run_now("a", args=(1, 2, 3))
    with pytest.raises(ValueError, match="Task 'a' cannot call its function"):
        registry.run_now("a", kwargs={"z": 3})
    assert task.run_requested is None
    registry.run_now("a", kwargs={"y": 3})
    registry.tick()
    assert task.result == 4


def test_an_unknown_task_is_a_key_error(registry: Frozen) -> None:
    with pytest.raises(KeyError, match="a"):
        registry.run_now("a", args=(1,))


def take_two(x: int, y: int) -> int:
    return x + y


def take_none() -> str:
    return "none"


class TestAnotherFunction:
    """Arguments that are still to be used have to fit a new function."""

    @pytest.fixture
    def task(self, registry: Frozen) -> Task:
        return registry.register(Task(id="a", manual=True, func=take_two, args=(1, 2)))

    @staticmethod
    def change(registry: Frozen, how: str, **fields: Any) -> Task:
        given: dict[str, Any] = {"func": take_none, "args": (), **fields}
        if how == "update":
            return registry.update("a", **given)
        return registry.register(Task(**{"id": "a", "manual": True, **given}), replace=True)

    REFUSED = re.escape(
        "Task 'a' cannot call its function: func take_none takes no positional arguments, but args hold 2. "
        "These arguments are those of its requested run: run_now('a') drops them."
    )

    @pytest.mark.parametrize("how", ["update", "replace"])
    def test_one_that_does_not_take_them_is_refused(self, registry: Frozen, task: Task, how: str) -> None:
        registry.run_now("a", args=(3, 4))
        with pytest.raises(ValueError, match=self.REFUSED):
            self.change(registry, how)
        registry.tick()
        assert (registry["a"] is task, task.func, task.result) == (True, take_two, 7)
        assert self.change(registry, how).func is take_none

    @pytest.mark.parametrize("how", ["update", "replace"])
    def test_a_request_without_them_lets_it_pass(self, registry: Frozen, task: Task, how: str) -> None:
        registry.run_now("a", args=(3, 4))
        registry.run_now("a")
        changed = self.change(registry, how)
        registry.tick()
        assert changed.result == "none"

    @pytest.mark.parametrize("how", ["update", "replace"])
    def test_one_that_takes_them_gets_them(self, registry: Frozen, task: Task, how: str) -> None:
        registry.run_now("a", args=(3, 4))
        changed = self.change(registry, how, func=max, args=(1, 2))
        registry.tick()
        assert changed.result == 4

    @pytest.mark.parametrize("how", ["update", "replace"])
    def test_those_of_a_retry_count_too(self, registry: Frozen, how: str) -> None:
        retry = Retry(max_retries=2, delay=10, jitter=0)
        calls = Calls(registry, failures=1, retry=retry, manual=True, every=None)
        registry.run_now("a", args=(3, 4), kwargs={})
        registry.tick()
        with pytest.raises(ValueError, match=self.REFUSED):
            self.change(registry, how, kwargs={}, retry=retry)
        registry.tick_at(START + 10 * SECOND)
        assert calls.given == [(3, 4, {}), (3, 4, {})]
        assert self.change(registry, how, kwargs={}).func is take_none

    def test_those_of_a_run_in_flight_count_if_it_may_be_retried(self, registry: Frozen) -> None:
        def change(*_: int) -> None:
            with pytest.raises(ValueError, match=self.REFUSED):
                registry.update("a", func=take_none, args=())
            registry.update("a", func=take_none, args=(), retry=None)

        registry.register(Task(id="a", manual=True, func=change, retry=1))
        registry.run_now("a", args=(3, 4))
        registry.tick()
        assert registry["a"].status is TaskStatus.SUCCESS

    @pytest.mark.parametrize("field", ["depends_on", "after"])
    def test_a_new_dependency_must_not_collide_with_them(self, registry: Frozen, field: str) -> None:
        registry.register(Task(id="a", manual=True, func=lambda **_: None))
        registry.run_now("a", kwargs={"dep_b": 1})
        change: Any = {"depends_on": ["b"]} if field == "depends_on" else {"after": ["b"], "manual": False}
        with pytest.raises(ValueError, match="kwargs of task 'a' hold 'dep_b'"):
            registry.update("a", **change)

    @pytest.mark.parametrize("how", ["update", "replace"])
    def test_a_request_without_any_needs_a_function_that_lacks_none(
        self, registry: Frozen, task: Task, how: str
    ) -> None:
        registry.run_now("a")
        refused = r"func take_two lacks the argument 'y'\. A run of it is to come: give that one the args or kwargs, by"
        with pytest.raises(ValueError, match=refused):
            self.change(registry, how, func=take_two, args=(1,))
        registry.tick()
        assert (task.result, self.change(registry, how, func=take_two, args=(1,)).args) == (3, (1,))

    def test_other_changes_do_not_look_at_them(self, registry: Frozen, task: Task) -> None:
        registry.run_now("a", args=(3, 4))
        task.func = take_none
        task.args = ()
        assert registry.update("a", name="x").name == "x"
