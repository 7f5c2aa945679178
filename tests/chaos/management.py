"""The laws of management."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.chaos.journal import Managed, Managing
from tests.chaos.spans import Span, deaths
from tests.chaos.view import View, released

EARLY = 0.25  # seconds by which an instance may misjudge the store's clock
_UNDO = {"pause": "resume", "pause_all": "resume_all"}


class Action(NamedTuple):
    """A management call that took effect between `begin` and `end`, or, if it is not `is_done`, possibly did."""

    begin: float
    end: float
    what: str
    task: str
    word: str
    is_done: bool


def actions(view: View) -> dict[str, list[Action]]:
    """Return the management calls by task ("" for all of them), in the order in which they began."""
    ended = {(record.instance, record.number): record for record in view.facts.records if isinstance(record, Managed)}
    died = deaths(view.facts.records)
    found: dict[str, list[Action]] = defaultdict(list)
    for record in view.facts.records:
        if isinstance(record, Managing):
            over = ended.get((record.instance, record.number))
            # An instance killed in the call may have sent it to a server that stands still and makes the change later.
            last = died.get(record.instance, view.facts.until) + view.facts.lease if over is None else over.at
            is_done = over is not None and over.is_done
            if over is not None and not is_done:
                last += view.facts.lease
            found[record.task].append(Action(record.at, last, record.what, record.task, record.word, is_done))
    return found


def in_force(action: Action, others: Sequence[Action], until: float) -> Span | None:
    """Return the span in which an action was in force for sure, whatever the `others` did; None if there is none."""
    if not action.is_done or any(other.begin <= action.end and other.end >= action.begin for other in others):
        return None
    return action.end, min((other.begin for other in others if other.begin > action.end), default=until)


def maybe_paused(found: Iterable[Action]) -> list[Span]:
    """Return the spans in which a task, or all of them, may have been paused."""
    of_one = list(found)
    spans = []
    for action in of_one:
        if action.what in _UNDO:
            undone = [
                one.end for one in of_one if one.what == _UNDO[action.what] and one.is_done and one.begin > action.end
            ]
            spans.append((action.begin, min(undone, default=float("inf"))))
    return spans


def paused(view: View) -> Iterator[str]:
    """No claim succeeds between the acknowledgement of a pause and its possible end."""
    found = actions(view)
    for task, of_one in found.items():
        for action in of_one:
            undo = _UNDO.get(action.what)
            span = undo and in_force(action, [one for one in of_one if one.what == undo], view.facts.until)
            if not span:
                continue
            for run in view.facts.runs:
                at = view.at(run.started)
                if (not task or run.task == task) and span[0] + EARLY < at < span[1] and not released(run):
                    yield (
                        f"{run.task} epoch {run.epoch} was claimed {at - span[0]:.1f} s after"
                        f" {action.what} {task}".rstrip()
                        + " was acknowledged"
                    )


def updated(view: View) -> Iterator[str]:
    """A task claimed after an acknowledged update runs with its argument, or with that of a later update."""
    for task, of_one in actions(view).items():
        changes = [action for action in of_one if action.what == "update"]
        for action in changes:
            span = in_force(action, [one for one in changes if one is not action], view.facts.until)
            if span is None:
                continue
            for run in view.runs[task]:
                start = view.started.get((run.task, run.epoch))
                is_within = start is not None and span[0] + EARLY < view.at(run.started) and start.at < span[1]
                if start is not None and is_within and start.word != action.word:
                    yield (
                        f"{task} epoch {run.epoch} ran with {start.word!r},"
                        f" after an update to {action.word!r} was acknowledged"
                    )


def final_state(view: View) -> Iterator[str]:
    """The state at the end is that of the last acknowledged action, if no other can have come after it."""
    found = actions(view)
    for state in view.facts.states:
        of_one = found[state.task]
        yield from _unlike({"pause": state.paused, "resume": not state.paused}, of_one, view)
        updates = [one._replace(what=f"update to {one.word!r} of") for one in of_one if one.what == "update"]
        yield from _unlike({update.what: update.word == state.word for update in updates}, updates, view)
    yield from _unlike({"pause_all": view.facts.all_paused, "resume_all": not view.facts.all_paused}, found[""], view)


def _unlike(stands: Mapping[str, bool], found: Sequence[Action], view: View) -> Iterator[str]:
    of_these = [action for action in found if action.what in stands]
    for action in of_these:
        span = in_force(action, [one for one in of_these if one is not action], view.facts.until)
        if span is not None and span[1] == view.facts.until and not stands[action.what]:
            yield f"{action.what} {action.task}".rstrip() + " was acknowledged last, and is not in force at the end"


LAWS = (paused, updated, final_state)
