"""The server: on which address it starts, how a browser comes in, and how it ends."""

import asyncio
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from http.client import HTTPConnection, HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from est_alan_scheduler import InvalidTypeError, InvalidValueError, TaskRegistry, WrongStateError
from est_alan_scheduler.web import Basic, Token, WebServer, serve
from est_alan_scheduler.web.server import _Server
from tests.web.clients import MANAGE, TOKEN, basic, bearer

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 60.0  # seconds until a server counts as stuck
needs_sigint = pytest.mark.skipif(os.name == "nt", reason="Windows cannot send a Ctrl+C to one process")


@contextmanager
def serving(**options: Any) -> Iterator[WebServer]:
    given: dict[str, Any] = {"port": 0, "auth": TOKEN} | options
    with serve(TaskRegistry(), **given, blocking=False) as server:
        yield server


def get(server: WebServer, path: str = "api/instances", headers: dict[str, str] | None = None) -> int:
    """Return the status of a request, without following a redirection."""
    address = urlsplit(server.url)
    with closing(HTTPConnection(address.hostname or "", address.port or 0, timeout=PATIENCE)) as connection:
        connection.request("GET", "/" + path, headers=headers or {})
        response: HTTPResponse = connection.getresponse()
        response.read()
        return response.status


class TestAddresses:
    def test_on_this_machine_it_makes_a_token_and_prints_it_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        with serving(auth=None) as first, serving(auth=None) as second:
            assert capsys.readouterr().out == (
                f"The tasks are at {first.login_url}\nThe tasks are at {second.login_url}\n"
            )
            assert first.token is not None
            assert first.login_url == f"{first.url}?token={first.token}"
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{43}", first.login_url)
            assert first.token != second.token
            assert get(first, headers=bearer(first.token)) == 200
            assert (get(first), get(first, headers=bearer(str(second.token)))) == (401, 401)
            assert first.token not in repr(first)

    def test_with_an_authentication_it_makes_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        with serving(auth=Basic({"ann": "password-of-ann"})) as server:
            assert (server.token, server.login_url) == (None, server.url)
            assert (get(server), get(server, headers=basic("ann", "password-of-ann"))) == (401, 200)
        assert capsys.readouterr().out == f"The tasks are at {server.url}\n"

    def test_everyone_may_read_where_the_program_says_so(self) -> None:
        with serving(auth=None, allow_anonymous="read") as server:
            assert (server.token, get(server)) == (None, 200)

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1", "example.com", "127.0.0.1.a"])
    def test_on_another_address_it_refuses_to_start_without_authentication(self, host: str) -> None:
        with pytest.raises(InvalidValueError) as caught:
            serve(TaskRegistry(), host, 0, blocking=False).stop()
        assert str(caught.value) == (
            f'{host!r} can be reached from other machines, so serve needs auth=Token("…"), '
            'auth=Basic({"ann": "…"}) or auth=a function (request) -> Role | None'
        )

    def test_on_all_addresses_it_is_called_by_the_names_of_this_machine_or_those_given(self) -> None:
        def status(server: WebServer, host: str) -> int:
            local = WebServer(server._server, f"http://127.0.0.1:{urlsplit(server.url).port}/", None)
            return get(local, headers=bearer(MANAGE) | {"Host": host})

        with serving(host="0.0.0.0") as server:
            assert [status(server, host) for host in ("localhost", "127.0.0.1:5", "0.0.0.0", "a.example")] == [
                200,
                200,
                421,
                421,
            ]
        with serving(host="0.0.0.0", hosts="a.example") as server:
            assert [status(server, host) for host in ("a.example", "localhost")] == [200, 421]

    @pytest.mark.parametrize(
        ("host", "name"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("0:0::0", "[::1]"), ("127.0.0.1", "127.0.0.1")]
    )
    def test_the_url_is_one_that_works(self, host: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        with serving(host=host) as server:
            assert server.url == f"http://{name}:{urlsplit(server.url).port}/"
            assert get(server, headers=bearer(MANAGE)) == 200
        others = [] if host == name else ['By other names it answers if they are given: hosts=["…"]']
        assert capsys.readouterr().out.splitlines() == [f"The tasks are at {server.url}", *others]

    @pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
    @pytest.mark.parametrize(
        ("hosts", "names"),
        [
            ("b.example", {"b.example"}),
            (["b.example", "a.example"], {"b.example"}),
            ({"b.example", "a.example"}, {"a.example", "b.example"}),
            (["b.example", "127.0.0.1"], {"127.0.0.1"}),
            ("*", {"127.0.0.1"}),
        ],
    )
    def test_the_url_has_a_name_that_is_allowed(
        self, host: str, hosts: Any, names: set[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with serving(host=host, hosts=hosts) as server:
            assert urlsplit(server.url).hostname in names
        assert capsys.readouterr().out.splitlines() == [f"The tasks are at {server.url}"]

    def test_it_serves_ipv6(self) -> None:
        with serving(host="::1", auth=None) as server:
            assert re.fullmatch(r"http://\[::1\]:\d+/", server.url)
            assert get(server, headers=bearer(str(server.token))) == 200

    def test_a_port_that_is_taken_is_named(self) -> None:
        with serving() as server:
            port = urlsplit(server.url).port
            with pytest.raises(OSError, match=rf"cannot serve on 127\.0\.0\.1, port {port}: Address already in use"):
                serve(TaskRegistry(), port=port or 0, blocking=False).stop()

    def test_a_host_that_is_not_there_is_named(self) -> None:
        with pytest.raises(OSError, match=r"cannot serve on 192\.0\.2\.1, port 0: "):
            serve(TaskRegistry(), "192.0.2.1", 0, auth=TOKEN, blocking=False).stop()

    @pytest.mark.parametrize("port", [-1, 65_536, "80", True, 1.0, None])
    def test_a_port_is_a_number(self, port: Any) -> None:
        with pytest.raises(InvalidValueError, match=r"^port must be an int from 0 to 65535, got "):
            serve(TaskRegistry(), port=port, blocking=False).stop()

    @pytest.mark.parametrize("host", ["a..b", "\0", "x" * 70 + ".example", "\ud800"])
    def test_a_host_is_a_name_or_an_address(self, host: str) -> None:
        with pytest.raises(InvalidValueError, match=r"^host.* must be"):
            serve(TaskRegistry(), host, 0, auth=TOKEN, blocking=False).stop()

    def test_a_host_is_a_text(self) -> None:
        with pytest.raises(InvalidTypeError, match=r"^host must be a str, got None$"):
            serve(TaskRegistry(), None, 0)  # type: ignore[call-overload]

    def test_in_an_event_loop_it_does_not_block(self) -> None:
        async def block() -> None:
            serve(TaskRegistry(), port=0)

        with pytest.raises(
            WrongStateError, match=r"^an event loop runs in this thread: call serve\(\.\.\., blocking=F"
        ):
            asyncio.run(block())

    def test_its_connections_are_known_to_be_of_tcp_so_that_no_answer_waits_for_an_acknowledgement(self) -> None:
        with serving() as server:
            assert server._server._listener.proto == socket.IPPROTO_TCP


class TestBrowsers:
    def test_the_url_opens_a_session(self) -> None:
        jar = CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        with serving(auth=None) as server:
            with opener.open(server.login_url) as page:
                assert (page.status, page.url) == (200, server.url)
            (cookie,) = jar
            assert (cookie.has_nonstandard_attr("HttpOnly"), cookie.get_nonstandard_attr("SameSite")) == (
                True,
                "strict",
            )
            assert (cookie.path, str(server.token) in str(cookie.value)) == ("/", False)
            with opener.open(server.url + "api/instances") as answer:
                assert answer.status == 200
            post = urllib.request.Request(server.url + "api/pause", method="POST")
            with pytest.raises(urllib.error.HTTPError, match="403"):
                opener.open(post).close()
            post.add_header("Origin", server.url.rstrip("/"))
            with opener.open(post) as answer:
                assert answer.status == 200

    def test_no_log_has_the_token_or_a_line_for_each_request(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with serving(auth=None) as server:
            assert get(server, f"?token={server.token}") == 303
            assert get(server, f"api/x?token={server.token}") == 303
            assert get(server, "?token=wrong") == 401
        assert server.token is not None
        assert server.token not in caplog.text
        assert "GET" not in caplog.text

    def test_the_logging_of_the_program_stays_as_it_is(self) -> None:
        loggers = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access")]
        before = [(one.level, one.propagate, list(one.handlers)) for one in loggers]
        with serving():
            pass
        assert [(one.level, one.propagate, list(one.handlers)) for one in loggers] == before


class TestEnds:
    def test_a_stop_frees_thread_and_port(self) -> None:
        before = set(threading.enumerate())
        server = serve(TaskRegistry(), port=0, auth=TOKEN, blocking=False)
        assert len(set(threading.enumerate()) - before) == 1
        assert (server.stop(PATIENCE), server.stop(timedelta(seconds=1))) == (True, True)
        assert set(threading.enumerate()) <= before
        with serving(port=urlsplit(server.url).port) as again:
            assert again.url == server.url

    def test_a_server_in_a_thread_leaves_signals_alone(self) -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        with serving():
            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    def test_a_stop_ends_streams(self) -> None:
        async def endless(scope: Scope, receive: Receive, send: Send) -> None:
            async def lines() -> AsyncIterator[str]:
                while True:
                    yield "line\n"
                    await asyncio.sleep(0.01)

            await StreamingResponse(lines())(scope, receive, send)

        listener = socket.create_server(("127.0.0.1", 0))
        server = WebServer(_Server(endless, listener), f"http://127.0.0.1:{listener.getsockname()[1]}/", None)
        server._start()
        with urllib.request.urlopen(server.url) as answer:
            assert answer.readline() == b"line\n"
            began = time.monotonic()
            assert server.stop(PATIENCE)
            assert time.monotonic() - began < 4  # seconds; after five it would be cancelled


PROGRAM = """
import signal, sys
from est_alan_scheduler import TaskRegistry, start_scheduler
from est_alan_scheduler.web import serve
{before}
registry = TaskRegistry()
with start_scheduler(registry=registry):
    serve(registry, port=0)
print("served", flush=True)
"""


@needs_sigint
@pytest.mark.slow
class TestSignals:
    @staticmethod
    def run(number: int, before: str = "", times: int = 1) -> tuple[int, list[str], str]:
        """Return the exit code, the output after the URL, and the errors of a program that gets a signal."""
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have it ignored
        try:
            process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", PROGRAM.format(before=before)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
            )
        finally:
            signal.signal(signal.SIGINT, handler)
        with process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            address = urlsplit(url)
            with closing(HTTPConnection(address.hostname or "", address.port or 0, timeout=PATIENCE)) as connection:
                connection.request("GET", "/api/instances", headers=bearer(address.query.partition("=")[2]))
                assert connection.getresponse().status == 200
            for _ in range(times):
                process.send_signal(number)
            output, errors = process.communicate(timeout=PATIENCE)
        return process.returncode, output.splitlines(), errors

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    @pytest.mark.parametrize("times", [1, 2])
    def test_ctrl_c_and_sigterm_end_it_and_the_program_goes_on(self, number: int, times: int) -> None:
        assert self.run(number, times=times) == (0, ["served"], "")

    def test_the_handler_of_the_program_is_called_after_the_end(self) -> None:
        before = "signal.signal(signal.SIGTERM, lambda *_: (print('handled', flush=True), sys.exit(3)))"
        assert self.run(signal.SIGTERM, before) == (3, ["handled"], "")


@pytest.mark.slow
def test_a_program_may_end_without_a_stop() -> None:
    code = """
from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import serve
from urllib.request import urlopen
server = serve(TaskRegistry(), port=0, allow_anonymous="read", blocking=False)
with urlopen(server.url + "api/instances") as answer:
    print(answer.status)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=PATIENCE)
    assert (done.returncode, done.stdout.splitlines()[1:], done.stderr) == (0, ["200"], "")


def test_a_connection_that_waits_for_the_next_request_does_not_hold_up_the_end() -> None:
    with serving() as server:
        address = urlsplit(server.url)
        idle = socket.create_connection((address.hostname, address.port), PATIENCE)
    with closing(idle):
        assert idle.recv(1) == b""


def test_a_read_only_server_lets_nobody_manage() -> None:
    with serving(auth=Token(MANAGE), read_only=True) as server:
        post = urllib.request.Request(server.url + "api/pause", method="POST", headers=bearer(MANAGE))
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(post).close()
