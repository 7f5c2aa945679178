"""What was managed, and what must come of it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tests.chaos.journal import Managed, Managing
from tests.chaos.spans import Span, deaths
from tests.chaos.view import View, given_back

EARLY = 0.25  # seconds by which an instance may misjudge the store's clock
_UNDO = {"pause": "resume", "pause_all": "resume_all"}


class Deed(NamedTuple):
    """Something that was managed, at some moment between the two, if it `is_done`; if not, perhaps."""

    begin: float
    end: float
    what: str
    task: str
    word: str
    is_done: bool


def deeds(view: View) -> dict[str, list[Deed]]:
    """Return what was managed, by task, "" for all of them, in the order in which it was begun."""
    ended = {(record.instance, record.number): record for record in view.facts.records if isinstance(record, Managed)}
    died = deaths(view.facts.records)
    found: dict[str, list[Deed]] = defaultdict(list)
    for record in view.facts.records:
        if isinstance(record, Managing):
            over = ended.get((record.instance, record.number))
            # Who was killed in the middle of it may have sent it, to be done by a server that stands still.
            last = died.get(record.instance, view.facts.until) + view.facts.lease if over is None else over.at
            is_done = over is not None and over.is_done
            if over is not None and not is_done:
                last += view.facts.lease
            found[record.task].append(Deed(record.at, last, record.what, record.task, record.word, is_done))
    return found


def in_force(deed: Deed, others: Sequence[Deed], until: float) -> Span | None:
    """Return from when to when what was done held for sure, whatever of the `others` was done; None if it never did."""
    if not deed.is_done or any(other.begin <= deed.end and other.end >= deed.begin for other in others):
        return None
    return deed.end, min((other.begin for other in others if other.begin > deed.end), default=until)


def maybe_paused(found: Iterable[Deed]) -> list[Span]:
    """Return the spans in which a task, or all of them, may have been paused."""
    of_one = list(found)
    spans = []
    for deed in of_one:
        if deed.what in _UNDO:
            undone = [
                one.end for one in of_one if one.what == _UNDO[deed.what] and one.is_done and one.begin > deed.end
            ]
            spans.append((deed.begin, min(undone, default=float("inf"))))
    return spans


def paused(view: View) -> Iterator[str]:
    """Nothing is claimed from when a pause was acknowledged until it may have been undone."""
    found = deeds(view)
    for task, of_one in found.items():
        for deed in of_one:
            undo = _UNDO.get(deed.what)
            span = undo and in_force(deed, [one for one in of_one if one.what == undo], view.facts.until)
            if not span:
                continue
            for run in view.facts.runs:
                at = view.at(run.started)
                if (not task or run.task == task) and span[0] + EARLY < at < span[1] and not given_back(run):
                    yield (
                        f"{run.task} epoch {run.epoch} was claimed {at - span[0]:.1f} s after"
                        f" {deed.what} {task}".rstrip()
                        + " was acknowledged"
                    )


def updated(view: View) -> Iterator[str]:
    """Whoever claims a task after an update was acknowledged runs it with what that has given, or a later one since."""
    for task, of_one in deeds(view).items():
        changes = [deed for deed in of_one if deed.what == "update"]
        for deed in changes:
            span = in_force(deed, [one for one in changes if one is not deed], view.facts.until)
            if span is None:
                continue
            for run in view.runs[task]:
                start = view.started.get((run.task, run.epoch))
                is_within = start is not None and span[0] + EARLY < view.at(run.started) and start.at < span[1]
                if start is not None and is_within and start.word != deed.word:
                    yield (
                        f"{task} epoch {run.epoch} ran with {start.word!r},"
                        f" after an update to {deed.word!r} was acknowledged"
                    )


def stands_as_told(view: View) -> Iterator[str]:
    """What stands at the end is what was acknowledged last, if nothing else can have come after it."""
    found = deeds(view)
    for state in view.facts.states:
        of_one = found[state.task]
        yield from _unlike({"pause": state.paused, "resume": not state.paused}, of_one, view)
        updates = [deed._replace(what=f"update to {deed.word!r} of") for deed in of_one if deed.what == "update"]
        yield from _unlike({deed.what: deed.word == state.word for deed in updates}, updates, view)
    yield from _unlike({"pause_all": view.facts.all_paused, "resume_all": not view.facts.all_paused}, found[""], view)


def _unlike(stands: Mapping[str, bool], found: Sequence[Deed], view: View) -> Iterator[str]:
    of_these = [deed for deed in found if deed.what in stands]
    for deed in of_these:
        span = in_force(deed, [one for one in of_these if one is not deed], view.facts.until)
        if span is not None and span[1] == view.facts.until and not stands[deed.what]:
            yield f"{deed.what} {deed.task}".rstrip() + " was acknowledged last, and does not stand at the end"


LAWS = (paused, updated, stands_as_told)
