"""How a registry comes to share its tasks with all who use the same backend."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.cluster.functions import FunctionNames
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.runs.recorder import RunRecorder

if TYPE_CHECKING:
    from est_alan_scheduler.backends import Backend
    from est_alan_scheduler.cluster.session import ClusterSession

DEFAULT_LEASE = 30.0
_SHORTEST_LEASE, _LONGEST_LEASE = 0.1, 86_400.0


def check_lease(value: float) -> None:
    """Raise `ValueError` for what cannot be a lease in seconds."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not _SHORTEST_LEASE <= value <= _LONGEST_LEASE:
        raise ValueError(
            f"lease must be a number of seconds from {_SHORTEST_LEASE:g} to {_LONGEST_LEASE:g}, got {short_repr(value)}"
        )


def join(
    backend: "str | Backend",
    opened: "Backend | None",
    lease: float,
    recorder: RunRecorder,
    agenda: Agenda,
    names: FunctionNames,
    wake: Callable[[], None],
) -> "ClusterSession":
    """Share all tasks of a registry through `backend`, which is opened unless it is, and return the session of that.

    Raises `TypeError` or `ValueError` for what is no backend, or a task that it cannot take; `ImportError` if it needs
    an extra; `BackendUnavailableError`. Nothing is shared then.
    """
    from est_alan_scheduler.cluster.session import ClusterSession  # here, so that who has no backend imports none

    session = ClusterSession(_open(backend) if opened is None else opened, lease, recorder, agenda, names, wake)
    session.is_ours = isinstance(backend, str)
    try:
        session.replica.join(list(agenda.store.values()))
    except BaseException:
        session.replica.abandon()
        if session.is_ours and opened is None:
            session.backend.close()
        raise
    return session


def _open(backend: "str | Backend") -> "Backend":
    from est_alan_scheduler.backends import Backend, open_backend

    if isinstance(backend, str):
        return open_backend(backend)
    if not isinstance(backend, Backend):
        raise TypeError(f"backend must be a URL, a Backend or None, got {short_repr(backend)}")
    backend.open()
    return backend
