"""Executors and small programs for the tests of this folder."""

import multiprocessing
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from est_alan_scheduler import Task, TaskRegistry
from tests.ways import wait_until

HOUR = {"hours": 1}


def spawn() -> ProcessPoolExecutor:
    """Return a pool of one spawned process."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def run(registry: TaskRegistry, *tasks: Task) -> None:
    """Start all tasks that are due, and wait for an outcome of each of `tasks`."""
    before = [len(task.history) for task in tasks]
    registry.tick()
    wait_until(lambda: all(len(task.history) > old for task, old in zip(tasks, before, strict=True)))


def counting_factory() -> tuple[Callable[[], Executor], list[Executor]]:
    """Return a factory of thread pools, and the list of the pools that it has made."""
    made: list[Executor] = []

    def make() -> Executor:
        made.append(ThreadPoolExecutor(1))
        return made[-1]

    return make, made


class Manual(Executor):
    """An executor that makes the next call when the test calls `step`."""

    def __init__(self) -> None:
        self.calls: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        self.calls.append((future, lambda: fn(*args, **kwargs)))
        return future

    def step(self) -> None:
        future, call = self.calls.pop(0)
        future.set_result(call())


def run_program(script: str, folder: Path) -> tuple[int, str, str]:
    """Run a program; return its exit code, its output and its errors."""
    path = folder / "program.py"
    path.write_text(textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr
