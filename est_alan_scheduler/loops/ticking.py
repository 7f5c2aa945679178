"""One step of a loop: a tick, and how long to wait after it."""

import logging
import math
from collections.abc import Callable
from datetime import timedelta

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.signals import follows_interruption
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.control.loop_side import LoopSide
from est_alan_scheduler.fields.checks import in_seconds
from est_alan_scheduler.task_registry import TaskRegistry

_LONGEST_PAUSE = 86_400.0  # seconds; the waits of the standard library overflow at some 290 years


def check(interval: float | timedelta, registry: TaskRegistry) -> float:
    """Return the interval in seconds; raise `ValueError` unless a loop can tick `registry` at it."""
    seconds = in_seconds(interval)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        hint = ": a registry is given by name, registry=registry" if hasattr(interval, "tick") else ""
        expected = "interval must be a finite number of seconds greater than 0, or a timedelta"
        raise InvalidValueError(f"{expected}, got {short_repr(interval)}{hint}")
    if not callable(getattr(registry, "tick", None)):
        raise InvalidValueError(f"registry must be a TaskRegistry, got {short_repr(registry)}")
    return seconds


def tick_once(
    registry: TaskRegistry,
    interval: float,
    raised: tuple[type[BaseException], ...] = (),
    call: Callable[[], None] | None = None,
) -> float:
    """Tick once, by `call` if it is given; return the seconds to wait before the next tick.

    Errors other than those in `raised` are logged, unless a signal handler raised them.
    """
    interval = min(interval, _LONGEST_PAUSE)
    try:
        (registry.tick if call is None else call)()
        idle = registry.idle_seconds() if hasattr(registry, "idle_seconds") else None
    except raised:
        raise
    except BaseException as error:
        if follows_interruption(error):
            raise
        if isinstance(error, Exception):
            log(logging.ERROR, "A tick failed; the scheduler goes on.", error)
            return interval
        # Of a task: the tick has recorded it, and the rest is due now.
        log(logging.ERROR, "A task was interrupted; the scheduler goes on.", error)
        return 0.0
    if isinstance(idle, int | float) and idle < interval:
        return max(0.0, idle)
    return interval


def loop_side(registry: TaskRegistry) -> LoopSide:
    """Return the side of a registry that a loop uses; that of an empty one for a stand-in, which only has to `tick`.

    A mock that follows the class, `MagicMock(spec=TaskRegistry)`, is a stand-in too.
    """
    found = getattr(registry, "_loop_side", None)
    side = found if isinstance(found, LoopSide) else TaskRegistry()._loop_side
    side.expect_ticks()
    return side


def warn_if_empty(registry: TaskRegistry) -> None:
    """Log that a loop of the global registry, which the program has not named, begins without tasks."""
    if isinstance(registry, TaskRegistry) and registry.backend is None and len(registry) == 0:
        log(logging.WARNING, "The global registry, which this loop ticks, has no tasks: is registry=… missing?")
