"""A wakeup of the one thread that waits."""

import threading

import pytest

from est_alan_scheduler._support.wakeup import Wakeup
from tests.ways import is_interrupted


def test_a_call_wakes_the_waiting_thread() -> None:
    wakeup, woken = Wakeup(), []
    waits = threading.Thread(target=lambda: woken.append(wakeup.wait(10)))
    waits.start()
    wakeup.call()
    waits.join(10)
    assert woken == [True]


def test_earlier_calls_end_one_wait_at_once() -> None:
    wakeup = Wakeup()
    wakeup.call()
    wakeup.call()
    assert [wakeup.wait(10), wakeup.wait(0)] == [True, False]


@pytest.mark.parametrize("timeout", [0, -1, -5.0, 1e-9, 1e-6])
def test_a_wait_with_an_expired_timeout_ends(timeout: float) -> None:
    answers: list[bool] = []
    waits = threading.Thread(target=lambda: answers.extend(Wakeup().wait(timeout) for _ in range(1000)), daemon=True)
    waits.start()
    waits.join(10)
    assert answers == [False] * 1000


def test_a_call_that_is_interrupted_at_any_moment_leaves_the_wakeup_usable() -> None:
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
