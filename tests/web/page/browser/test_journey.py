"""The journey of an operator: from a failed task to its success, in every language, colour and width."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import WebServer
from tests.ways import wait_until
from tests.web.page.browser.looks import PAIRS, Look
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import greet

EXPORT = {"id": "export"}


class Disk:
    """A disk that is full until somebody has made room, and slow."""

    def __init__(self) -> None:
        self.is_full = True
        self.may_go_on = threading.Event()

    def export(self) -> str:
        """Export something."""
        if self.is_full:
            raise OSError("the disk is full: /var/data/export.csv")
        self.may_go_on.wait(30)
        return "1,204 rows"


def registries(disk: Disk, store: str | None) -> tuple[TaskRegistry, TaskRegistry]:
    """Return the registry that runs the tasks and the one that the site shows; `export` has failed among others."""
    worker = TaskRegistry(backend=store, executor=lambda: ThreadPoolExecutor(4))
    worker.expose(disk.export, "export")
    options: dict[str, Any] = {"every": {"hours": 6}, "run_immediately": False}
    for number in range(30):
        worker.register(Task(id=f"task {number}", func=greet, **options))
    worker.register(Task(id="export", name="Export the invoices", func=disk.export, **options))
    worker.run_now("export")
    return worker, worker if store is None else TaskRegistry(backend=store, observe=True)


@pytest.mark.parametrize(
    ("look", "store"), [*((look, None) for look in PAIRS), (PAIRS[0], "sqlite:///{}/tasks.db")], ids=str
)
def test_a_failed_task_is_found_understood_rescheduled_and_run(
    look: Look,
    store: str | None,
    tmp_path: Path,
    site: Callable[..., WebServer],
    visit: Callable[..., Watched],
    ticking: Callable[[TaskRegistry], TaskRegistry],
) -> None:
    disk = Disk()
    worker, shown = registries(disk, store and store.format(tmp_path))
    ticking(worker)
    one = visit(site(shown).url, look)
    find_the_failed_task(one)
    reschedule(one)
    wait_until(lambda: worker["export"].every == {"minutes": 30})
    run(one, disk)
    assert worker["export"].result == "1,204 rows"
    pause_all(one)
    wait_until(lambda: worker.is_paused)
    one.button("Resume all").first.click()
    expect(one.page.locator("#banner .banner")).to_have_count(0)
    wait_until(lambda: not worker.is_paused)


def find_the_failed_task(one: Watched) -> None:
    """Find the failed task among all, and read what is wrong with it."""
    expect(one.page.locator("#rows [data-status=failed]")).to_have_count(1)
    one.page.locator("#counts a.failed").click()
    expect(one.page.locator("#rows [data-id]")).to_have_count(1)
    one.go()
    one.page.locator("[name=q]").fill("invoices")
    one.page.locator("[name=q]").press("Enter")
    expect(one.page.locator("#rows [data-id]")).to_have_count(1)
    one.check_page()
    one.row("export").get_by_role("link", name="Export the invoices").click()
    expect(one.page.locator("main")).to_contain_text("OSError: the disk is full: /var/data/export.csv")
    expect(one.page.locator("#why")).to_contain_text(one.words("Why it is not running now"))
    one.check_page()


def reschedule(one: Watched) -> None:
    """Change the schedule, after a look at the slots to come."""
    one.link("Edit").first.click()
    one.page.wait_for_url("**/edit?id=export")
    one.page.locator("[name='every.hours']").fill("")
    one.page.locator("[name='every.minutes']").fill("30")
    expect(one.page.locator("#save")).to_be_enabled()
    expect(one.page.locator("#preview .old")).to_contain_text(one.words("Now"))
    expect(one.page.locator("#preview .new")).to_contain_text(one.words("After saving"))
    one.check_page()
    one.page.locator("#save").click()
    one.page.wait_for_url("**/task?id=export")


def run(one: Watched, disk: Disk) -> None:
    """Mend what is broken, run the task, and watch it until it has succeeded."""
    disk.is_full = False
    task = one.page.locator("[data-id=export][data-status]").first
    one.page.locator("[data-act=run]:visible").first.click()
    message = one.page.locator("#messages .message").filter(has_text="Export the invoices")
    expect(message).to_have_class("message busy")
    expect(task).to_have_attribute("data-status", "running")
    one.check_page()
    expect(message).to_have_class("message busy")
    disk.may_go_on.set()
    expect(message).to_have_class("message success")
    expect(task).to_have_attribute("data-status", "success")
    one.check_page()


def pause_all(one: Watched) -> None:
    """Pause all tasks, and look whether every page says so."""
    one.go("instances")
    one.pause_all()
    expect(one.page.locator("#banner .banner")).to_be_visible()
    for path, query in (("instances", {}), ("", {}), ("task", EXPORT), ("timeline", {}), ("edit", EXPORT)):
        one.go(path, **query)
        expect(one.page.locator("#banner")).to_contain_text(one.words("All tasks are paused."))
        expect(one.page.locator("#banner .banner")).to_be_in_viewport()
