"""The neighbourhood of a task: its dependencies and its dependents, as a graph."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from est_alan_scheduler.planning.dependencies import inputs
from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.page.drawing.graph import Edge, Node
from est_alan_scheduler.web.page.links import task_link
from est_alan_scheduler.web.page.standing import standing

LEVELS = (11, 6)
"""The most tasks that are shown of those next to the task, and of those one step further, on each side."""

_COMPARED = 500  # tasks of a level, of which those are shown first that are not fine

_Next = Callable[[str], Sequence[str]]
Words = Callable[[str], str]
"""It returns a standing in words."""


class Neighbourhood:
    """The tasks around one, with the edges between them. It looks at no others, however many there are."""

    def __init__(self, registry: TaskRegistry, task: Task, now: datetime, words: Words) -> None:
        self._registry = registry
        self._task = task
        self._now = now
        self._words = words
        self._shown: dict[str, None] = {task.id: None}
        self._more: list[Node] = []
        self._edges: list[Edge] = []
        self._walk(self._inputs, "before", lambda one, other: Edge(other, one))
        self._walk(self._dependents, "behind", Edge)
        for one in self._shown:
            found = registry.get(one)
            if found is not None:
                self._edges += [edge for edge in edges_of(found) if edge.start in self._shown]

    def nodes(self) -> list[Node]:
        """Return the tasks, and what stands for those that are missing, or too many to be shown."""
        return [self._node(one) for one in self._shown] + self._more

    def edges(self) -> list[Edge]:
        """Return what waits for what."""
        return self._edges

    def _walk(self, following: _Next, side: str, edge: Callable[[str, str], Edge]) -> None:
        """Show the tasks on one side of the task, level by level; stand-ins for those that are too many."""
        level = [self._task.id]
        for number, most in enumerate(LEVELS):
            found = {one: [other for other in following(one) if other not in self._shown] for one in level}
            ids = list(dict.fromkeys(other for others in found.values() for other in others))
            level = ids if len(ids) <= most else sorted(ids[:_COMPARED], key=self._is_fine)[:most]
            self._shown.update(dict.fromkeys(level))
            hidden = set(ids) - set(level)
            if hidden:
                stand_in = self._unused_id(f"more {side} {number}")
                self._more.append(Node(stand_in, f"+{len(hidden):,}", "more", self._words("more")))
                self._edges += [edge(one, stand_in) for one, others in found.items() if not hidden.isdisjoint(others)]

    def _unused_id(self, text: str) -> str:
        while text in self._registry.store or text in self._shown:
            text += "+"
        return text

    def _inputs(self, task_id: str) -> Sequence[str]:
        task = self._registry.get(task_id)
        return [] if task is None else inputs(task)

    def _dependents(self, task_id: str) -> Sequence[str]:
        return [task.id for task in self._registry._dependents(task_id)]

    def _is_fine(self, task_id: str) -> bool:
        """Return whether a task may be left out before others."""
        task, word = self._registry.get(task_id), self._standing(task_id)
        if task is not None and not task.paused and word == "paused":  # with all others
            word = task.status.value
        return word in ("success", "pending")

    def _standing(self, task_id: str) -> str:
        task = self._registry.get(task_id)
        return "missing" if task is None else standing(task, self._now, self._registry.is_paused)

    def _node(self, task_id: str) -> Node:
        task, word = self._registry.get(task_id), self._standing(task_id)
        label = task_id if task is None else task.name
        href = None if task is None else task_link(task_id)
        return Node(task_id, label, word, self._words(word), href, task_id == self._task.id)


def edges_of(task: Task) -> Iterable[Edge]:
    """Return what a task waits for, as edges."""
    after = set(task.after or ())
    return [Edge(one, task.id, one in after) for one in inputs(task)]
