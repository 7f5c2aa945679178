"""Tasks without exactly one schedule option: an assignment may leave one so, and it is never due then."""

from collections.abc import Iterator, Mapping

from est_alan_scheduler.planning.why_not import label, options_found
from est_alan_scheduler.schedules.kinds.table import options_of
from est_alan_scheduler.task import OPTION_NAMES, Task


class Unscheduled:
    """The warnings about such tasks: one for each state of a task. The registry's lock guards them."""

    def __init__(self) -> None:
        self.logged: dict[str, list[str]] = {}  # by id: the options that were set then
        self.news: dict[str, None] = {}  # the ids of tasks whose state may be a new one; always this very object

    def note(self, task_id: str) -> None:
        """Note that a task does not have exactly one option, or that one of `logged` may have it again."""
        self.news[task_id] = None

    def texts(self, store: Mapping[str, Task]) -> Iterator[str]:
        """Yield the warnings that are still to be logged."""
        news = list(self.news)
        self.news.clear()
        for task_id in news:
            task = store.get(task_id)
            former, options = self.logged.pop(task_id, None), [] if task is None else options_of(task)
            if task is None or len(options) == 1:
                continue
            self.logged[task_id] = options
            if options != former:
                found = options_found(task)
                yield f"Task {label(task)} is never due: exactly one of {OPTION_NAMES} must be set, {found}."
