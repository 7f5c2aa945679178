"""A call that another thread makes meanwhile."""

import os
import signal
import threading
import time

import pytest

from est_alan_scheduler._support.background_call import Errand


def test_it_is_made_meanwhile_by_another_thread() -> None:
    go = threading.Event()
    errand = Errand(lambda: (go.wait(10), threading.current_thread()))
    go.set()
    found = errand.result()
    assert found is not None
    assert (found[0], found[1] is threading.current_thread(), found[1].daemon) == (True, False, True)


def test_what_it_raises_is_raised_to_who_fetches_it() -> None:
    def fail() -> None:
        raise SystemExit("no")

    errand = Errand(fail)
    with pytest.raises(SystemExit, match=r"^no$"):
        errand.result()


def test_nobody_waits_longer_than_asked() -> None:
    go = threading.Event()
    errand = Errand(lambda: go.wait(10))
    errand.wait(0.001)
    assert not go.is_set()
    go.set()
    assert errand.result() is True


def test_nobody_waits_for_what_was_fetched() -> None:
    errand = Errand(lambda: time.sleep(0.02))
    errand.result()
    began = time.monotonic()
    errand.wait(10)
    assert time.monotonic() - began < 5


def test_ctrl_c_while_it_is_awaited_does_not_end_it() -> None:
    go, this = threading.Event(), threading.get_ident()
    errand = Errand(lambda: go.wait(10))
    threading.Timer(0.02, signal.pthread_kill, (this, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        errand.result()
    threading.Timer(0.02, go.set).start()
    errand.wait(10)
    assert go.is_set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_the_thread_of_its_parent() -> None:
    go = threading.Event()
    errand = Errand(lambda: go.wait(10))
    child = os.fork()
    if child == 0:
        os._exit(0 if errand.result() is None else 1)
    _, status = os.waitpid(child, 0)
    go.set()
    assert (status, errand.result()) == (0, True)
