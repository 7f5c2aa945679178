"""By which names the site may be called, and from which pages."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from est_alan_scheduler import InvalidTypeError, InvalidValueError
from est_alan_scheduler.web.api.problems import Problem
from est_alan_scheduler.web.hosts import LOOPBACK, Host, check_host, check_origin, checked_hosts, parsed


def headers(**values: str | list[str]) -> Headers:
    return Headers(
        raw=[
            (name.replace("_", "-").encode(), value.encode("latin-1"))
            for name, given in values.items()
            for value in ([given] if isinstance(given, str) else given)
        ]
    )


def status(allowed: frozenset[str] | None, *hosts: str) -> int:
    try:
        check_host(headers(host=list(hosts)), allowed)
    except Problem as problem:
        return problem.status
    return 200


class TestHosts:
    @pytest.mark.parametrize(
        "host",
        ["localhost", "LocalHost:1", "localhost.", "localhost.:80", "127.0.0.1:65535", "[::1]", "[::1]:8765", "[0::1]"],
    )
    def test_the_machine_itself_is_allowed_by_default(self, host: str) -> None:
        assert status(checked_hosts(LOOPBACK), host) == 200

    @pytest.mark.parametrize(
        "host",
        [
            "evil.example",
            "localhost.evil.example",
            "evil-localhost",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "127.1",
            "2130706433",
            "0.0.0.0",
            "[::]",
            "[::ffff:7f00:1]",
            "xlocalhost",
            "testserver",
            "localhost-",
        ],
    )
    def test_any_other_name_is_misdirected(self, host: str) -> None:
        assert status(checked_hosts(LOOPBACK), host) == 421

    @pytest.mark.parametrize(
        "host",
        [
            "",
            " ",
            ".",
            "localhost:",
            "localhost:x",
            "localhost:-1",
            "localhost:123456",
            "a@localhost",
            "localhost@evil",
            "localhost, evil",
            "localhost evil",
            "localhost/",
            "http://localhost",
            "[::1",
            "::1",
            "[::1]x",
            "[]",
            "[1]",
            "[fe80::1%25eth0]",
            "localhost\t",
            "l\xf6calhost",
            "local\x00host",
            "local\nhost",
            "localhost:\xb3",
        ],
    )
    def test_what_is_no_host_is_a_bad_request_whatever_is_allowed(self, host: str) -> None:
        assert (status(checked_hosts(LOOPBACK), host), status(None, host)) == (400, 400)

    def test_the_header_has_to_be_there_once(self) -> None:
        assert (status(None), status(None, "localhost", "localhost"), status(None, "a", "b")) == (400, 400, 400)

    def test_the_text_names_what_to_write(self) -> None:
        with pytest.raises(Problem) as caught:
            check_host(headers(host="tasks.example:80"), checked_hosts("example.com"))
        assert caught.value.detail == (
            "the host tasks.example is not served here: hosts= of the server names those that are"
        )

    @pytest.mark.parametrize("hosts", ["Example.COM", ["example.com."], ("other", "example.com"), {"example.com"}])
    def test_names_are_given_alone_or_together(self, hosts: Any) -> None:
        allowed = checked_hosts(hosts)
        assert (status(allowed, "example.com:8443"), status(allowed, "localhost")) == (200, 421)

    def test_an_asterisk_allows_all(self) -> None:
        assert (checked_hosts("*"), status(checked_hosts("*"), "evil.example")) == (None, 200)

    @pytest.mark.parametrize("hosts", ["", "a b", "example.com:80", "*.example.com", ["*"], [], [None], ["https://a"]])
    def test_what_is_no_name_is_refused(self, hosts: Any) -> None:
        with pytest.raises(InvalidValueError, match=r'^hosts must be names without a port, hosts=\("example.com",\)'):
            checked_hosts(hosts)

    @pytest.mark.parametrize("hosts", [None, 5, b"x"[0]])
    def test_what_is_no_collection_is_refused(self, hosts: Any) -> None:
        with pytest.raises(InvalidTypeError, match=r"^hosts must be names without a port"):
            checked_hosts(hosts)

    @given(st.text(max_size=20))
    def test_any_text_is_a_host_in_one_form_or_none(self, text: str) -> None:
        host = parsed(text)
        assert host is None or parsed(host.name) == Host(host.name, None)


HERE = Host("localhost", 8765)


def refusal(scheme: str = "http", host: Host = HERE, **given: str | list[str]) -> str:
    """Return why a request is forbidden; an empty text if it is not."""
    try:
        check_origin(headers(**given), scheme, host)
    except Problem as problem:
        return problem.detail if problem.status == 403 else str(problem.status)
    return ""


class TestOrigins:
    def test_the_browser_says_that_the_page_is_of_this_site(self) -> None:
        assert refusal(sec_fetch_site="same-origin") == ""
        assert refusal(sec_fetch_site="same-origin", origin="null") == ""

    @pytest.mark.parametrize(
        "site", ["cross-site", "same-site", "none", "", "Same-Origin", ["same-origin", "cross-site"]]
    )
    def test_the_browser_says_that_it_is_not(self, site: str | list[str]) -> None:
        text = "a page of another site has sent this request"
        assert refusal(sec_fetch_site=site, origin="http://localhost:8765") == text

    @pytest.mark.parametrize("origin", ["http://localhost:8765", "HTTP://LOCALHOST:8765"])
    def test_without_that_the_origin_is_the_host(self, origin: str) -> None:
        assert refusal(origin=origin) == ""

    def test_the_port_of_the_scheme_may_be_left_out(self) -> None:
        assert refusal("https", Host("a.example", None), origin="https://a.example:443") == ""
        assert refusal("http", Host("[::1]", 80), origin="http://[::1]") == ""

    @pytest.mark.parametrize(
        "origin",
        [
            "http://localhost",
            "http://localhost:8766",
            "https://localhost:8765",
            "http://evil.example:8765",
            "null",
            "",
            "localhost:8765",
            "http://localhost:8765/",
            "http://a@localhost:8765",
            "http://localhost:8765.evil.example",
            ["http://localhost:8765", "http://evil.example"],
            "://localhost:8765",
            "file://",
        ],
    )
    def test_any_other_origin_is_refused(self, origin: str | list[str]) -> None:
        assert refusal(origin=origin) == "a page of another origin has sent this request"

    def test_a_request_that_tells_nothing_is_refused(self) -> None:
        advice = "a program sends a bearer token, or the Origin of this server"
        assert refusal() == f"the request does not tell where it comes from: {advice}"
        assert refusal(referer="http://localhost:8765/", authorization="Basic YTpi").startswith("the request does not")

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    def test_a_bearer_token_is_never_sent_by_a_browser_on_its_own(self, scheme: str) -> None:
        assert refusal(authorization=f"{scheme} x", sec_fetch_site="cross-site") == ""

    @pytest.mark.parametrize("value", ["Bearer", "Bearerx", "xBearer x", "Basic bearer x"])
    def test_what_only_looks_like_one_is_none(self, value: str) -> None:
        assert refusal(authorization=value) != ""
