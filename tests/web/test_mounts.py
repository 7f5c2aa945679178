"""The application within others: FastAPI, Starlette, Django and Flask, each on a real server."""

import asyncio
import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import WebServer, create_app
from est_alan_scheduler.web.server import _Ending, _Server
from tests.web.clients import MANAGE, TOKEN, bearer

PATIENCE = 60.0
IDS = ["a", "a/b", "a b", "é😀", "50%", "%2F", "..", "?x#y", "+"]


@contextmanager
def asgi(app: ASGIApp) -> Iterator[str]:
    """Serve an ASGI application by uvicorn; yield its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    with WebServer(_Server(app, listener), f"http://127.0.0.1:{listener.getsockname()[1]}/", None) as server:
        server._start()
        yield server.url


@contextmanager
def in_fastapi(app: ASGIApp) -> Iterator[str]:
    fastapi = pytest.importorskip("fastapi")
    outer = fastapi.FastAPI()
    outer.get("/")(lambda: "outer")
    outer.mount("/scheduler", app)
    with asgi(outer) as url:
        yield url + "scheduler"


@contextmanager
def in_starlette(app: ASGIApp) -> Iterator[str]:
    def index(request: Any) -> PlainTextResponse:
        return PlainTextResponse('"outer"')

    inner = Mount("/all jobs", app=app)
    with asgi(Starlette(routes=[Route("/", index), Mount("/admin", routes=[inner])])) as url:
        yield url + "admin/all%20jobs"


@contextmanager
def in_django(app: ASGIApp) -> Iterator[str]:
    conf, http, urls = (pytest.importorskip(f"django.{name}") for name in ("conf", "http", "urls"))
    if not conf.settings.configured:
        root: Any = ModuleType("root")
        root.urlpatterns = [urls.path("", lambda request: http.HttpResponse('"outer"'))]
        conf.settings.configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=root, SECRET_KEY="x")
    django = pytest.importorskip("django.core.asgi").get_asgi_application()

    async def outer(scope: Scope, receive: Receive, send: Send) -> None:
        if (scope["path"] + "/").startswith("/scheduler/"):
            await app({**scope, "root_path": "/scheduler"}, receive, send)
        else:
            await django(scope, receive, send)

    with asgi(outer) as url:
        yield url + "scheduler"


@contextmanager
def in_flask(app: ASGIApp) -> Iterator[str]:
    flask, a2wsgi = pytest.importorskip("flask"), pytest.importorskip("a2wsgi")
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Handler(WSGIRequestHandler):
        def log(self, type: str, message: str, *arguments: Any) -> None:  # noqa: A002  # its name there
            pass

    outer = flask.Flask("outer")
    outer.get("/")(lambda: '"outer"')
    loop, ends = asyncio.new_event_loop(), asyncio.Event()
    ending: Any = SimpleNamespace(ends=ends)  # a thread that streams would wait for ever for a loop that has ended
    inner = a2wsgi.ASGIMiddleware(_Ending(app, ending), loop=loop)
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/scheduler": inner})
    server = make_server("127.0.0.1", 0, outer, threaded=True, request_handler=Handler)
    threads = [threading.Thread(target=loop.run_forever), threading.Thread(target=server.serve_forever)]
    for thread in threads:
        thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}/scheduler"
    finally:
        loop.call_soon_threadsafe(ends.set)
        server.shutdown()
        threads[1].join()  # it waits for the threads of requests
        server.server_close()
        loop.call_soon_threadsafe(loop.stop)
        threads[0].join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


WAYS = [in_fastapi, in_starlette, in_django, in_flask]


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way.__name__)
def mounted(request: Any) -> Iterator[str]:
    """Mount the application in a larger one; yield its URL there, without a slash at the end."""
    registry = TaskRegistry()
    for task_id in IDS:
        registry.register(Task(id=task_id, every={"hours": 1}, func=int))
    way: Callable[[ASGIApp], Any] = request.param
    with way(create_app(registry, auth=TOKEN)) as url:
        yield url


def get(url: str, headers: dict[str, str] | None = None, method: str = "GET") -> tuple[int, str, str]:
    """Return the status, the final address and the text of an answer."""
    request = urllib.request.Request(url, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.url, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.url, error.read().decode()


def test_the_page_leads_to_the_api_and_the_application_around_still_answers(mounted: str) -> None:
    status, url, page = get(mounted, bearer(MANAGE))
    assert (status, url) == (200, mounted + "/")
    links = [urljoin(url, link) for link in re.findall(r'(?:href|src|action)="([^"]*)"', page)]
    assert [link for link in links if not link.startswith(mounted + "/")] == []
    assert {link: get(link, bearer(MANAGE))[0] for link in links} == dict.fromkeys(links, 200)
    assert len(links) >= 2
    assert get(urljoin(mounted, "/"))[::2] == (200, '"outer"')


def test_it_is_closed_there_as_well(mounted: str) -> None:
    assert get(mounted + "/api/pause")[0] == 401
    assert get(mounted + "/api/pause", bearer("wrong"))[0] == 401
    assert get(mounted + "/api/pause", bearer(MANAGE) | {"Host": "evil.example"})[0] in (400, 421)
    assert get(mounted + "/api/no", bearer(MANAGE))[0] == 404


def test_a_browser_logs_in_for_that_path_alone(mounted: str) -> None:
    jar = CookieJar()
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    for path in ("/?token=", "?token="):
        with opener.open(f"{mounted}{path}{MANAGE}", timeout=PATIENCE) as answer:
            assert (answer.status, answer.url) == (200, mounted + "/")
    (cookie,) = jar
    assert cookie.path == mounted[mounted.index("/", 8) :]
    post = urllib.request.Request(mounted + "/api/pause", method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(post, timeout=PATIENCE)
    caught.value.close()
    assert caught.value.code == 403
    post.add_header("Origin", mounted[: mounted.index("/", 8)])
    with opener.open(post, timeout=PATIENCE) as answer:
        assert json.load(answer) == {"paused": True}


@pytest.mark.parametrize("task_id", IDS)
def test_every_id_is_found(mounted: str, task_id: str) -> None:
    status, _, text = get(f"{mounted}/api/tasks/{quote(task_id, safe='')}", bearer(MANAGE))
    assert (status, json.loads(text)["id"]) == (200, task_id)


def test_events_stream(mounted: str) -> None:
    request = urllib.request.Request(mounted + "/api/events", headers=bearer(MANAGE))
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.readline() != b""
