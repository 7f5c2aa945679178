"""Rows of nonsense in the store: whoever has written them, the tasks of others go on."""

import random

from est_alan_scheduler.backends.backend import Backend
from est_alan_scheduler.backends.rows import Change, Definition
from tests.backends.stores import Store

PREFIX = "nonsense-"
_TASK = '{"armed":null,"task":{"args":[0,0,""],"every":{"seconds":1},"func":"run"},"zone":null}'
_DEFINITIONS = (
    "{}",
    "[1]",
    "5",
    "null",
    "no JSON",
    '{"armed":null,"task":{},"zone":null}',
    '{"armed":null,"task":[],"zone":null}',
    '{"armed":"then","task":{"every":{"seconds":1},"func":"run"},"zone":5}',
    '{"armed":null,"task":{"every":{"seconds":1},"func":5},"zone":null}',
    '{"armed":null,"task":{"every":{"seconds":-1},"func":"run"},"zone":null}',
    '{"armed":null,"task":{"every":5,"func":"run","retry":[]},"zone":null}',
    "[" * 100_000 + "]" * 100_000,
)
_COLUMNS = (
    ("status", "banana"),
    ("last_run_at", str(2**62)),
    ("first_run_at", str(-(2**62))),
    ("retry_at", str(2**63 - 1)),
    ("epoch", str(2**63 - 1)),
    ("consumed", "[1]"),
    ("consumed", "no JSON"),
    ("result", "no JSON"),
    ("attempt", "-5"),
    ("version", str(2**63 - 1)),
)


class Nonsense:
    """The rows of nonsense of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._backend: Backend | None = None
        self._number = 0

    def put(self, chance: random.Random) -> tuple[str, str]:
        """Write one more row, and return its id, and what is wrong with it; `BackendUnavailableError`."""
        self._number += 1
        task_id = f"{PREFIX}{self._number}"
        self._backend = self._backend or self._store.open()
        if chance.random() < 0.5:
            text = chance.choice(_DEFINITIONS)
            self._backend.define([Definition(task_id, text, "hash")])
            return task_id, text[:40]
        field, value = chance.choice(_COLUMNS)
        if self._store.kind == "redis" and chance.random() < 0.3:
            field, value = "key", "a list"
        # Paused, so that nobody runs it before it is spoiled; the end of that tells all instances of the row.
        self._backend.define([Definition(task_id, _TASK, "hash", paused=True)])
        if field == "key":
            self._store.redis().delete(self._store.key(f"task:{task_id}"))
            self._store.redis().rpush(self._store.key(f"task:{task_id}"), value)
        else:
            self._store.spoil(task_id, field, value)
        self._backend.change([Change(task_id, paused=False)])
        return task_id, f"{field} = {value}"
