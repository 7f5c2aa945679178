"""The parts of a URL, and that its password shows nowhere."""

import logging
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.backends import BackendUnavailableError, open_backend
from est_alan_scheduler.backends.address import Address, conceal, seconds, text, whole_number, yes_or_no
from tests.backends.fake_server import fake_server

SECRET = "sEcReTpW"
CLOSED = "127.0.0.1:9"  # nothing listens there


def parts(url: str) -> tuple[Any, ...]:
    address = Address(url, "redis")
    return address.user, address.password, address.host, address.port, address.path


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://host", (None, None, "host", None, "")),
        ("redis://host:1/0", (None, None, "host", 1, "0")),
        ("redis://", (None, None, "", None, "")),
        ("redis:///db", (None, None, "", None, "db")),
        ("redis://me:pw@host:65535/a/b", ("me", "pw", "host", 65_535, "a/b")),
        ("redis://:pw@host", ("", "pw", "host", None, "")),
        ("redis://me@host", ("me", None, "host", None, "")),
        ("redis://me:@host", ("me", "", "host", None, "")),
        ("redis://me:p@w:x@host", ("me", "p@w:x", "host", None, "")),
        ("redis://m%40e:%2F%3F%23%40%25%3A@host", ("m@e", "/?#@%:", "host", None, "")),
        ("redis://me:a+b%zz@host/my%20db", ("me", "a+b%zz", "host", None, "my db")),
        ("redis://[::1]:7/0", (None, None, "::1", 7, "0")),
        ("redis://%2Ftmp%2Fsockets/db", (None, None, "/tmp/sockets", None, "db")),
        ("redis://host.:5", (None, None, "host.", 5, "")),
    ],
)
def test_a_url_is_read_the_same_for_every_store(url: str, expected: tuple[Any, ...]) -> None:
    assert parts(url) == expected


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (f"me:{SECRET}/x@host", "write / as %2F"),
        (f"me:{SECRET}?x@host", "? as %3F"),
        (f"me:{SECRET}#x@host", "# as %23"),
        (f"{SECRET}/me@host", "@ as %40"),
        (f"me:1/{SECRET}@host", "%2F"),
        (f"me:1?host={SECRET}@host", "%3F"),
        (f"me@{SECRET}@host", "two @"),
        (f"host?password=x#{SECRET}", "# as %23"),
        (f"host?password=x@{SECRET}", "@ as %40"),
        (f"host?password=x&{SECRET}", "like ?name=value&name=value"),
        (f":{SECRET}", "must be :port"),
        (f"{SECRET}:x:1", "must be :port"),
        ("host:0", "1 to 65535"),
        ("host:65536", "1 to 65535"),
        ("host:-1", "1 to 65535"),
        ("host:99999999999999999999", "1 to 65535"),
        ("host:٣", "1 to 65535"),
        ("::1", "in brackets"),
        ("[::1", "in brackets"),
        (f":{SECRET}@host\n", "control character, or a space at its end"),
        (f" :{SECRET}@host", "control character, or a space at its end"),
        (f":{SECRET}%00@host", "%00, or bytes that are no UTF-8"),
        (f":{SECRET}%ff@host", "%00, or bytes that are no UTF-8"),
        (f":{SECRET}\ud800@host", "%00, or bytes that are no UTF-8"),
        (f"{'a' * 64}.com", "1 to 63 characters"),
        ("a..b", "1 to 63 characters"),
    ],
)
def test_a_url_that_may_be_misread_is_refused_without_its_password(rest: str, message: str) -> None:
    with pytest.raises(ValueError, match="redis://…: ") as caught:
        Address(f"redis://{rest}", "redis")
    assert message in str(caught.value)
    assert shown_texts(caught.value, SECRET) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://me:pw@host:1/0?socket_timeout=1", "redis://me:***@host:1/0"),
        ("redis://me@host/?host=/tmp&password=x&port=1", "redis://me@host/?host=/tmp"),
        ("redis://h?PASSWORD=a&db=b", "redis://h"),
        ("redis://h/%1b\u202e", r"redis://h/%1b\u202e"),
    ],
)
def test_messages_show_which_store_it_is(url: str, shown: str) -> None:
    assert (Address(url, "redis").shown, repr(Address(url, "redis"))) == (shown, f"<Address {shown}>")


READERS = {"host": text, "number": whole_number, "seconds": seconds, "flag": yes_or_no, "password": text}


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", {}),
        ("host=a%26b", {"host": "a&b"}),
        ("host=a+b&&", {"host": "a b"}),
        ("host=a&host=b&host=c", {"host": ("a", "b", "c")}),
        ("number=-5&seconds=0.5&flag=Yes", {"number": -5, "seconds": 0.5, "flag": True}),
        ("flag=0&password=a=b?c/d", {"flag": False, "password": "a=b?c/d"}),
    ],
)
def test_options_are_read_as_their_type(query: str, options: dict[str, Any]) -> None:
    assert Address(f"redis://h?{query}", "redis").options(READERS) == options


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("nummer=1", "the option 'nummer' is unknown (did you mean 'number'?); the options are: host, number"),
        ("number=1.5", "the option number must be a whole number"),
        ("number=", "the option number must be a whole number"),
        ("seconds=0", "the option seconds must be a number of seconds above 0"),
        ("seconds=nan", "the option seconds must be a number of seconds above 0"),
        ("flag=maybe", "the option flag must be true or false"),
        ("number=1&number=2", "the option number is given twice"),
        (f"password=a&{SECRET}=b", "an option after the password is unknown (write & in it as %26)"),
        (f"PASSWORD={SECRET}", "the option 'PASSWORD' is unknown"),
    ],
)
def test_an_unknown_or_invalid_option_is_refused(query: str, message: str) -> None:
    with pytest.raises(ValueError, match="redis://h: ") as caught:
        Address(f"redis://h?{query}", "redis").options(READERS)
    assert message in str(caught.value)
    assert shown_texts(caught.value, SECRET) == []


