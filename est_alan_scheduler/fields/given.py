"""The fields of a task as keyword arguments, for type checkers: a call with an unknown one is an error in the editor.

A test compares them with `Task`. No code of the package needs this module to run.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Required, TypedDict

from est_alan_scheduler.fields import accepted


class TaskSettings(TypedDict, total=False):
    """The fields of a task but `id` and `func`."""

    every: accepted.Interval
    at: accepted.Times
    run_at: accepted.Moment
    cron: str | None
    after: accepted.Ids | None
    manual: bool
    timezone: accepted.Zone
    start_at: accepted.Moment
    end_at: accepted.Moment
    exclude: accepted.Dates
    jitter: accepted.Seconds
    misfire_grace: accepted.Seconds
    run_immediately: bool
    args: accepted.Arguments
    kwargs: Mapping[str, Any]
    depends_on: accepted.Ids
    depends_on_mode: Literal["ever", "fresh"]
    consumed: accepted.Moments
    timeout: accepted.Seconds
    retry: accepted.Retries
    retry_at: accepted.Moment
    attempt: int
    paused: bool
    run_requested: Literal["ready", "force"] | None
    misfires: int
    misfired_at: accepted.Moment
    status: accepted.Status
    last_success_at: accepted.Moment
    last_run_at: accepted.Moment
    result: Any
    error: BaseException | None
    error_message: str | None
    history: list[dict[str, Any]]
    history_limit: int
    first_run_at: accepted.Moment
    name: str | None
    description: str | None
    tags: accepted.Tags
    runs: int
    consecutive_failures: int
    max_runs: int | None
    remove_when_done: bool
    run_arguments: Mapping[str, Any] | None
    on: str | None


class TaskChanges(TaskSettings, total=False):
    """What `TaskRegistry.update` takes: all but `id`."""

    func: Callable[..., Any]


class TaskOptions(TaskSettings, total=False):
    """What `TaskRegistry.task` takes: all but `func`, which is the decorated function."""

    id: str


class TaskFields(TaskOptions, total=False):
    """What `Task` takes."""

    func: Required[Callable[..., Any]]
