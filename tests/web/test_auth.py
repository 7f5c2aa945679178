"""Tokens, passwords and functions that say who a caller is."""

import asyncio
import copy
import hmac
import logging
import pickle
import threading
from base64 import b64encode
from typing import Any

import pytest
from anyio import to_thread
from freezegun import freeze_time
from httpx import ASGITransport, AsyncClient
from starlette.exceptions import HTTPException
from starlette.requests import Request

from est_alan_scheduler import InvalidTypeError, InvalidValueError, TaskRegistry
from est_alan_scheduler.web import Basic, Role, Token, create_app
from est_alan_scheduler.web.auth import version_key
from tests.ways import PATIENCE
from tests.web.clients import MANAGE, READ, TOKEN, Reply, basic, bearer, call

START = "2026-03-02 12:00:00"


def request(**headers: str | list[str]) -> Request:
    pairs = [
        (name.encode(), value.encode("latin-1"))
        for name, given in headers.items()
        for value in ([given] if isinstance(given, str) else given)
    ]
    return Request({"type": "http", "headers": pairs})


def ask(auth: Any, **scope: Any) -> Reply:
    return call(create_app(TaskRegistry(), auth=auth), "GET", "/api/instances", **scope)


class TestToken:
    @pytest.mark.parametrize(
        ("header", "role"),
        [
            (f"Bearer {MANAGE}", Role.MANAGE),
            (f"bearer   {MANAGE} ", Role.MANAGE),
            (f"Bearer {READ}", Role.READ),
            (f"Bearer {MANAGE}x", None),
            (f"Bearer {MANAGE[:-1]}", None),
            (f"Bearer {MANAGE.upper()}", None),
            (f"Bearer {MANAGE},{READ}", None),
            (f"Basic {MANAGE}", None),
            (MANAGE, None),
            ("Bearer", None),
            ("Bearer ", None),
            ("", None),
            ("Bearer \xff", None),
            ([f"Bearer {MANAGE}", f"Bearer {MANAGE}"], None),
            (["Bearer no", f"Bearer {MANAGE}"], None),
        ],
    )
    def test_the_header_has_the_role_of_its_secret(self, header: str | list[str], role: Role | None) -> None:
        assert TOKEN(request(authorization=header)) is role

    def test_a_token_for_readers_alone_manages_nothing(self) -> None:
        token = Token(read=READ)
        assert (token(request(authorization=f"Bearer {READ}")), token(request())) == (Role.READ, None)
        assert token(request(cookie=f"{token.cookie}={TOKEN.new_session(Role.MANAGE)}")) is None

    def test_a_session_ends_after_seven_days(self) -> None:
        with freeze_time(START) as clock:
            asked = request(cookie=f"{TOKEN.cookie}={TOKEN.new_session(Role.READ)}")
            assert TOKEN(asked) is Role.READ
            clock.tick(7 * 86_400)
            assert TOKEN(asked) is Role.READ
            clock.tick(1)
            assert TOKEN(asked) is None

    @pytest.mark.parametrize("change", ["later", "cut", "no signature", "nonsense", "empty", "other role", "unicode"])
    def test_a_session_cannot_be_changed(self, change: str) -> None:
        with freeze_time(START):
            value = TOKEN.new_session(Role.READ)
            ends, signature = value.split(".")
            changed = {
                "later": f"{int(ends) + 1}.{signature}",
                "cut": value[:-1],
                "no signature": f"{ends}.",
                "nonsense": "x.y",
                "empty": "",
                "other role": f"{ends}.{hmac.digest(MANAGE.encode(), ends.encode(), 'sha256').hex()}",
                "unicode": f"{ends.translate({ord('1'): 0xB9})}.{signature}",
            }
            assert TOKEN(request(cookie=f"{TOKEN.cookie}={changed[change]}")) is None

    def test_the_session_is_not_the_secret_and_ends_with_it(self) -> None:
        old, new = Token(MANAGE), Token(MANAGE + "2")
        session = old.new_session(Role.MANAGE)
        assert MANAGE not in session
        assert new(request(cookie=f"{new.cookie}={session}")) is None
        assert old.cookie != new.cookie

    def test_two_processes_with_one_secret_know_the_same_sessions(self) -> None:
        one, other = Token(MANAGE), Token(MANAGE)
        assert other(request(cookie=f"{one.cookie}={one.new_session(Role.MANAGE)}")) is Role.MANAGE

    def test_no_text_and_no_copy_shows_a_secret(self) -> None:
        assert repr(TOKEN) == "Token(manage=…, read=…)"
        assert MANAGE.encode() not in pickle.dumps(TOKEN)
        for token in (copy.deepcopy(TOKEN), pickle.loads(pickle.dumps(TOKEN))):
            assert token(request(authorization=f"Bearer {MANAGE}")) is Role.MANAGE

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({}, 'Token needs a secret: Token("…") may manage, Token(read="…") may only read'),
            ({"manage": MANAGE, "read": MANAGE}, "Token: the secrets of manage and read must differ"),
            (
                {"manage": ""},
                "the secret of a Token must have at least 16 characters; secrets.token_urlsafe() makes one",
            ),
            (
                {"read": "fifteen-letters"},
                "the secret of a Token must have at least 16 characters; secrets.token_urlsafe() makes one",
            ),
            (
                {"manage": "sixteen letters!"},
                "the secret of a Token must consist of ASCII characters without spaces",
            ),
            (
                {"manage": "sixteen-lettersü"},
                "the secret of a Token must consist of ASCII characters without spaces",
            ),
        ],
    )
    def test_a_weak_secret_is_refused(self, arguments: dict[str, str], text: str) -> None:
        with pytest.raises(InvalidValueError) as caught:
            Token(**arguments)
        assert str(caught.value) == text

    def test_a_secret_is_a_text(self) -> None:
        with pytest.raises(InvalidTypeError, match=r"^the secret of a Token must be a str, got bytes$"):
            Token(MANAGE.encode())  # type: ignore[arg-type]


