"""The proxy: it passes, cuts, refuses, and drops answers."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.chaos.proxy import Proxy


@pytest.fixture
def requests() -> list[bytes]:
    return []


@pytest.fixture
def proxy(requests: list[bytes]) -> Iterator[Proxy]:
    """A proxy before a server that echoes what it receives."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionResetError):
            while data := connection.recv(100):
                requests.append(data)
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:  # it is closed
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    proxy = Proxy(lambda: asyncio.open_connection("127.0.0.1", server.getsockname()[1]))
    yield proxy
    proxy.close()
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=10)


def is_over(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_proxy_passes_everything_until_it_is_cut(proxy: Proxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        proxy.cut()
        assert is_over(client)


def test_a_refusing_proxy_closes_new_connections(proxy: Proxy) -> None:
    proxy.mode = "refuse"
    with connect(proxy) as client:
        assert is_over(client)


def test_a_deaf_proxy_passes_requests_and_drops_answers(proxy: Proxy, requests: list[bytes]) -> None:
    with connect(proxy) as client:
        client.sendall(b"one")
        assert client.recv(100) == b"one"
        proxy.mode = "deaf"
        client.sendall(b"two")
        with connect(proxy) as other:  # what arrives there has passed the first one
            other.sendall(b"three")
            while len(requests) < 3:
                time.sleep(0.001)
        proxy.cut()
        assert is_over(client)
    assert sorted(requests) == [b"one", b"three", b"two"]
