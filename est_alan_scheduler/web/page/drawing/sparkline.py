"""The sparkline: the last runs of a task as bars, as high as they took long, in the colours of their outcomes."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from est_alan_scheduler.web.page.drawing.svg import joined, number

MOST_BARS = 30

WIDTH, HEIGHT = 120, 22
_STEP = WIDTH / MOST_BARS
_LEAST = 3.0  # a run that took no time is seen as well


class Bar(NamedTuple):
    """A run."""

    outcome: str
    """A status: the class of its bar."""
    seconds: float


def sparkline(bars: Sequence[Bar], label: str) -> Markup:
    """Return the drawing of runs, oldest first: of the last thirty, the newest at the right end.

    `label` says it in words, for those who do not see it.
    """
    bars = bars[-MOST_BARS:]
    longest = max((bar.seconds for bar in bars), default=0.0)
    paths: dict[str, list[str]] = {}
    for place, bar in enumerate(bars, MOST_BARS - len(bars)):
        share = bar.seconds / longest if longest > 0 else 0.0
        height = _LEAST + (HEIGHT - _LEAST) * min(max(share, 0.0), 1.0)  # a clock that went back made it negative
        paths.setdefault(bar.outcome, []).append(f"M{number((place + 0.5) * _STEP)} {HEIGHT}v-{number(height)}")
    drawn = (Markup('<path class="{}" d="{}"/>').format(outcome, "".join(lines)) for outcome, lines in paths.items())
    return Markup(
        '<svg class="sparkline" role="img" aria-label="{}" viewBox="0 0 {width} {height}"'
        ' width="{width}" height="{height}" stroke-width="{}">{}</svg>'
    ).format(label, number(_STEP - 1), joined(drawn), width=WIDTH, height=HEIGHT)
