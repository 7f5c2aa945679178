"""Hostile texts in ids, names, descriptions, tags, errors, arguments and results: every page shows them as text."""

from collections.abc import Callable

import pytest

from est_alan_scheduler.web import WebServer
from tests.web.page.browser.looks import OPPOSITES, Look
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import HALF, HOSTILE, hostile

FOREIGN = "main img, main script, main iframe, [onload], [onerror]"


def check(one: Watched) -> None:
    """Check that a page has fallen for nothing."""
    assert one.page.evaluate("document.title !== 'owned' && !window.owned")
    assert one.page.locator(FOREIGN).count() == 0, one.page.url
    one.check_width()


@pytest.mark.parametrize("look", OPPOSITES, ids=str)
def test_the_pages_of_all_tasks_show_hostile_texts(
    look: Look, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    one = visit(site(hostile()).url, look)
    for path, query in (("", {}), ("timeline", {"span": "hour"}), ("instances", {})):
        one.go(path, **query)
        check(one)
    one.go("", q=HOSTILE["image"])
    check(one)
    assert one.row(HOSTILE["image"]).is_visible()
    assert HOSTILE["image"] in one.row(HOSTILE["image"]).inner_text()


@pytest.mark.parametrize("what", HOSTILE)
def test_the_pages_of_a_task_show_hostile_texts(
    what: str, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = hostile()
    text = HOSTILE[what]
    one = visit(site(registry).url, Look(device="phone"))
    for task_id in (text, f"returns {text}"):
        for path in ("task", "edit"):
            one.go(path, id=task_id)
            check(one)


@pytest.mark.parametrize("what", HOSTILE)
def test_a_task_with_a_hostile_id_is_found_and_managed(
    what: str, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = hostile()
    task = registry[HOSTILE[what]]
    one = visit(site(registry).url)
    one.page.locator('#rows a[href^="task?"]').first.wait_for()
    row = one.row(task.id)
    row.locator("a[href^='task?']").first.click()
    one.page.wait_for_url("**/task?id=*")
    one.button("Pause").first.click()
    one.button("Resume").first.wait_for()
    assert task.paused
    assert [other.id for other in registry.store.values() if other.paused] == [task.id]
    one.button("Resume").first.click()
    one.button("Pause").first.wait_for()
    assert not task.paused


def test_half_a_pair_of_surrogates_is_shown_escaped(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = hostile()
    registry["returns " + HOSTILE["image"]].name = HALF
    registry["returns " + HOSTILE["image"]].description = HALF
    one = visit(site(registry).url)
    for path, query in (("", {}), ("timeline", {}), ("task", {"id": "returns " + HOSTILE["image"]})):
        one.go(path, **query)
        assert r"half a pair: \ud83d" in one.page.locator("body").inner_text(), path
