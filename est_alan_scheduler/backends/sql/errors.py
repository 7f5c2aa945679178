"""Errors of databases, told apart by their codes: SQLSTATE, and the error codes of SQLite."""

import sqlite3

from est_alan_scheduler.backends.backend import BackendUnavailableError, ValueRefusedError

_REFUSED_CLASSES = ("22", "23", "54")  # of SQLSTATE: data, integrity, limits of the program
_MISFITS = ("42", "3F")  # syntax or access rules, schemas
_CONFLICTS = ("40001", "40P01")  # a serialization failure, a deadlock
_REFUSED = (sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH)
_LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class TransactionConflictError(BackendUnavailableError):
    """Another transaction was first: the same operation may succeed at once."""


def store_error(url: str, error: BaseException) -> BackendUnavailableError:
    """Return the error of a backend for one of SQLAlchemy or of a driver; all that is not told apart is an outage."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    return _kind(cause)(f"{url}: {_in_one_line(cause)}{f' (SQLSTATE {state})' if state else ''}")


def needs_new_connections(error: BaseException) -> bool:
    """Return whether the present connections may be of no use: the server is a stand-by, the file was replaced.

    An error without a code is one of the driver: it knows by itself whether a connection is lost.
    """
    has_code = bool(getattr(error, "sqlstate", None) or _code(error))
    return has_code and _kind(error) is BackendUnavailableError and not is_locked(error)


def _kind(cause: BaseException) -> type[BackendUnavailableError]:
    state = getattr(cause, "sqlstate", None) or ""
    if state in _CONFLICTS:
        return TransactionConflictError
    if state[:2] in _REFUSED_CLASSES or isinstance(cause, OverflowError | UnicodeError) or _code(cause) in _REFUSED:
        return ValueRefusedError
    return BackendUnavailableError


def is_locked(error: BaseException) -> bool:
    """Return whether others have the lock of a file, so that it helps to wait."""
    return _code(getattr(error, "orig", None) or error) in _LOCKED


def is_damaged(error: BaseException | None) -> bool:
    """Return whether a file is no database of SQLite, or a damaged one."""
    return error is not None and _code(getattr(error, "orig", None) or error) in _DAMAGED


def is_misfit(error: BaseException | None) -> bool:
    """Return whether a statement is wrong for what is there: tables of another program, or a right that is missing."""
    cause = getattr(error, "orig", None)
    return (getattr(cause, "sqlstate", None) or "")[:2] in _MISFITS or _code(cause) == sqlite3.SQLITE_ERROR


def _code(error: BaseException | None) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the other bits are details


def _in_one_line(error: BaseException) -> str:
    diagnosis = getattr(error, "diag", None)
    text = getattr(diagnosis, "message_primary", None) or str(error)  # without the statement
    return " ".join(text.split())
