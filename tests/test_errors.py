"""The errors of the package: each derives from `SchedulerError` and from the builtin that says of what kind it is."""

import pickle
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import est_alan_scheduler
from est_alan_scheduler import (
    BackendUnavailableError,
    InvalidTypeError,
    InvalidValueError,
    MissingExtraError,
    Retry,
    SchedulerError,
    Task,
    TaskRegistry,
    UnknownTaskError,
    WrongStateError,
    open_backend,
    run_scheduler,
    simulate,
    start_scheduler,
)
from est_alan_scheduler._support import errors
from tests.jobs import add

OTHER: Any = object()


def registry() -> TaskRegistry:
    """Return a registry with one task, `a`."""
    made = TaskRegistry()
    made.register(Task(id="a", every={"hours": 1}, func=add, args=(1, 2)))
    return made


def close_cycle() -> None:
    made = registry()
    made.register(Task(id="b", every={"hours": 1}, func=print, depends_on=["a"]))
    made.update("a", depends_on=["b"])


def register_twice() -> None:
    first, task = registry(), Task(id="b", every={"hours": 1}, func=print)
    first.register(task)
    registry().register(task)


def configure_while_a_task_runs() -> None:
    made = TaskRegistry()
    task = made.register(Task(every={"hours": 1}, func=lambda: made.configure(max_running=2)))
    made.tick()
    assert task.error is not None
    raise task.error


CALLS: list[tuple[type[Exception], Callable[[], Any]]] = [
    (ValueError, lambda: registry().register(Task(func=print))),
    (ValueError, lambda: registry().register(Task(id="a", at="07:30", func=print))),
    (TypeError, lambda: registry().register(OTHER)),
    (TypeError, lambda: Task("a", print)),  # type: ignore[call-arg, arg-type]
    (TypeError, lambda: Retry(3)),  # type: ignore[call-arg]
    (ValueError, close_cycle),
    (ValueError, register_twice),
    (ValueError, lambda: registry().update("a", every=None)),
    (ValueError, lambda: registry().update("a", id="b")),  # type: ignore[call-arg]
    (KeyError, lambda: registry().update("b", at="07:30")),
    (TypeError, lambda: registry().update(OTHER, at="07:30")),
    (KeyError, lambda: registry().remove("b")),
    (KeyError, lambda: registry().pause("b")),
    (KeyError, lambda: registry().why_not("b")),
    (KeyError, lambda: registry().statistics("b")),
    (KeyError, lambda: registry().store["b"]),
    (TypeError, lambda: registry().store.update(b=OTHER)),
    (TypeError, lambda: registry().run_now("a", force=OTHER)),
    (TypeError, lambda: registry().prune("a")),
    (ValueError, lambda: registry().on(OTHER, print)),
    (TypeError, lambda: registry().on("failed", OTHER)),
    (ValueError, lambda: registry().off("failed", print)),
    (ValueError, lambda: registry().history(limit=-1)),
    (TypeError, lambda: registry().upcoming(until=OTHER)),
    (TypeError, lambda: simulate(registry(), OTHER, datetime(2026, 1, 1))),
    (ValueError, lambda: start_scheduler(0)),
    (ValueError, lambda: run_scheduler(0).send(None)),
    (TypeError, lambda: TaskRegistry(executor=OTHER)),
    (ValueError, lambda: TaskRegistry(max_running=0)),
    (TypeError, lambda: TaskRegistry(backend=OTHER)),
    (ValueError, lambda: TaskRegistry(backend="nosql://here")),
    (ValueError, lambda: TaskRegistry(backend="sqlite://a\n")),
    (ValueError, lambda: open_backend("sqlite:/tasks.db")),
    (RuntimeError, configure_while_a_task_runs),
    (ValueError, lambda: registry().expose(OTHER)),
    (ValueError, lambda: setattr(Task(every={"seconds": 1}, func=print, jitter=0.5), "id", "b")),
    (ValueError, lambda: setattr(Task(every={"seconds": 1}, func=print), "evry", 5)),
]


@pytest.mark.parametrize(("kind", "call"), CALLS, ids=range(len(CALLS)))
def test_an_error_is_of_its_builtin_kind_and_a_scheduler_error(
    kind: type[Exception], call: Callable[[], object]
) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert isinstance(caught.value, SchedulerError), repr(caught.value)


def test_a_store_that_is_no_store_is_refused_with_a_scheduler_error(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(ValueError, match="this is a directory") as caught:
        TaskRegistry(backend=f"sqlite:///{tmp_path}")
    assert isinstance(caught.value, SchedulerError)


def test_an_invalid_field_is_an_error_of_pydantic_alone() -> None:
    with pytest.raises(ValidationError) as caught:
        Task(at="7", func=print)
    assert isinstance(caught.value, ValueError)
    assert not isinstance(caught.value, SchedulerError)


@pytest.mark.parametrize(
    "error",
    [
        InvalidValueError("no"),
        InvalidTypeError("no"),
        WrongStateError("no"),
        MissingExtraError("no"),
        BackendUnavailableError("no"),
        UnknownTaskError("no"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_from_another_process(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


def test_every_class_of_an_error_is_exported() -> None:
    ours = [cls for cls in vars(errors).values() if isinstance(cls, type)]
    assert [cls for cls in ours if getattr(est_alan_scheduler, cls.__name__, None) is not cls] == []
    assert {cls.__name__ for cls in ours} <= {*est_alan_scheduler.__all__}
