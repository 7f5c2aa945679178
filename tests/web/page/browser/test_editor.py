"""The editor: the slots to come, old beside new, before anything is saved; what is wrong; what others have changed."""

from collections.abc import Callable
from typing import Literal

import pytest
from playwright.sync_api import expect

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import WebServer
from tests.web.page.browser.looks import OPPOSITES, Look
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import greet

WRONG_CRON = {
    "en": "'99' is not valid for the minute: 0-59, *, a-b, /n.",
    "ko": "분 항목에 '99'은(는) 쓸 수 없습니다. 쓸 수 있는 값: 0-59, *, a-b, /n.",
}
REFUSED = "the server responded with a status of 4"


def one_task() -> TaskRegistry:
    registry = TaskRegistry()
    registry.register(Task(id="a", every={"hours": 6}, func=greet, tags=["x"]))
    return registry


@pytest.mark.parametrize("look", OPPOSITES, ids=str)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_saved(
    look: Look, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = one_task()
    one = visit(site(registry).url, look)
    one.go("edit", id="a")
    one.page.locator("[name=kind][value=cron]").check()
    one.expect_faults(REFUSED)
    one.page.locator("[name=cron]").fill("99 25 * * *")
    expect(one.page.locator("[name=cron]")).to_have_attribute("aria-invalid", "true")
    expect(one.page.locator("#error-cron")).to_have_text(WRONG_CRON[look.language])
    one.page.locator("#save").click()
    expect(one.page.locator("[name=cron]")).to_be_focused()
    one.check_page()
    assert (registry["a"].every, registry["a"].cron) == ({"hours": 6}, None)
    one.page.locator("[name=cron]").fill("30 2 * * *")
    expect(one.page.locator("#preview .new")).to_contain_text("02:30")
    expect(one.page.locator("[name=cron]")).not_to_have_attribute("aria-invalid", "true")
    one.check_page()
    one.page.locator("#save").click()
    one.page.wait_for_url("**/task?id=a")
    assert (registry["a"].every, registry["a"].cron) == (None, "30 2 * * *")


@pytest.mark.parametrize("look", OPPOSITES, ids=str)
def test_what_others_have_changed_meanwhile_is_told_and_not_overwritten(
    look: Look, site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = one_task()
    one = visit(site(registry).url, look)
    one.go("edit", id="a")
    one.page.locator("[name='every.hours']").fill("2")
    registry.update("a", tags=["theirs"])
    one.expect_faults("status of 412")
    one.page.locator("#save").click()
    expect(one.page.locator("#conflict")).to_be_visible()
    expect(one.page.locator("#conflict")).to_contain_text("theirs")
    one.check_page()
    assert registry["a"].every == {"hours": 6}
    one.page.locator("[data-conflict=apply]").click()
    one.page.locator("#save").click()
    one.page.wait_for_url("**/task?id=a")
    assert (registry["a"].every, list(registry["a"].tags)) == ({"hours": 2}, ["theirs"])


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_moments_and_their_zones_are_wholly_in_sight(
    device: Literal["desktop", "phone"], site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = TaskRegistry()
    registry.register(
        Task(id="a", func=greet, run_at="2026-12-24T15:04:05", start_at="2026-12-01T23:59:59", timezone="Europe/Berlin")
    )
    one = visit(site(registry).url, Look(device=device), locale="en-US")  # with AM and PM
    one.go("edit", id="a")
    expect(one.page.locator("[name=run_at]")).to_be_visible()
    assert one.page.evaluate(CUT) == []


CUT = """[...document.querySelectorAll("[type=datetime-local], [name$='.offset']")].filter((control) => {
  const copy = control.cloneNode();
  copy.style.cssText = "position: absolute; flex: none; width: max-content";
  if (control.placeholder) copy.size = control.placeholder.length * 0.8;
  document.body.append(copy);
  const needed = copy.getBoundingClientRect().width;
  copy.remove();
  return control.getBoundingClientRect().width < needed;
}).map((control) => control.name)"""
"""The names of the controls that are narrower than what they show."""
