"""Functions for tests to run, importable by a worker process."""

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


def exit_with_3() -> None:
    raise SystemExit(3)


class OddError(Exception):
    """An error that can be pickled but not loaded: loading calls `__init__` with one argument."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def fail_oddly() -> None:
    raise OddError("this", "that")


def take(dep_source: Any) -> list[Any]:
    return [dep_source]


def get_current_run() -> CurrentRun | None:
    return current_run()


async def current_run_async() -> CurrentRun | None:
    await asyncio.sleep(0)
    return current_run()


def process_id() -> int:
    return os.getpid()


def kill_worker() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def echo(value: Any) -> Any:
    return value


def make_lock() -> Any:
    return threading.Lock()


def make_lambda() -> Any:
    return lambda: None


class Unloadable:
    """An object that can be pickled but not loaded."""

    def __reduce__(self) -> Any:
        return boom, ()


def make_unloadable() -> Unloadable:
    return Unloadable()


def hold(folder: str, name: str = "hold") -> str:
    """Record the start, wait for `release_unstarted`, record the end."""
    with open(Path(folder) / f"{name}.started", "a") as started:
        started.write("x")
    give_up_at = time.monotonic() + 60
    while not (Path(folder) / f"{name}.go").exists() and time.monotonic() < give_up_at:
        time.sleep(0.002)
    with open(Path(folder) / f"{name}.ended", "a") as ended:
        ended.write("x")
    return name


def count(folder: str, what: str, name: str = "hold") -> int:
    """Return how often `hold` has recorded an event."""
    path = Path(folder) / f"{name}.{what}"
    return len(path.read_text()) if path.exists() else 0


def release_unstarted(folder: str, name: str = "hold") -> None:
    (Path(folder) / f"{name}.go").touch()


EPOCHS: list[int | None] = []


def note_epoch() -> None:
    """Append the epoch of this run to EPOCHS, which the test clears."""
    run = current_run()
    EPOCHS.append(run and run.epoch)


def take_result(*_: Any, **results: Any) -> list[Any]:
    """Return the results of other tasks."""
    return list(results.values())
