"""Runs in flight."""

from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.runs.in_flight import RunsInFlight


def test_a_forked_child_wakes_threads_that_wait_for_a_run_to_end() -> None:
    in_flight, end = RunsInFlight(), Wakeup()
    in_flight.ends.append(end)
    assert in_flight.clear_after_fork() == []
    assert (end.wait(0), in_flight.ends) == (True, [end])