def shown_texts(error: BaseException, secret: str) -> list[str]:
    """Return the texts of an error and of all its causes and contexts in which a secret shows."""
    pending: list[BaseException | None] = [error]
    seen: list[BaseException] = []
    while pending:
        one = pending.pop()
        if one is not None and one not in seen:
            seen.append(one)
            pending += [one.__cause__, one.__context__]
    texts = [f(one) for one in seen for f in (str, repr)] + traceback.format_exception(error)
    return [shown for shown in texts if secret in shown]


passwords = st.builds(
    lambda before, after: before + SECRET + after,
    *[st.text(st.sampled_from("/?@#:%&=+[]~. a1ü\\'\"\t\u202e"), max_size=6)] * 2,
)
PLACES: list[Callable[[str], str]] = [
    lambda password: f"me:{password}@{CLOSED}/0",
    lambda password: f":{password}@{CLOSED}",
    lambda password: f"me:{quote(password, safe='')}@{CLOSED}/0",
    lambda password: f"{CLOSED}/0?password={password}",
    lambda password: f"{CLOSED}/0?password={quote(password, safe='')}",
    lambda password: f"{CLOSED}/0?sslpassword={password}",
    lambda password: f"{CLOSED}/0?ssl_password={quote(password, safe='')}",
    lambda password: f"{CLOSED}/0?PASSWORD={password}",
    lambda password: f"{CLOSED}/0?Pwd={password}&no_such_option=1",
    lambda password: f"me:{password}@{CLOSED}/0?no_such_option=1",
    lambda password: f"me:{password}@{CLOSED}/no_number?connect_timeout=never",
]


@pytest.mark.parametrize("scheme", ["postgresql", "redis", "rediss", "mysql", "postgres+psycopg"])
@given(password=passwords, place=st.sampled_from(PLACES))
def test_a_password_shows_in_no_text_of_an_error(scheme: str, password: str, place: Callable[[str], str]) -> None:
    pytest.importorskip("psycopg")
    pytest.importorskip("redis")
    with pytest.raises((ValueError, BackendUnavailableError)) as caught:
        open_backend(f"{scheme}://{place(password)}")
    assert shown_texts(caught.value, SECRET) == []


def repeated(received: bytes) -> bytes:
    return b"-ERR unknown command, with args beginning with: " + received.replace(b"\r\n", b" ") + b"\r\n"


@pytest.mark.parametrize("given", ["me:{}@127.0.0.1:{}", "127.0.0.1:{1}?password={0}", ":{}@127.0.0.1:{}?protocol=2"])
def test_a_server_that_repeats_what_it_was_sent_shows_no_password(given: str, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("redis")
    caplog.set_level(logging.DEBUG)
    with fake_server(repeated) as port, pytest.raises(ValueError, match=r"unknown command.*\*\*\*") as caught:
        TaskRegistry(backend=f"redis://{given.format(SECRET, port)}")
    assert shown_texts(caught.value, SECRET) == []
    assert SECRET not in caplog.text


def test_secrets_are_concealed_in_all_texts_of_an_error() -> None:
    error, cause, context = ValueError(f"a {SECRET}", 5), KeyError(SECRET.encode()), OSError(2, SECRET)
    error.__cause__, cause.__context__, context.__cause__ = cause, context, error
    conceal(error, (SECRET,))
    assert (error.args, cause.args, context.args) == (("a ***", 5), (b"***",), (2, "***"))


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        (f"redis://me:{SECRET}@h?ssl_password=other", {SECRET, "other"}),
        ("redis://me:pw@h", set()),  # each message would be full of stars
        ("redis://post:post@h", set()),  # it shows anyway
        ("redis://h", set()),
    ],
)
def test_what_is_secret(url: str, secrets: set[str]) -> None:
    assert set(Address(url, "redis").secrets) == secrets


@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_a_backend_with_a_password_works_and_does_not_show_it(kind: str, servers: Any, tmp_path: Any) -> None:
    store = servers.store(kind, tmp_path)
    if kind == "redis":
        with pytest.importorskip("redis").Redis.from_url(store.url) as client:
            client.execute_command("ACL", "SETUSER", "keeper", "on", f">{SECRET}", "~*", "+@all")
        url = f"{store.url}?username=keeper&password={SECRET}"
    else:
        url = store.url.replace("postgres:@", f"postgres:{SECRET}@").replace("+psycopg", "")
    backend = open_backend(url, store.name)
    assert backend.fetch(None, 0).definitions == {}
    assert SECRET not in f"{backend!r} {backend.url} {vars(backend)}"
    backend.close()
