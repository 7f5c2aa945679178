"""Definitions that no store can hold: they are refused, and the error says what to do."""

from collections.abc import Callable
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from tests import jobs
from tests.cluster.helpers import LAMBDA, MINUTE, NO_IDS, NOT_HELD, Join, adder

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]


class TestRefused:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ({"func": lambda *_: None}, "task 'a': func <function"),
            ({"func": LAMBDA, "args": ()}, "has no name by which other processes could find it"),
            ({"args": ({1}, 2)}, "args[0] of task 'a' is {1}, which JSON cannot hold: with a backend, pass texts, "),
            (
                {"args": (), "kwargs": {"x": object, "y": 2}},
                "kwargs['x'] of task 'a' is <class 'object'>, which JSON cannot",
            ),
        ],
    )
    def test_the_error_for_a_task_that_cannot_be_shared_says_what_to_do(
        self, alone: TaskRegistry, fields: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(ValueError, match="task 'a'") as raised:
            alone.register(adder(**fields))
        assert message in str(raised.value)
        assert (list(alone.store), alone.unresolved()) == ([], {})

    def test_a_ctrl_c_while_a_field_is_read_stays_one(
        self, alone: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("est_alan_scheduler.task.moment_for_json", interrupt)
        with pytest.raises(KeyboardInterrupt):
            alone.register(adder())
        assert (list(alone.store), alone.unresolved()) == ([], {})

    def test_a_task_without_an_id_is_refused(self, alone: TaskRegistry) -> None:
        with pytest.raises(ValueError, match=r"^a backend needs a stable id, the same after a restart: Task\(id='…', "):
            alone.register(Task(every=MINUTE, func=jobs.add, args=(1, 2)))

    def test_an_id_that_is_too_long_is_refused(self, join: Join) -> None:
        registry = join()
        registry.register(adder("x" * 2_000))
        registry.tick()
        with pytest.raises(ValueError, match="cannot be stored") as caught:
            registry.register(adder("é" * 1_001))
        assert str(caught.value).endswith("it has a NUL, half a surrogate pair, or more than 2000 bytes in UTF-8")
        assert [run["status"] for run in registry.history()] == ["success"]

    @pytest.mark.parametrize("dependency", NO_IDS)
    def test_a_dependency_that_cannot_be_an_id_is_refused(self, alone: TaskRegistry, dependency: str) -> None:
        task = adder(depends_on=["b", dependency])
        with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
            alone.register(task)
        assert str(caught.value) == (
            f"depends_on of task 'a' has {dependency!r}, which no task of a backend can have for an id: {NOT_HELD}"
        )
        assert (list(alone.store), alone.unresolved()) == ([], {})
        registry = TaskRegistry()
        registry.register(task)
        with pytest.raises(ValueError, match="which no task of a backend can have for an id"):
            registry.configure(backend=alone.backend)
        assert registry.backend is None

    def test_a_task_without_timezone_from_another_local_zone_is_refused(
        self, join: Join, set_zone: Callable[[str], None]
    ) -> None:
        set_zone("Asia/Seoul")
        first = join()
        first.register(adder(every=None, at="12:00"))
        first.register(adder("b"))
        set_zone("America/New_York")
        second = join()
        second.register(adder("b"))
        expected = (
            "task 'a' was first registered where local time is Asia/Seoul, here it is America/New_York: say which one "
            "is meant, timezone='Asia/Seoul' for example, or each zone would have slots of its own"
        )
        with pytest.raises(ValueError, match=r"^task 'a' was first registered where") as raised:
            second.register(adder(every=None, at="12:00"))
        assert str(raised.value) == expected
        assert second.unresolved() == {"a": expected}
        second.register(adder(every=None, at="12:00", timezone="Asia/Seoul"))
        set_zone("Asia/Tokyo")  # another name, another zone, the same rules but for history
        assert second.unresolved() == {}
