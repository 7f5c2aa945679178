"""The connection of a registry to a backend, through which it shares its tasks with other instances."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.cluster.codecs.functions import FunctionNames
from est_alan_scheduler.fields.checks import in_seconds
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.runs.observer import DeadRunRecorder

if TYPE_CHECKING:
    from est_alan_scheduler.backends import Backend
    from est_alan_scheduler.cluster.session import ClusterSession

DEFAULT_LEASE = 30.0
_SHORTEST_LEASE, _LONGEST_LEASE = 0.1, 86_400.0


def check_lease(value: float | timedelta) -> float:
    """Return a lease in seconds; raise `ValueError` for a value that is none, or too small or large a one."""
    seconds = in_seconds(value)
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if not is_number or not _SHORTEST_LEASE <= seconds <= _LONGEST_LEASE:
        raise InvalidValueError(
            f"lease must be a number of seconds from {_SHORTEST_LEASE:g} to {_LONGEST_LEASE:g}, or a timedelta, got "
            f"{short_repr(value)}"
        )
    return seconds  # type: ignore[no-any-return]  # a number


def join(
    backend: "str | Backend",
    opened: "Backend | None",
    lease: float,
    recorder: DeadRunRecorder,
    agenda: Agenda,
    names: FunctionNames,
    wake: Callable[[], None],
    former: "ClusterSession | None" = None,
    is_observer: bool = False,
) -> "ClusterSession":
    """Share the tasks of a registry through `backend`, which is opened unless it is, and return the session of that.

    Those that only other instances of the `former` session have registered stay out of it, and what code said of the
    others is known from there. Raises `TypeError` or `ValueError` for a value that is no backend, or a task that it
    cannot take; `ImportError` if it needs an extra; `BackendUnavailableError`. Nothing is shared then.
    """
    from est_alan_scheduler.cluster.session import ClusterSession  # here: a registry without a backend imports none

    opened_here = _open(backend, is_observer) if opened is None else opened
    session = ClusterSession(opened_here, lease, recorder, agenda, names, wake, is_observer)
    session.is_ours = isinstance(backend, str)
    adopted = set[str]() if former is None else set(former.records.adopted_ids())
    session.replica.registered = {} if former is None else former.records.registered()
    try:
        session.registrations.join(task for task in list(agenda.store.values()) if task.id not in adopted)
        with recorder.lock:
            session.replica.order.is_outdated = True
            session.replica.order.restore()
    except BaseException:
        session.replica.abandon()
        if session.is_ours and opened is None:
            session.backend.close()
        raise
    return session


def _open(backend: "str | Backend", is_observer: bool) -> "Backend":
    from est_alan_scheduler.backends import Backend, open_backend

    if isinstance(backend, str):
        return open_backend(backend, upgrade=not is_observer)
    if not isinstance(backend, Backend):
        raise InvalidTypeError(f"backend must be a URL, a Backend or None, got {short_repr(backend)}")
    backend.open()
    return backend
