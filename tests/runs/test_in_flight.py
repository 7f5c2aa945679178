"""The runs under way."""

from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.runs.in_flight import RunsInFlight


def test_who_waits_for_an_end_in_a_forked_child_looks_again() -> None:
    in_flight, end = RunsInFlight(), Wakeup()
    in_flight.ends.append(end)
    assert in_flight.clear_after_fork() == []
    assert (end.wait(0), in_flight.ends) == (True, [end])
