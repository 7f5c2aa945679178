"""Measurements of contenders: one after another, many times, and the median of each.

So other load on the machine hits all of them. The garbage collector stays on while the clock runs, because it does so
for users; the garbage of one measurement is collected before the next.
"""

import gc
import tracemalloc
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter

from .contenders import ROUNDS_PER_PERIOD, Contender

Medians = dict[str, float]
"""A figure for each contender, by name."""

_ROUNDS = 20
_ROUNDS_DROPPED = 2  # of each contender: the first passes have cold caches, and set things up
_BATCHES = 15
_BATCH_SECONDS = 0.005
_MICRO = 1e6


def register(kinds: Sequence[type[Contender]], number: int, repeats: int) -> Medians:
    """Return the microseconds to construct and register one of `number` tasks, in an empty scheduler."""
    times: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    for _ in range(repeats):
        for kind in kinds:
            contender = kind()
            gc.collect()
            times[kind.name].append(_time(lambda add=contender.add: add(number)))  # type: ignore[misc]
            del contender
    return {name: median(taken) / number * _MICRO for name, taken in times.items()}


def idle_and_dispatch(kinds: Sequence[type[Contender]], number: int) -> tuple[Medians, Medians]:
    """Return the microseconds of a pass with nothing due, and of one run when a tenth of `number` tasks is due."""
    contenders = [kind() for kind in kinds]
    for contender in contenders:
        contender.fill(number)
    gc.collect()
    return _idle(contenders), _dispatch(contenders, number // ROUNDS_PER_PERIOD)


def weigh(kinds: Sequence[type[Contender]], number: int) -> Medians:
    """Return the bytes of one of `number` registered tasks before its first run; exact, so measured once."""
    return {kind.name: _weigh(kind(), number) for kind in kinds}


def _weigh(contender: Contender, number: int) -> float:
    gc.collect()
    gc.disable()  # nothing is timed here, and the trace of allocations is slow enough
    tracemalloc.start()
    try:
        contender.add(number)
        gc.collect()
        return tracemalloc.get_traced_memory()[0] / number
    finally:
        tracemalloc.stop()
        gc.enable()


def _time(call: Callable[[], object]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def _idle(contenders: Sequence[Contender]) -> Medians:
    for contender in contenders:
        if contender.count_due():
            raise RuntimeError(f"{contender.name}: tasks are due in what should be an idle pass")
    # Batches, because one pass may be too short for the clock.
    sizes = [max(1, int(_BATCH_SECONDS / _time(contender.run_due))) for contender in contenders]
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for _ in range(_BATCHES):
        for contender, size in zip(contenders, sizes, strict=True):
            run_due, passes = contender.run_due, range(size)
            start = perf_counter()
            for _ in passes:
                run_due()
            times[contender.name].append((perf_counter() - start) / size)
    return {name: median(taken) * _MICRO for name, taken in times.items()}


def _dispatch(contenders: Sequence[Contender], due: int) -> Medians:
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(_ROUNDS):
        for contender in contenders:
            contender.advance()
            if number == 0:
                _check_round(contender, due)
                continue
            taken = _time(contender.run_due)
            if number >= _ROUNDS_DROPPED:
                times[contender.name].append(taken)
    return {name: median(taken) / due * _MICRO for name, taken in times.items()}


def _check_round(contender: Contender, due: int) -> None:
    """Run a round without timing it, and check that it runs the right number of tasks."""
    before = contender.count_due()
    contender.run_due()
    ran = before - contender.count_due()
    if abs(ran - due) > max(2, due // 50):  # the clock goes on while a round runs
        raise RuntimeError(f"{contender.name}: a round ran {ran} tasks instead of {due}")
