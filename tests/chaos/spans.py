"""When a lease held, and when an instance was healthy: spans of time, from the journal alone."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tests.chaos.journal import Born, Died, Leased, Pulse, Record, Start, Trouble
from tests.chaos.journal import End as Ended

Span = tuple[float, float]

GAP = 1.0  # seconds between two pulses from which on a process counts as paused, or the machine as too slow
RECOVERY = 5.0  # seconds for which an instance may leave a store alone that has not answered
LONG = 0.25  # seconds of a run that keeps an instance without an executor from ticking


def leases(records: Iterable[Record]) -> dict[str, list[Span]]:
    """Return, by owner, the spans in which its lease held without a break, as the instance itself was told."""
    spans: dict[str, list[Span]] = defaultdict(list)
    since: dict[str, int] = {}
    for record in records:
        if not isinstance(record, Leased):
            continue
        of_owner, end = spans[record.owner], record.until
        if of_owner and end == record.at:  # it was given back
            of_owner[-1] = of_owner[-1][0], min(of_owner[-1][1], end)
        elif of_owner and record.at < of_owner[-1][1] and since[record.owner] == record.since:
            of_owner[-1] = of_owner[-1][0], max(of_owner[-1][1], end)
        else:
            of_owner.append((record.at, end))
        since[record.owner] = record.since
    return dict(spans)


def covers(spans: Sequence[Span], begin: float, end: float) -> bool:
    """Tell whether one of the spans goes from `begin` to `end`."""
    return any(first <= begin and end < last for first, last in spans)


def deaths(records: Iterable[Record]) -> dict[str, float]:
    """Return when instances were dead at the latest."""
    return {record.instance: record.at for record in records if isinstance(record, Died)}


def healthy(records: Sequence[Record], until: float) -> list[Span]:
    """Return the spans in which some instance was healthy, each span of a single instance.

    It is healthy while its lease holds, its pulse is regular, the store answers it, and no long run blocks its ticks.
    """
    owners = {record.owner: record.instance for record in records if isinstance(record, Leased)}
    bad = _bad(records)
    died = deaths(records)
    spans: list[Span] = []
    for owner, held in leases(records).items():
        instance = owners[owner]
        end = min(until, died.get(instance, until))
        for first, last in held:
            spans += without(bad[instance], first, min(last, end))
    return sorted(spans)


def _bad(records: Sequence[Record]) -> dict[str, list[Span]]:
    bad: dict[str, list[Span]] = defaultdict(list)
    pulses: dict[str, float] = {}
    inline: set[str] = set()
    started: dict[tuple[str, str, int], float] = {}
    for record in records:
        instance = record.instance
        if isinstance(record, Born) and not record.threads:
            inline.add(instance)
        elif isinstance(record, Pulse):
            last = pulses.get(instance, record.at)
            if record.at - last > GAP:
                bad[instance].append((last, record.at))
            pulses[instance] = record.at
        elif isinstance(record, Trouble):
            is_slow = record.what.endswith("slow")
            bad[instance].append((record.since, record.at + (0.0 if is_slow else RECOVERY)))
        elif isinstance(record, Start):
            started[instance, record.task, record.epoch] = record.at
        elif isinstance(record, Ended) and instance in inline:
            began = started.get((instance, record.task, record.epoch), record.at)
            if record.at - began > LONG:
                bad[instance].append((began, record.at))
    return bad


def without(bad: Iterable[Span], begin: float, end: float) -> list[Span]:
    """Return what is left of a span."""
    left = []
    for first, last in sorted(bad):
        if first > begin:
            left.append((begin, min(first, end)))
        begin = max(begin, last)
    left.append((begin, end))
    return [(first, last) for first, last in left if first < last]
