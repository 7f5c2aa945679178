"""A call that another thread makes meanwhile."""

import os
import signal
import threading
import time

import pytest

from est_alan_scheduler._support.background_call import BackgroundCall


def test_it_is_made_meanwhile_by_another_thread() -> None:
    go = threading.Event()
    background_call = BackgroundCall(lambda: (go.wait(10), threading.current_thread()))
    go.set()
    found = background_call.result()
    assert found is not None
    assert (found[0], found[1] is threading.current_thread(), found[1].daemon) == (True, False, True)


def test_what_it_raises_is_raised_to_who_fetches_it() -> None:
    def fail() -> None:
        raise SystemExit("no")

    background_call = BackgroundCall(fail)
    with pytest.raises(SystemExit, match=r"^no$"):
        background_call.result()


def test_nobody_waits_longer_than_asked() -> None:
    go = threading.Event()
    background_call = BackgroundCall(lambda: go.wait(10))
    background_call.wait(0.001)
    assert not go.is_set()
    go.set()
    assert background_call.result() is True


def test_nobody_waits_for_what_was_fetched() -> None:
    background_call = BackgroundCall(lambda: time.sleep(0.02))
    background_call.result()
    began = time.monotonic()
    background_call.wait(10)
    assert time.monotonic() - began < 5


def test_ctrl_c_while_it_is_awaited_does_not_end_it() -> None:
    go, this = threading.Event(), threading.get_ident()
    background_call = BackgroundCall(lambda: go.wait(10))
    threading.Timer(0.02, signal.pthread_kill, (this, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        background_call.result()
    threading.Timer(0.02, go.set).start()
    background_call.wait(10)
    assert go.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_the_thread_of_its_parent() -> None:
    go = threading.Event()
    background_call = BackgroundCall(lambda: go.wait(10))
    child = os.fork()
    if child == 0:
        os._exit(0 if background_call.result() is None else 1)
    _, status = os.waitpid(child, 0)
    go.set()
    assert (status, background_call.result()) == (0, True)
