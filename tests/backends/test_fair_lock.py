"""The fair lock of a file: first in, first out."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from est_alan_scheduler.backends.sql.fair_lock import FairLock, fair_lock
from tests.backends.stores import Servers


def queue_up(lock: FairLock, number: int, seconds: float, seen: list[int]) -> threading.Thread:
    """Start a thread that waits for the lock, and return when it waits."""

    def wait_for_lock() -> None:
        try:
            with lock.hold(seconds):
                seen.append(number)
        except TimeoutError:
            seen.append(-number)

    before = len(lock._queue)
    thread = threading.Thread(target=wait_for_lock)
    thread.start()
    while len(lock._queue) == before and thread.is_alive():
        time.sleep(0.001)
    return thread


def test_waiters_get_the_lock_in_the_order_in_which_they_asked() -> None:
    lock, seen = FairLock(), list[int]()
    with lock.hold(0):
        threads = [queue_up(lock, number, 60, seen) for number in range(1, 6)]
    for thread in threads:
        thread.join()
    assert seen == [1, 2, 3, 4, 5]


def test_a_waiter_that_times_out_leaves_the_queue() -> None:
    lock, seen = FairLock(), list[int]()
    with lock.hold(0):
        queue_up(lock, 1, 0, seen).join()
        last = queue_up(lock, 2, 60, seen)
        with pytest.raises(TimeoutError, match=r"^the lock was not free within 0 s$"), lock.hold(0):
            pass
    last.join()
    assert seen == [-1, 2]


def test_an_exception_inside_releases_the_lock() -> None:
    lock = FairLock()
    with pytest.raises(KeyError), lock.hold(0):
        raise KeyError
    with lock.hold(0):
        pass


def test_an_interrupted_waiter_leaves_the_queue() -> None:
    lock = FairLock()
    done = threading.Event()

    def hold_until_waited_for() -> None:
        with lock.hold(0):
            while len(lock._queue) < 2:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)
            done.wait(60)

    thread = threading.Thread(target=hold_until_waited_for)
    thread.start()
    while not lock._queue:
        time.sleep(0.001)
    with pytest.raises(KeyboardInterrupt), lock.hold(60):
        pass
    done.set()
    thread.join()
    with lock.hold(0):
        pass


def test_a_file_has_one_lock() -> None:
    assert fair_lock("/a") is fair_lock("/a") is not fair_lock("/b")


@pytest.mark.slow
def test_none_of_many_writers_of_a_file_starves(servers: Servers, tmp_path: Path) -> None:
    store = servers.store("sqlite", tmp_path)
    backends = [store.open() for _ in range(8)]
    left = iter(range(800))  # writes, shared by all threads
    counts = [0] * 8
    barrier = threading.Barrier(8)

    def write(number: int) -> None:
        barrier.wait(60)
        for _ in left:
            backends[number].renew(f"owner {number}", 60)
            counts[number] += 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    store.close()
    assert (sum(counts), min(counts) > 50) == (800, True), counts
