"""The log of what other instances have changed in the tasks of a registry, as far as it has read that."""

from collections import deque
from dataclasses import dataclass
from itertools import islice

from est_alan_scheduler._support.interpreter import monotonic

_LONGEST = 5_000


@dataclass(frozen=True, slots=True)
class Changes:
    """Which tasks other instances have changed, run or removed."""

    mark: int
    """For the next question: what comes later."""
    ids: frozenset[str] | None
    """Those since the mark that was given; None if these were too many to be known, or if it is the mark of another
    backend: anything may have changed."""


class ChangeLog:
    """The latest changes. The registry's lock guards it."""

    def __init__(self) -> None:
        self._ids: deque[str] = deque(maxlen=_LONGEST)
        self._mark = int(monotonic() * 1_000_000)  # so that the marks of two logs hardly meet

    def note(self, task_id: str) -> None:
        """Note that a task has changed, come or gone."""
        self._mark += 1
        self._ids.append(task_id)

    def since(self, mark: int | None) -> Changes:
        """Return the changes since a mark; without one, none."""
        number = 0 if mark is None else self._mark - mark
        if not 0 <= number <= len(self._ids):
            return Changes(self._mark, None)
        return Changes(self._mark, frozenset(islice(reversed(self._ids), number)))
