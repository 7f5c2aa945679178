"""A thousand random hostile requests, byte by byte, to a real server: it refuses them, and goes on."""

import json
import logging
import random
import socket
from contextlib import closing
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import WebServer, serve
from est_alan_scheduler.web.api.endpoint import Endpoint
from est_alan_scheduler.web.api.routes import ENDPOINTS
from tests import jobs
from tests.backends.stores import Store
from tests.web.clients import MANAGE, READ, TOKEN, basic

SEED, COUNT, PATIENCE = 20261129, 1_000, 30.0
IDS = ["a", "plain/with/slashes", "ü\u2028😀", "..", "%", "a b?c#d", "-"]
TEXTS = [
    *IDS,
    "",
    "\0",
    "\n",
    "\ud800",
    "null",
    "NaN",
    "-1",
    "0",
    "1e999",
    "9" * 400,
    "true",
    "x" * 5_000,
    "../../etc/passwd",
    "{}",
    "[]",
    "2026-01-01",
    "2026-01-01T00:00:00+25:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "-999999999999999",
    "a,b",
    'W/"x"',
    "PT1H",
    "Europe/Berlin",
    "/etc/localtime",
    "* * * * *",
    "0 0 30 2 *",
    "every 5 minutes",
    "25:61",
    "12:30",
    "os:system",
    "builtins:eval",
    "YQ",
    "gICA",
    "WzEsMl0",
    "eyJhIjogMX0",
    "//////",
    "%2F%00",
    "pending",
    "asc",
]
RAW_PATHS = [
    b"/",
    b"//",
    b"/api",
    b"/api/",
    b"/api//tasks",
    b"/api/../api/tasks",
    b"/%61pi/tasks",
    b"/api/tasks%00",
    b"/api/tasks/%00",
    b"/api/tasks/%2F",
    b"/api/tasks/%2e%2e/%2e%2e",
    b"/api/tasks/%FF%FE",
    b"/api/tasks/%C0%AF",
    b"/api/tasks/%ED%A0%80",
    b"/api/tasks/%",
    b"/api/tasks/%zz",
    b"/api/tasks/" + b"a" * 20_000,
    b"/api/tasks/" + b"%2F" * 5_000,
    b"/" + b"a/" * 5_000,
    b"/api/tasks;x=1",
    b"/api/tasks#x",
    b"/api/tasks?x#y",
    b"*",
    b"http://localhost/api/tasks",
    b"http://evil.example/api/tasks",
    b"/api/tasks\\..\\x",
    b"/?token=",
    b"/?token=%FF&token",
    b"/.git/config",
    b"/static/../../../etc/passwd",
    b"/api/tasks/\xff\xfe",
    b"api/tasks",
    b"",
]
METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "X" * 50, "G\0T", "Ü"]
KINDS = [
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "multipart/form-data; boundary=x",
    "",
    "\xff",
]
HOSTS = [
    "localhost",
    "LOCALHOST:1",
    "evil.example",
    "",
    "localhost, evil.example",
    "[::1]",
    "[::1",
    "a@localhost",
    "\xff",
]
ETAGS = ["*"] * 4 + ['"x"', "*", "W/*", '"', "", '"a", "b"', "\xff", "x" * 9_000, "W/" * 100]


