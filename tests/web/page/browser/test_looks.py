"""Every page in each language, colour and width: it fits, hinders nobody, and breaks no rule of the browser."""

from collections.abc import Callable

import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web import WebServer
from tests.web.page.browser.looks import OPPOSITES, PAIRS, Look
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import PAGES, in_every_state

EMPTY: list[tuple[str, dict[str, str]]] = [
    ("", {}),
    ("", {"q": "nothing has this"}),
    ("timeline", {}),
    ("instances", {}),
]
REFUSED = "the server responded with a status of 4"


@pytest.mark.parametrize("look", PAIRS, ids=str)
def test_every_page_fits_and_hinders_nobody(
    look: Look, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = in_every_state()
    one = visit(site(registry).url, look)
    for path, query in PAGES:
        one.go(path, **query)
        one.check_page()
    registry.pause_all()
    one.go()
    one.check_page()
    one.expect_faults(REFUSED)
    one.go("task", id="no such task")
    one.check_page()


@pytest.mark.parametrize("look", OPPOSITES, ids=str)
def test_every_page_of_no_tasks_fits_and_hinders_nobody(
    look: Look, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    one = visit(site(TaskRegistry()).url, look)
    for path, query in EMPTY:
        one.go(path, **query)
        one.check_page()


@pytest.mark.parametrize("look", OPPOSITES, ids=str)
def test_the_page_that_asks_for_the_token_lets_a_person_in(
    look: Look, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    server = site(in_every_state())
    one = visit(server.url, look, secret=None)
    one.expect_faults(REFUSED)
    one.go()
    one.check_page()
    one.page.get_by_label(one.words("Token")).fill("the-secret-of-managers")
    one.button("Sign in").click()
    one.row("broken").wait_for()
