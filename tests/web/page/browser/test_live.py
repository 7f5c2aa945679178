"""A page that stays open: it shows what happens, says when it has lost the server, and catches up."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import WebServer
from tests.web.page.browser.looks import Look
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import greet


def test_what_happens_appears_without_a_reload(
    site: Callable[..., WebServer],
    visit: Callable[..., Watched],
    ticking: Callable[[TaskRegistry], TaskRegistry],
) -> None:
    registry = TaskRegistry(executor=lambda: ThreadPoolExecutor(2))
    goes_on = threading.Event()
    ticking(registry)
    one = visit(site(registry).url)
    one.page.evaluate("window.isSamePage = true")
    registry.register(Task(id="new", name="A new task", manual=True, func=lambda: goes_on.wait(30)))
    expect(one.row("new")).to_be_visible()
    registry.run_now("new")
    expect(one.row("new")).to_have_attribute("data-status", "running")
    goes_on.set()
    expect(one.row("new")).to_have_attribute("data-status", "success")
    registry.pause_all()
    expect(one.page.locator("#banner .banner")).to_be_visible()
    registry.resume_all()
    expect(one.page.locator("#banner .banner")).to_have_count(0)
    registry.remove("new")
    expect(one.row("new")).to_have_count(0)
    assert one.page.evaluate("window.isSamePage")


def test_what_happens_before_the_stream_is_there_appears_soon_as_well(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = TaskRegistry()
    one = visit(site(registry).url)

    def delay(route: Any) -> None:
        registry.register(Task(id="new", manual=True, func=greet))
        route.continue_()

    one.page.route("**/live", delay, times=1)
    one.go()
    expect(one.row("new")).to_be_visible(timeout=10_000)  # without any news, a page is renewed after 15 seconds


def test_a_page_says_that_it_has_lost_the_server_and_catches_up(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", manual=True, func=greet))
    server = site(registry)
    one = visit(server.url, Look("ko"))
    live = one.page.locator("#live")
    expect(live).to_have_class("live well")
    one.expect_faults("ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "ERR_EMPTY_RESPONSE", "ERR_FAILED")
    server.stop()
    expect(live).to_contain_text(one.words("The connection is lost. This page may be out of date."), timeout=15_000)
    one.check_page()
    registry.register(Task(id="b", name="Registered meanwhile", manual=True, func=greet))
    site(registry, port=urlsplit(server.url).port)
    expect(one.row("b")).to_be_visible(timeout=20_000)
    expect(live).not_to_contain_text(one.words("The connection is lost. This page may be out of date."))
    registry.run_now("b")
    registry.tick()
    expect(one.row("b")).to_have_attribute("data-status", "success")


@pytest.mark.slow
def test_a_page_says_that_the_server_does_not_answer(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = TaskRegistry()
    one = visit(site(registry).url)
    live, held, goes_on = one.page.locator("#live"), list[Any](), threading.Event()
    expect(live).to_have_text(one.words("Live"))

    def hold(route: Any) -> None:
        if "x-live" in route.request.headers and not goes_on.is_set():
            held.append(route)
        else:
            route.continue_()

    one.page.route("**/*", hold)
    registry.register(Task(id="new", manual=True, func=greet))
    words = one.words("This page is not refreshed now: the server does not answer.")
    expect(live).to_have_text(words, timeout=20_000)
    expect(live).to_have_class("live lost")
    goes_on.set()
    for route in held:
        route.continue_()
    expect(one.row("new")).to_be_visible(timeout=20_000)
    expect(live).to_have_text(one.words("Live"))
