"""The form of a task: its fields, the kind of its schedule, and what a form with other texts changes."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from est_alan_scheduler.cluster.codecs.definitions import ForeignZone
from est_alan_scheduler.fields.moments import moment_for_json
from est_alan_scheduler.schedules.kinds.table import options_of
from est_alan_scheduler.task import OPTIONS, Task
from est_alan_scheduler.web.api.problems import refused
from est_alan_scheduler.web.page.form.controls import (
    FLAG,
    IDS,
    INTERVAL,
    LIST,
    MOMENT,
    NUMBER,
    RETRY,
    TEXT,
    TIMES,
    WORD,
    Control,
    Texts,
)

Form = Mapping[str, Texts]
"""The texts of fields, by their names."""

CONTROLS: Mapping[str, Control] = {
    "every": INTERVAL,
    "at": TIMES,
    "on": TEXT,
    "cron": TEXT,
    "run_at": MOMENT,
    "after": IDS,
    "timezone": WORD,
    "start_at": MOMENT,
    "end_at": MOMENT,
    "exclude": LIST,
    "jitter": NUMBER,
    "misfire_grace": NUMBER,
    "run_immediately": FLAG,
    "max_runs": NUMBER,
    "remove_when_done": FLAG,
    "timeout": NUMBER,
    "retry": RETRY,
    "depends_on": LIST,
    "depends_on_mode": WORD,
    "name": TEXT,
    "description": TEXT,
    "tags": LIST,
    "paused": FLAG,
}
"""The fields of the form. Beside them, `kind` says which kind of schedule the task has."""


def form_of(task: Task) -> dict[str, dict[str, str]]:
    """Return the texts that show the present values of a task."""
    shown = {name: control.show(_value(task, name)) for name, control in CONTROLS.items()}
    return {"kind": {"": kind_of(task)}, **shown}


def kind_of(task: Task) -> str:
    """Return the kind of schedule of a task; an empty text if none or several stand."""
    options = options_of(task)
    return options[0] if len(options) == 1 else ""


def _value(task: Task, name: str) -> Any:
    value = getattr(task, name)
    if name == "name" and name not in task.__dict__:  # that of its function
        return None
    if isinstance(value, ForeignZone):  # it is no field of the task itself
        return None
    return moment_for_json(value, task.timezone) if isinstance(value, datetime) else value


def changes_of_form(task: Task, form: Form, gettext: Callable[[str], str]) -> dict[str, Any]:
    """Return the fields that a form with these texts changes, as the API takes them. Fields that it lacks stay."""
    unknown = [name for name in form if name != "kind" and name not in CONTROLS]
    if unknown:
        raise refused((name, "the form has no such field") for name in unknown)
    shown = form_of(task)
    changes = {
        name: CONTROLS[name].read(texts)
        for name, texts in form.items()
        if name != "kind" and _filled(texts) != _filled(shown[name])
    }
    kind = form.get("kind", shown["kind"]).get("", "")
    if not kind:
        return changes
    if kind not in OPTIONS:
        raise refused([("kind", gettext("Choose a kind of schedule."))])
    return _of_kind(task, kind, changes, gettext)


def _of_kind(task: Task, kind: str, changes: dict[str, Any], gettext: Callable[[str], str]) -> dict[str, Any]:
    """Return the changes with the schedule option of this kind alone."""
    changes = {name: value for name, value in changes.items() if name not in OPTIONS or name == kind}
    if kind == "manual":
        changes["manual"] = True
    elif not changes.get(kind, getattr(task, kind)):
        raise refused([(kind, gettext("Enter a value."))])
    for option in options_of(task):
        if option != kind:
            changes[option] = False if option == "manual" else None
    if kind != "at":
        changes.pop("on", None)
        if task.on is not None:
            changes["on"] = None
    return changes if kind != "manual" or not task.manual else {k: v for k, v in changes.items() if k != "manual"}


def _filled(texts: Texts) -> dict[str, str]:
    return {part: text for part, text in texts.items() if text}
