"""Backends by URL, their libraries imported on demand."""

import os
import re
from collections.abc import Callable
from importlib import import_module

from est_alan_scheduler._support.errors import InvalidValueError, MissingExtraError, WrongStateError
from est_alan_scheduler._support.text import error_text, one_line, short_repr
from est_alan_scheduler.backends.address import Address
from est_alan_scheduler.backends.backend import DEFAULT_NAME, Backend, BackendUnavailableError, ValueRefusedError
from est_alan_scheduler.backends.sql.errors import is_misfit

_KNOWN = "sqlite:///tasks.db, postgresql+psycopg://user:password@host/database, redis://host:6379/0 or valkey://…"
_POSTGRES, _REDIS = ("postgresql+psycopg", "postgresql", "postgres"), ("redis", "rediss", "valkey", "valkeys")


def open_backend(
    url: str, name: str = DEFAULT_NAME, clock: Callable[[], int] | None = None, *, upgrade: bool = True
) -> Backend:
    """Return the backend of a URL, opened: its tables or keys exist.

    `sqlite:///relative.db`, `sqlite:////absolute.db`: all that follows `sqlite:///` is the path, as it is. `%20` and
    `?` are part of it. Only `?name=value` is refused, because it looks like an option, and there is none.

    `postgresql+psycopg://user:password@host:5432/database?option=value` (or `postgresql://…`, `postgres://…`),
    `redis://user:password@host:6379/0?option=value` (or `rediss://…`, `valkey://…`, `valkeys://…`): in a user name or a
    password, `/`, `?`, `#`, `@` and `%` are written `%2F`, `%3F`, `%23`, `%40` and `%25`. Options are those of libpq
    and `prepare_threshold`, or those of redis-py that change no answers. No message shows a password.

    `name` is the prefix of all tables and keys: different names are different task lists. `clock` replaces the store's,
    for tests. Without `upgrade`, a store of a former version of this package is refused, and not brought up to date:
    for an observer, because instances of that version could not open it any more.

    Raises ValueError for another URL or a bad name, ImportError if an extra is missing, RuntimeError for a store that
    cannot be used, `BackendUnavailableError` if it does not answer.
    """
    backend = _backend(url, name, clock)
    backend.may_upgrade = upgrade
    try:
        backend.open()
    except Exception as error:
        backend.close()
        if isinstance(error, InvalidValueError | WrongStateError):
            raise
        raise _documented(error, backend, name) from error
    except BaseException:
        backend.close()
        raise
    return backend


def _documented(error: Exception, backend: Backend, name: str) -> Exception:
    """Return an error of one of the documented kinds, which says what to do."""
    text = str(error) if isinstance(error, BackendUnavailableError) else f"{backend.url}: {error_text(error)}"
    if is_misfit(error.__cause__):
        remedy = f"give the backend another name, or this user the right to create and change what begins with {name}_"
        return WrongStateError(f"{text}; {remedy}")
    is_outage = isinstance(error, BackendUnavailableError) and not isinstance(error, ValueRefusedError)
    return (BackendUnavailableError if is_outage else WrongStateError)(f"{text}; {backend.hint}")


def _backend(url: str, name: str, clock: Callable[[], int] | None) -> Backend:
    scheme = url.partition("://")[0].lower() if isinstance(url, str) and "://" in url else ""
    if scheme == "sqlite":
        backend = _load("SqliteBackend", "sql.sqlite", "sql", "sqlalchemy")
        return backend(sqlite_path(url.partition("://")[2]), name, clock)
    if scheme in _POSTGRES:
        backend = _load("PostgresBackend", "sql.postgres", "postgres", "sqlalchemy", "psycopg")
        return backend(Address(url, _POSTGRES[0]), name, clock)
    if scheme in _REDIS:
        backend = _load("RedisBackend", "redis.backend", "redis", "redis")
        return backend(Address(url, scheme.replace("valkey", "redis")), name, clock)
    raise InvalidValueError(f"no backend for {_asked(url, scheme)}; available: {_KNOWN}")


def _asked(url: object, scheme: str) -> str:
    """Return the part of a URL that cannot contain a password."""
    if not isinstance(url, str):
        return "None" if url is None else f"an object of {type(url).__name__}: it must be a str"
    if re.fullmatch(r"[a-z][a-z0-9+.-]{,40}", scheme):
        return f"{scheme}://…"
    start = url.partition(":")[0]
    return short_repr(start) if re.fullmatch(r"[\w.+ -]{,40}", start) else "this text"


def sqlite_path(rest: str) -> str:
    """Return the path of a file in what follows `sqlite://`."""
    shown, path = f"sqlite://{one_line(rest)}", rest[1:]
    if path in ("", ":memory:") or path.startswith("file:"):
        raise InvalidValueError(
            f"{shown}: state has to be in a file, like sqlite:///tasks.db; for state in this process, pass"
            " MemoryBackend() of est_alan_scheduler.backends"
        )
    if not rest.startswith("/"):
        raise InvalidValueError(f"{shown}: a path begins after the third slash, like sqlite:///tasks.db")
    if re.search(r"\?\w+=", path):
        options = ", ".join(map(repr, re.findall(r"[?&](\w+)=", path)))
        raise InvalidValueError(f"{shown}: nothing can follow the path of the file, got {options}")
    try:
        is_path = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_path = False
    if not is_path:
        raise InvalidValueError(f"{shown}: no path contains a NUL, or half a surrogate pair")
    return path


def _load(name: str, module: str, extra: str, *libraries: str) -> Callable[..., Backend]:
    """Return the class of a backend, its libraries imported; each failure of theirs is an ImportError."""
    for library in libraries:
        try:
            import_module(library)
        except ModuleNotFoundError as error:
            if error.name != library:
                raise _broken(library, extra, error) from error
            raise MissingExtraError(
                f'this backend needs {library}: pip install "est-alan-scheduler[{extra}]"'
            ) from error
        except Exception as error:
            raise _broken(library, extra, error) from error
    try:
        found: Callable[..., Backend] = getattr(import_module(f"est_alan_scheduler.backends.{module}"), name)
    except ImportError as error:  # of a library too old to have what is imported
        raise _broken(" or ".join(libraries), extra, error) from error
    return found


def _broken(library: str, extra: str, error: Exception) -> MissingExtraError:
    remedy = f'pip install --upgrade --force-reinstall "est-alan-scheduler[{extra}]"'
    return MissingExtraError(f"{library} is installed, but cannot be imported ({short_repr(error)}): {remedy}")
