"""From the path to the endpoint, and from what its handler raises to the response."""

import json
from typing import Any

import pytest

from est_alan_scheduler import InvalidValueError, TaskRegistry, WrongStateError
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.web.api.dispatch import Dispatcher
from est_alan_scheduler.web.api.endpoint import Call, Endpoint
from est_alan_scheduler.web.site import Site
from tests.web.clients import Reply, call


def ask(handle: Any, path: str = "/x/a", **scope: Any) -> Reply:
    endpoint = Endpoint("GET", "/x/{id}", handle, "Test.", str, role=None)
    return call(Dispatcher(Site(TaskRegistry()), [endpoint]), "GET", path, **scope)


def the_id(call: Call) -> str:
    return call.path["id"]


@pytest.mark.parametrize(
    ("raw", "path", "found"),
    [
        (b"/x/a%2Fb", "/x/a/b", "a/b"),
        (b"/x/%2F%2f", "/x///", "//"),
        (b"/x/%252F", "/x/%2F", "%2F"),
        (b"/x/..", "/x/..", ".."),
        (b"/x/%C3%A9", "/x/é", "é"),
        (b"/root/x/a%2Fb", "/root/x/a/b", None),
        (b"/x/a/b", "/x/a/b", None),
        (b"/other/a%2Fb", "/x/a", "a"),  # it is not of this path: somebody around has changed that
        (None, "/x/a", "a"),
        (None, "/x/a/b", None),
        (None, "/x/", None),
    ],
)
def test_an_id_may_have_slashes_where_the_path_is_known_as_it_was_sent(
    raw: bytes | None, path: str, found: str | None
) -> None:
    reply = ask(the_id, path, raw_path=raw)
    assert (reply.status, None if found is None else json.loads(reply.content)) == (
        404 if found is None else 200,
        found,
    )


def test_the_place_where_it_is_mounted_is_no_part_of_the_path() -> None:
    reply = ask(the_id, "/m n/api/x/a/b", root_path="/m n/api", raw_path=b"/m%20n/api/x/a%2Fb")
    assert json.loads(reply.content) == "a/b"


@pytest.mark.parametrize("query", ["q=%FF", "q=\xff", "%C0%80=1"])
def test_a_query_that_is_no_utf_8_is_a_bad_value(query: str) -> None:
    reply = ask(the_id, f"/x/a?{query}")
    assert reply.status == 422
    if "%" in query:
        assert reply.detail == "the query must be UTF-8, percent-encoded"


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (InvalidValueError("every must be positive\n"), 422, "every must be positive\\n"),
        (WrongStateError("not now"), 409, "not now"),
        (BackendUnavailableError("postgresql://user:secret@host"), 503, "the store is out of reach"),
        (ValueError("/etc/secret"), 500, "the server failed: its log says why"),
        (TypeError("secret"), 500, "the server failed: its log says why"),
        (KeyError("secret"), 500, "the server failed: its log says why"),
        (OSError("secret"), 500, "the server failed: its log says why"),
    ],
)
def test_what_a_handler_raises_for_the_caller_is_told_and_nothing_else(
    error: Exception, status: int, detail: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(call: Call) -> str:
        raise error

    reply = ask(fail)
    assert (reply.status, reply.detail) == (status, detail)
    assert len(caplog.records) == (status == 500)
