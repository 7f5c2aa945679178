"""Actions on tasks: run, pause, resume or remove one or many, each with an answer of its own; pause all."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, Field

from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.web.api import overview
from est_alan_scheduler.web.api.endpoint import Input
from est_alan_scheduler.web.api.models import PauseModel, Text
from est_alan_scheduler.web.api.problems import Problem, told
from est_alan_scheduler.web.api.tasks import RunRequest, delete_task, pause, request_run, resume
from est_alan_scheduler.web.page.aliases import id_of_alias
from est_alan_scheduler.web.page.view import PageCall
from est_alan_scheduler.web.page.words.language import TRANSLATIONS, Language
from est_alan_scheduler.web.page.words.refusals import in_words

Action = Literal["run", "pause", "resume", "remove"]


class ChosenTask(Input):
    """A task, and the version of it that the caller has seen; None for any."""

    id: str = Field(min_length=1)
    """Or its alias, as pages have it."""
    version: str | None = None


class Act(Input):
    """An action, and the tasks that it is for."""

    action: Action
    tasks: list[ChosenTask] = Field(min_length=1, max_length=1_000)


class ActResult(BaseModel):
    """The result of an action for one task."""

    id: Text
    ok: bool
    detail: Text | None
    """The reason why nothing was done; None if it was."""
    after: int
    """The number of the latest run before: a requested run has a greater one."""


class ActResults(BaseModel):
    """The results of an action, in the order of its tasks."""

    results: list[ActResult]


class PauseAll(Input):
    """Whether nothing starts any more."""

    paused: bool


_HANDLERS: dict[Action, Callable[[Any], object]] = {
    "run": request_run,
    "pause": pause,
    "resume": resume,
    "remove": delete_task,
}


def act(call: PageCall) -> ActResults:
    """Do the same with each task. What fails for one does not hinder the others."""
    is_store_there = call.refresh(*(id_of_alias(one.id) for one in call.body.tasks))  # others may have run them
    handler = _HANDLERS[call.body.action] if is_store_there else _refuse
    return ActResults(results=[_done(call, handler, one) for one in call.body.tasks])


def pause_all(call: PageCall) -> PauseModel:
    """Let no task start, or let them start again."""
    return overview.pause_all(call) if call.body.paused else overview.resume_all(call)


def _refuse(_: object) -> None:
    raise BackendUnavailableError("nothing more is asked of the store")


def _done(call: PageCall, handler: Callable[[Any], object], chosen: ChosenTask) -> ActResult:
    task_id = id_of_alias(chosen.id)
    after = _latest(call, task_id)
    version = "*" if chosen.version is None else chosen.version
    one = replace(call, path={"id": task_id}, if_match=[version], body=RunRequest.model_validate({}))
    detail = None
    try:
        handler(one)
        after = _latest(call, task_id, after)
    except Exception as error:
        problem = told(error, f"The action {call.body.action} on a task failed.", call.site.hide_values)
        detail = _detail(problem, call.view.language)
    return ActResult(id=chosen.id, ok=detail is None, detail=detail, after=after)


def _latest(call: PageCall, task_id: str, before: int | None = None) -> int:
    """Return the number of the latest run of a task before the one that is, or is to be, requested.

    `before` is what it was just before the request. If the request still stands, what has begun meanwhile is not it.
    """
    found = call.registry._latest_run(task_id)
    if before is None:
        return 0 if found is None else found[0]
    return found[0] if found is not None and found[1].run_requested is not None else before


def _detail(problem: Problem, language: Language) -> str:
    gettext = TRANSLATIONS[language].gettext
    known = {
        404: gettext("the task no longer exists"),
        412: gettext("changed meanwhile: nothing was done"),
        500: gettext("the server failed: its log says why"),
        503: gettext("the store is out of reach"),
    }
    return known.get(problem.status) or in_words(problem, language).detail
