"""The runs under way."""

from est_alan_scheduler._support.wakeup import Wakeup
from est_alan_scheduler.runs.in_flight import UnderWay


def test_who_waits_for_an_end_in_a_forked_child_looks_again() -> None:
    under_way, end = UnderWay(), Wakeup()
    under_way.ends.append(end)
    assert under_way.clear_after_fork() == []
    assert (end.wait(0), under_way.ends) == (True, [end])
