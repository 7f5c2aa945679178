"""The clock of a store, told from here."""

import pytest

from est_alan_scheduler.backends import clock
from est_alan_scheduler.backends.clock import StoreClock

HOUR = 3_600_000_000


class Times:
    """The monotonic clock, and a store whose clock is ahead of it by so much."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.ahead = 7 * HOUR

    def ask(self, told: StoreClock, there: int, back: int) -> None:
        """Ask the store; question and answer take so many microseconds."""
        began = told.begin()
        self.now += there
        reading = self.now + self.ahead
        self.now += back
        told.note(reading, began)

    def error(self, told: StoreClock) -> int:
        return told.now() - self.now - self.ahead


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    times = Times()
    monkeypatch.setattr(clock, "_monotonic", lambda: times.now)
    return times


@pytest.fixture
def told(times: Times, monkeypatch: pytest.MonkeyPatch) -> StoreClock:
    """A clock on a host that is an hour behind the store."""
    monkeypatch.setattr(clock, "host_now", lambda: times.now + 6 * HOUR)
    return StoreClock()


def test_until_the_store_is_asked_it_is_that_of_the_host(times: Times, told: StoreClock) -> None:
    times.now += 10
    assert times.error(told) == -HOUR


@pytest.mark.parametrize("ahead", [5 * HOUR, 7 * HOUR])
def test_an_answer_corrects_it_as_closely_as_it_came_quickly(times: Times, told: StoreClock, ahead: int) -> None:
    times.ahead = ahead
    times.ask(told, there=300, back=700)
    times.now += HOUR
    assert times.error(told) in (300, -700)
    times.ask(told, there=3, back=7)
    assert times.error(told) in (3, -7)


@pytest.mark.parametrize(("there", "back"), [(10_000_000, 1), (1, 10_000_000), (5_000_000, 5_000_000)])
def test_a_slow_answer_does_not_spoil_it(times: Times, told: StoreClock, there: int, back: int) -> None:
    times.ask(told, there=3, back=7)
    times.ask(told, there=there, back=back)
    assert times.error(told) in (-7, -1)


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_it_follows_a_store_whose_clock_is_set(times: Times, told: StoreClock, step: int) -> None:
    times.ask(told, there=3, back=7)
    times.ahead += step
    times.ask(told, there=3, back=7)
    assert times.error(told) in (3, -7)
