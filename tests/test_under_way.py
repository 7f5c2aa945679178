"""The runs under way."""

from est_alan_scheduler.under_way import UnderWay
from est_alan_scheduler.wakeup import Wakeup


def test_who_waits_for_an_end_in_a_forked_child_looks_again() -> None:
    under_way, end = UnderWay(), Wakeup()
    under_way.ends.append(end)
    assert under_way.clear_after_fork() == []
    assert (end.wait(0), under_way.ends) == (True, [end])
