"""The clock of a store as an offset to the local one."""

import pytest

from est_alan_scheduler.backends import clock
from est_alan_scheduler.backends.clock import StoreClock

HOUR = 3_600_000_000


class Times:
    """The monotonic clock, and a store whose clock is `ahead` of it."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.ahead = 7 * HOUR

    def ask(self, store_clock: StoreClock, there: int, back: int) -> None:
        """Read the store's clock; request and answer take so many microseconds."""
        began = store_clock.begin()
        self.now += there
        reading = self.now + self.ahead
        self.now += back
        store_clock.note(reading, began)

    def error(self, store_clock: StoreClock) -> int:
        return store_clock.now() - self.now - self.ahead


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    times = Times()
    monkeypatch.setattr(clock, "_monotonic", lambda: times.now)
    return times


@pytest.fixture
def store_clock(times: Times, monkeypatch: pytest.MonkeyPatch) -> StoreClock:
    """A clock on a host that is an hour behind the store."""
    monkeypatch.setattr(clock, "host_now", lambda: times.now + 6 * HOUR)
    return StoreClock()


def test_before_the_first_reading_the_clock_is_the_hosts(times: Times, store_clock: StoreClock) -> None:
    times.now += 10
    assert times.error(store_clock) == -HOUR


@pytest.mark.parametrize("ahead", [5 * HOUR, 7 * HOUR])
def test_a_reading_corrects_the_clock_up_to_the_time_of_its_round_trip(
    times: Times, store_clock: StoreClock, ahead: int
) -> None:
    times.ahead = ahead
    times.ask(store_clock, there=300, back=700)
    times.now += HOUR
    assert times.error(store_clock) in (300, -700)
    times.ask(store_clock, there=3, back=7)
    assert times.error(store_clock) in (3, -7)


@pytest.mark.parametrize(("there", "back"), [(10_000_000, 1), (1, 10_000_000), (5_000_000, 5_000_000)])
def test_a_slow_answer_does_not_spoil_the_clock(times: Times, store_clock: StoreClock, there: int, back: int) -> None:
    times.ask(store_clock, there=3, back=7)
    times.ask(store_clock, there=there, back=back)
    assert times.error(store_clock) in (-7, -1)


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_the_clock_follows_a_store_whose_clock_is_set(times: Times, store_clock: StoreClock, step: int) -> None:
    times.ask(store_clock, there=3, back=7)
    times.ahead += step
    times.ask(store_clock, there=3, back=7)
    assert times.error(store_clock) in (3, -7)
