"""The editor of a task: its form, the preview of its changes, and their saving."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from pydantic import BaseModel, Field
from starlette.responses import Response

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.planning.dependencies import missing_text
from est_alan_scheduler.schedules.describe import describe
from est_alan_scheduler.task import Task
from est_alan_scheduler.web.api.definitions import TaskChange
from est_alan_scheduler.web.api.endpoint import Call, Input
from est_alan_scheduler.web.api.models import FieldChange, PreviewModel, SlotModel, with_offset
from est_alan_scheduler.web.api.preview import preview_of_change
from est_alan_scheduler.web.api.problems import Problem, problem_of, response_of, without_values
from est_alan_scheduler.web.api.tasks import change_task, zone_name
from est_alan_scheduler.web.page.excerpts import excerpt
from est_alan_scheduler.web.page.form.controls import UNITS
from est_alan_scheduler.web.page.form.task_form import changes_of_form, form_of
from est_alan_scheduler.web.page.links import task_link
from est_alan_scheduler.web.page.view import PageCall
from est_alan_scheduler.web.page.words.language import TRANSLATIONS
from est_alan_scheduler.web.page.words.refusals import in_words

_MOST = 300  # characters of a value beside another one
_MOST_MISSING = 20  # ids that are not registered


class EditQuery(Input):
    """The query of the editor."""

    id: str = Field(min_length=1)


class Draft(Input):
    """The texts in the form of a task that differ from those which it had at first."""

    id: str = Field(min_length=1)
    changes: dict[str, dict[str, str]]
    """The texts of the controls of each field, by its name, and by the part of it that each control has."""


class Save(Draft):
    """Changes of a task, and the version of it that they were made on."""

    version: str


class Saved(BaseModel):
    """The version of the task that was saved."""

    version: str


class ShownSlot(NamedTuple):
    """A slot as the preview shows it."""

    at: datetime
    wall: str
    mark: str | None
    differs: bool
    """Whether the other plan has none then."""


class ShownChange(NamedTuple):
    """A part of a field with two values, in short."""

    name: str
    part: str
    old: Any
    new: Any


def page(call: PageCall) -> Response:
    """Answer the editor of a task."""
    task = _found(call, call.query.id).model_copy()
    return call.view.html(
        "edit.html",
        task=task,
        back=task_link(task.id),
        form=form_of(task),
        version=call.site.version_now(task),
        units=UNITS,
        zones=_zones(),
        zone=task.timezone or zone_name(),
        schedule=describe(task),
    )


def preview(call: PageCall) -> Response:
    """Answer what the texts in the form mean, as a part of the page, or what is wrong with them.

    The latter is an answer as good as any while somebody types, with the status 200: browsers log others as errors.
    """
    try:
        return _preview(call)
    except Exception as error:
        problem = problem_of(error)
        if problem is None or problem.status != HTTPStatus.UNPROCESSABLE_ENTITY:
            raise
        shown = without_values(problem) if call.site.hide_values else problem
        response = response_of(in_words(shown, call.view.language))
        response.status_code = HTTPStatus.OK
        return response


def _preview(call: PageCall) -> Response:
    task = _found(call, call.body.id)
    found = preview_of_change(call.site, task, _changes(call, task).given())
    old = () if found.before is None else found.before.slots
    return call.view.html(
        "preview.html",
        found=found,
        old=_shown_slots(old, found.plan.slots),
        new=_shown_slots(found.plan.slots, old),
        changes=[part for change in found.changes for part in _parts(change)],
        is_paused=_is_paused(task, found),
        waits=[_missing(call, task, one) for one in found.not_registered[:_MOST_MISSING]],
    )


def _missing(call: PageCall, task: Task, task_id: str) -> str:
    """Return that the task would wait for an id which is not registered."""
    return f"waits for {short_repr(task_id)}, which {missing_text(task, task_id, call.registry.store)}"


def save(call: PageCall) -> Saved:
    """Change a task, unless others have changed it since it was shown."""
    site, task_id, version = call.site, call.body.id, call.body.version
    task = _found(call, task_id)
    if site.version_now(task) != version:  # before its texts are compared with those of another version
        raise Problem(412, f"task {task_id!r} was changed meanwhile")
    change_task(Call(site, {"id": task_id}, None, _changes(call, task), if_match=[version]))
    return Saved(version=site.version_now(task))


def _found(call: PageCall, task_id: str) -> Task:
    call.site.reads.refresh(task_id)
    return call.registry[task_id]


def _changes(call: PageCall, task: Task) -> Any:
    """Return what the form changes, as the API takes it."""
    gettext = TRANSLATIONS[call.view.language].gettext
    return TaskChange.model_validate(changes_of_form(task, call.body.changes, gettext))


def _is_paused(task: Task, found: PreviewModel) -> bool:
    return next((bool(one.new) for one in found.changes if one.field == "paused"), task.paused)


@cache
def _zones() -> Sequence[str]:
    """Return the names of all time zones: a walk through their files."""
    return sorted(available_timezones())


def _shown_slots(slots: Sequence[SlotModel], others: Sequence[SlotModel]) -> list[ShownSlot]:
    texts, other = [with_offset(slot.at) for slot in slots], {with_offset(slot.at) for slot in others}
    size = 19 if len({text[:19] for text in texts}) == len(texts) else 23  # with milliseconds, if seconds do not do
    walls = [text[:-6][:size].replace("T", " ") for text in texts]
    has_one_offset = len({text[-6:] for text in texts}) < 2
    return [
        ShownSlot(slot.at, wall if has_one_offset else f"{wall} {text[-6:]}", slot.mark, text not in other)
        for slot, wall, text in zip(slots, walls, texts, strict=True)
    ]


def _parts(change: FieldChange) -> list[ShownChange]:
    """Return a change of a field; of each part of it that differs, if it has parts on both sides."""
    old, new = change.old, change.new
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return [ShownChange(change.field, "", _in_short(old), _in_short(new))]
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [ShownChange(change.field, name, _in_short(old.get(name)), _in_short(new.get(name))) for name in names]


def _in_short(value: Any) -> Any:
    """Return a text for people, one for each part of a dict; None for nothing, a bool as it is."""
    if value is None or value == [] or value == "":
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {name: _in_short(one) for name, one in value.items()}
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return excerpt(text, _MOST)
