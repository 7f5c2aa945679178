"""The account of what happened, in one file outside of the store: each record is a line, and one `os.write`.

The file is opened with O_APPEND, so lines of many processes never mix, and a line that was written survives any
`kill -9`. Times are seconds of `time.monotonic`: on Linux one clock for all processes of a machine, which nobody sets.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple


class Born(NamedTuple):
    """A worker process begins."""

    at: float
    instance: str
    pid: int
    threads: int  # of its executor; 0: runs go on inline
    skew: float  # seconds by which its own clock is wrong


class Died(NamedTuple):
    """A worker process has ended; written by who has waited for it."""

    at: float
    instance: str
    status: int  # negative: the signal


class Pulse(NamedTuple):
    """A worker process gets to run."""

    at: float
    instance: str


class Leased(NamedTuple):
    """What an instance was told of its lease: that it holds until then, counted from before the question."""

    at: float
    instance: str
    owner: str
    until: float
    since: int  # since when it has never expired, as the store says; any number that stays the same


class Claimed(NamedTuple):
    """An instance was told that it has won these runs: task and epoch. `at` is when it asked."""

    at: float
    instance: str
    owner: str
    runs: list[tuple[str, int]]


class Trouble(NamedTuple):
    """A question to the store, asked at `since`, had no answer, or a slow one."""

    at: float
    instance: str
    since: float
    what: str


class Start(NamedTuple):
    """A function begins; the first thing that it does."""

    at: float
    instance: str
    pid: int
    task: str
    slot: int  # microseconds since 1970
    epoch: int
    attempt: int
    word: str = ""  # the argument that an update has given it


class End(NamedTuple):
    """A function ends; the last thing that it does."""

    at: float
    instance: str
    task: str
    epoch: int
    failed: bool


class Act(NamedTuple):
    """The nemesis does something, or a trap that it has set springs."""

    at: float
    instance: str  # or "", if it is about the store
    what: str


class Managing(NamedTuple):
    """An instance is about to manage a task, or all of them."""

    at: float
    instance: str
    number: int  # of what this instance does
    what: str  # the method of the registry
    task: str  # or "", for all of them
    word: str = ""  # the argument that an update gives


class Managed(NamedTuple):
    """It has done so, or failed to: then it may have been done or not."""

    at: float
    instance: str
    number: int
    is_done: bool


Record = Born | Died | Pulse | Leased | Claimed | Trouble | Start | End | Act | Managing | Managed
_KINDS: dict[str, type[Record]] = {
    kind.__name__: kind for kind in (Born, Died, Pulse, Leased, Claimed, Trouble, Start, End, Act, Managing, Managed)
}


class Journal:
    """The file, to be written. Any thread may: a line is one call to the system."""

    def __init__(self, path: str | Path) -> None:
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def write(self, record: Record) -> None:
        os.write(self._file, (json.dumps([type(record).__name__, *record]) + "\n").encode())

    def close(self) -> None:
        os.close(self._file)


class Reader:
    """The file, read on and on while it is written."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._position = 0

    def news(self) -> list[Record]:
        """Return what was written since the last time, by time."""
        with open(self._path, "rb") as file:
            file.seek(self._position)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        self._position += len(data)
        records: list[Record] = []
        for line in data.splitlines():
            kind, *fields = json.loads(line)
            records.append(_KINDS[kind](*fields))
        return sorted(records, key=lambda record: record.at)


def read(path: str | Path) -> list[Record]:
    """Return all records, by time."""
    return Reader(path).news()