class Attacker:
    """A source of hostile requests; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def request(self) -> bytes:
        """Return one request: most are near to good ones, so that they come past the first check."""
        endpoint = self.random.choice(ENDPOINTS)
        target, body = self._target(endpoint), b""
        lines = [f"Host: {self._one('localhost', HOSTS)}"]
        lines += self._credentials()
        if self._is(0.3):
            lines.append(f"If-Match: {self.random.choice(ETAGS)}")
        if self._is(0.1):
            lines += [f"Last-Event-ID: {self.random.choice(['x', '-1', '9' * 99, chr(255), '0'])}"]
        if self._is(0.05):
            lines += [f"X-{self.random.random()}: {'y' * 500}" for _ in range(self.random.choice([10, 200]))]
        if endpoint.body is not None or self._is(0.15):
            body = self._body(endpoint)
            lines.append(f"Content-Type: {self._one('application/json', KINDS)}")
            if self._is(0.1):
                lines.append(f"Content-Encoding: {self.random.choice(['gzip', 'identity', 'x'])}")
            if self._is(0.3):
                lines.append("Transfer-Encoding: chunked")
                body = self._chunked(body)
            else:
                lines.append(f"Content-Length: {len(body)}")
        if self._is(0.03):
            lines.append(self.random.choice(["Host: b", "Content-Length: -1", "Content-Length: x", "no colon", ": x"]))
        self.random.shuffle(lines)
        method = self._one(endpoint.method, METHODS)
        head = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
        version = b"HTTP/1.1" if self._is(0.97) else self.random.choice([b"HTTP/1.0", b"HTTP/9.9", b"", b"HTTP/2.0"])
        return method.encode("latin-1") + b" " + target + b" " + version + b"\r\n" + head + body

    def _is(self, probability: float) -> bool:
        return self.random.random() < probability

    def _one(self, good: str, bad: list[str]) -> str:
        return good if self._is(0.9) else self.random.choice(bad)

    def _credentials(self) -> list[str]:
        headers = [
            f"Authorization: Bearer {MANAGE}",
            f"Authorization: Bearer {READ}",
            "Authorization: Bearer " + "x" * 5_000,
            f"Authorization: {basic('a', 'b')['Authorization']}",
            "Authorization: \xff",
            f"Cookie: {TOKEN.cookie}={'9' * 50}.{'0' * 64}; a=b; ;;=;\xff",
            "Origin: null",
        ]
        return [self._one(headers[0], headers)]

    def _target(self, endpoint: Endpoint) -> bytes:
        if self._is(0.1):
            return self.random.choice(RAW_PATHS)
        text = self.random.choice(IDS if self._is(0.7) else TEXTS)
        path = "/api" + endpoint.path.replace("{id}", self._quoted(text))
        names = [field.alias or name for name, field in endpoint.query.model_fields.items()]
        pairs = [f"{name}={self._quoted(self._text())}" for name in names if self._is(0.3)]
        if self._is(0.1):
            pairs.append(f"{self.random.choice([*names, 'token', 'x', '', '%'])}={self._quoted(self._text())}")
        if self._is(0.02):
            pairs += ["a=1"] * 3_000
        return (path + ("?" + "&".join(pairs) if pairs else "")).encode("latin-1")

    def _text(self) -> str:
        if self._is(0.3):
            return str(self.random.choice([0, 1, -1, 2**31, 2**63, 2**64, 10**30, 100, 1_000, 100_000]))
        return self.random.choice(TEXTS)

    def _quoted(self, text: str) -> str:
        quoted = quote(text.encode(errors="surrogatepass"), safe=self.random.choice(["", "/"]))
        return quoted if self._is(0.95) else quoted + self.random.choice(["%", "%FF", "%C0%80", "\xff", "%u0041"])

    def _body(self, endpoint: Endpoint) -> bytes:
        if self._is(0.2):
            return self.random.choice(
                [
                    b"",
                    b"null",
                    b"[]",
                    b"{",
                    b"\xff\xfe{",
                    b"[" * 100_000,
                    b'{"a":' * 50_000,
                    b"NaN",
                    b"1" * 10_000,
                    b'{"every": Infinity}',
                    b'{"id": "\\ud800"}',
                    b'{"id": "a", "id": "b"}',
                    b" " * 999_999 + b"{}",
                    b'"' + b"x" * 1_000_001 + b'"',
                    "{}".encode("utf-16"),
                    b'{"__proto__": 1, "__class__": 2}',
                ]
            )
        names = [*(endpoint.body.model_fields if endpoint.body else ()), *Task.model_fields]
        chosen = self.random.sample(names, min(len(names), self.random.choice([0, 0, 1, 1, 6])))
        good = self._good_body(endpoint) if self._is(0.8) else {}
        return json.dumps(good | {name: self._value(3) for name in chosen}).encode()

    def _good_body(self, endpoint: Endpoint) -> dict[str, Any]:
        """Return a body that comes past the checks of fields, with extreme values."""
        if endpoint.body is None or "every" not in endpoint.body.model_fields:
            return {}
        schedule: dict[str, Any] = self.random.choice(
            [
                {"every": {"microseconds": 1}},
                {"every": {"days": 999_999_999}},
                {"every": {"hours": 1}, "start_at": "0001-01-01T00:00:00", "timezone": "Pacific/Apia"},
                {"every": {"seconds": 1}, "end_at": "9999-12-31T23:59:59.999999"},
                {"at": "00:00", "timezone": "America/Nuuk"},
                {"at": ["23:59:59"], "on": "last", "timezone": "Asia/Seoul"},
                {"cron": "* * * * * *"},
                {"cron": "0 0 29 2 1#5"},
                {"run_at": "9999-12-31T23:59:59+14:00"},
                {"run_at": "0001-01-01T00:00:00-14:00"},
                {"after": ["a"]},
                {"manual": True, "depends_on": ["a", "n"]},
                {"every": {"hours": 1}, "jitter": 1e300},
                {"every": {"hours": 1}, "retry": {"max_retries": 10**9, "delay": 1e9, "backoff": 1e9}},
            ]
        )
        known = {
            "id": self.random.choice(["a", "a/b\u2028", "n", "n" * 300, str(self.random.random())]),
            "func": "tests.jobs:add",
        }
        return {name: value for name, value in (known | schedule).items() if name in endpoint.body.model_fields}

    def _value(self, depth: int) -> Any:
        if depth and self._is(0.3):
            return [self._value(depth - 1) for _ in range(self.random.choice([0, 1, 2]))]
        if depth and self._is(0.3):
            units = ["seconds", "minutes", "days", "microseconds", "weeks", "x", "delay", "max_retries", "monday"]
            return {self.random.choice(units): self._value(depth - 1) for _ in range(self.random.choice([0, 1, 2]))}
        numbers = [0, -1, 1, 5, 1e308, float("nan"), float("inf"), 10**400, 2**63, 0.1, True, None]
        return self.random.choice(numbers) if self._is(0.3) else self.random.choice(TEXTS)

    def _chunked(self, body: bytes) -> bytes:
        size = self.random.choice([1_000, 65_536, 2_000_000])
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def answer(server: WebServer, request: bytes) -> bytes:
    """Return the first line of the answer to some bytes."""
    address = urlsplit(server.url)
    with closing(socket.create_connection((address.hostname, address.port), PATIENCE)) as connection:
        try:
            connection.sendall(request)
            return connection.recv(65_536).split(b"\r\n")[0]
        except (BrokenPipeError, ConnectionResetError):
            return b""  # it did not read a body to its end


def attack(registry: TaskRegistry, caplog: pytest.LogCaptureFixture) -> None:
    """Send the requests of the seed to a server of the registry: none is an error of the server, and it goes on."""
    for task_id in IDS:
        registry.register(Task(id=task_id, every={"hours": 1}, func=jobs.add, args=(1, 2)))
    attacker, statuses = Attacker(SEED), dict[bytes, int]()
    with serve(registry, port=0, auth=TOKEN, blocking=False) as server:
        for number in range(COUNT):
            request = attacker.request()
            line = answer(server, request)
            status = line[9:12]
            is_cut_off = not line and len(request) > 60_000
            assert b"200" <= status < b"500" or is_cut_off, (number, line, request[:2_000])
            errors = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
            assert errors == [], (number, request[:2_000])
            statuses[status] = statuses.get(status, 0) + 1
        good = f"GET /api/instances HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {MANAGE}\r\n\r\n".encode()
        assert answer(server, good) == b"HTTP/1.1 200 OK"
    assert {b"200", b"400", b"401", b"404", b"405", b"422"} <= statuses.keys(), statuses


@pytest.mark.slow
def test_a_thousand_hostile_requests_are_answered_without_an_error_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attack(TaskRegistry(), caplog)


@pytest.mark.slow
def test_no_store_fails_at_what_they_ask(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    registry = TaskRegistry(backend=store.open(), lease=600)
    attack(registry, caplog)
    registry.shutdown(0)


def test_the_same_seed_gives_the_same_requests() -> None:
    one, other = Attacker(SEED), Attacker(SEED)
    assert [one.request() for _ in range(20)] == [other.request() for _ in range(20)]
