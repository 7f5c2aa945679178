"""FairLock at a file: first in, first out."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from est_alan_scheduler.backends.sql.fair_lock import FairLock, fair_lock
from tests.backends.stores import Servers


def queue_up(turns: FairLock, number: int, seconds: float, seen: list[int]) -> threading.Thread:
    """Let a thread wait for a turn, and return when it does."""

    def wait() -> None:
        try:
            with turns.take(seconds):
                seen.append(number)
        except TimeoutError:
            seen.append(-number)

    before = len(turns._queue)
    thread = threading.Thread(target=wait)
    thread.start()
    while len(turns._queue) == before and thread.is_alive():
        time.sleep(0.001)
    return thread


def test_they_come_in_the_order_in_which_they_were_asked_for() -> None:
    turns, seen = FairLock(), list[int]()
    with turns.take(0):
        threads = [queue_up(turns, number, 60, seen) for number in range(1, 6)]
    for thread in threads:
        thread.join()
    assert seen == [1, 2, 3, 4, 5]


def test_who_waits_for_too_long_leaves_the_queue() -> None:
    turns, seen = FairLock(), list[int]()
    with turns.take(0):
        queue_up(turns, 1, 0, seen).join()
        last = queue_up(turns, 2, 60, seen)
        with pytest.raises(TimeoutError, match=r"^no turn came within 0 s$"), turns.take(0):
            pass
    last.join()
    assert seen == [-1, 2]


def test_what_is_raised_in_a_turn_ends_it() -> None:
    turns = FairLock()
    with pytest.raises(KeyError), turns.take(0):
        raise KeyError
    with turns.take(0):
        pass


def test_who_is_interrupted_while_waiting_leaves_the_queue() -> None:
    turns = FairLock()
    done = threading.Event()

    def hold() -> None:
        with turns.take(0):
            while not turns._queue:
                time.sleep(0.001)
            os.kill(os.getpid(), signal.SIGINT)
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    while not turns._is_taken:
        time.sleep(0.001)
    with pytest.raises(KeyboardInterrupt), turns.take(60):
        pass
    done.set()
    thread.join()
    with turns.take(0):
        pass


def test_a_file_has_one_queue() -> None:
    assert fair_lock("/a") is fair_lock("/a") is not fair_lock("/b")


@pytest.mark.slow
def test_of_many_that_write_one_file_none_starves(servers: Servers, tmp_path: Path) -> None:
    store = servers.store("sqlite", tmp_path)
    backends = [store.open() for _ in range(8)]
    left = iter(range(800))  # writes, for whoever gets to it
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
