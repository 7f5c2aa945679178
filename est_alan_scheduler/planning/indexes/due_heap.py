"""Due heap: entries of tasks by the moments under which they are filed."""

from collections import OrderedDict
from datetime import datetime
from heapq import heapify, heappop
from operator import attrgetter

from est_alan_scheduler.planning.entry import Entry

_EMPTY_ALLOWED = 64  # moments without entries, before the heap is made anew
_order = attrgetter("order")


class DueHeap:
    """A heap of moments, and the entries that are filed under each: one or several.

    Heap items that hold their entries would each be one more object for the garbage collector, which would cost more
    than all the rest. `Agenda.file` files them, and sets their `due`. The registry's lock guards it.
    """

    __slots__ = ("filed", "moments")

    def __init__(self) -> None:
        self.moments: list[datetime] = []
        self.filed: dict[datetime, Entry | dict[Entry, None]] = {}

    def take(self, moment: datetime, limit: int | None) -> list[Entry]:
        """Take the entries that are filed up to the UTC `moment`, the oldest first, at most `limit` unless it is None.

        An entry beyond the limit costs nothing: it stays where it is.
        """
        taken: list[Entry] = []
        moments, filed = self.moments, self.filed
        while moments and moments[0] <= moment and (limit is None or len(taken) < limit):
            found = filed.get(due := moments[0])
            if found is None:
                heappop(moments)
            elif isinstance(found, Entry) or limit is None or len(taken) + len(found) <= limit:
                heappop(moments)
                del filed[due]
                taken += (found,) if isinstance(found, Entry) else found
            else:
                if not isinstance(found, OrderedDict):
                    found = filed[due] = OrderedDict.fromkeys(sorted(found, key=_order))
                while len(taken) < limit:
                    taken.append(found.popitem(last=False)[0])
        for entry in taken:
            entry.due = None
        return taken

    def first(self) -> datetime | None:
        """Return the first moment, None if there is none."""
        while self.moments and self.moments[0] not in self.filed:
            heappop(self.moments)
        return self.moments[0] if self.moments else None

    def unfile(self, entry: Entry, due: datetime) -> None:
        """Take out an entry that is filed under `due`."""
        found = self.filed[due]
        if not isinstance(found, Entry):
            del found[entry]
        if not found or found is entry:
            del self.filed[due]
            if len(self.moments) > _EMPTY_ALLOWED + 2 * len(self.filed):
                self.moments = list(self.filed)
                heapify(self.moments)

    def sort(self) -> None:
        """Forget the order of registration, which has changed."""
        for due, found in self.filed.items():
            if isinstance(found, OrderedDict):  # in the former order
                self.filed[due] = dict(found)
