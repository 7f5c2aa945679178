"""Backends by URL, their libraries imported on demand."""

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.backends.backend import DEFAULT_NAME, Backend

_KNOWN = "sqlite:///tasks.db, postgresql+psycopg://user:password@host/database, redis://host:6379/0 or valkey://…"


def open_backend(url: str, name: str = DEFAULT_NAME, clock: Callable[[], int] | None = None) -> Backend:
    """Return the backend of a URL, opened: its tables or keys exist.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql+psycopg://…` (or `postgresql://…`), `redis://…`,
    `rediss://…`, `valkey://…`, `valkeys://…`. `name` is the prefix of all tables and keys: different names are
    different task lists. `clock` replaces the store's, for tests.

    Raises ValueError for another URL or a bad name, ImportError if an extra is missing, RuntimeError for a store that
    cannot be used, `BackendUnavailableError` if it does not answer.
    """
    backend = _backend(url, name, clock)
    try:
        backend.open()
    except BaseException:
        backend.close()
        raise
    return backend


def _backend(url: str, name: str, clock: Callable[[], int] | None) -> Backend:
    scheme = url.partition("://")[0] if isinstance(url, str) and "://" in url else ""
    if scheme == "sqlite":
        sqlalchemy = _library("sqlalchemy", "sql")
        from est_alan_scheduler.backends.sql.sqlite import SqliteBackend

        return SqliteBackend(sqlalchemy.make_url(url), name, clock)
    if scheme in ("postgresql+psycopg", "postgresql"):
        sqlalchemy = _library("sqlalchemy", "postgres")
        _library("psycopg", "postgres")
        from est_alan_scheduler.backends.sql.postgres import PostgresBackend

        return PostgresBackend(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg"), name, clock)
    if scheme in ("redis", "rediss", "valkey", "valkeys"):
        _library("redis", "redis")
        from est_alan_scheduler.backends.redis.backend import RedisBackend

        return RedisBackend(url.replace("valkey", "redis", 1), name, clock)
    start = url.partition(":")[0] if isinstance(url, str) else url  # the rest may contain a password
    asked = f"{scheme}://…" if scheme else short_repr(start)
    raise ValueError(f"no backend for {asked}; available: {_KNOWN}")


def _library(name: str, extra: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise  # it is installed, and broken
        raise ImportError(f'this backend needs {name}: pip install "est-alan-scheduler[{extra}]"') from error
