"""The engine for PostgreSQL of a URL: its options, and connections whose errors show no password."""

from functools import partial
from typing import Any

from psycopg.pq import Conninfo
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.dialects.postgresql import psycopg as postgresql
from sqlalchemy.exc import ArgumentError

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler.backends.address import Address, Reader, conceal, text, whole_number

_NUMBERS = ("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count")
_WAITS = {"connect_timeout": 5, "tcp_user_timeout": 15_000, "keepalives_idle": 15, "keepalives_interval": 5}


def _prepare_threshold(value: str) -> int | None:
    if value.lower() == "none":
        return None
    if not value.isdecimal():
        raise InvalidValueError("a whole number or none")
    return whole_number(value)


_READERS: dict[str, Reader] = {
    **{option.keyword.decode(): text for option in Conninfo.get_defaults() if option.keyword != b"replication"},
    **dict.fromkeys((*_NUMBERS, "tcp_user_timeout"), whole_number),
    "prepare_threshold": _prepare_threshold,
}
"""The options of libpq, and the one of psycopg that changes no answers."""


def make_engine(address: Address) -> tuple[Engine, dict[str, Any]]:
    """Return an engine that has not connected yet, and its options. ValueError for an unknown or invalid option."""
    options = _WAITS | address.options(_READERS)
    options["client_encoding"] = "utf8"  # the server converts it, and says what it cannot hold
    places = {option: options.pop(option) for option in ("host", "port") if option in options}
    engine = create_engine(_make_url(address, places), connect_args=options, isolation_level="READ COMMITTED")
    event.listen(engine, "do_connect", partial(_connect, address.secrets))
    return engine, options


def _make_url(address: Address, places: dict[str, Any]) -> URL:
    """Return the URL for SQLAlchemy, which tells several hosts apart. No option in it is secret: it would show that."""
    place = (address.host or None, address.port, address.path or None)
    try:
        url = URL.create("postgresql+psycopg", address.user, address.password, *place).update_query_dict(places)
        dialect: Any = postgresql.dialect
        dialect().create_connect_args(url)
    except ArgumentError as error:
        raise InvalidValueError(f"{address.shown}: {error}") from None
    return url


def _connect(secrets: tuple[str, ...], dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
    try:
        return dialect.connect(*arguments, **options)
    except Exception as error:
        conceal(error, secrets)
        raise
