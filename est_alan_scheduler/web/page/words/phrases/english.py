"""The English of the page where that of the library speaks to programmers: patterns, and what each becomes."""

from collections.abc import Mapping, Sequence

from est_alan_scheduler.web.page.words.phrases.korean_reasons import MOMENT, REASONS, SKIPPED, TIME
from est_alan_scheduler.web.page.words.phrases.korean_schedules import ID

_CHANGED: Mapping[str, Sequence[tuple[str, str]]] = {
    "reason": [
        (
            r"all tasks are paused: resume_all\(\) lets them run",
            "all tasks are paused: none starts until they are resumed",
        ),
        (rf"paused: resume\({ID}\) lets it run", "paused: it does not start until it is resumed"),
        (rf"never due by itself: it runs by run_now\({ID}\) only", "never due by itself: it runs only on request"),
        (
            r"due now, but nothing ticks this registry: start_scheduler\(registry=…\)",
            "due now, but the scheduler of this process does not run",
        ),
        (rf"due in {TIME} at {MOMENT}{SKIPPED}", "due in {lasting}, at {moment}{skipped}"),
        (
            rf"retries \(attempt (?P<n>[0-9]+) of (?P<m>[0-9]+)\) in {TIME} at {MOMENT}, after (?P<error>.*?)",
            "retries (attempt {n} of {m}) in {lasting}, at {moment}, after {error}",
        ),
    ],
}

ENGLISH_REASONS: Mapping[str, Sequence[tuple[str, str | None]]] = {
    kind: [*_CHANGED.get(kind, ()), *((pattern, None) for pattern, _ in phrases)] for kind, phrases in REASONS.items()
}
"""The phrases of a reason, by their kind. None: it stays as it is, but for its parts."""

ENGLISH_SCHEDULES: Mapping[str, Sequence[tuple[str, str | None]]] = {
    "schedule": [(r"by run_now only(?P<limits>(?:, .+)?)", "only on request{limits}")]
}
"""The schedules that have other words."""
