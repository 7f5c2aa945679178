"""The view: how one caller sees the page, and the templates that it is made of."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from est_alan_scheduler._support.interpreter import monotonic
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.task import Task
from est_alan_scheduler.web.api.endpoint import Call
from est_alan_scheduler.web.auth import Role
from est_alan_scheduler.web.guard import path_below
from est_alan_scheduler.web.page.aliases import alias
from est_alan_scheduler.web.page.excerpts import excerpt, line, wrapped
from est_alan_scheduler.web.page.moments import lasting, moment, since, utc_text
from est_alan_scheduler.web.page.words.language import LANGUAGES, TRANSLATIONS, Language, language_of
from est_alan_scheduler.web.page.words.sentences import in_words
from est_alan_scheduler.web.page.words.statuses import status_name
from est_alan_scheduler.web.site import Site

Theme = Literal["system", "light", "dark"]

CHOICES: Mapping[str, tuple[str, ...]] = {"language": tuple(LANGUAGES), "theme": ("system", "light", "dark")}
"""What a caller may choose, by the parameter and the cookie that say it."""
_SLICE = 0.001  # seconds for which a page is rendered at a stretch
_COOKIE = "est_alan_scheduler_{}"


@dataclass(frozen=True)
class View:
    """How one caller sees the page."""

    site: Site
    language: Language
    theme: Theme
    may_manage: bool
    """Whether the page shows what changes something."""
    path: str
    """The page, relative to the site, without its query: an empty text for the first one."""
    query: str
    """The query of the page, percent-encoded."""
    root: str = ""
    """The site, relative to the page: an empty text but for a path that is no page, `a/b`."""
    may_read: bool = True
    """Whether the caller may see anything of the tasks; not on the page that asks who it is."""

    def html(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a page as a response. Halves of surrogate pairs, which some program has written, are escaped."""
        text = "".join(with_pauses(templates(self.language).get_template(template).generate(view=self, **values)))
        whole = text.replace("\r", "&#13;")  # browsers take a carriage return for a line feed, also one in an id
        return HTMLResponse(whole.encode("utf-8", "backslashreplace"), status)

    def link(self, **changes: str | None) -> str:
        """Return the URL of this page with other values in its query; None takes one out."""
        pairs = {name: value.encode("utf-8", "surrogateescape") for name, value in self.fields.items()}
        for name, changed in changes.items():
            pairs.pop(name, None) if changed is None else pairs.update({name: changed.encode("utf-8", "surrogatepass")})
        page = quote(self.path.rpartition("/")[2], safe="") or "./"
        return f"{page}?{urlencode(pairs, errors='surrogateescape')}" if pairs else page

    @property
    def fields(self) -> dict[str, str]:
        """The values of the query, but for a token: the guard takes out a right one, and a wrong one is dropped."""
        given = dict(parse_qsl(self.query, keep_blank_values=True, errors="surrogateescape"))
        given.pop("token", None)
        return given

    @property
    def languages(self) -> Mapping[str, str]:
        """The name of each language in itself."""
        return LANGUAGES

    @property
    def is_paused(self) -> bool:
        """Whether all tasks are paused."""
        return self.may_read and self.site.registry.is_paused

    @property
    def is_store_lost(self) -> bool:
        """Whether the store is out of reach: what the page shows may be old."""
        return self.may_read and self.site.registry._is_store_lost

    @property
    def is_store_silent(self) -> bool:
        """Whether the store hangs: what the page shows may be old."""
        return self.may_read and self.site.reads.hangs

    @property
    def has_no_instance(self) -> bool:
        """Whether no instance is alive to run what this observer shows. It may ask the store."""
        if not self.may_read or not self.site.registry.is_observer:
            return False
        leases = self.site.leases.latest()
        return leases is not None and not leases.instances

    @property
    def now(self) -> str:
        """The time of this machine, for browsers whose clock is wrong."""
        return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class PageCall(Call):
    """A request of a page."""

    view: View = field(kw_only=True)

    def refresh(self, *tasks: str | Task) -> bool:
        """Read what other instances have changed; return whether the store has answered, in time."""
        try:
            self.site.reads.refresh(*tasks)
        except BackendUnavailableError:
            return False
        return True


def with_pauses(parts: Iterator[str]) -> Iterator[str]:
    """Yield the parts of a page, and let other threads go on after each millisecond: a loop may have a run to start.

    Python itself would let them wait for 5 ms.
    """
    end = monotonic() + _SLICE
    for part in parts:
        yield part
        if monotonic() > end:
            time.sleep(0)
            end = monotonic() + _SLICE


def view_of(site: Site, request: Request) -> View:
    """Return how the caller of a request sees the page."""
    role = request.scope.get("est_alan_scheduler.role")  # the guard has put it there
    theme, path = chosen(request, "theme"), path_below(request.scope).removeprefix("/")
    return View(
        site,
        language_of(chosen(request, "language"), request.headers.get("accept-language", "")),
        "light" if theme == "light" else "dark" if theme == "dark" else "system",
        role is Role.MANAGE and not site.read_only,
        path,
        request.scope["query_string"].decode("latin-1"),
        "../" * path.count("/"),
        role is not None,
    )


def chosen(request: Request, name: str) -> str | None:
    """Return what the caller has chosen, None for nothing."""
    value = request.cookies.get(cookie_of(name))
    return value if value in CHOICES[name] else None


def cookie_of(name: str) -> str:
    """Return the name of the cookie of a choice."""
    return _COOKIE.format(name)


@cache
def templates(language: Language) -> Environment:
    """Return the templates in a language."""
    environment = Environment(
        loader=PackageLoader("est_alan_scheduler.web.page"),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.install_gettext_translations(TRANSLATIONS[language], newstyle=True)  # type: ignore[attr-defined]  # of the extension
    environment.filters["utc"] = utc_text
    environment.filters["lasting"] = partial(lasting, gettext=TRANSLATIONS[language].gettext)
    environment.filters |= {"alias": alias, "moment": moment, "since": since, "line": line, "excerpt": excerpt}
    environment.filters["wrapped"] = wrapped
    environment.filters["words"] = partial(in_words, language=language)
    environment.filters["status_name"] = partial(status_name, gettext=TRANSLATIONS[language].gettext)
    return environment
