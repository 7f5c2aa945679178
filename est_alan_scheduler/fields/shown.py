"""How a task is shown: by its summary, which is imported when somebody looks."""

from importlib import import_module
from typing import Any


def _summaries() -> Any:
    # By name and late: the wing that puts a schedule in words stands above the fields, and most programs show no task.
    return import_module("est_alan_scheduler.schedules.summary")


class Shown:
    """What a task shows of itself: one line, or a small table in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(_summaries().summary(self))

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return str(_summaries().summary_html(self))
