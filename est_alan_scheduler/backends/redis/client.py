"""The client of redis-py for a URL: its options, and the patience of its connections."""

import re
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler.backends.address import Address, Reader, conceal, seconds, text, whole_number, yes_or_no

_TEXTS = ("username", "password", "client_name")
_TLS_TEXTS = ("ssl_keyfile", "ssl_certfile", "ssl_password", "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data")


def _protocol(value: str) -> int:
    if value not in ("2", "3"):
        raise InvalidValueError("2 or 3")
    return int(value)


def _certificates(value: str) -> str:
    if value not in ("none", "optional", "required"):
        raise InvalidValueError("none, optional or required")
    return value


_READERS: dict[str, Reader] = {
    **dict.fromkeys(_TEXTS, text),
    **dict.fromkeys(("db", "health_check_interval", "max_connections"), whole_number),
    **dict.fromkeys(("socket_timeout", "socket_connect_timeout"), seconds),
    "protocol": _protocol,
}
_TLS_READERS: dict[str, Reader] = {
    **dict.fromkeys(_TLS_TEXTS, text),
    "ssl_cert_reqs": _certificates,
    "ssl_check_hostname": yes_or_no,
}
"""The options that change no answers: those of redis-py like `decode_responses` do."""


def _without_tls(_: str) -> None:
    raise InvalidValueError("left out, or the URL begin with rediss://")


def make_client(address: Address) -> Any:
    """Return a client that has not connected yet. ValueError for a database that is no number, or another option."""
    if not re.fullmatch("[0-9]{,9}", address.path):  # the client would take database 0
        raise InvalidValueError(
            f"{address.shown}: what follows the host is the number of a database, like redis://host:6379/0,"
            f" got {address.path!r}"
        )
    if address.user and address.password is None:  # it would be a user without a password, and a password is meant
        raise InvalidValueError(
            f"{address.scheme}://…: a password stands after a colon, like redis://:password@host:6379/0"
        )
    is_tls = address.scheme == "rediss"
    options = {
        "host": address.host or "localhost",
        "port": address.port or 6379,
        "db": int(address.path or 0),
        "username": address.user or None,
        "password": address.password or None,
        "socket_connect_timeout": 5,
        "socket_timeout": 10,
        **address.options(_READERS | (_TLS_READERS if is_tls else dict.fromkeys(_TLS_READERS, _without_tls))),
    }
    try:
        pool = redis.ConnectionPool(
            connection_class=redis.SSLConnection if is_tls else redis.Connection,
            socket_keepalive=True,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2),
            retry_on_error=[redis.ConnectionError, redis.TimeoutError],
            redis_connect_func=_greeting(address.secrets),
            **options,
        )
    except ValueError as error:
        raise InvalidValueError(f"{address.shown}: {error}") from None
    return redis.Redis(connection_pool=pool)


def _greeting(secrets: tuple[str, ...]) -> Callable[[Any], None]:
    """Return what begins a session. A server that refuses a command may repeat it, with a password in it."""

    def greet(connection: Any) -> None:  # a function, because the client shows it in its `repr`
        try:
            connection.on_connect()
        except Exception as error:
            conceal(error, secrets)
            raise

    return greet
