"""A browser for the tests: one a process, and a new profile for each visit."""

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from est_alan_scheduler import TaskRegistry, start_scheduler
from est_alan_scheduler.web import WebServer, serve
from tests.web.clients import TOKEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.web.page.browser.looks import Look
    from tests.web.page.browser.watched import Watched

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
IS_CI = bool(os.environ.get("CI"))
collect_ignore_glob = ["test_*.py"] if find_spec("playwright") is None and not IS_CI else []

_THREAD = ThreadPoolExecutor(1, "browser")
"""Playwright's event loop counts as running in the thread that has started it: tests there could run no other one."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """Run the tests in the thread of the browser."""
    test = pyfuncitem.obj
    pyfuncitem.obj = lambda **arguments: _THREAD.submit(test, **arguments).result()


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """Start the browser of the machine."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        (pytest.fail if IS_CI else pytest.skip)("there is no browser on this machine")
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses to start as root otherwise
    manager = sync_playwright()
    playwright = _THREAD.submit(manager.start).result()
    try:
        browser = _THREAD.submit(playwright.chromium.launch, executable_path=path, args=options).result()
        yield browser
        _THREAD.submit(browser.close).result()
    finally:
        _THREAD.submit(playwright.stop).result()


@pytest.fixture
def visit(browser: "Browser") -> "Iterator[Callable[..., Watched]]":
    """Open sites, each in a profile of its own; at the end, fail if something went wrong in a page."""
    from tests.web.page.browser.looks import Look
    from tests.web.page.browser.watched import Watched

    visits: list[Watched] = []

    def start(url: str, look: "Look | None" = None, **options: Any) -> Watched:
        visits.append(Watched(browser, url, look or Look(), **options))
        return visits[-1]

    yield start
    for one in visits:
        _THREAD.submit(one.close).result()
    assert [fault for one in visits for fault in one.faults] == []


@pytest.fixture
def ticking() -> Iterator[Callable[[TaskRegistry], TaskRegistry]]:
    """Tick registries, each in a thread."""
    with ExitStack() as stack:

        def start(registry: TaskRegistry) -> TaskRegistry:
            stack.enter_context(start_scheduler(0.05, registry=registry))
            return registry

        yield start


@pytest.fixture
def site() -> Iterator[Callable[..., WebServer]]:
    """Serve registries, each on a port of its own unless it is given."""
    with ExitStack() as stack:

        def start(registry: TaskRegistry, port: int = 0, **options: Any) -> WebServer:
            server = serve(registry, port=port, auth=TOKEN, blocking=False, **options)
            return stack.enter_context(server)

        yield start