class TestBasic:
    auth = Basic({"ann": "password-of-ann", "zoë": "pässwörd:with"}, read={"bob": "password-of-bob"})

    @pytest.mark.parametrize(
        ("pair", "role"),
        [
            ("ann:password-of-ann", Role.MANAGE),
            ("zoë:pässwörd:with", Role.MANAGE),
            ("bob:password-of-bob", Role.READ),
            ("ann:password-of-bob", None),
            ("bob:password-of-ann", None),
            ("ann:password-of-ann ", None),
            ("ann", None),
            ("ann:", None),
            (":", None),
            ("", None),
            ("ANN:password-of-ann", None),
        ],
    )
    def test_a_name_with_its_password_has_its_role(self, pair: str, role: Role | None) -> None:
        header = "Basic " + b64encode(pair.encode()).decode()
        assert self.auth(request(authorization=header)) is role

    @pytest.mark.parametrize("rest", ["", " ", " %", " YW5u", " YW5uOg", " =====", " \xff\xfe", " !!!!"])
    def test_what_is_no_base64_is_nobody(self, rest: str) -> None:
        assert self.auth(request(authorization="Basic" + rest)) is None

    def test_no_text_and_no_copy_shows_a_password(self) -> None:
        assert repr(self.auth) == "Basic(<3 user(s)>)"
        assert b"password-of-ann" not in pickle.dumps(self.auth)

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({}, 'Basic needs a name and a password: Basic({"ann": "…"}) may manage'),
            ({"manage": {}}, 'Basic needs a name and a password: Basic({"ann": "…"}) may manage'),
            ({"manage": {"ann": "short"}}, "the password of 'ann' must have at least 8 characters"),
            ({"read": {"": "long enough"}}, "a name of Basic must not be empty or contain a colon, got ''"),
            ({"read": {"a:b": "long enough"}}, "a name of Basic must not be empty or contain a colon, got 'a:b'"),
            (
                {"manage": {"ann": "long enough"}, "read": {"ann": "other enough"}},
                "Basic: the name 'ann' is given in both manage and read",
            ),
        ],
    )
    def test_weak_or_ambiguous_passwords_are_refused(self, arguments: dict[str, Any], text: str) -> None:
        with pytest.raises(InvalidValueError) as caught:
            Basic(**arguments)
        assert str(caught.value) == text

    @pytest.mark.parametrize("given", ["ann", ("ann", "password"), {"ann": None}, {1: "password"}])
    def test_names_and_passwords_are_texts_in_a_mapping(self, given: Any) -> None:
        with pytest.raises(InvalidTypeError, match=r"Basic.* must be str|Basic takes names and passwords"):
            Basic(given)


