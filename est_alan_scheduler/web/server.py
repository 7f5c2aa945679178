"""The server: the application on an address of this machine, by uvicorn."""

import asyncio
import contextlib
import ipaddress
import secrets
import signal
import socket
import threading
from collections.abc import Collection, Iterator
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Any, Literal, overload

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError, WrongStateError
from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.fields.checks import in_seconds
from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.app import create_app
from est_alan_scheduler.web.auth import WAYS, Auth, Token
from est_alan_scheduler.web.hosts import LOOPBACK, checked_hosts, parsed

_PATIENCE = 5  # seconds for which requests may go on when the server stops


class WebServer:
    """A server in a thread, until `stop`. Usable in `with`."""

    def __init__(self, server: "_Server", url: str, token: str | None) -> None:
        self.url = url
        """The address, as a program calls it."""
        self.login_url = url if token is None else f"{url}?token={token}"
        """The address, as a person opens it: with the token, if the server has made one."""
        self.token = token
        """The token that the server has made; None if it was given `auth` or `allow_anonymous`."""
        self._server = server
        self._thread = threading.Thread(target=server.run, name="est-alan-scheduler web", daemon=True)

    def __repr__(self) -> str:
        return f"<WebServer {self.url}>"

    def stop(self, timeout: float | timedelta | None = None) -> bool:
        """Stop after the requests in progress; wait up to `timeout` (seconds), and return whether it has ended.

        Requests that go on after five seconds are cut off.
        """
        self._server.end()
        if threading.current_thread() is not self._thread:
            self._thread.join(in_seconds(timeout))
        return not self._thread.is_alive()

    def __enter__(self) -> "WebServer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _start(self) -> None:
        self._thread.start()
        self._server.has_begun.wait()
        if not self._server.started:
            self._thread.join()
            raise WrongStateError(f"the server of {self.url} has not started: its log says why")


@overload
def serve(
    registry: TaskRegistry,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    auth: Auth | None = None,
    allow_anonymous: Literal["read"] | None = None,
    read_only: bool = False,
    hide_values: bool = False,
    hosts: str | Collection[str] | None = None,
    blocking: Literal[True] = True,
) -> None: ...


@overload
def serve(
    registry: TaskRegistry,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    auth: Auth | None = None,
    allow_anonymous: Literal["read"] | None = None,
    read_only: bool = False,
    hide_values: bool = False,
    hosts: str | Collection[str] | None = None,
    blocking: Literal[False],
) -> WebServer: ...


def serve(
    registry: TaskRegistry,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    auth: Auth | None = None,
    allow_anonymous: Literal["read"] | None = None,
    read_only: bool = False,
    hide_values: bool = False,
    hosts: str | Collection[str] | None = None,
    blocking: bool = True,
) -> WebServer | None:
    """Serve what `create_app` makes until Ctrl+C or SIGTERM; with `blocking=False` in a thread, which is returned.

    It serves beside a loop and ticks nothing itself: call `start_scheduler` before, or open the registry with
    `observe=True`. On an address of this machine alone it makes a token unless it is given `auth` or
    `allow_anonymous`, and prints the URL to open; on any other address it refuses to start without them. Port 0 takes a
    free one. `hosts` are the names by which browsers may call it, without ports, or `"*"`; by default `localhost`,
    `127.0.0.1`, `[::1]` and `host`. On `"0.0.0.0"` and `"::"`, other machines are answered only by names in `hosts`,
    which replaces the default.
    """
    if not isinstance(host, str):
        raise InvalidTypeError(f"host must be a str, got {short_repr(host)}")
    if type(port) is not int or not 0 <= port < 65_536:
        raise InvalidValueError(f"port must be an int from 0 to 65535, got {short_repr(port)}")
    if blocking and _is_in_event_loop():
        raise WrongStateError("an event loop runs in this thread: call serve(..., blocking=False)")
    token = None
    if auth is None and allow_anonymous is None:
        if not _is_loopback(host):
            raise InvalidValueError(f"{host!r} can be reached from other machines, so serve needs {WAYS}")
        token = secrets.token_urlsafe()
        auth = Token(token)
    name = _name_of(host)
    names = [*LOOPBACK, name] if hosts is None else hosts
    app = create_app(
        registry,
        auth=auth,
        allow_anonymous=allow_anonymous,
        read_only=read_only,
        hide_values=hide_values,
        hosts=names,
    )
    listener = _listener(host, port)
    url = f"http://{_allowed_name(name, names)}:{listener.getsockname()[1]}/"
    server = _Server(app, listener)
    handle = WebServer(server, url, token)
    said = f"The tasks are at {handle.login_url}"  # the token is shown nowhere else
    if name != _in_url(host) and hosts is None:
        said += '\nBy other names it answers if they are given: hosts=["…"]'
    if not blocking:
        print(said, flush=True)  # noqa: T201  # what the caller is there for
        handle._start()
        return handle
    with _signals(server):  # before the line: a program that reads it may send a signal at once
        print(said, flush=True)  # noqa: T201
        server.run()
    return None


