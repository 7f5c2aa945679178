"""The page of the instances."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from est_alan_scheduler import Health, MemoryBackend, Task, TaskRegistry, __version__
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.web import Role
from tests import jobs
from tests.backends.stores import Servers
from tests.cluster.helpers import end_pause
from tests.web.page.pages import Browser, Page, lose_store


def states(page: Page) -> list[str]:
    return page.texts(".//p[@class='state good']") + page.texts(".//p[@class='state bad']")


def owners(page: Page) -> list[str]:
    return page.texts(".//ul[@class='instances']/li/div/h3")


def watching(registry: TaskRegistry, found: list[Page], task_id: str = "watch") -> None:
    """Register a task that looks at the page while it runs."""

    def look() -> None:
        found.append(Browser(registry).get("instances"))

    registry.expose(look, "look")
    registry.register(Task(id=task_id, name="The <b>watch</b>", every={"hours": 1}, func=look))


def test_without_a_backend_it_is_this_process_and_what_it_runs() -> None:
    registry, found = TaskRegistry(), list[Page]()
    watching(registry, found)
    registry.tick()
    (page,) = found
    assert owners(page) == ["This process"]
    assert page.texts(".//ul[@class='running']/li/a") == ["The <b>watch</b>"]
    assert page.one(".//ul[@class='running']/li/a").attrib["href"] == "task?id=watch"
    assert page.one(".//ul[@class='running']//time").attrib["data-since"] == ""
    assert "in the memory of this process" in page.html
    after = Browser(registry).get("instances")
    assert after.all(".//ul[@class='running']") == []
    assert f"1 task · est-alan-scheduler {__version__}" in after.html
    assert after.texts(".//dl[@class='counts']//dd")[:3] == ["1", "1", "0"]


def test_a_task_whose_id_has_half_a_pair_of_surrogates_hinders_no_page_while_it_runs() -> None:
    registry, found = TaskRegistry(), list[Page]()
    watching(registry, found, "half \ud800")
    registry.tick()
    (page,) = found
    assert page.one(".//ul[@class='running']/li/a").attrib["href"] == "task?id=half+%ED%A0%80"


def test_with_a_backend_each_instance_has_its_lease_and_what_it_runs() -> None:
    backend = MemoryBackend()
    worker, observer = TaskRegistry(backend=backend), TaskRegistry(backend=backend, observe=True)
    found = list[Page]()

    def look() -> None:
        found.append(Browser(observer).get("instances"))

    worker.expose(look, "look")
    worker.register(Task(id="watch", every={"hours": 1}, func=look))
    worker.tick()
    (page,) = found
    (instance,) = worker.instances()
    assert owners(page) == [instance.owner]
    assert page.texts(".//ul[@class='running']/li/a") == ["look"]
    moments = [element.attrib["datetime"] for element in page.all(".//p[@class='lease']//time")]
    assert [datetime.fromisoformat(text) for text in moments] == [
        moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
        for moment in (instance.since, instance.lease_until)
    ]
    assert page.texts(".//p[@class='state']")[0] == "Observes"
    own = Browser(worker).get("instances")
    assert own.texts(".//span[@class='tag']") == ["This process"]
    worker.shutdown(0)


def test_a_run_whose_instance_has_gone_is_shown_with_its_former_owner() -> None:
    backend = MemoryBackend()
    worker, observer = TaskRegistry(backend=backend), TaskRegistry(backend=backend, observe=True)
    found = list[Page]()

    def look() -> None:
        backend.leave(worker.instances()[0].owner)
        found.append(Browser(observer).get("instances"))

    worker.expose(look, "look")
    worker.register(Task(id="watch", every={"hours": 1}, func=look))
    worker.tick()
    (page,) = found
    assert page.texts(".//span[@class='status late']") == ["No lease"]
    assert page.texts(".//ul[@class='running']/li/a") == ["look"]
    worker.shutdown(0)


@pytest.mark.parametrize(
    ("health", "observe", "found"),
    [
        (Health(True, True), False, ["Answers", "Runs tasks"]),
        (Health(None, True), False, ["Answers"]),
        (Health(None, True), True, ["Answers"]),
        (Health(False, True), False, ["Answers", "Its loop has stopped"]),
        (Health(True, False), False, ["Runs tasks", "Out of reach"]),
    ],
)
def test_health_is_told_in_words(
    health: Health, observe: bool, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = TaskRegistry(backend=MemoryBackend(), observe=observe)
    monkeypatch.setattr(registry, "health", lambda: health)
    assert states(Browser(registry).get("instances")) == found


def test_during_an_outage_the_page_answers_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(MemoryBackend):
        is_gone = False

        def instances(self) -> list:  # type: ignore[type-arg]
            if self.is_gone:
                raise BackendUnavailableError("gone")
            return super().instances()

    backend = Gone()
    registry = TaskRegistry(backend=backend)
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    registry.tick()
    backend.is_gone = True
    monkeypatch.setattr(registry, "health", lambda: Health(True, True))
    page = Browser(registry).get("instances")
    assert "the live instances are not known" in page.html
    assert states(page) == ["Runs tasks", "Out of reach"]
    backend.is_gone = False
    registry.shutdown(0)


def test_the_store_is_shown_without_its_password(tmp_path: object) -> None:
    pytest.importorskip("sqlalchemy")
    registry = TaskRegistry(backend=f"sqlite:///{tmp_path}/tasks.db")
    assert f"sqlite:///{tmp_path}/tasks.db" in Browser(registry).get("instances").html
    registry.shutdown(0)


def test_who_may_manage_pauses_all_after_a_question() -> None:
    registry = TaskRegistry()
    page = Browser(registry).get("instances")
    assert page.texts(".//div[@id='pause-all']/button") == ["Pause all…"]
    assert page.one(".//dialog[@id='pause-dialog']//button[@data-pause-all='true']") is not None
    registry.pause_all()
    page = Browser(registry).get("instances", language="ko")
    assert page.texts(".//button[@data-pause-all='false']") == ["모두 재개"]
    assert page.all(".//div[@id='pause-all']/button") == []
    assert page.texts(".//p[@class='banner']/strong") == ["모든 작업이 일시 중지되었습니다."]


def test_who_may_only_read_sees_the_pause_and_no_button() -> None:
    registry = TaskRegistry()
    registry.pause_all()
    page = Browser(registry, Role.READ).get("instances")
    assert page.texts(".//p[@class='banner']/strong") == ["All tasks are paused."]
    assert page.all(".//*[@data-pause-all]") == []
    assert page.all(".//*[@id='pause-dialog']") == []


def test_long_lists_of_runs_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry()
    for number in range(25):
        registry.register(Task(id=f"t{number}", every={"hours": 1}, func=jobs.add, args=(1, 2), status="running"))
    page = Browser(registry).get("instances")
    assert page.texts(".//ul[@class='running']/li")[-1] == "and 5 more"
    assert len(page.all(".//ul[@class='running']/li")) == 21
    assert "25 runs in flight" in page.html


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgres", "redis"])
def test_the_page_lives_through_an_outage_of_a_server(kind: str, servers: Servers, tmp_path: Path) -> None:
    store = servers.store(kind, tmp_path)
    registry = TaskRegistry(backend=store.open(), lease=600)
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    registry.tick()
    browser = Browser(registry)
    assert states(browser.get("instances")) == ["Answers"]
    assert browser.get("instances").texts(".//section[@class='facts']//code") == [registry._store_url]

    def look() -> None:
        with suppress(BackendUnavailableError):
            registry.refresh()
        page = browser.get("instances")
        assert states(page) == ["Out of reach"]
        assert page.texts(".//p[@class='banner lost']/strong") == ["The store is out of reach."]

    servers.get(kind).restart(look)
    end_pause(registry)
    registry.refresh()
    assert states(browser.get("instances")) == ["Answers"]
    registry.shutdown(0)
    store.close()


@pytest.mark.parametrize("path", ["", "task?id=a", "timeline", "instances"])
def test_every_page_says_once_that_the_store_is_out_of_reach(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry(backend=MemoryBackend())
    registry.register(Task(id="a", func=jobs.process_id, every={"hours": 1}))
    registry.tick()
    assert Browser(registry).get(path).all(".//*[@role='alert']") == []
    lose_store(registry, monkeypatch)
    page = Browser(registry).get(path, language="ko")
    assert page.texts(".//p[@class='banner lost']/strong") == ["저장소에 연결할 수 없습니다."]
    assert len(page.all(".//*[@role='alert']")) == 1
    registry.shutdown(0)


@pytest.mark.parametrize("path", ["", "task?id=a", "edit?id=a", "timeline", "instances"])
def test_every_page_of_an_observer_says_once_that_no_instance_is_alive(path: str) -> None:
    backend = MemoryBackend()
    worker, observer = TaskRegistry(backend=backend), TaskRegistry(backend=backend, observe=True)
    worker.register(Task(id="a", func=jobs.process_id, every={"hours": 1}))
    worker.tick()
    assert Browser(observer).get(path).all(".//div[@id='banner']/p") == []
    backend.leave(worker.instances()[0].owner)
    page = Browser(observer, Role.MANAGE).get(path)
    assert page.texts(".//div[@id='banner']/p") == [
        "No instance is alive. Nothing runs the tasks until one is started."
    ]
    page = Browser(observer, Role.MANAGE).get(path, language="ko")
    assert page.texts(".//div[@id='banner']/p/strong") == ["활성 인스턴스가 없습니다."]
    worker.shutdown(0)


def test_a_page_of_a_problem_asks_no_store() -> None:
    backend = MemoryBackend()
    page = Browser(TaskRegistry(backend=backend, observe=True)).get("nowhere", status=404)
    assert page.all(".//*[@role='alert']") == []


def test_an_instance_without_a_lease_is_listed_apart_and_promises_nothing_that_needs_another_one() -> None:
    backend = MemoryBackend()
    worker, observer = TaskRegistry(backend=backend), TaskRegistry(backend=backend, observe=True)
    other = TaskRegistry(backend=backend)
    found = list[Page]()

    def look() -> None:
        owner = worker.instances()[0].owner
        backend.leave(owner)
        found.append(Browser(observer).get("instances"))
        other.register(Task(id="b", every={"hours": 1}, func=jobs.process_id))
        other.tick()
        found.append(Browser(observer).get("instances"))

    worker.expose(look, "look")
    worker.register(Task(id="watch", every={"hours": 1}, func=look))
    worker.tick()
    alone, beside = found
    headings = ["Live instances", "Instances without a lease"]
    assert alone.texts(".//*[@id='instances']/h2") == beside.texts(".//*[@id='instances']/h2") == headings
    assert "No instance has a lease: nothing runs the tasks now." in alone.html
    assert alone.texts(".//p[@class='lease']") == [
        "Its lease has expired, or it has left. Its runs are recorded as failed once an instance is alive again."
    ]
    assert "No instance has a lease" not in beside.html
    assert beside.texts(".//p[@class='lease']")[-1] == (
        "Its lease has expired, or it has left. Its runs are soon recorded as failed, and may be retried."
    )
    other.shutdown(0)
    worker.shutdown(0)
