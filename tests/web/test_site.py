"""The site: tasks whose values cannot be read, or take their time."""

import threading
from functools import partial

import pytest

from est_alan_scheduler import Task
from est_alan_scheduler.cluster.codecs.kept_versions import KeptVersions
from tests.cluster.codecs.test_kept_versions import Stuck, registry, stuck, take, with_argument
from tests.frozen import Frozen
from tests.web.client import Client
from tests.web.page.pages import Browser

__all__ = ["registry", "stuck"]  # fixtures


def test_pages_and_lists_come_all_the_same_and_its_own_ones_say_why_not(
    registry: Frozen, stuck: Stuck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("est_alan_scheduler.web.site.KeptVersions", partial(KeptVersions, patience=0.01))
    with_argument(registry, stuck)
    registry.register(Task(id="good", every={"minutes": 1}, func=take))
    browser = Browser(registry)
    first = threading.Thread(target=partial(browser.get))
    first.start()
    assert stuck.began.wait(10)
    assert browser.get().one(".//tr[@data-id='a']").get("data-version") == ""
    assert browser.get("timeline").one(".//li[@data-id='a']").get("data-version") == ""
    found = browser.request("GET", "api/tasks").json()["items"]
    assert [(one["id"], bool(one["version"])) for one in found] == [("a", False), ("good", True)]
    for path in ("api/tasks/a", "task?id=a", "edit?id=a"):
        answer = browser.request("GET", path)
        assert (answer.status_code, "takes too long to show" in answer.text) == (503, True)
    done = browser.post("act", {"action": "run", "tasks": [{"id": "a", "version": None}]})
    assert done["results"][0]["ok"]
    stuck.may_return.set()
    first.join(10)
    assert browser.get().one(".//tr[@data-id='a']").get("data-version") == registry.version("a")


@pytest.mark.parametrize("path", ["", "timeline"])
@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_a_task_that_cannot_be_read_takes_no_page_away(registry: Frozen, path: str, error: type[BaseException]) -> None:
    class Opaque:
        def __repr__(self) -> str:
            raise error

    with_argument(registry, Opaque())
    Browser(registry).get(path)
    assert len(Client(registry).get("/tasks")["items"]) == 1