class _Server(uvicorn.Server):
    """A server of uvicorn that leaves signals and the logging of the program alone."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                _Ending(app, self),
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                server_header=False,
                timeout_graceful_shutdown=_PATIENCE,
            )
        )
        self._listener = listener
        self.has_begun = threading.Event()
        """It has started, or it never will."""
        self.ends = asyncio.Event()

    def run(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  # it has its own
        """Serve until `end`."""
        try:
            with self._listener:
                asyncio.run(self.serve([self._listener]))
        finally:
            self.has_begun.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_begun.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.ends.set()
        await super().shutdown(sockets)

    def end(self) -> None:
        """Stop soon; from any thread."""
        self.should_exit = True

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        return contextlib.nullcontext()


class _Protocol(H11Protocol):
    """HTTP without a line in the log for each request: the first one has the token in it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.access_log = False


class _Ending:
    """The application, with streams that end when the server stops, as if the client had gone."""

    def __init__(self, app: ASGIApp, server: _Server) -> None:
        self._app = app
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_complete = False

        async def receive_or_end() -> Message:
            nonlocal is_complete
            if not is_complete:
                message = await receive()
                is_complete = not message.get("more_body", False)
                return message
            message_comes = asyncio.ensure_future(receive())
            end_comes = asyncio.ensure_future(self._server.ends.wait())
            try:
                await asyncio.wait([message_comes, end_comes], return_when=asyncio.FIRST_COMPLETED)
                return message_comes.result() if message_comes.done() else {"type": "http.disconnect"}
            finally:
                message_comes.cancel()
                end_comes.cancel()

        await self._app(scope, receive_or_end, send)


@contextlib.contextmanager
def _signals(server: _Server) -> Iterator[None]:
    """Let Ctrl+C and SIGTERM stop the server, in the main thread; then call the handlers that the program has set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(number)
        server.handle_exit(number, frame)

    before: dict[int, Any] = {int(number): signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for number in received:
        if callable(before[number]) and before[number] is not signal.default_int_handler:
            signal.raise_signal(number)


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family)
        # asyncio turns off Nagle's algorithm, which delays answers by 40 ms, for sockets that say that they are of TCP
        return socket.socket(listener.family, listener.type, socket.IPPROTO_TCP, listener.detach())
    except ValueError:  # what no name can have
        raise InvalidValueError(f"host must be a name or an address, got {short_repr(host)}") from None
    except OSError as error:
        raise type(error)(error.errno, f"cannot serve on {host}, port {port}: {error.strerror}") from None


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def _name_of(host: str) -> str:
    """Return how this machine calls the address of a server, in a URL."""
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:  # no address to call
            return "127.0.0.1" if address.version == 4 else "[::1]"
    return _in_url(host)


def _allowed_name(name: str, names: str | Collection[str]) -> str:
    """Return a name by which a server may be called: `name` if it may."""
    allowed = checked_hosts(names)
    host = parsed(name)
    if allowed is None or (host is not None and host.name in allowed):
        return name
    return names if isinstance(names, str) else next(iter(names))


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
