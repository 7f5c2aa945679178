"""Dependents: which tasks take over the results of which others, and which tasks no other one depends on any more."""

from est_alan_scheduler.planning.dependencies import inputs
from est_alan_scheduler.task import Task


class Dependents:
    """An index by the ids in `depends_on` and `after`, as these were when they were last read.

    The registry's lock guards it, which the caller holds.
    """

    def __init__(self, store: dict[str, Task]) -> None:
        self._store = store
        self.inputs: dict[str, list[str]] = {}
        """What each task depends on, of those that depend on any."""
        self._ids: dict[str, dict[str, None]] = {}
        self.fresh: set[str] = set()
        """Ids of which any new success matters to others, not just the first one; or did so once."""
        self.done_candidates: dict[str, None] = {}
        """Tasks with `remove_when_done` that may be done, or may have lost the last one that depends on them."""

    def __contains__(self, task_id: object) -> bool:
        """Return whether a task depends on that id."""
        return task_id in self._ids

    def read(self, task: Task) -> None:
        """Note what a task depends on."""
        ids = inputs(task)
        self._replace(task.id, ids)
        if task.depends_on_mode == "fresh":
            self.fresh.update(task.depends_on)
        self.fresh.update(task.after or ())

    def forget(self, task_id: str) -> None:
        """Note that a task is gone."""
        if task_id in self.inputs:
            self._replace(task_id, [])

    def note_candidate(self, task: Task) -> None:
        """Note that a task is new or was changed: if it is done, `remove_when_done` may apply to it."""
        if "remove_when_done" in task.__dict__:
            self.done_candidates[task.id] = None

    def take_candidate(self) -> str | None:
        """Take and return the next id of `done_candidates`; None if there is none."""
        task_id = next(iter(self.done_candidates), None)
        if task_id is not None:
            del self.done_candidates[task_id]
        return task_id

    def of(self, task_id: str) -> list[Task]:
        """Return the tasks that depend on that id."""
        found = (dict.get(self._store, other) for other in self._ids.get(task_id, ()))
        return [task for task in found if task is not None and task_id in inputs(task)]  # or once: edited in place

    def _replace(self, task_id: str, ids: list[str]) -> None:
        former = self.inputs.pop(task_id, [])
        if ids:
            self.inputs[task_id] = ids
        for one in ids:
            self._ids.setdefault(one, {})[task_id] = None
        for one in dict.fromkeys(former).keys() - ids:
            others = self._ids.get(one, {})
            others.pop(task_id, None)
            if not others:
                self._ids.pop(one, None)
            dependency = dict.get(self._store, one)
            if dependency is not None:
                self.note_candidate(dependency)
