"""The pages: their table, and their ASGI application."""

from collections.abc import Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from est_alan_scheduler.web.api.dispatch import Dispatcher
from est_alan_scheduler.web.api.endpoint import Endpoint
from est_alan_scheduler.web.api.models import PauseModel
from est_alan_scheduler.web.api.problems import Problem, response_of
from est_alan_scheduler.web.auth import Role
from est_alan_scheduler.web.guard import cookie_path, path_below
from est_alan_scheduler.web.page.rounds import Rounds
from est_alan_scheduler.web.page.screens import actions, edit, instances, live, requested, task, tasks, timeline
from est_alan_scheduler.web.page.view import CHOICES, PageCall, cookie_of, view_of
from est_alan_scheduler.web.page.words.language import TRANSLATIONS
from est_alan_scheduler.web.page.words.refusals import in_words
from est_alan_scheduler.web.page.words.statuses import problem_title
from est_alan_scheduler.web.site import Site

_YEAR = 365 * 86_400  # seconds

_PLACES = ("cursor", "page")
"""Parameters that say which page of a list is meant."""

MEDIA_TYPE = "text/html"

PAGES = (
    Endpoint("GET", "/", tasks.page, "The tasks.", str, query=tasks.PageQuery, media_type=MEDIA_TYPE),
    Endpoint("GET", "/task", task.page, "A task.", str, query=task.TaskQuery, media_type=MEDIA_TYPE),
    Endpoint(
        "GET", "/edit", edit.page, "The editor of a task.", str, Role.MANAGE, edit.EditQuery, media_type=MEDIA_TYPE
    ),
    Endpoint("POST", "/preview-html", edit.preview, "A preview.", str, Role.MANAGE, body=edit.Draft),
    Endpoint("POST", "/save", edit.save, "Save a task.", edit.Saved, Role.MANAGE, body=edit.Save),
    Endpoint(
        "GET", "/timeline", timeline.page, "The timeline.", str, query=timeline.TimelineQuery, media_type=MEDIA_TYPE
    ),
    Endpoint("GET", "/instances", instances.page, "The instances.", str, media_type=MEDIA_TYPE),
    Endpoint("GET", "/live", live.live, "What changes, a few times a second at most.", str, media_type=live.MEDIA_TYPE),
    Endpoint("POST", "/act", actions.act, "Act on tasks.", actions.ActResults, role=Role.MANAGE, body=actions.Act),
    Endpoint("POST", "/pause-all", actions.pause_all, "Pause all.", PauseModel, Role.MANAGE, body=actions.PauseAll),
    Endpoint(
        "POST",
        "/requested",
        requested.requested,
        "What has become of requested runs.",
        requested.Outcomes,
        role=Role.MANAGE,
        body=requested.Runs,
    ),
)
"""All pages, below the site. Ids are in queries and bodies: browsers take `..` out of paths."""


class Pages(Dispatcher):
    """The ASGI application of the pages."""

    def __init__(self, site: Site, endpoints: Sequence[Endpoint], takes_token: bool) -> None:
        super().__init__(site, endpoints)
        self._takes_token = takes_token
        self._rounds = Rounds()
        self._repeated = {endpoint.path for endpoint in endpoints if endpoint.media_type == MEDIA_TYPE}

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = _choice(scope)
        if response is not None:
            await response(scope, receive, send)
            return
        await super().__call__(scope, receive, send)

    @override
    async def _respond(self, request: Request) -> Response:
        """Answer a request; one by a page that is open, at the same time as other such requests for the same page."""
        respond = partial(super()._respond, request)
        scope = request.scope
        path = path_below(scope)
        if request.method != "GET" or "x-live" not in request.headers or path not in self._repeated:
            return await respond()
        view, accept = view_of(self.site, request), request.headers.get("accept", "")
        role = scope.get("est_alan_scheduler.role"), scope.get("est_alan_scheduler.challenge") is None
        seen = view.language, view.theme, view.may_manage, view.path, view.query
        return await self._rounds.answer((role, seen, accept, scope.get("root_path", "")), respond)

    @override
    def call(self, request: Request, path: Mapping[str, str], query: Any, body: Any) -> PageCall:
        last = request.headers.get("last-event-id")
        return PageCall(self.site, path, query, body, last_event_id=last, view=view_of(self.site, request))

    @override
    def refuse(self, request: Request, problem: Problem) -> Response:
        """Return a problem as a page for people, as JSON for programs."""
        path = path_below(request.scope)
        if f"{path}/".startswith("/api/"):
            return response_of(problem)
        view = view_of(self.site, request)
        problem = in_words(problem, view.language)
        if "text/html" not in request.headers.get("accept", ""):
            return response_of(problem)
        choice = _choice(request.scope)  # also of a caller who may not read yet
        if choice is not None:
            return choice
        response = view.html(
            "problem.html",
            problem.status,
            problem=problem,
            title=problem_title(problem.status, TRANSLATIONS[view.language].gettext),
            first_page=view.link(**dict.fromkeys(_PLACES)) if _is_of_place(problem) else None,
            asks_token=problem.status == HTTPStatus.UNAUTHORIZED and self._takes_token,
        )
        response.headers.update(problem.headers or {})
        return response


def _is_of_place(problem: Problem) -> bool:
    """Return whether nothing but the page of a list is wrong."""
    return bool(problem.errors) and all(one.field in _PLACES for one in problem.errors)


def _choice(scope: Scope) -> Response | None:
    """Answer a browser that chooses a language or a theme: it gets a cookie, and an address without the choice."""
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return None
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    choices = {name: value for name, value in pairs if value in CHOICES.get(name, ())}
    if not choices:
        return None
    rest = urlencode([pair for pair in pairs if pair[0] not in choices], errors="surrogateescape")
    location = "./" + quote(scope["path"].rpartition("/")[2], safe="") + ("?" + rest if rest else "")
    response = Response(status_code=303, headers={"Location": location})
    for name, value in choices.items():
        response.set_cookie(cookie_of(name), value, _YEAR, path=cookie_path(scope), samesite="strict")
    return response
