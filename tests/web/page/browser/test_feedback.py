"""What the page says of runs that somebody has asked for, until they have ended."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from est_alan_scheduler import Retry, Task, TaskRegistry
from est_alan_scheduler.web import WebServer
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import greet

NOTE = """() => {
  const parts = "p, time:not([hidden])";
  const options = { subtree: true, childList: true, attributes: true, characterData: true };
  const plain = (text) => text.replace(/[\\u2068\\u2069]/g, "").replace(/[0-9.]+(?= ?sec)/g, "N");
  window.said = [];
  new MutationObserver(() => {
    for (const message of document.querySelectorAll("#messages .message")) {
      const kind = message.className.split(" ")[1];
      const text = [...message.querySelectorAll(parts)].map((part) => part.textContent).join(" ");
      const said = plain(`${kind}: ${text}`);
      if (!window.said.includes(said)) window.said.push(said);
    }
  }).observe(document.getElementById("messages"), options);
}"""


class Flip:
    """A function of about a second, which succeeds and fails in turn."""

    def __init__(self) -> None:
        self.calls = 0

    def flip(self) -> None:
        """Run."""
        self.calls += 1
        fails = self.calls % 2 == 0
        time.sleep(1)
        if fails:
            raise ValueError("broken")


def note_messages(one: Watched) -> None:
    """Note each text that a message has had, and what kind it was."""
    one.page.evaluate(NOTE)


def said(one: Watched) -> list[str]:
    """Return what the messages have said since the last look."""
    found: list[str] = one.page.evaluate("window.said.splice(0)")
    return found


def ended(one: Watched, kind: str) -> list[str]:
    """Wait until a message of this kind is there and none is busy; return what was said, and close all."""
    expect(one.page.locator(f"#messages .message.{kind}")).not_to_have_count(0)
    expect(one.page.locator("#messages .message.busy")).to_have_count(0)
    found = said(one)
    one.page.evaluate("document.querySelectorAll('#messages .message button').forEach((button) => button.click())")
    said(one)
    return found


def run_button(one: Watched) -> Locator:
    found: Locator = one.page.locator("[data-id=flip] [data-act=run]:visible").first
    return found


@pytest.fixture(params=["memory", "observer"])
def sites(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[TaskRegistry, TaskRegistry]:
    """Return the registry that runs, and that of the site."""
    url = None if request.param == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}"
    worker = TaskRegistry(backend=url, executor=lambda: ThreadPoolExecutor(4))
    return worker, worker if url is None else TaskRegistry(backend=url, observe=True)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "task?id=flip"])
def test_each_run_is_told_from_its_request_to_its_own_end(
    path: str,
    sites: tuple[TaskRegistry, TaskRegistry],
    site: Callable[..., WebServer],
    visit: Callable[..., Watched],
    ticking: Callable[[TaskRegistry], TaskRegistry],
) -> None:
    worker, shown = sites
    flip = Flip()
    worker.expose(flip.flip, "flip")
    worker.register(Task(id="flip", manual=True, func=flip.flip))
    ticking(worker)
    one = visit(site(shown).url)
    one.go(path)
    note_messages(one)
    success, failed = "success: flip: succeeded in N sec", "failed: flip: failed after N sec: ValueError: broken"
    going = ["busy: flip: requested", "busy: flip: running for N sec"]
    for kind, end in (("success", success), ("failed", failed), ("success", success)):
        run_button(one).click()
        assert ended(one, kind) == [*going, end]
    # One more request while the run is in flight: it is for the next one, which fails, or succeeds, for itself.
    run_button(one).click()
    expect(one.page.locator("#messages .message.busy", has_text="running")).to_be_visible()
    run_button(one).click()
    expect(one.message("it starts after the run in flight")).to_be_visible()
    assert {line for line in ended(one, "success") if "busy" not in line} == {failed, success}
    assert flip.calls == 5


@pytest.mark.slow
def test_a_failed_attempt_is_not_the_end(
    sites: tuple[TaskRegistry, TaskRegistry],
    site: Callable[..., WebServer],
    visit: Callable[..., Watched],
    ticking: Callable[[TaskRegistry], TaskRegistry],
) -> None:
    worker, shown = sites

    def fail() -> None:
        time.sleep(0.6)
        raise ValueError("broken")

    worker.expose(fail, "fail")
    worker.register(Task(id="flip", manual=True, name="flip", func=fail, retry=Retry(max_retries=1, delay=1)))
    ticking(worker)
    one = visit(site(shown).url)
    note_messages(one)
    run_button(one).click()
    lines = ended(one, "failed")
    assert [line for line in lines if "Next attempt" not in line] == [
        "busy: flip: requested",
        "busy: flip: running, attempt 1 of 2 for N sec",
        "busy: flip: running, attempt 2 of 2 for N sec",
        "failed: flip: failed, attempt 2 of 2, after N sec: ValueError: broken",
    ]
    between = [line for line in lines if "Next attempt" in line]
    assert {line.removesuffix("now").removesuffix("in N sec") for line in between} == {
        "busy: flip: failed, attempt 1 of 2: ValueError: broken. Next attempt: "
    }


@pytest.mark.slow
def test_several_requests_have_a_message_each_and_many_have_one(
    site: Callable[..., WebServer],
    visit: Callable[..., Watched],
    ticking: Callable[[TaskRegistry], TaskRegistry],
) -> None:
    registry = TaskRegistry(executor=lambda: ThreadPoolExecutor(8))
    goes_on = threading.Event()
    for number in range(7):
        registry.register(Task(id=f"t{number}", manual=True, func=lambda: goes_on.wait(30)))
    one = visit(site(ticking(registry)).url)
    note_messages(one)
    one.row("t0").locator("[data-act=run]").click()
    one.row("t0").locator("[data-act=run]").click()  # for the next one
    one.row("t1").locator("[data-act=run]").click()
    expect(one.page.locator("#messages .message.busy")).to_have_count(3)
    goes_on.set()
    expect(one.page.locator("#messages .message.success")).to_have_count(3)
    ended(one, "success")
    one.page.locator("[data-choose-all]").check()
    one.page.locator("[data-chosen] [data-act=run]").click()
    lines = ended(one, "success")
    assert lines[-1] == "success: 7 requested, 7 succeeded, 0 failed"
    assert [task.runs for task in registry.store.values()] == [3, 2, 1, 1, 1, 1, 1]


def test_two_clicks_before_a_run_have_one_message(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="flip", manual=True, func=greet))
    one = visit(site(registry).url)
    for _ in range(2):
        with one.page.expect_response("**/requested"):
            run_button(one).click()
    expect(one.page.locator("#messages .message")).to_have_count(1)
    registry.tick()
    expect(one.page.locator("#messages .message.success")).to_have_count(1)
    assert registry["flip"].runs == 1


def test_what_is_removed_is_told_on_the_list(site: Callable[..., WebServer], visit: Callable[..., Watched]) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="old", name="Old", manual=True, func=greet))
    one = visit(site(registry).url)
    one.go("task", id="old")
    one.page.locator("[data-act=remove]").click()
    one.page.locator("dialog.removal button[value=remove]").click()
    expect(one.message(r"Old.+\(.*old.*\) is removed")).to_be_visible()
    one.expect_faults("404")  # of the page of a task that is no more
    assert one.page.url == one.url
    one.page.reload()
    expect(one.page.locator("#rows")).to_be_attached()
    expect(one.page.locator("#messages .message")).to_have_count(0)


def test_tasks_with_the_same_name_are_told_apart(site: Callable[..., WebServer], visit: Callable[..., Watched]) -> None:
    registry = TaskRegistry()
    for number in range(60):
        registry.register(Task(id=f"id-{number:02}", name="ok", manual=True, func=greet))
    registry.register(Task(id="bare", name="bare", manual=True, func=greet))
    one = visit(site(registry).url)
    one.page.locator("[data-choose-all]").check()
    one.page.locator("[data-chosen] [data-act=remove]").click()
    dialog = one.page.locator("dialog.removal")
    texts = [text.translate({0x2068: None, 0x2069: None}) for text in dialog.locator("li").all_inner_texts()]
    assert texts[:2] == ["bare", "ok (id-00)"]
    expect(dialog.locator("h2")).to_be_in_viewport(ratio=1)
    expect(dialog.locator("h2")).to_contain_text("50")
    expect(one.button("Cancel", dialog)).to_be_focused()
    expect(one.button("Remove", dialog)).to_be_in_viewport(ratio=1)
    one.check_page()
