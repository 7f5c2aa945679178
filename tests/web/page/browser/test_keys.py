"""The keyboard: search, walk through the rows, run, pause, and the list of keys."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import WebServer
from tests.ways import wait_until
from tests.web.page.browser.looks import OPPOSITES, Look
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import greet


def three_tasks() -> TaskRegistry:
    registry = TaskRegistry()
    for name in ("a", "b", "c"):
        registry.register(Task(id=name, manual=True, func=greet))
    return registry


def test_the_keys_walk_through_the_rows_and_act_on_the_one_that_has_the_focus(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = three_tasks()
    one = visit(site(registry).url)
    keyboard = one.page.keyboard
    current = "document.activeElement.closest('[data-id]')?.dataset.id"
    keyboard.press("j")
    assert one.page.evaluate(current) == "a"
    keyboard.press("j")
    keyboard.press("j")
    keyboard.press("k")
    assert one.page.evaluate(current) == "b"
    keyboard.press("p")
    expect(one.row("b")).to_have_attribute("data-status", "paused")
    assert [task.id for task in registry.store.values() if task.paused] == ["b"]
    keyboard.press("p")
    expect(one.row("b")).not_to_have_attribute("data-status", "paused")
    assert one.page.evaluate(current) == "b"  # the row that has replaced it
    keyboard.press("r")
    wait_until(lambda: registry["b"].run_requested is not None)
    registry.tick()
    expect(one.row("b")).to_have_attribute("data-status", "success")
    assert [task.runs for task in registry.store.values()] == [0, 1, 0]


def test_keys_in_a_field_are_text(site: Callable[..., WebServer], visit: Callable[..., Watched]) -> None:
    registry = three_tasks()
    one = visit(site(registry).url)
    one.page.keyboard.press("/")
    expect(one.page.locator("[name=q]")).to_be_focused()
    one.page.keyboard.type("jkrp?/")
    expect(one.page.locator("[name=q]")).to_have_value("jkrp?/")
    assert one.page.locator("dialog[open]").count() == 0
    one.page.keyboard.press("Escape")
    expect(one.page.locator("[name=q]")).not_to_be_focused()
    expect(one.page.locator("[name=q]")).to_have_value("jkrp?/")
    expect(one.page.locator("#beneath")).to_contain_text(one.words("No task matches."))
    assert not any(task.paused or task.runs for task in registry.store.values())


@pytest.mark.parametrize("look", OPPOSITES, ids=str)
def test_the_list_of_keys_opens_and_closes(
    look: Look, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    one = visit(site(three_tasks()).url, look)
    one.page.keyboard.press("?")
    one.page.locator("dialog[open]").wait_for()
    one.check_page()
    one.page.keyboard.press("Escape")
    expect(one.page.locator("dialog[open]")).to_have_count(0)


@pytest.mark.parametrize("path", ["", "task?id=a", "instances", "timeline"])
def test_what_one_may_do_is_still_there_after_the_page_was_fetched_anew(
    path: str, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = three_tasks()
    one = visit(site(registry).url)
    one.go(path)
    before = controls(one)
    assert "?" in before
    for name in ("Another", "And another"):
        with one.page.expect_response(lambda response: "x-live" in response.request.headers):
            registry.update("a", name=name)
        expect(one.page.locator("body")).to_contain_text(name) if path in ("", "task?id=a") else None
    assert controls(one) == before
    one.page.locator("[data-keys]").click()
    expect(one.page.locator("dialog[open]")).to_have_count(1)


def controls(one: Watched) -> list[str]:
    """Return the texts of the buttons that are to be seen."""
    return [button.inner_text() for button in one.page.get_by_role("button").all() if button.is_visible()]
