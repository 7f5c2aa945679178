"""Backends: stores of the state of tasks beyond a process."""

from est_alan_scheduler.backends.backend import Backend, BackendUnavailableError, ValueRefusedError
from est_alan_scheduler.backends.memory import MemoryBackend
from est_alan_scheduler.backends.url import open_backend

__all__ = ["Backend", "BackendUnavailableError", "MemoryBackend", "ValueRefusedError", "open_backend"]
