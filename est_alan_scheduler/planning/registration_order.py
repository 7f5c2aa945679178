"""The order in which all instances have registered their tasks."""

from math import inf

from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.task import Task


class RegistrationOrder:
    """The places of shared tasks, and the order of the registry's tasks by them.

    A place is about the time of the registration, and behind all places that are known to its instance. Of two equal
    ones, which instances have given at the same moment, the smaller id comes first. The registry's lock guards it.
    """

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda
        self._places: dict[str, int] = {}
        self._last = self._last_put = 0
        self.is_outdated = False
        """The tasks of the registry may stand in another order: `restore` is to be called."""

    def place(self, task_id: str, now: int) -> int:
        """Return the place of a task, a new one behind all others if it has none."""
        if task_id not in self._places:
            self._places[task_id] = self._last = max(self._last + 1, now)
        return self._places[task_id]

    def note(self, task_id: str, place: int) -> None:
        """Note the place of a task that another instance has given it, or an earlier start of this one."""
        if self._places.get(task_id, place) != place:
            self.is_outdated = True
        self._places[task_id], self._last = place, max(self._last, place)

    def put(self, task_id: str) -> None:
        """Note that a task was put at the end of the registry's."""
        place = self._places[task_id]
        if place <= self._last_put:
            self.is_outdated = True
        else:
            self._last_put = place

    def forget(self, task_id: str) -> None:
        """Note that a task was removed: if its id is registered anew, that is the last one."""
        self._places.pop(task_id, None)

    def restore(self) -> None:
        """Bring the tasks into their order, if they are not. Those that are not shared yet come last."""
        if self.is_outdated:
            self.is_outdated = False
            self._agenda.sort(self._key)

    def _key(self, task: Task) -> tuple[float, str]:
        place = self._places.get(task.id)
        return (inf, "") if place is None else (place, task.id)
