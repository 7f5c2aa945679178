"""What the tests of executors run: functions that a worker process can import."""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from est_alan_scheduler import CurrentRun, current_run


def add(x: int, y: int) -> int:
    return x + y


def boom() -> None:
    raise ValueError("boom")


def leave() -> None:
    raise SystemExit(3)


class OddError(Exception):
    """It can be pickled, but not loaded: that calls `__init__` with one argument."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def fail_oddly() -> None:
    raise OddError("this", "that")


def take(dep_source: Any) -> list[Any]:
    return [dep_source]


def look() -> CurrentRun | None:
    return current_run()


async def look_later() -> CurrentRun | None:
    await asyncio.sleep(0)
    return current_run()


def process_id() -> int:
    return os.getpid()


def kill_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def give_back(value: Any) -> Any:
    return value


def make_lock() -> Any:
    return threading.Lock()


def make_lambda() -> Any:
    return lambda: None


class Unloadable:
    """It can be pickled, but loading it fails."""

    def __reduce__(self) -> Any:
        return boom, ()


def make_unloadable() -> Unloadable:
    return Unloadable()


def hold(folder: str, name: str = "hold") -> str:
    """Note the start, wait until the test lets it go, note the end."""
    with open(Path(folder) / f"{name}.started", "a") as started:
        started.write("x")
    give_up_at = time.monotonic() + 60
    while not (Path(folder) / f"{name}.go").exists() and time.monotonic() < give_up_at:
        time.sleep(0.002)
    with open(Path(folder) / f"{name}.ended", "a") as ended:
        ended.write("x")
    return name


def count(folder: str, what: str, name: str = "hold") -> int:
    """Return how often `hold` has noted something."""
    path = Path(folder) / f"{name}.{what}"
    return len(path.read_text()) if path.exists() else 0


def release_unstarted(folder: str, name: str = "hold") -> None:
    (Path(folder) / f"{name}.go").touch()


EPOCHS: list[int | None] = []


def note_epoch() -> None:
    """Note in EPOCHS, which the test clears, the number of this run."""
    run = current_run()
    EPOCHS.append(run and run.epoch)
