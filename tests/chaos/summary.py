"""The result of a run of chaos, as a table."""

from collections import Counter
from collections.abc import Sequence

from tests.chaos.facts import Facts, Run
from tests.chaos.journal import Act, Born, Managed, Pulse, Start, Trouble
from tests.chaos.view import EXPIRED, RELEASED

_SHOWN = 40  # violations


def summary(facts: Facts, violations: Sequence[str]) -> str:
    """Return the table and the violations."""
    outcomes = Counter(_kind(run) for run in facts.runs)
    acts = Counter(record.what.split()[0] for record in facts.records if isinstance(record, Act))
    starts = [record for record in facts.records if isinstance(record, Start)]
    rows: list[tuple[str, object]] = [
        ("starts", len(starts)),
        ("of them retries", sum(start.attempt > 1 for start in starts)),
        *((f"outcome: {kind}", number) for kind, number in sorted(outcomes.items())),
        ("instances", sum(isinstance(record, Born) for record in facts.records)),
        ("killed at any moment", acts["kill"]),
        ("killed at a fail point", acts["die"]),
        ("paused past the lease, until overtaken", f"{acts['pause']}, {acts['overtake']}"),
        ("server restarted, crashed", f"{acts['restart']}, {acts['crash']}"),
        ("connections cut, refused", f"{acts['cut']}, {acts['refuse']}"),
        ("answers dropped by the proxy, by a trap", f"{acts['deaf']}, {acts['lose']}"),
        ("writes refused for a while, rows of nonsense", f"{acts['deny:']}, {acts['nonsense']}"),
        ("management calls done, failed", _managed(facts)),
        ("requests to the store failed, slow", _troubles(facts)),
        ("processes starved or paused", _gaps(facts)),
        ("slots missed", sum("left waiting" in violation for violation in violations)),
        ("violations", len(violations)),
    ]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:{width}}  {value}" for name, value in rows]
    lines += violations[:_SHOWN]
    if len(violations) > _SHOWN:
        lines.append(f"and {len(violations) - _SHOWN} more")
    return "\n".join(lines)


def _kind(run: Run) -> str:
    error = run.error or ""
    if run.finished is None:
        return "none"
    if error.startswith(EXPIRED):
        return "lease expired, ended late" if run.result is not None else "lease expired"
    return "released" if error.startswith(RELEASED) else run.status


def _troubles(facts: Facts) -> str:
    slow = [record.what.endswith("slow") for record in facts.records if isinstance(record, Trouble)]
    return f"{slow.count(False)}, {slow.count(True)}"


def _managed(facts: Facts) -> str:
    done = [record.is_done for record in facts.records if isinstance(record, Managed)]
    return f"{done.count(True)}, {done.count(False)}"


def _gaps(facts: Facts) -> int:
    last: dict[str, float] = {}
    found = 0
    for record in facts.records:
        if isinstance(record, Pulse):
            found += record.at - last.get(record.instance, record.at) > 1
            last[record.instance] = record.at
    return found
