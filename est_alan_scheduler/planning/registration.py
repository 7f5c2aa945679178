"""Registration: the conditions for a new task, and for a change of a registered one."""

from collections.abc import Container, Mapping
from typing import Any

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.functions import generator_kind
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.executors.invocation import CONSUMERS
from est_alan_scheduler.fields.unknown_function import UnknownFunction, is_unknown
from est_alan_scheduler.planning.arguments import argument_name, call_fault
from est_alan_scheduler.planning.dependencies import cycle_text, find_cycle, inputs
from est_alan_scheduler.planning.indexes.stand_ins import unknown_text
from est_alan_scheduler.planning.why_not import options_found
from est_alan_scheduler.schedules.kinds.table import KINDS, options_of
from est_alan_scheduler.task import OPTION_NAMES, Task, TaskStatus

INPUTS = frozenset(("depends_on", "after"))
"""The fields that name other tasks."""
CALLED = INPUTS | {"func", "args", "kwargs", "run_arguments"}
"""The fields on which it depends whether a requested run can call the function."""


def check(task: object, is_new: bool = True) -> None:
    """Raise `TypeError` or `ValueError` for a task that no registry can take, whatever other tasks it has.

    One that is not new may have come from a backend with a function that is unknown here.
    """
    if not isinstance(task, Task):
        raise InvalidTypeError(
            f"only a Task can be registered, got {short_repr(task)}: "
            "write register(Task(func=…, every={'minutes': 5}))"
        )
    options = options_of(task)
    if len(options) != 1:
        raise InvalidValueError(
            f"Task must specify exactly one of {OPTION_NAMES}, {options_found(task)} (task {task.id!r})."
        )
    if KINDS[options[0]].meaningless:
        _check_meaning(task, options[0])
    fields = task.__dict__  # faster than attributes: each registration needs it
    func = fields["func"]
    if type(func) is UnknownFunction and is_new:
        raise InvalidValueError(f"task {task.id!r} cannot be registered: {unknown_text(task)}")
    kind = generator_kind(func)
    if kind is not None:
        raise InvalidValueError(
            f"func of task {task.id!r} is {'an' if kind[0] == 'a' else 'a'} {kind} function, and a call of it runs "
            f"nothing: let func be a function that consumes it ({CONSUMERS[kind]})."
        )
    if fields["depends_on"] or "after" in fields:
        check_results(task)


def check_results(task: Task) -> None:
    """Raise `ValueError` if the result of another task would have no argument of its own."""
    task_ids = inputs(task)
    if not task_ids or (len(task_ids) == 1 and not task.kwargs):
        return
    ids = dict[str, str]()
    for task_id in task_ids:
        name = argument_name(task_id)
        if name in task.kwargs:
            raise InvalidValueError(
                f"kwargs of task {task.id!r} hold {name!r}, where the result of {task_id!r} would go."
            )
        other = ids.setdefault(name, task_id)
        if other != task_id:
            raise InvalidValueError(
                f"task {task.id!r} takes the results of {other!r} and {task_id!r}, which would both go to {name!r}."
            )


def call_refusal(task: Task, is_run: bool = False) -> str | None:
    """Return why the function of `task` cannot be called with the arguments that it will get, None if it can.

    What a manual task lacks, `run_now` may give; with `is_run`, these are the arguments of a run.
    Not under a lock: some callables run code of the user when they are asked for their parameters.
    """
    fault = call_fault(task.func, task.args, task.kwargs, inputs(task))
    if fault and task.manual and not is_run:
        fault = call_fault(task.func, task.args, task.kwargs, inputs(task), may_lack=True)
    return fault and f"Task {task.id!r} cannot call its function: {fault}."


def with_arguments(task: Task, arguments: Mapping[str, Any]) -> Task:
    """Return a copy of `task` that has arguments of one run for its own."""
    return task.model_copy(update={"args": tuple(arguments["args"]), "kwargs": arguments["kwargs"]})


def refusal_of_requested(task: Task) -> str | None:
    """Return why a requested run, or its retry, that is to come cannot call the function; None if it can.

    Not under a lock, as `call_refusal`.
    """
    given, may_be_retried = task.run_arguments, task.status is TaskStatus.RUNNING and task.retry is not None
    if task.run_requested is None and task.retry_at is None and not may_be_retried:
        return None
    called = task if given is None else with_arguments(task, given)
    try:
        check_results(called)
        refused = call_refusal(called, is_run=True)
    except ValueError as error:
        refused = str(error)
    if given is None:
        return refused and f"{refused} A run of it is to come: give that one the args or kwargs, by run_now."
    return refused and f"{refused} These arguments are those of its requested run: run_now({task.id!r}) drops them."


def _check_meaning(task: Task, option: str) -> None:
    """Raise `ValueError` for limits of the slots of a task that has none."""
    kind = KINDS[option]
    found = [name for name in kind.meaningless if getattr(task, name) != Task.model_fields[name].default]
    if found:
        raise InvalidValueError(
            f"task {task.id!r} runs {kind.describe(getattr(task, option), '')} and has no times of its own: "
            f"{' and '.join(found)} would mean nothing, leave {'it' if len(found) == 1 else 'them'} out"
        )


def refusal(task: Task, store: Mapping[str, Task], wanted: Container[str], is_adopted: bool) -> str | None:
    """Return why `store` cannot take `task`, None if it can.

    `wanted` has every id that a task in it depends on. With `is_adopted`, the store may have a task of that id: it came
    from the backend, and `task` replaces it.
    """
    if task.id in store and not is_adopted:
        return f"Task with id {task.id!r} already registered. Write replace=True to replace it."
    return _closed_cycle(task, store, wanted)


def refusal_of_change(
    task: Task, values: Mapping[str, Any], store: Mapping[str, Task], wanted: Container[str]
) -> str | None:
    """Return why `task`, which is in `store`, cannot have these values, None if it can; `wanted` as in `refusal`."""
    changed = task.model_copy(update=values)
    try:
        changed._check_together()
        check(changed, is_new=is_unknown(changed.func) and changed.func != task.func)
    except ValueError as error:
        return f"{error}{_hint_to_clear(changed, values)}"
    return _closed_cycle(changed, store, wanted) if not INPUTS.isdisjoint(values) else None


def _hint_to_clear(changed: Task, values: Mapping[str, Any]) -> str:
    """Return what to write to give a task another kind of schedule, if a change leaves the former one as it is."""
    options = options_of(changed)
    new, former = ([option for option in options if (option in values) is is_new] for is_new in (True, False))
    if len(new) != 1 or not former:
        return ""
    cleared = ", ".join(f"{option}={Task.model_fields[option].default}" for option in former)
    return f" To change its schedule, write {cleared}, {new[0]}={short_repr(values[new[0]])}"


def _closed_cycle(task: Task, store: Mapping[str, Task], wanted: Container[str]) -> str | None:
    fields = task.__dict__
    if task.id not in wanted and task.id not in fields["depends_on"] and task.id not in (fields.get("after") or ()):
        return None  # no cycle leads through an id that no task depends on
    cycle = find_cycle(task, store)
    return f"Task {task.id!r} would depend on itself: {cycle_text(cycle)}" if cycle else None