@pytest.mark.parametrize("auth", [TOKEN, TestBasic.auth])
def test_secrets_are_compared_in_constant_time_and_all_of_them(auth: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    compare = hmac.compare_digest

    def counted(one: Any, other: Any) -> bool:
        lengths.add((len(one), len(other)))
        return compare(one, other)

    monkeypatch.setattr("est_alan_scheduler.web.auth.hmac.compare_digest", counted)
    for headers in (bearer(MANAGE), bearer(READ), bearer("x"), basic("ann", "password-of-ann"), basic("x", "y")):
        lengths: set[tuple[int, int]] = set()
        auth(request(authorization=headers["Authorization"]))
        counts.append(lengths)
    assert counts == [{(32, 32)}] * 5


class TestFunctions:
    def test_a_plain_function_is_called_in_another_thread(self) -> None:
        threads = []

        def auth(asked: Request) -> Role:
            threads.append(threading.current_thread())
            return Role.READ

        async def on_loop(asked: Request) -> str:
            threads.append(threading.current_thread())
            return "read"

        assert (ask(auth).status, ask(on_loop).status) == (200, 200)
        assert [thread is threading.main_thread() for thread in threads] == [False, True]

    def test_functions_that_hang_take_no_thread_of_the_program_around(self) -> None:
        goes_on, is_asked = threading.Event(), threading.Semaphore(0)

        def auth(asked: Request) -> Role:
            is_asked.release()
            assert goes_on.wait(PATIENCE)
            return Role.READ

        async def open_many() -> list[int]:
            to_thread.current_default_thread_limiter().total_tokens = 1
            transport = ASGITransport(create_app(TaskRegistry(), auth=auth))
            async with AsyncClient(transport=transport, base_url="http://localhost") as client:
                opened = [asyncio.ensure_future(client.get("/api/instances")) for _ in range(3)]
                await to_thread.run_sync(is_asked.acquire)
                await to_thread.run_sync(goes_on.set)
                return [answer.status_code for answer in await asyncio.gather(*opened)]

        assert asyncio.run(open_many()) == [200] * 3

    def test_objects_and_partial_results_are_asked_as_well(self) -> None:
        class Object:
            async def __call__(self, asked: Request) -> Role:
                return Role.READ

        async def answer() -> Role:
            return Role.READ

        assert [ask(Object()).status, ask(lambda asked: answer()).status] == [200, 200]

    def test_a_function_sees_the_request_but_never_its_body(self) -> None:
        seen = []

        async def auth(asked: Request) -> Role:
            seen.append((asked.headers["x-user"], asked.url.path, asked.client))
            await asked.body()
            return Role.READ

        app = create_app(TaskRegistry(), auth=auth)
        assert call(app, "GET", "/api/instances", {"X-User": "ann"}, b"x").status == 500
        assert seen == [("ann", "/api/instances", None)]

    @pytest.mark.parametrize("found", [True, 1, 2, "", "READ", "admin", b"read", object(), ["manage"], (Role.MANAGE,)])
    def test_whatever_else_it_returns_opens_nothing_and_is_logged(
        self, found: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        reply = ask(lambda asked: found)
        assert (reply.status, reply.detail) == (500, "the server failed: its log says why")
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.getMessage() == "The request GET /api/instances failed."
        assert "auth must return Role.READ" in str(record.exc_info)

    def test_a_refusal_or_a_redirection_of_its_own_is_the_answer(self) -> None:
        def forbid(asked: Request) -> Role:
            raise HTTPException(403, "not on Sundays")

        def redirect(asked: Request) -> Role:
            raise HTTPException(303, headers={"Location": "/login"})

        assert (ask(forbid).status, ask(forbid).detail) == (403, "not on Sundays")
        assert (ask(redirect).status, ask(redirect).headers["location"]) == (303, "/login")

    @pytest.mark.parametrize(
        "error", [ZeroDivisionError("/x"), HTTPException(200, "x"), HTTPException(999, "x"), StopIteration()]
    )
    def test_an_error_opens_nothing_and_is_logged(self, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
        def auth(asked: Request) -> Role:
            raise error

        reply = ask(auth)
        assert (reply.status, reply.detail) == (500, "the server failed: its log says why")
        assert [record.levelname for record in caplog.records] == ["ERROR"]

    @pytest.mark.parametrize(
        ("auth", "given"),
        [("secret", "str"), (("ann", "secret"), "tuple"), ({"ann": "secret"}, "dict"), (Token, "the class Token")],
    )
    def test_what_cannot_be_asked_is_refused_without_its_value(self, auth: Any, given: str) -> None:
        with pytest.raises(InvalidTypeError) as caught:
            create_app(TaskRegistry(), auth=auth)
        form = 'auth must be Token("…"), Basic({"ann": "…"}) or a function (request) -> Role | None'
        assert str(caught.value) == f"{form}, got {given}"


def test_the_key_of_versions_is_that_of_the_secret_of_managers_or_of_the_process() -> None:
    key = version_key(Token(MANAGE))
    assert (len(key), version_key(Token(MANAGE)), version_key(Token(MANAGE, read=READ))) == (32, key, key)
    for auth in (None, Token(MANAGE + "!"), Token(read=MANAGE), Basic({"ann": MANAGE}), lambda _request: None):
        assert version_key(auth) != key
    assert version_key(Token(read=READ)) != version_key(Token(read=READ))
    assert version_key(Basic({"ann": MANAGE})) != version_key(Basic({"ann": MANAGE}))
