"""Spans of time from the journal alone: of leases, and of healthy instances."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tests.chaos.journal import Born, Died, Leased, Pulse, Record, Start, Trouble
from tests.chaos.journal import End as Ended

Span = tuple[float, float]

SLOW = 0.5  # seconds that a request to the store may take
GAP = 1.0  # seconds between two pulses; after a longer gap the process was paused, or the machine too slow
RECOVERY = 5.0  # seconds for which an instance may back off from a store that has not answered
LONG = 0.25  # seconds; a longer run keeps its thread from starting others, or from ticking


def leases(records: Iterable[Record]) -> dict[str, list[Span]]:
    """Return, by owner, the spans of unbroken leases, as the instance itself knew them."""
    spans: dict[str, list[Span]] = defaultdict(list)
    since: dict[str, int] = {}
    for record in records:
        if not isinstance(record, Leased):
            continue
        of_owner, end = spans[record.owner], record.until
        if of_owner and end == record.at:  # the instance has left
            of_owner[-1] = of_owner[-1][0], min(of_owner[-1][1], end)
        elif of_owner and record.at < of_owner[-1][1] and since[record.owner] == record.since:
            of_owner[-1] = of_owner[-1][0], max(of_owner[-1][1], end)
        else:
            of_owner.append((record.at, end))
        since[record.owner] = record.since
    return dict(spans)


def owners(records: Iterable[Record]) -> dict[str, str]:
    """Return the instance of each owner."""
    return {record.owner: record.instance for record in records if isinstance(record, Leased)}


def covers(spans: Sequence[Span], begin: float, end: float) -> bool:
    """Return whether one of the spans covers the time from `begin` to `end`."""
    return any(first <= begin and end < last for first, last in spans)


def deaths(records: Iterable[Record]) -> dict[str, float]:
    """Return the latest possible moment of each death, by instance."""
    return {record.instance: record.at for record in records if isinstance(record, Died)}


def healthy(records: Sequence[Record], until: float) -> list[Span]:
    """Return the spans in which some instance was healthy, each span of a single instance.

    An instance is healthy while its lease holds, its pulse is regular, the store answers, and it has a free thread.
    """
    instances = owners(records)
    bad, busy = _bad(records), full(records)
    died = deaths(records)
    spans: list[Span] = []
    for owner, held in leases(records).items():
        instance = instances[owner]
        end = min(until, died.get(instance, until))
        for first, last in held:
            spans += without([*bad[instance], *busy[instance]], first, min(last, end))
    return sorted(spans)


def pauses(records: Iterable[Record]) -> dict[str, list[Span]]:
    """Return, by instance, the gaps between its pulses, in which its process was paused or starved."""
    found: dict[str, list[Span]] = defaultdict(list)
    pulses: dict[str, float] = {}
    for record in records:
        if isinstance(record, Pulse):
            last = pulses.get(record.instance, record.at)
            if record.at - last > GAP:
                found[record.instance].append((last, record.at))
            pulses[record.instance] = record.at
    return found


def _bad(records: Sequence[Record]) -> dict[str, list[Span]]:
    bad = pauses(records)
    for record in records:
        if isinstance(record, Trouble):
            is_slow = record.what.endswith("slow")
            bad[record.instance].append((record.since, record.at + (0.0 if is_slow else RECOVERY)))
    return bad


def full(records: Iterable[Record]) -> dict[str, list[Span]]:
    """Return, by instance, the spans in which long runs occupied all its threads, so that no other run could start."""
    threads: dict[str, int] = {}
    began: dict[tuple[str, str, int], float] = {}
    changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for record in records:
        if isinstance(record, Born):
            threads[record.instance] = max(record.threads, 1)
        elif isinstance(record, Start):
            began[record.instance, record.task, record.epoch] = record.at
        elif isinstance(record, Ended):
            begin = began.pop((record.instance, record.task, record.epoch), record.at)
            if record.at - begin > LONG:
                changes[record.instance] += [(begin, 1), (record.at, -1)]
    for (instance, _, _), begin in began.items():  # runs that its death cut off
        changes[instance].append((begin, 1))
    spans: dict[str, list[Span]] = defaultdict(list)
    for instance, of_one in changes.items():
        taken, since = 0, 0.0
        for at, change in sorted([*of_one, (float("inf"), 0)]):
            if taken >= threads.get(instance, 1):
                spans[instance].append((since, at))
            taken, since = taken + change, at
    return spans


def without(bad: Iterable[Span], begin: float, end: float) -> list[Span]:
    """Return the parts of a span outside of the bad ones."""
    left = []
    for first, last in sorted(bad):
        if first > begin:
            left.append((begin, min(first, end)))
        begin = max(begin, last)
    left.append((begin, end))
    return [(first, last) for first, last in left if first < last]
