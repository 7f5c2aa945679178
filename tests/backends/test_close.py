"""What becomes of a connection that is in use when its backend is closed."""

import threading
from typing import Any

import pytest

from tests.backends.stores import Store


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_a_connection_in_use_is_closed_when_it_comes_back(store: Store) -> None:
    backend: Any = store.open()
    backend.open()
    is_used, is_closed, found = threading.Event(), threading.Event(), []

    def use() -> None:
        with backend._transaction() as connection:
            found.append(connection.connection.dbapi_connection)
            is_used.set()
            is_closed.wait(10)

    thread = threading.Thread(target=use)
    thread.start()
    is_used.wait(10)
    backend.close()
    is_closed.set()
    thread.join(10)
    with pytest.raises(Exception, match="closed"):
        found[0].cursor().execute("SELECT 1")
    assert backend.instances() == []  # a later call connects anew


@pytest.mark.parametrize("store", ["sqlite", "postgres"], indirect=True)
def test_a_connection_that_was_closed_already_can_be_dropped(store: Store) -> None:
    backend: Any = store.open()
    connection = backend._engine.connect()
    connection.connection.dbapi_connection.close()
    backend._drop(connection)
    assert connection.closed
    backend.close()
