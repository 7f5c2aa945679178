"""Stand-ins: tasks whose functions are unknown here. Other instances run them; here, their rows are looked at."""

from collections import OrderedDict
from datetime import datetime, timedelta
from itertools import islice

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.fields.unknown_function import UnknownFunctionError, is_unknown
from est_alan_scheduler.planning.entry import Entry
from est_alan_scheduler.planning.indexes.due_heap import DueHeap
from est_alan_scheduler.task import Task

_RECENT = timedelta(minutes=1)
"""For how long a task that has come due is looked at first: the instance that runs it starts it about now."""


class StandIns:
    """The entries of tasks whose functions are unknown here. A tick neither takes them nor waits for their moments.

    Those that are due here have perhaps run elsewhere: `look` tells, by turns, which ones to read. The registry's lock
    guards all of it.
    """

    def __init__(self) -> None:
        self.names: dict[Entry, str] = {}
        """The names of the functions; always this very object."""
        self.heap = DueHeap()
        self._by_name: dict[str, dict[Entry, None]] = {}
        # Those that are due, in the order in which they are to be looked at, and since when they have been here.
        self._recent: OrderedDict[Entry, datetime] = OrderedDict()
        self._late: OrderedDict[Entry, datetime] = OrderedDict()

    def note(self, entry: Entry, name: str | None) -> None:
        """Note the unknown function of an entry, None if it has none any more; it is not due until it is filed."""
        former = self.names.pop(entry, None)
        if former is not None:
            others = self._by_name[former]
            del others[entry]
            if not others:
                del self._by_name[former]
            self._recent.pop(entry, None)
            self._late.pop(entry, None)
        if name is not None:
            self.names[entry] = name
            self._by_name.setdefault(name, {})[entry] = None

    def of(self, name: str) -> list[Task]:
        """Return the tasks whose function has that name."""
        return [entry.task for entry in self._by_name.get(name, ())]

    def look(self, moment: datetime, limit: int | None) -> list[Task]:
        """Return tasks that may be due at the UTC `moment`: at most `limit`, others the next time; None for all.

        Of tasks that nobody runs there may be any number. Three quarters of the limit are kept from them.
        """
        for entry in self.heap.take(moment, limit):
            self._recent[entry] = moment
        if limit is None:
            return [entry.task for entry in (*self._recent, *self._late)]
        share = min(len(self._late), max(limit // 4, limit - len(self._recent)))
        return self._turn(self._recent, limit - share, moment) + self._turn(self._late, share, moment)

    def _turn(self, queue: "OrderedDict[Entry, datetime]", number: int, moment: datetime) -> list[Task]:
        """Return the first tasks of a queue, and let them be the last ones, of the late ones if they are late."""
        entries = list(islice(queue, number))
        for entry in entries:
            since = queue.pop(entry)
            (self._recent if moment - since < _RECENT else self._late)[entry] = since
        return [entry.task for entry in entries]


def unknown_text(task: Task) -> str | None:
    """Return that the function of `task` is unknown here, and what to do; None if it is known."""
    func = task.func
    if not is_unknown(func):
        return None
    return f"its function {short_repr(func.name)} is unknown here: register or expose it"


def refuse_unknown_function(task: Task) -> None:
    """Raise `UnknownFunctionError` for a task that cannot run here."""
    text = unknown_text(task)
    if text is not None:
        raise UnknownFunctionError(f"task {task.id!r} cannot run here: {text}")
