"""The URL of a store, read by rules of our own: the same for every driver and version, and no password shows in it.

    scheme://user:password@host:port/path?option=value&option=value

`%20` and the like stand for a character in each part. In a user name or a password, `/`, `?`, `#` and `%` have to be
written so, and behind the host also `@` and `#`. Otherwise the end of a password might be taken for a host, a path or
an option, and be shown, or sent to that host: such a URL is refused.
"""

import re
from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any
from urllib.parse import unquote, unquote_plus

from est_alan_scheduler._support.errors import InvalidValueError
from est_alan_scheduler._support.text import one_line, short_repr
from est_alan_scheduler.fields.checks import near_miss

Reader = Callable[[str], Any]
"""It returns the value of an option; a ValueError says what an option must be."""

SECRETS = frozenset(
    ("password", "sslpassword", "ssl_password", "scram_client_key", "scram_server_key", "oauth_client_secret")
)
"""The options that nobody may see."""

_PLACES = ("host", "hostaddr", "port", "dbname", "db", "service")
"""The options that say which store it is: messages show these and no others."""

_ESCAPES = "in a user name or a password, write / as %2F, ? as %3F, # as %23, @ as %40 and % as %25"


class Address:
    """The parts of a URL, decoded. Its `repr` is the URL without what is secret."""

    def __init__(self, url: str, scheme: str) -> None:
        rest = url.partition("://")[2]
        self.scheme = scheme
        self.shown = f"{scheme}://…"
        if re.search(r"[\x00-\x1f\x7f]|^\s|\s$", rest):
            raise InvalidValueError(
                f"{self.shown}: the URL contains a control character, or a space at its end: take it out"
            )
        authority, self._path, self._query = _split(rest)
        if "@" in self._path + self._query or "#" in rest:
            raise InvalidValueError(f"{self.shown}: the URL has an @ behind the host, or a #: {_ESCAPES}")
        user, _, place = authority.rpartition("@")
        if "@" in user.partition(":")[0]:
            raise InvalidValueError(f"{self.shown}: the URL has two @ and no password between them: {_ESCAPES}")
        self.user, self.password = self._read_user(user if "@" in authority else None)
        self.host, self.port = self._read_host(place)
        self.path = self._decoded(self._path[1:])
        self._options = self._read_options()
        self.shown = self._show(user, place)

    def __repr__(self) -> str:
        return f"<Address {self.shown}>"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that may not show anywhere. Not those that the other parts show, nor any too short to be secret."""
        values = {self.password or "", *(value for name, value in self._options if name in SECRETS)}
        return tuple(value for value in values if len(value) > 3 and value not in (self.user, self.host, self.path))

    def options(self, readers: Mapping[str, Reader]) -> dict[str, Any]:
        """Return the options by their names, as their readers return them. ValueError for an unknown or invalid one.

        Several hosts are a tuple.
        """
        found: dict[str, Any] = {}
        hides = False  # the rest of a password with an unescaped & looks like options
        for name, text in self._options:
            if name not in readers:
                asked = "an option after the password" if hides else f"the option {short_repr(name)}"
                hint = " (write & in it as %26)" if hides else near_miss(name, readers)
                raise InvalidValueError(
                    f"{self.shown}: {asked} is unknown{hint}; the options are: {', '.join(readers)}"
                )
            try:
                value = readers[name](text)
            except ValueError as error:
                raise InvalidValueError(f"{self.shown}: the option {name} must be {error}") from None
            if name in found and name != "host":
                raise InvalidValueError(f"{self.shown}: the option {name} is given twice: take one of them out")
            found[name] = (*_as_tuple(found[name]), value) if name in found else value
            hides = hides or name in SECRETS
        return found

    def _read_user(self, text: str | None) -> tuple[str | None, str | None]:
        if text is None:
            return None, None
        user, colon, password = text.partition(":")
        return self._decoded(user), self._decoded(password) if colon else None

    def _read_host(self, place: str) -> tuple[str, int | None]:
        found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]*)\]|([^\[\]:]*))(?::([0-9]*))?", place)
        if found is None or not _is_port(found[3]):  # it may as well be a password, and is not shown
            raise InvalidValueError(
                f"{self.shown}: what follows the host must be :port, a number from 1 to 65535; an IPv6 address stands"
                f" in brackets, and {_ESCAPES}"
            )
        host = self._decoded(found[1] or found[2] or "")
        labels = (
            [] if host.startswith("/") or not host else host.removesuffix(".").split(".")
        )  # or a directory of sockets
        if not all(0 < len(label) < 64 for label in labels):
            raise InvalidValueError(f"{self.shown}: each part of a host name has 1 to 63 characters")
        return host, int(found[3]) if found[3] else None

    def _read_options(self) -> list[tuple[str, str]]:
        options = []
        for item in filter(None, self._query.split("&")):
            name, equals, value = item.partition("=")
            if not equals:
                raise InvalidValueError(
                    f"{self.shown}: what follows the ? must be options, like ?name=value&name=value"
                )
            options.append((self._decoded(name), self._decoded(value, unquote_plus)))
        return options

    def _decoded(self, text: str, decode: Callable[..., str] = unquote) -> str:
        decoded = decode(text, errors="surrogateescape")
        if re.search("[\0\ud800-\udfff]", decoded):
            raise InvalidValueError(f"{self.shown}: the URL contains %00, or bytes that are no UTF-8: take them out")
        return decoded

    def _show(self, user: str, place: str) -> str:
        masked = f"{user.partition(':')[0]}{'' if self.password is None else ':***'}@" if self.user is not None else ""
        items = takewhile(lambda item: item.partition("=")[0].lower() not in SECRETS, self._query.split("&"))
        places = [item for item in items if item.partition("=")[0] in _PLACES]  # not what may end a password
        query = f"?{'&'.join(places)}" if places else ""
        return one_line(f"{self.scheme}://{masked}{place}{self._path}{query}")


def _split(rest: str) -> tuple[str, str, str]:
    """Return user and host, the path with its slash, and the options."""
    end = re.search("[/?#]", rest)
    authority, tail = (rest, "") if end is None else (rest[: end.start()], rest[end.start() :])
    path, _, query = tail.partition("?")
    return authority, path, query


def _is_port(text: str | None) -> bool:
    return not text or (len(text) <= 5 and 1 <= int(text) <= 65_535)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def text(value: str) -> str:
    """Read an option that is a text."""
    return value


def whole_number(value: str) -> int:
    """Read an option that is a whole number."""
    if not re.fullmatch("-?[0-9]{1,9}", value):
        raise InvalidValueError("a whole number")
    return int(value)


def seconds(value: str) -> float:
    """Read an option that is a number of seconds."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value) or float(value) == 0:
        raise InvalidValueError("a number of seconds above 0")
    return float(value)


def yes_or_no(value: str) -> bool:
    """Read an option that is true or false."""
    answers = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if value.lower() not in answers:
        raise InvalidValueError("true or false")
    return answers[value.lower()]


def conceal(error: BaseException, secrets: tuple[str, ...]) -> None:
    """Replace secrets in the texts of an error, its causes and contexts: some servers repeat what they were sent."""
    pending: list[BaseException | None] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            one.args = tuple(_concealed(argument, secrets) for argument in one.args)
            pending += [one.__cause__, one.__context__]


def _concealed(argument: Any, secrets: tuple[str, ...]) -> Any:
    for secret in filter(None, secrets):
        if isinstance(argument, str):
            argument = argument.replace(secret, "***")
        elif isinstance(argument, bytes):
            argument = argument.replace(secret.encode(), b"***")
    return argument
