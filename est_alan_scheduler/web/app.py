"""The application: the page and the API, and the guard around them."""

from collections.abc import Collection
from typing import Literal
from urllib.parse import quote

from starlette.responses import RedirectResponse
from starlette.routing import Mount, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.dispatch import Dispatcher
from est_alan_scheduler.web.api.routes import ENDPOINTS
from est_alan_scheduler.web.auth import ROLES, WAYS, Auth, Token, checked_auth, version_key
from est_alan_scheduler.web.guard import Guard, Policy, path_below
from est_alan_scheduler.web.hosts import LOOPBACK, checked_hosts
from est_alan_scheduler.web.page.files import STATIC_PATHS, static_files
from est_alan_scheduler.web.page.pages import PAGES, Pages
from est_alan_scheduler.web.site import Site


def create_app(
    registry: TaskRegistry,
    *,
    auth: Auth | None = None,
    allow_anonymous: Literal["read"] | None = None,
    read_only: bool = False,
    hide_values: bool = False,
    hosts: str | Collection[str] = LOOPBACK,
) -> ASGIApp:
    """Return an ASGI application that shows and manages the tasks of a registry; it can be mounted under any path.

    It is closed by default. `auth` says who may do what: `Token("…")`, `Basic({"ann": "…"})`, or any function, plain or
    a coroutine function, that takes a Starlette `Request` and returns `Role.READ`, `Role.MANAGE` or None.
    `allow_anonymous="read"` lets everyone read, with or without `auth`. `hosts` are the names by which browsers may
    call it, without ports, or `"*"`; by default `localhost`, `127.0.0.1` and `[::1]`. `/api/health` needs none of this.
    `read_only` turns off all that manages.

    `hide_values` hides arguments and results, from managers as well: in answers, in errors of the API, and in versions,
    out of which nobody can guess them. It does not hide the errors of runs, whose texts may hold arguments if the
    function puts them there, nor the `repr` of a function that is no plain one. Several processes that serve the same
    tasks then have the same versions only if `auth` is a `Token` with the same secret of managers: otherwise
    `If-Match` has to go to the process that has given the version, and fails with 412 after its restart.

    Raises `ValueError` unless `auth` or `allow_anonymous` is given.
    """
    if not isinstance(registry, TaskRegistry):
        raise InvalidTypeError(f"registry must be a TaskRegistry, got {short_repr(registry)}")
    for name, value in (("read_only", read_only), ("hide_values", hide_values)):
        if not isinstance(value, bool):
            raise InvalidTypeError(f"{name} must be True or False, got {short_repr(value)}")
    if allow_anonymous not in (None, "read"):
        advice = "whoever may manage has to be known by auth="
        raise InvalidValueError(f'allow_anonymous must be "read" or None, got {short_repr(allow_anonymous)}: {advice}')
    if auth is None and allow_anonymous is None:
        raise InvalidValueError(f'create_app is closed by default: give {WAYS}, or allow_anonymous="read"')
    checked = checked_auth(auth)
    site = Site(registry, read_only, hide_values, version_key(checked) if hide_values else None)
    public = {"/api" + endpoint.path for endpoint in ENDPOINTS if endpoint.role is None} | STATIC_PATHS
    anonymous = None if allow_anonymous is None else ROLES[allow_anonymous]
    pages = Pages(site, PAGES, takes_token=isinstance(checked, Token))
    routes = [Mount("/api", app=Dispatcher(site, ENDPOINTS)), Mount("/static", app=static_files())]
    router = Router(routes, redirect_slashes=False, default=_BelowSlash(pages))
    return Guard(router, Policy(checked, anonymous, checked_hosts(hosts), public), pages.refuse)


class _BelowSlash:
    """The pages, whose links are relative to the directory of the site: its own path has to end with a slash."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and path_below(scope) == "":
            last = quote(scope["path"].rpartition("/")[2], safe="")
            await RedirectResponse(f"./{last}/" if last else "./", 307)(scope, receive, send)
            return
        await self._pages(scope, receive, send)
