"""Hosts and origins: by which names the site may be called, and from which pages."""

import re
from collections.abc import Collection
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple

from starlette.datastructures import Headers

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.web.api.problems import Problem

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_.-]{1,253})(?::(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}


class Host(NamedTuple):
    """A host as a header names it, in one form."""

    name: str
    port: int | None


def parsed(text: str) -> Host | None:
    """Return the parts of `name:port`; None if it has another form."""
    match = _HOST.fullmatch(text)
    if match is None:
        return None
    name, port = match["name"].lower(), match["port"]
    if name.startswith("["):
        try:
            name = f"[{IPv6Address(name[1:-1]).compressed}]"
        except AddressValueError:
            return None
    name = name.removesuffix(".")
    return Host(name, None if port is None else int(port)) if name else None


def checked_hosts(hosts: str | Collection[str]) -> frozenset[str] | None:
    """Return the names of hosts that are allowed; None for `"*"`, which allows all."""
    if hosts == "*":
        return None
    form = 'hosts must be names without a port, hosts=("example.com",), or "*" for all'
    if not isinstance(hosts, str | Collection):
        raise InvalidTypeError(f"{form}, got {short_repr(hosts)}")
    names = set()
    for one in [hosts] if isinstance(hosts, str) else hosts:
        host = parsed(one) if isinstance(one, str) else None
        if host is None or host.port is not None:
            raise InvalidValueError(f"{form}, got {short_repr(one)}")
        names.add(host.name)
    if not names:
        raise InvalidValueError(f"{form}, got none")
    return frozenset(names)


def check_host(headers: Headers, allowed: frozenset[str] | None) -> Host:
    """Return the host that a request names; raise a problem unless it is allowed.

    A page of another site can point its own name at this machine (DNS rebinding). Its browser then takes the answers of
    this server for those of that site, but still sends that name.
    """
    values = headers.getlist("host")
    host = parsed(values[0]) if len(values) == 1 else None
    if host is None:
        raise Problem(400, "the request must have one header Host, a name with or without a port")
    if allowed is not None and host.name not in allowed:
        raise Problem(421, f"the host {host.name} is not served here: hosts= of the server names those that are")
    return host


def check_origin(headers: Headers, scheme: str, host: Host) -> None:
    """Raise a problem if a page of another site may have made a browser send this request.

    Browsers send `Sec-Fetch-Site` over https and to localhost, else `Origin`. A bearer token is never sent by itself.
    """
    if headers.get("authorization", "")[:7].lower() == "bearer ":
        return
    sites = headers.getlist("sec-fetch-site")
    if sites:
        if set(sites) != {"same-origin"}:
            raise Problem(403, "a page of another site has sent this request")
        return
    origins = headers.getlist("origin")
    if not origins:
        advice = "a program sends a bearer token, or the Origin of this server"
        raise Problem(403, f"the request does not tell where it comes from: {advice}")
    if {_normal_origin(origin) for origin in origins} != {(scheme, host.name, host.port or _PORTS.get(scheme))}:
        raise Problem(403, "a page of another origin has sent this request")


def _normal_origin(origin: str) -> tuple[str, str, int | None] | None:
    scheme, separator, rest = origin.partition("://")
    host = parsed(rest)
    if not separator or host is None:
        return None
    return scheme.lower(), host.name, host.port or _PORTS.get(scheme.lower())
