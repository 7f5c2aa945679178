"""Authentication: who may read, and who may manage."""

import base64
import binascii
import hashlib
import hmac
import inspect
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from enum import IntEnum
from typing import Any

from starlette.requests import Request

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError, WrongStateError
from est_alan_scheduler.web.threads import Threads

REALM = 'realm="est-alan-scheduler"'
_SHORTEST_TOKEN, _SHORTEST_PASSWORD = 16, 8  # characters
_SESSION = 7 * 86_400  # seconds for which a browser that has shown the token need not show it again


class Role(IntEnum):
    """What a caller may do; a higher role may do what a lower one may."""

    READ = 1
    """Look at everything."""
    MANAGE = 2
    """Change, pause, run and remove tasks as well."""


WAYS = 'auth=Token("…"), auth=Basic({"ann": "…"}) or auth=a function (request) -> Role | None'
"""What may be given for `auth`, for messages."""
ROLES = {role.name.lower(): role for role in Role}
Auth = Callable[[Request], Role | str | Awaitable[Role | str | None] | None]
"""It returns the role of a request, also as "read" or "manage"; None: it may do nothing.

It may raise `starlette.exceptions.HTTPException` to refuse it, or to redirect to a page of its own.
"""


class Token:
    """A secret text that programs send as `Authorization: Bearer …`, and that a browser shows once, as `?token=…`.

    `Token("…")` may manage, `Token(read="…")` may only read; with both, each secret has its own role. A browser then
    has a cookie for seven days. It is not the secret, but signed with it: it ends at once when the secret changes.
    """

    challenge = f"Bearer {REALM}"

    def __init__(self, manage: str | None = None, *, read: str | None = None) -> None:
        secrets = {Role.MANAGE: manage, Role.READ: read}
        self._digests = {
            role: _digest(_checked_token(secret).encode()) for role, secret in secrets.items() if secret is not None
        }
        if not self._digests:
            raise InvalidValueError('Token needs a secret: Token("…") may manage, Token(read="…") may only read')
        if manage == read:
            raise InvalidValueError("Token: the secrets of manage and read must differ")
        name = hmac.digest(next(iter(self._digests.values())), b"name", "sha256").hex()[:12]
        self.cookie = f"est_alan_scheduler_{name}"
        """The name of the cookie. Cookies do not know ports, so each secret has its own."""

    def __repr__(self) -> str:
        return f"Token({', '.join(f'{role.name.lower()}=…' for role in self._digests)})"

    def __call__(self, request: Request) -> Role | None:
        """Return the role of the token in the header; without such a header, of the session in the cookie."""
        if "authorization" in request.headers:
            return self.role_of(_credentials(request, "bearer") or b"")
        return self._role_of_session(request.cookies.get(self.cookie, ""))

    def role_of(self, secret: bytes) -> Role | None:
        """Return the role of a secret."""
        given = _digest(secret)
        equal = [role for role, digest in self._digests.items() if hmac.compare_digest(given, digest)]
        return max(equal, default=None)

    def digest_of(self, role: Role) -> bytes | None:
        """Return the digest of the secret of a role, None if it has none."""
        return self._digests.get(role)

    def new_session(self, role: Role) -> str:
        """Return the value of a cookie for a browser that has shown the secret of `role`."""
        ends = str(int(time.time()) + _SESSION)
        return f"{ends}.{self._signature(role, ends)}"

    def _role_of_session(self, value: str) -> Role | None:
        match = re.fullmatch(r"([0-9]{1,12})\.([0-9a-f]{64})", value)
        if match is None or int(match[1]) < time.time():
            return None
        signatures = {role: self._signature(role, match[1]) for role in self._digests}
        return max((role for role, one in signatures.items() if hmac.compare_digest(one, match[2])), default=None)

    def _signature(self, role: Role, ends: str) -> str:
        return hmac.digest(self._digests[role], f"session {ends}".encode(), "sha256").hex()


