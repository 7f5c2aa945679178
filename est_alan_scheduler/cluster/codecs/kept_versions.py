"""The versions of tasks that pages show. One that takes long is kept: the `repr` of an argument is user code."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from operator import is_
from typing import Any, NamedTuple

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.cluster.codecs.definitions import DEFINING
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.cluster.codecs.versions import version_of
from est_alan_scheduler.task import Task

SHARE = 20
"""A version is kept for so many times as long as all kept versions together took to make."""
LONGEST = 10.0
"""Seconds for which a version is kept at most. An argument that was changed in place is noticed then."""
_SLOW = 0.002  # seconds: versions that are made faster are made anew each time
_MOST_KEPT = 2_000
_FORGOTTEN_AFTER = 30.0  # seconds: their arguments, also of tasks that have gone, are kept up to then
_FIELDS = sorted(DEFINING | {"paused"})

_Basis = tuple[str | None, dict[str, Any]]


class _Kept(NamedTuple):
    basis: _Basis
    version: str
    made_at: float
    seconds: float


class _Making(NamedTuple):
    basis: _Basis
    began_at: float
    end: threading.Event


class KeptVersions:
    """The versions of the tasks of one registry. `_lock` guards them; no user code is called under it."""

    def __init__(
        self, names: FunctionNames, read_clock: Callable[[], float] = monotonic, patience: float = 0.5
    ) -> None:
        self._names = names
        self._read_clock = read_clock
        self._patience = patience
        self._lock = threading.RLock()  # a finalizer may ask for a page
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # by id, the one made last at the end
        self._seconds = 0.0  # that all of them took
        self._making: dict[str, _Making] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, task: Task, is_fresh: bool = False) -> str:
        """Return the version of a task, or of a copy of one.

        If another thread has been making it for long, that is the former one if there is one, else an empty text: a
        `repr` that never returns takes one thread. `is_fresh`: it is none that was kept.
        """
        while True:
            basis = _basis_of(task, self._names)
            former = None if is_fresh else self._former(task.id, basis)
            if former is not None and self._is_new(former):
                return former.version
            making, is_mine = self._begin(task.id, basis)
            if is_mine:
                return self._make(task, making)
            if not making.end.wait(max(making.began_at + self._patience - self._read_clock(), 0)):
                return "" if former is None else former.version

    def _former(self, task_id: str, basis: _Basis) -> _Kept | None:
        with self._lock:
            self._forget()
            kept = self._kept.get(task_id)
        return kept if kept is not None and _is_same(kept.basis, basis) else None

    def _is_new(self, kept: _Kept) -> bool:
        return self._read_clock() < kept.made_at + min(self._seconds * SHARE, LONGEST)

    def _begin(self, task_id: str, basis: _Basis) -> tuple[_Making, bool]:
        """Return who makes a version, and whether that is the caller. Another definition has another one."""
        with self._lock:
            making = self._making.get(task_id)
            if making is not None and _is_same(making.basis, basis):
                return making, False
            making = self._making[task_id] = _Making(basis, self._read_clock(), threading.Event())
            return making, True

    def _make(self, task: Task, making: _Making) -> str:
        kept = None
        try:
            version = version_of(task, self._names)
            now = self._read_clock()
            kept = _Kept(making.basis, version, now, now - making.began_at)
            return version
        finally:
            with self._lock:
                if self._making.get(task.id) is making:
                    del self._making[task.id]
                    self._keep(task.id, kept)
            making.end.set()

    def _keep(self, task_id: str, kept: _Kept | None) -> None:
        former = self._kept.pop(task_id, None)
        self._seconds -= 0.0 if former is None else former.seconds
        if kept is not None and kept.seconds > _SLOW:
            self._kept[task_id] = kept
            self._seconds += kept.seconds
        self._forget()

    def _forget(self) -> None:
        latest = self._read_clock() - _FORGOTTEN_AFTER
        while self._kept and (len(self._kept) > _MOST_KEPT or next(iter(self._kept.values())).made_at < latest):
            self._seconds -= self._kept.popitem(last=False)[1].seconds


def _basis_of(task: Task, names: FunctionNames) -> _Basis:
    """Return what a version depends on: the fields of a task, and the name that its function has here."""
    fields = task.__dict__.copy()
    return names.kept_name(fields["func"]), fields


def _is_same(basis: _Basis, other: _Basis) -> bool:
    """Return whether the objects are the same ones. Nothing of theirs is called."""
    (name, fields), (other_name, others) = basis, other
    return name == other_name and all(_is_equal(fields.get(field), others.get(field)) for field in _FIELDS)


def _is_equal(value: Any, other: Any) -> bool:
    """Return whether it is the same object, or a copy with the same ones: a copy of a task has such lists and dicts."""
    if value is other or type(value) is not type(other):
        return value is other
    if type(value) is dict:
        return value.keys() == other.keys() and all(map(is_, value.values(), other.values()))
    return type(value) is list and len(value) == len(other) and all(map(is_, value, other))
