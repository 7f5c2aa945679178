"""A call to one thread that waits: there is something to do."""

import threading

import pytest

from est_alan_scheduler._support.wakeup import Wakeup
from tests.ways import is_interrupted


def test_it_wakes_a_thread_that_waits() -> None:
    wakeup, woken = Wakeup(), []
    waits = threading.Thread(target=lambda: woken.append(wakeup.wait(10)))
    waits.start()
    wakeup.call()
    waits.join(10)
    assert woken == [True]


def test_calls_that_came_before_spare_one_wait() -> None:
    wakeup = Wakeup()
    wakeup.call()
    wakeup.call()
    assert [wakeup.wait(10), wakeup.wait(0)] == [True, False]


@pytest.mark.parametrize("timeout", [0, -1, -5.0, 1e-9, 1e-6])
def test_a_timeout_that_is_over_ends_the_wait(timeout: float) -> None:
    answers: list[bool] = []
    waits = threading.Thread(target=lambda: answers.extend(Wakeup().wait(timeout) for _ in range(1000)), daemon=True)
    waits.start()
    waits.join(10)
    assert answers == [False] * 1000


def test_ctrl_c_at_any_moment_of_a_call_leaves_it_usable() -> None:
    moments = 0
    for moment in range(1000):
        wakeup = Wakeup()
        if not is_interrupted(wakeup.call, moment):
            break
        moments += 1
        others = threading.Thread(target=wakeup.call, daemon=True)
        others.start()
        others.join(10)
        assert not others.is_alive(), moment
        assert wakeup.wait(0) is True
    assert 0 < moments < 1000