class Basic:
    """Names and passwords that browsers ask for (HTTP Basic).

    `Basic({"ann": "…"})` may manage, `Basic(read={"bob": "…"})` may only read; both can be given. Outside of one
    machine it needs https, because the password goes with every request.
    """

    challenge = f'Basic {REALM}, charset="UTF-8"'

    def __init__(self, manage: Mapping[str, str] | None = None, *, read: Mapping[str, str] | None = None) -> None:
        given = [(role, users) for role, users in ((Role.MANAGE, manage), (Role.READ, read)) if users is not None]
        self._users: list[tuple[bytes, bytes, Role]] = []
        names = set()
        for role, users in given:
            if not isinstance(users, Mapping):
                raise InvalidTypeError('Basic takes names and passwords: Basic({"ann": "…"}), or read={"bob": "…"}')
            for name, password in users.items():
                _check_user(name, password)
                if name in names:
                    raise InvalidValueError(f"Basic: the name {name!r} is given in both manage and read")
                names.add(name)
                self._users.append((_digest(name.encode()), _digest(password.encode()), role))
        if not self._users:
            raise InvalidValueError('Basic needs a name and a password: Basic({"ann": "…"}) may manage')

    def __repr__(self) -> str:
        return f"Basic(<{len(self._users)} user(s)>)"

    def __call__(self, request: Request) -> Role | None:
        """Return the role of the name and the password in the header."""
        try:
            pair = base64.b64decode(_credentials(request, "basic") or b"", validate=True)
        except binascii.Error:
            return None
        name, _, password = pair.partition(b":")
        given_name, given_password = _digest(name), _digest(password)
        found = None
        for user, secret, role in self._users:  # all of them, so that the time tells nothing
            if hmac.compare_digest(given_name, user) & hmac.compare_digest(given_password, secret):
                found = role
        return found


def checked_auth(auth: Any) -> Auth | None:
    """Return `auth` if it can be asked; raise an error that says what it may be."""
    if auth is None:
        return None
    if isinstance(auth, type) or not callable(auth):
        form = 'Token("…"), Basic({"ann": "…"}) or a function (request) -> Role | None'
        given = (
            f"the class {auth.__name__}" if isinstance(auth, type) else type(auth).__name__
        )  # no value: it is secret
        raise InvalidTypeError(f"auth must be {form}, got {given}")
    return auth  # type: ignore[no-any-return]


def version_key(auth: Auth | None) -> bytes:
    """Return a secret of a site: the same in all processes that have the same `Token`, else one of this process.

    It is made slowly from the secret of managers. A reader can see what is signed with it, and could try secrets.
    """
    digest = auth.digest_of(Role.MANAGE) if isinstance(auth, Token) else None
    if digest is None:  # passwords are too short for that; whoever may only read needs no version
        return secrets.token_bytes()
    return hashlib.scrypt(digest, salt=b"est_alan_scheduler version", n=2**14, r=8, p=1, dklen=32)


async def role_of(auth: Auth, request: Request, threads: Threads) -> Role | None:
    """Ask who the caller is. A plain function is called in a thread: it may ask a database."""
    if isinstance(auth, Token | Basic):
        return auth(request)
    called = getattr(auth, "__call__", None)  # noqa: B004  # an object may have a coroutine function as its call
    if inspect.iscoroutinefunction(auth) or inspect.iscoroutinefunction(called):
        found: Any = auth(request)
    else:
        found = await threads.run(auth, request)
    if inspect.isawaitable(found):
        found = await found
    if found is None or isinstance(found, Role):
        return found
    if isinstance(found, str) and found in ROLES:
        return ROLES[found]
    raise WrongStateError(f'auth must return Role.READ, Role.MANAGE, "read", "manage" or None, got {found!r}')


def _credentials(request: Request, scheme: str) -> bytes | None:
    """Return what follows the scheme in the one header `Authorization`."""
    values = request.headers.getlist("authorization")
    if len(values) != 1:
        return None
    given, _, rest = values[0].partition(" ")
    return rest.strip().encode("latin-1") if given.lower() == scheme else None


def _digest(secret: bytes) -> bytes:
    """Return a digest of a secret: all are of one length, and no `repr`, pickle or traceback shows the secret."""
    return hashlib.sha256(secret).digest()


def _checked_token(secret: str) -> str:
    if not isinstance(secret, str):
        raise InvalidTypeError(f"the secret of a Token must be a str, got {type(secret).__name__}")
    if len(secret) < _SHORTEST_TOKEN:
        form = f"must have at least {_SHORTEST_TOKEN} characters"
        raise InvalidValueError(f"the secret of a Token {form}; secrets.token_urlsafe() makes one")
    if not re.fullmatch(r"[!-~]+", secret):
        raise InvalidValueError("the secret of a Token must consist of ASCII characters without spaces")
    return secret


def _check_user(name: str, password: str) -> None:
    if not isinstance(name, str) or not isinstance(password, str):
        raise InvalidTypeError("the names and passwords of Basic must be str")
    if not name or ":" in name:
        raise InvalidValueError(f"a name of Basic must not be empty or contain a colon, got {name!r}")
    if len(password) < _SHORTEST_PASSWORD:
        raise InvalidValueError(f"the password of {name!r} must have at least {_SHORTEST_PASSWORD} characters")
