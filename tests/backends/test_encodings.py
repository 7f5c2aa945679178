"""Databases of PostgreSQL that are not in UTF-8: what they lack is written with escapes, and blocks nothing."""

import logging
import socket
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from est_alan_scheduler.backends import open_backend
from tests.backends.stores import Servers
from tests.cluster.helpers import MINUTE, noop
from tests.jobs import echo
from tests.messages import missing

FACE = "\N{GRINNING FACE}"
ESCAPED_FACE = "\\U0001f600"
LACKING = {"euc_kr": "ключ\xa0☃", "latin1": "한국어"}
_numbers = count()


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.fixture(scope="module")
def databases(servers: Servers) -> Callable[[str], str]:
    """Create a database of an encoding once, and return its URL."""
    sqlalchemy = pytest.importorskip("sqlalchemy")
    created: dict[str, str] = {}

    def create(encoding: str) -> str:
        if encoding not in created:
            server = sqlalchemy.make_url(servers.get("postgres").url)
            engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                options = f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
                connection.exec_driver_sql(f"CREATE DATABASE in_{encoding} {options}")
            engine.dispose()
            created[encoding] = server.set(database=f"in_{encoding}").render_as_string(hide_password=False)
        return created[encoding]

    return create


@pytest.fixture(params=["euc_kr", "latin1"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def registry(encoding: str, databases: Callable[[str], str]) -> Iterator[TaskRegistry]:
    backend = open_backend(databases(encoding), f"t{next(_numbers)}")
    registry = TaskRegistry(backend=backend, lease=600)
    yield registry
    registry.shutdown(0)
    backend.close()


def test_results_and_errors_that_it_lacks_are_recorded_with_escapes(
    registry: TaskRegistry, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    session = registry._session
    assert session is not None
    session.claims.inline_batch = 10  # one write for all
    known = "값" if encoding == "euc_kr" else "é"
    face = Task(id="result", every=MINUTE, func=echo, args=(f"[{FACE}]",))
    tasks = [
        registry.register(Task(id="before", every=MINUTE, func=noop)),
        registry.register(face),
        registry.register(Task(id="error", every=MINUTE, func=fail, args=(f"<{FACE}>",))),
        registry.register(Task(id="after", every=MINUTE, func=echo, args=(known,))),
    ]
    caplog.set_level(logging.WARNING, "est_alan_scheduler")
    registry.tick()
    assert len(session.completer) == 0
    registry.tick()
    assert [task.status.value for task in tasks] == ["success", "success", "failed", "success"]
    assert (face.result, tasks[2].error_message) == (f"[{FACE}]", f"ValueError: <{ESCAPED_FACE}>")
    assert {row["task_id"]: (row["result"], row["error"]) for row in registry.history()} == {
        "before": ("None", None),
        "result": (f"'[{ESCAPED_FACE}]'", None),
        "error": (None, f"ValueError: <{ESCAPED_FACE}>"),
        "after": (repr(known), None),
    }
    refused = sorted(record.message for record in caplog.records if "refuses" in record.message)
    assert [missing(text, "escaped") for text in refused] == [[], []]
    assert [missing(refused[0], "of task 'error'"), missing(refused[1], "of task 'result'")] == [[], []]
    again = TaskRegistry(backend=registry.backend, lease=600)
    known_again = again.register(Task(id="result", every=MINUTE, func=echo, args=(f"[{FACE}]",)))
    assert known_again.result == f"[{FACE}]"
    assert [row["result"] for row in known_again.history] == [f"'[{ESCAPED_FACE}]'"]
    again.shutdown(0)


def test_an_error_message_that_is_assigned_is_written_with_escapes(registry: TaskRegistry) -> None:
    task = registry.register(Task(id="a", every=MINUTE, func=noop, paused=True))
    other = registry.register(Task(id="b", every=MINUTE, func=noop, paused=True))
    task.error_message, other.error_message = f"failed: {FACE}", "failed"
    registry.tick()
    registry.tick()
    assert (task.error_message, other.error_message) == (f"failed: {ESCAPED_FACE}", "failed")


def test_a_definition_can_have_any_text(registry: TaskRegistry) -> None:
    task = registry.register(Task(id="a", every=MINUTE, func=echo, args=(FACE,)))
    registry.tick()
    assert task.result == FACE
    other = TaskRegistry(backend=registry.backend, lease=600)
    other.expose(echo)
    other.tick()
    assert other.get("a") is not None
    other.shutdown(0)


@pytest.mark.parametrize("field", ["id", "depends_on"])
def test_an_id_that_it_lacks_is_refused_by_the_name_of_the_field(
    field: str, registry: TaskRegistry, encoding: str
) -> None:
    for task_id in (FACE, LACKING[encoding]):
        fields: dict[str, Any] = {
            "id": "a",
            "every": MINUTE,
            "func": noop,
            field: task_id if field == "id" else [task_id],
        }
        with pytest.raises(ValueError, match=f"^the {field} of task ") as caught:
            registry.register(Task(**fields))
        assert missing(caught.value, repr(task_id), "encoding") == []
    assert len(registry) == 0
    assert registry.history(FACE) == []
    registry.register(Task(id="a", every=MINUTE, func=noop))
    with pytest.raises(ValueError, match=r"^the depends_on of task 'a'"):
        registry.update("a", depends_on=[FACE])
    with pytest.raises(KeyError):
        registry.pause(FACE)


def test_a_host_may_have_a_name_that_it_lacks(databases: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "서버")
    backend = open_backend(databases("latin1"), f"t{next(_numbers)}")
    registry = TaskRegistry(backend=backend, lease=600)
    task = registry.register(Task(id="a", every=MINUTE, func=noop))
    registry.tick()
    assert task.status is TaskStatus.SUCCESS
    assert registry.instances()[0].owner.startswith("\\uc11c\\ubc84:")
    registry.shutdown(0)
    backend.close()


def test_an_id_that_it_lacks_does_not_hinder_others(registry: TaskRegistry) -> None:
    other = registry.register(Task(id="other", every=MINUTE, func=noop))
    registry.store[FACE] = Task(id=FACE, every=MINUTE, func=noop)
    registry.tick()
    assert other.status is TaskStatus.SUCCESS
    assert missing(registry.unresolved()[FACE], "the id", "encoding") == []
    registry.remove(FACE)
    assert registry.unresolved() == {}


def test_a_database_without_an_encoding_is_refused_at_opening(databases: Callable[[str], str]) -> None:
    with pytest.raises(RuntimeError, match=r"in SQL_ASCII.*ENCODING 'UTF8'"):
        open_backend(databases("sql_ascii"))
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine(databases("sql_ascii"), connect_args={"client_encoding": "utf8"})
    with engine.connect() as connection:
        tables = connection.exec_driver_sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").scalar()
    engine.dispose()
    assert tables == 0
