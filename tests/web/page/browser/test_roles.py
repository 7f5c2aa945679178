"""What a page shows to whom: nothing that manages to readers, no value where values are hidden, all without scripts."""

from collections.abc import Callable
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import WebServer
from tests.web.clients import MANAGE, READ
from tests.web.page.browser.looks import OPPOSITES, Look
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import PAGES, in_every_state

MANAGING = "[data-act], [data-pause-all], #save, [data-chosen], a[href^='edit'], main input[type=checkbox]"
SEEN = {
    "": ["Load the data", "Export the invoices", "Report", "Every night", "By hand", "Too late", "On hold"],
    "task": ["BadLuckError: the disk is full"],
    "edit": [],
    "timeline": ["Load the data", "Export the invoices"],
    "instances": [],
}


@pytest.mark.parametrize(
    ("secret", "options"), [(READ, {}), (MANAGE, {"read_only": True})], ids=["reader", "read-only"]
)
def test_a_reader_sees_nothing_that_manages(
    secret: str, options: dict[str, Any], site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = in_every_state()
    registry.pause_all()
    one = visit(site(registry, **options).url, secret=secret)
    for path, query in PAGES:
        if path == "edit":
            continue
        one.go(path, **query)
        assert one.page.locator("h1").is_visible()
        assert [button.inner_text() for button in one.page.locator(MANAGING).all()] == [], one.page.url
        for key in "rpj":  # they do nothing, or move about
            one.page.keyboard.press(key)
    assert registry["load"].runs == 1


def test_the_keys_of_a_manager_are_there_to_compare(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    one = visit(site(in_every_state()).url)
    for path in ("", "task?id=broken", "instances"):
        one.go(path)
        assert one.page.locator(MANAGING).count() > 0, one.page.url


DEAD = "[data-act], [data-pause-all], [data-keys], [data-choose], [data-choose-all]"
"""What does nothing without scripts."""


@pytest.mark.parametrize("look", OPPOSITES, ids=str)
def test_everything_can_be_read_without_scripts(
    look: Look, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = in_every_state()
    registry.pause_all()
    one = visit(site(registry).url, look, java_script_enabled=False)
    for path, query in PAGES:
        one.go(path, **query)
        main = one.page.locator("main").inner_text()
        for text in SEEN[path] if query != {"id": "mail"} else ["Sends the report to everyone."]:
            assert text in main, (one.page.url, text)
        assert one.words("All tasks are paused.") in one.page.locator("body").inner_text()
        assert not [button for button in one.page.locator(DEAD).all() if button.is_visible()], one.page.url
    one.go()
    one.page.locator("[name=q]").fill("invoices")
    one.page.locator("[name=q]").press("Enter")
    assert one.page.locator("#rows [data-id]").count() == 1
    one.page.locator("#rows a").first.click()
    assert "task?id=broken" in one.page.url


def test_no_page_has_a_value_where_values_are_hidden(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = TaskRegistry()
    for name, every in (("a", {"hours": 1}), ("b", {"hours": 2})):
        registry.register(Task(id=name, every=every, func=echo, args=("hunter2",), kwargs={"word": "swordfish"}))
    registry.tick()
    assert registry["a"].result == "hunter2 swordfish"
    one = visit(site(registry, hide_values=True).url)
    shown = visit(site(registry).url)
    for path in ("", "task?id=a", "edit?id=a", "timeline", "instances"):
        one.go(path)
        content = one.page.content()
        assert not [word for word in ("hunter2", "swordfish") if word in content], path
    shown.go("task?id=a")
    assert "hunter2 swordfish" in shown.page.content()


def echo(one: str, word: str) -> str:
    """Return its arguments."""
    return f"{one} {word}"
