"""The journal: an account outside of the store, in one file. Each record is a line, and one `os.write`.

The file is opened with O_APPEND, so lines of many processes never mix, and a line that was written survives any
`kill -9`. Times are seconds of `time.monotonic`: on Linux one clock for all processes of a machine, which is never set.
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
    threads: int  # of its executor; 0: inline
    skew: float  # the error of its own clock, in seconds


class Died(NamedTuple):
    """A worker process has ended; written by its parent."""

    at: float
    instance: str
    status: int  # negative: the signal


class Pulse(NamedTuple):
    """A worker process is running, and not paused."""

    at: float
    instance: str


class Leased(NamedTuple):
    """An instance has renewed its lease: it holds until then, counted from before the request."""

    at: float
    instance: str
    owner: str
    until: float
    since: int  # when the unbroken renewals began, as the store says; only equality counts


class Claimed(NamedTuple):
    """An instance has claimed these runs: task and epoch. `at` is the moment of its request."""

    at: float
    instance: str
    owner: str
    runs: list[tuple[str, int]]


class Trouble(NamedTuple):
    """A request to the store, made at `since`, had no answer, or a slow one."""

    at: float
    instance: str
    since: float
    what: str


class Start(NamedTuple):
    """A function begins: its first act."""

    at: float
    instance: str
    pid: int
    task: str
    slot: int  # microseconds since 1970
    epoch: int
    attempt: int
    word: str = ""  # the argument that an update has given it


class End(NamedTuple):
    """A function ends: its last act."""

    at: float
    instance: str
    task: str
    epoch: int
    failed: bool


class Act(NamedTuple):
    """The nemesis acts, or one of its traps springs."""

    at: float
    instance: str  # or "" for the store
    what: str


class Managing(NamedTuple):
    """An instance is about to call a management method for a task, or for all of them."""

    at: float
    instance: str
    number: int  # counts the calls of this instance
    what: str  # the method of the registry
    task: str  # or "" for all of them
    word: str = ""  # the argument of an update


class Managed(NamedTuple):
    """The call has returned, or failed: then the change may have been made or not."""

    at: float
    instance: str
    number: int
    is_done: bool


Record = Born | Died | Pulse | Leased | Claimed | Trouble | Start | End | Act | Managing | Managed
_KINDS: dict[str, type[Record]] = {
    kind.__name__: kind for kind in (Born, Died, Pulse, Leased, Claimed, Trouble, Start, End, Act, Managing, Managed)
}


class Journal:
    """The file, for writing. Any thread may write: a line is one system call."""

    def __init__(self, path: str | Path) -> None:
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def write(self, record: Record) -> None:
        os.write(self._file, (json.dumps([type(record).__name__, *record]) + "\n").encode())

    def close(self) -> None:
        os.close(self._file)


class Reader:
    """The file, for reading while it is written."""

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self._position = 0

    def news(self) -> list[Record]:
        """Return the records since the last call, by time."""
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
