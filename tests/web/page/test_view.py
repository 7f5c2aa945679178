"""The view: what it writes into pages."""

import time
from typing import Any

import pytest
from starlette.requests import Request

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import Role
from est_alan_scheduler.web.page import view as views
from est_alan_scheduler.web.page.view import View, view_of, with_pauses
from est_alan_scheduler.web.site import Site
from tests.web.page.pages import Browser


def test_an_id_with_a_carriage_return_is_in_the_page_as_it_is() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a\r\nb", func=int, every={"minutes": 5}))
    page = Browser(registry).get()
    assert 'data-id="a&#13;\nb"' in page.html
    assert page.one(".//tr[@data-id]").get("data-id") == "a\r\nb"


def test_half_a_pair_of_surrogates_is_escaped() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", name="half \ud83d", func=int, every={"minutes": 5}))
    assert r"half \ud83d" in Browser(registry).get().html


def view(query: str = "", path: str = "task", **options: Any) -> View:
    return View(Site(TaskRegistry()), "en", "system", True, path, query, **options)


@pytest.mark.parametrize(
    ("query", "changes", "link"),
    [
        ("", {}, "task"),
        ("", {"theme": "dark"}, "task?theme=dark"),
        ("id=a&page=2", {"page": None, "theme": "dark"}, "task?id=a&theme=dark"),
        ("id=a&page=2", {"id": "b"}, "task?id=b&page=2"),
        ("id=", {"theme": "dark"}, "task?id=&theme=dark"),
        ("token=wrong&id=a", {"language": "ko"}, "task?id=a&language=ko"),
        ("id=%ED%A0%BD%FF%00", {"x": "\ud83d"}, "task?id=%ED%A0%BD%FF%00&x=%ED%A0%BD"),
        ("id=..%2F%3C%22%26", {"x": "/?#&"}, "task?id=..%2F%3C%22%26&x=%2F%3F%23%26"),
    ],
)
def test_link_has_the_query_of_the_page_with_changes(query: str, changes: dict[str, str | None], link: str) -> None:
    assert view(query).link(**changes) == link


@pytest.mark.parametrize(
    ("path", "link"),
    [("", "./"), ("instances", "instances"), ("a/b", "b"), ("a/", "./"), ("javascript:x", "javascript%3Ax")],
)
def test_link_is_relative_to_the_page(path: str, link: str) -> None:
    assert view(path=path).link() == link


@pytest.mark.parametrize("root", ["", "/ops", "/a/b"])
def test_view_knows_where_the_page_stands_below_the_site(root: str) -> None:
    scope: dict[str, Any] = {"type": "http", "root_path": root, "headers": [], "query_string": b"id=a"}
    for path, expected in (("/", ("", "")), ("/task", ("task", "")), ("/a/b", ("a/b", "../")), ("/a/", ("a/", "../"))):
        found = view_of(Site(TaskRegistry()), Request({**scope, "path": root + path}))
        assert (found.path, found.root, found.query) == (*expected, "id=a")


@pytest.mark.parametrize(
    ("role", "may"), [(None, (False, False)), (Role.READ, (True, False)), (Role.MANAGE, (True, True))]
)
def test_view_knows_what_the_caller_may_do(role: Role | None, may: tuple[bool, bool]) -> None:
    scope: dict[str, Any] = {
        "type": "http",
        "path": "/",
        "headers": [],
        "query_string": b"",
        "est_alan_scheduler.role": role,
    }
    for is_read_only in (False, True):
        found = view_of(Site(TaskRegistry(), read_only=is_read_only), Request(scope))
        assert (found.may_read, found.may_manage) == (may[0], may[1] and not is_read_only)


@pytest.mark.parametrize(
    ("cookie", "language", "theme"),
    [
        ("", "ko", "system"),
        ("est_alan_scheduler_language=en; est_alan_scheduler_theme=dark", "en", "dark"),
        ("est_alan_scheduler_theme=light", "ko", "light"),
        ("est_alan_scheduler_language=xx; est_alan_scheduler_theme=<b>", "ko", "system"),
        ("language=en; theme=dark", "ko", "system"),
    ],
)
def test_cookies_say_what_the_caller_has_chosen(cookie: str, language: str, theme: str) -> None:
    headers = [(b"cookie", cookie.encode()), (b"accept-language", b"ko")]
    scope = {"type": "http", "path": "/", "headers": headers, "query_string": b""}
    found = view_of(Site(TaskRegistry()), Request(scope))
    assert (found.language, found.theme) == (language, theme)


@pytest.mark.parametrize(("seconds", "pauses"), [(-1.0, [0, 0, 0]), (60.0, [])], ids=["long", "short"])
def test_other_threads_go_on_now_and_then_while_a_page_is_rendered(
    seconds: float, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[float] = []
    monkeypatch.setattr(views, "_SLICE", seconds)
    monkeypatch.setattr(time, "sleep", found.append)
    assert list(with_pauses(iter("abc"))) == ["a", "b", "c"]
    assert found == pauses
