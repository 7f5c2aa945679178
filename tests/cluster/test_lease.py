"""The thread that sees to a lease: when it beats."""

import threading
import time
from collections.abc import Iterator

import pytest

from est_alan_scheduler.cluster.heartbeat import Beat


class Ledger:
    """What a beat drives: it has nothing to do by itself for an hour."""

    def __init__(self) -> None:
        self.beats = 0
        self.has_beaten = threading.Event()

    def seconds_to_beat(self) -> float:
        return 3_600.0

    def beat(self) -> None:
        self.beats += 1
        self.has_beaten.set()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def beat(ledger: Ledger) -> Iterator[Beat]:
    beat = Beat(ledger.beat, ledger.seconds_to_beat)
    beat.start()
    yield beat
    beat.stop(10)


def test_it_beats_soon_after_it_was_hurried(beat: Beat, ledger: Ledger) -> None:
    beat.hurry(0.01)
    assert ledger.has_beaten.wait(10)
    assert ledger.beats == 1


def test_to_be_hurried_again_makes_it_no_later_and_now_is_now(beat: Beat, ledger: Ledger) -> None:
    beat.hurry(3_600)
    beat.hurry(0.001)  # what came first is what the outcomes are gathered for
    assert not ledger.has_beaten.wait(0.03)
    beat.hurry(0)
    assert ledger.has_beaten.wait(10)


def test_it_ends_at_once(beat: Beat) -> None:
    began = time.monotonic()
    beat.hurry(3_600)
    beat.stop(10)
    assert time.monotonic() - began < 5
