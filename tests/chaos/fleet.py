"""The worker processes: to start, pause, kill and stop them, and to notice their deaths."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.journal import Died, Journal
from tests.chaos.worker import Config

_ROOT = Path(__file__).parents[2]
HOUR = 3600.0


class Fleet:
    """Places, each with a worker process. Its name is the number of its place, and how often that was filled.

    `urls` has the URL of the store for each place.
    """

    def __init__(
        self, urls: list[str], config: Config, threads: tuple[int, ...], skews: bool, directory: Path, journal: Journal
    ) -> None:
        self._urls = urls
        self._config = config
        self._threads = threads
        self._skews = (0.0, HOUR, -HOUR) if skews else (0.0,)
        self._errors = open(directory / "stderr", "ab")  # noqa: SIM115  # `close` closes it
        self._journal = journal
        self._processes: dict[int, subprocess.Popen[str]] = {}
        self._names: dict[int, str] = {}
        self._fills = [0] * len(urls)
        self.paused: set[int] = set()

    def __len__(self) -> int:
        return len(self._urls)

    def name(self, place: int) -> str:
        return self._names[place]

    def is_there(self, place: int) -> bool:
        return place in self._processes

    def fill(self, place: int, chance: random.Random) -> None:
        """Start a worker process in a place, with a random error of its clock."""
        self._fills[place] += 1
        self._names[place] = f"{place}.{self._fills[place]}"
        config = self._config._replace(
            url=self._urls[place],
            instance=self._names[place],
            threads=self._threads[place % len(self._threads)],
            skew=chance.choice(self._skews),
        )
        self._processes[place] = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.worker", json.dumps(config._asdict())],
            stdin=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=_ROOT,
            env={**os.environ, "TZ": "UTC"},
            start_new_session=True,  # so that a Ctrl+C is for the harness alone
        )

    def send(self, place: int, command: str) -> None:
        """Send a command to the worker in a place, unless it is gone."""
        pipe = self._processes[place].stdin
        assert pipe is not None
        try:
            pipe.write(command + "\n")
            pipe.flush()
        except BrokenPipeError:
            return

    def signal(self, place: int, number: signal.Signals) -> None:
        if self.is_there(place):
            self._processes[place].send_signal(number)

    def pause(self, place: int) -> None:
        self.signal(place, signal.SIGSTOP)
        self.paused.add(place)

    def resume(self, place: int) -> None:
        self.paused.discard(place)
        self.signal(place, signal.SIGCONT)

    def kill(self, place: int) -> None:
        self.signal(place, signal.SIGKILL)

    def reap(self) -> list[int]:
        """Note which workers have died, and return their places."""
        gone = [place for place, process in self._processes.items() if process.poll() is not None]
        for place in gone:
            process = self._processes.pop(place)
            self.paused.discard(place)
            self._journal.write(Died(time.monotonic(), self._names[place], process.returncode))
            if process.stdin is not None:
                _ignoring_broken_pipes(process.stdin.close)
        return gone

    def stop(self, timeout: float) -> None:
        """Stop all workers gracefully; kill those that are left after so many seconds."""
        for place in list(self._processes):
            self.send(place, "stop")
        deadline = time.monotonic() + timeout
        while self._processes and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.02)
        self.close()

    def close(self) -> None:
        """Kill all workers that are left."""
        for place, process in list(self._processes.items()):
            self.kill(place)
            process.wait(60)
        self.reap()
        if not self._errors.closed:
            self._errors.close()


def _ignoring_broken_pipes(close: Callable[[], Any]) -> None:
    try:
        close()
    except BrokenPipeError:
        return
