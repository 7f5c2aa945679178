"""The pages of a registry as a browser gets them, in this process, for tests."""

from html.parser import HTMLParser
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder

import httpx
import pytest
from typing_extensions import override

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.web import Role
from tests.web.client import Client

HTML = {"Accept": "text/html"}
_VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")


class Page:
    """A page: its text, and its elements."""

    def __init__(self, html: str) -> None:
        self.html = html
        parser = _Parser()
        parser.feed(html)
        self.root = parser.close_all()

    def all(self, path: str) -> list[Element]:
        """Return the elements of a path as ElementTree has it: `.//tr[@data-id='fetch']`."""
        return self.root.findall(path)

    def one(self, path: str) -> Element:
        """Return the element of a path, of which there has to be exactly one."""
        (found,) = self.all(path)
        return found

    def texts(self, path: str) -> list[str]:
        """Return the texts of elements, as people read them."""
        return [text_of(element) for element in self.all(path)]


class Browser:
    """A caller of the pages of a registry, with a role of its own, or none."""

    def __init__(self, registry: TaskRegistry, role: Role | None = Role.MANAGE, **options: Any) -> None:
        self._client = Client(registry, role, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask for a path of the site: `task?id=fetch`."""
        return self._client.request(method, f"http://localhost/{path}", **options)

    def get(self, path: str = "", language: str = "en", status: int = 200, **query: Any) -> Page:
        """Return a page, which has to come with this status."""
        headers = HTML | {"Accept-Language": language}
        response = self.request("GET", path, params=query or None, headers=headers)
        assert response.status_code == status, response.text
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        return Page(response.text)

    def post(self, path: str, body: Any, status: int = 200) -> Any:
        """Return the JSON of an answer, which has to come with this status."""
        response = self.request("POST", path, json=body)
        assert response.status_code == status, response.text
        return response.json()


def lose_store(registry: TaskRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store of a registry answer nothing any more."""
    session = registry._session
    assert session is not None
    error = BackendUnavailableError("db-7 is away")

    def refuse() -> None:
        raise error

    session.outage.note(error)
    monkeypatch.setattr(session.outage, "check", refuse)


def text_of(element: Element) -> str:
    """Return the text of an element and of those within it, with single spaces."""
    return " ".join("".join(element.itertext()).split())


class _Parser(HTMLParser):
    """Builds elements. Each tag that was opened has to be closed, in the right order."""

    def __init__(self) -> None:
        super().__init__()
        self._builder = TreeBuilder()
        self._open: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute is given twice: {self.get_starttag_text()}"
        self._builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in _VOID:
            self._builder.end(tag)
        else:
            self._open.append(tag)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing, at {self.getpos()}"
        assert self._open.pop() == tag, f"</{tag}> closes another element, at {self.getpos()}"
        self._builder.end(tag)

    @override
    def handle_data(self, data: str) -> None:
        if self._open:
            self._builder.data(data)

    def close_all(self) -> Element:
        """Return the root."""
        self.close()
        assert self._open == [], f"never closed: {self._open}"
        return self._builder.close()
