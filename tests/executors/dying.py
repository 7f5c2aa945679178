"""Functions whose worker process is killed or stopped at the worst moment."""

import multiprocessing
import os
import signal
import struct
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

LARGE = 1_000_000


def _kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def send_half(then: Any) -> bytes:
    def send_bytes(connection: Any, data: Any) -> None:
        connection._send(struct.pack("!i", len(data)))
        connection._send(memoryview(data)[: len(data) // 2])
        then()

    Connection._send_bytes = send_bytes  # type: ignore[attr-defined]  # private, of the worker alone
    return bytes(LARGE)


def die_while_sending() -> bytes:
    return send_half(_kill)


def stop_while_sending(pid_file: str) -> bytes:
    Path(pid_file).write_text(str(os.getpid()))
    return send_half(_stop)


def _is_first(folder: str) -> bool:
    try:
        (Path(folder) / "first").mkdir()
    except FileExistsError:
        return False
    return True


def die_at_the_start(folder: str) -> None:
    """Kill the first worker, as an initializer."""
    if _is_first(folder):
        _kill()


def die_while_receiving(folder: str) -> None:
    """Kill the first worker that receives a large argument in the middle of it, as an initializer."""

    def receive(connection: Any, size: int, *rest: Any) -> Any:
        if size >= LARGE and _is_first(folder):
            os.read(connection.fileno(), 4096)
            _kill()
        return before(connection, size, *rest)

    before = Connection._recv  # type: ignore[attr-defined]  # private, of the worker alone
    Connection._recv = receive  # type: ignore[attr-defined]


def pool(method: str, workers: int, initializer: Any = None, folder: str = "") -> ProcessPoolExecutor:
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(workers, context, initializer, (folder,) if initializer else ())
