"""The page of one task."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from freezegun import freeze_time

from est_alan_scheduler import MemoryBackend, Retry, Task, TaskRegistry, TaskStatus
from est_alan_scheduler.backends.rows import DeadRunOutcome
from est_alan_scheduler.web import Role
from est_alan_scheduler.web.page.moments import NOTHING
from tests.web.page.pages import Browser, Page, lose_store, text_of

NOON = "2026-11-29 12:00:00"
HOSTILE = "<script>alert(1)</script>\u202e\"'&{{ 7 }}" + "x" * 10_000


@pytest.fixture(autouse=True)
def utc(set_zone: Callable[[str], None]) -> None:
    set_zone("UTC")


def nothing() -> None:
    pass


def seven() -> int:
    return 7


def boom() -> None:
    try:
        raise KeyError("the cause")
    except KeyError as error:
        raise ValueError("boom") from error


def page_of(registry: TaskRegistry, task_id: str = "job", role: Role = Role.MANAGE, **query: Any) -> Page:
    options = {name: query.pop(name) for name in ("hide_values", "read_only") if name in query}
    return Browser(registry, role, **options).get("task", id=task_id, **query)


def facts(page: Page, region: str) -> dict[str, str]:
    """Return what a list of terms says."""
    rows = page.all(f".//*[@id='{region}']//dl/div")
    return {text_of(row.find("dt")): text_of(row.find("dd")) for row in rows}  # type: ignore[arg-type]


def rows(page: Page) -> list[list[str]]:
    return [[text_of(cell) for cell in row.findall("td")] for row in page.all(".//table[@class='runs']/tbody/tr")]


def follow(browser: Browser, link: str) -> Page:
    parts = urlsplit(link)
    query: dict[str, Any] = dict(parse_qsl(parts.query))
    return browser.get(parts.path, **query)


# The head.


@freeze_time(NOON)
def test_the_head_says_what_the_task_is() -> None:
    registry = TaskRegistry()
    task = registry.register(
        Task(id="job", name="Load", func=nothing, every={"minutes": 5}, tags=("a b", "c"), description="Loads it.")
    )
    page = page_of(registry)
    head = page.one(".//*[@data-id]")
    assert {name: head.attrib[name] for name in head.attrib if name.startswith("data-")} == {
        "data-id": "job",
        "data-name": "Load",
        "data-version": registry.version(task),
        "data-runs": "0",
        "data-status": "pending",
    }
    assert page.texts(".//h1") == ["Load"]
    assert page.texts(".//div[@class='title']/span") == ["pending"]
    assert page.texts(".//p[@class='about']") == ["Loads it."]
    assert facts(page, "head") == {"Id": "job", "Schedule": "every 5 minutes", "Time zone": "UTC", "Tags": "a b c"}
    assert [link.attrib["href"] for link in page.all(".//a[@class='tag']")] == ["./?tag=a+b", "./?tag=c"]
    assert page.one(".//nav[@aria-label='Breadcrumb']/a").attrib["href"] == "./"


def test_buttons_are_there_for_those_who_may_manage() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(id="a&b", func=nothing, every={"minutes": 5}))

    def buttons(**options: Any) -> list[str]:
        found = page_of(registry, "a&b", **options).all(".//div[@class='actions']/*")
        return [one.attrib.get("data-act") or one.attrib["href"] for one in found]

    assert buttons() == ["run", "pause", "edit?id=a%26b", "remove"]
    assert buttons(role=Role.READ) == buttons(read_only=True) == []
    task.paused = True
    assert buttons() == ["run", "resume", "edit?id=a%26b", "remove"]


def test_an_unknown_id_is_told_as_a_page() -> None:
    page = Browser(TaskRegistry()).get("task", id="nobody", status=404)
    assert page.texts(".//h1") == ["404 Not Found"]


# Why it does not run.


@freeze_time(NOON)
def test_why_is_told_with_the_next_run_in_the_zones_of_the_task_and_utc() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=nothing, at="23:00", timezone="Asia/Seoul"))
    page = page_of(registry)
    assert page.texts(".//*[@id='why']/h2") == ["Why it is not running now"]
    assert page.texts(".//*[@id='why']/p") == ["Due in 2 hours, at 2026-11-29 23:00:00 +09:00"]
    assert facts(page, "why") == {
        "Next run": "2026-11-29 23:00:00 +09:00 Asia/Seoul",
        "Asia/Seoul": "2026-11-29 23:00:00 +09:00",
        "UTC": "2026-11-29 14:00:00 +00:00",
        "This browser": "",
    }
    assert page.one(".//time[@data-zone='browser']").attrib["datetime"] == "2026-11-29T14:00:00.000+00:00"


def test_that_no_run_is_planned_is_told() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=nothing, manual=True))
    page = page_of(registry)
    assert page.texts(".//*[@id='why']/p")[1:] == ["No run is planned."]
    assert page.texts(".//*[@id='slots']/p") == ["It has no slots: it runs only on request."]


# The last outcome.


def test_a_task_that_has_never_run_says_so() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=nothing, every={"minutes": 5}))
    page = page_of(registry)
    assert page.texts(".//*[@id='outcome']/p") == ["It has never run."]
    assert page.texts(".//*[@id='runs']/p") == ["There are no runs yet."]


def test_a_success_shows_its_result_and_its_moments() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=seven, every={"minutes": 5}, misfires=3, misfired_at="2026-11-28 10:00"))
    with freeze_time(NOON):
        registry.tick()
        page = page_of(registry)
    moment = "2026-11-29 12:00:00 +00:00"
    assert facts(page, "outcome") == {
        "Result": "7",
        "Attempt": "1",
        "Last run": moment,
        "Last success": moment,
        "First run": moment,
        "Runs so far": "1",
        "Failures in a row": "0",
        "Misfires": "3 (the latest: 2026-11-28 10:00:00 +00:00)",
    }


def test_the_outcome_of_a_failure_has_the_traceback_with_its_cause_and_the_retry() -> None:
    registry = TaskRegistry()
    task = registry.register(
        Task(id="job", func=boom, every={"hours": 1}, retry=Retry(max_retries=3, delay=90, jitter=0))
    )
    with freeze_time(NOON):
        registry.tick()  # before there is a site
        page = page_of(registry)
    assert page.texts(".//p[@class='error']") == ["ValueError: boom"]
    text = page.texts(".//details[@id='last-traceback']/pre")[0]
    assert "KeyError: 'the cause' The above exception was the direct cause" in text
    assert text.endswith("ValueError: boom")
    found = facts(page, "outcome")
    assert (found["Attempt"], found["Retry"]) == ("1 of 4", "2026-11-29 12:01:30 +00:00")
    assert page.texts(".//details[@id='run-1']/pre") == [text]
    assert task.error is not None


def test_a_traceback_that_is_not_here_is_told_once() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(id="job", func=boom, every={"hours": 1}))
    registry.tick()
    task.error = ValueError("boom")
    page = page_of(registry)
    assert page.all(".//details") == []
    assert page.texts(".//*[@id='outcome']/p")[1:] == ["The traceback is no longer here. See the log."]
    assert len(page.texts(".//*[@id='runs']/p")) == 1


def test_a_requested_run_is_told() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=nothing, manual=True))
    registry.run_now("job", force=True)
    notes = page_of(registry).texts(".//*[@id='outcome']/p")
    assert "A run is requested; it does not wait for dependencies." in notes


# Slots.


@freeze_time("2026-03-07 12:00:00")
def test_the_next_twenty_slots_have_the_marks_of_clock_changes() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=nothing, cron="30 2 * * *", timezone="America/New_York", paused=True))
    page = page_of(registry)
    slots = page.texts(".//*[@id='slots']/ol/li")
    assert len(slots) == 20
    assert slots[:2] == ["Sun 2026-03-08 03:00:00 -04:00 moved", "Mon 2026-03-09 02:30:00 -04:00"]
    notes = page.texts(".//*[@id='slots']/p")
    assert notes == [
        "Times in America/New_York. The task is paused: none of these runs starts until it is resumed.",
        "moved The clock skips this time on that date: the run starts when the gap ends.",
    ]


# Runs.


def test_runs_come_newest_first_with_their_lateness() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=seven, at="12:00"))
    browser = Browser(registry)
    for day, seconds in ((27, 3), (28, 90)):
        with freeze_time(datetime(2026, 11, day, 12) + timedelta(seconds=seconds)):
            registry.tick()
    assert rows(browser.get("task", id="job")) == [
        ["success", "2026-11-28 12:01:30 +00:00", "1", "1 min 30 s", "0 ms", "2", "7"],
        ["success", "2026-11-27 12:00:03 +00:00", "1", "3 s", "0 ms", "1", "7"],
    ]


def test_a_run_that_nothing_was_due_for_has_no_lateness() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=seven, manual=True))
    browser = Browser(registry)
    registry.run_now("job")
    registry.tick()
    assert [row[3] for row in rows(browser.get("task", id="job"))] == [NOTHING]


def test_each_failed_run_of_this_process_has_its_traceback() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=boom, manual=True))
    browser = Browser(registry)
    for _ in range(3):
        registry.run_now("job")
        registry.tick()
    page = browser.get("task", id="job")
    keys = [one.attrib["id"] for one in page.all(".//table//details")]
    assert keys == ["run-3", "run-2", "run-1"]
    rows = [one.attrib["id"] for one in page.all(".//table/tbody/tr")]
    assert rows == ["number-3", "number-2", "number-1"]  # so that an open one stays so while others come
    assert page.texts(".//*[@id='runs']/p") == []


def test_runs_are_filtered_by_outcome_and_paged() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(id="job", func=seven, manual=True))
    for number in range(50):
        task.func = boom if number % 10 == 0 else seven
        registry.run_now("job")
        registry.tick()
    browser = Browser(registry)
    seen: list[str] = []
    link: str | None = "task?id=job&outcome=success"
    while link is not None:
        page = follow(browser, link)
        seen += [row[5] for row in rows(page)]
        links = {text_of(one): one.attrib["href"] for one in page.all(".//nav[@aria-label='Pages of runs']/a")}
        link = links.get("Older runs")
    assert seen == [str(number) for number in range(50, 0, -1) if number % 10 != 1]
    assert page.one(".//nav[@aria-label='Runs by outcome']/a[@aria-current]").text == "success"
    newest = follow(browser, links["Newest runs"])
    assert rows(newest)[0][5] == "50"


def test_a_cursor_that_is_none_is_refused() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=seven, manual=True))
    Browser(registry).get("task", id="job", cursor="nonsense", status=422)


# With a backend.


def test_an_observer_shows_runs_of_others_with_their_owner(join: Callable[..., TaskRegistry]) -> None:
    worker, observer = join(), join(observe=True)
    worker.register(Task(id="job", func=boom, every={"hours": 1}))
    worker.tick()
    (run,) = worker.history("job")
    page = page_of(observer)
    assert page.texts(".//th[@scope='col']") == [
        *("Outcome", "Started", "Attempt", "Lateness", "Duration", "Epoch", "Owner", "Result or error")
    ]
    assert rows(page)[0][6:] == [run["owner"], "ValueError: boom"]
    assert page.texts(".//*[@id='outcome']/p") == [
        "ValueError: boom",
        f"The traceback is not here. See the log of the instance {run['owner']}, which made this run.",
    ]
    assert facts(page, "definition")["Runs here"].startswith("no: this process only shows")
    assert page_of(worker).texts(".//details[@id='run-1']/summary") == ["Traceback"]


def test_lost_and_late_runs_are_marked(join: Callable[..., TaskRegistry]) -> None:
    registry = join()
    registry.register(Task(id="job", func=nothing, every={"hours": 1}))
    registry.tick()
    (run,) = registry.history("job")
    session = registry._session
    assert session is not None
    owner = run["owner"]

    def fake(text: str | None) -> list[dict[str, Any]]:
        return [run | {"status": "failed", "error": text, "late": True}]

    observer = join(observe=True)
    marks = {}
    for text in (DeadRunOutcome("job", 1, owner).error, "ValueError: boom"):
        observer.history = lambda *_, text=text: fake(text)  # type: ignore[method-assign]
        page = page_of(observer)
        marks[text.partition(":")[0]] = page.texts(".//td/span[@class='tag mark']")
    assert marks == {"lease expired": ["lost"], "ValueError": ["too late"]}


def test_a_change_by_management_is_told(join: Callable[..., TaskRegistry]) -> None:
    registry = join()
    registry.register(Task(id="job", func=nothing, every={"hours": 1}, timeout=5))
    registry.update("job", every={"hours": 2}, timeout=None)
    found = facts(page_of(registry), "definition")
    assert found["every"] == '{"hours": 2} differs from the code'
    assert found["timeout"] == f"{NOTHING} differs from the code"
    assert found["func"].endswith("test_task:nothing")


def test_an_outage_shows_what_was_read_last(join: Callable[..., TaskRegistry], monkeypatch: pytest.MonkeyPatch) -> None:
    registry = join()
    registry.register(Task(id="job", func=nothing, every={"hours": 1}))
    lose_store(registry, monkeypatch)
    page = page_of(registry)
    assert page.texts(".//h1") == ["nothing"]
    assert page.texts(".//*[@id='runs']/p") == ["The runs cannot be read: the store is out of reach."]
    Browser(registry).get("task", id="nobody", status=503)


# Dependencies and the definition.


def test_dependencies_are_a_graph_of_links() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", func=nothing, manual=True))
    registry.register(Task(id="job", func=nothing, manual=True, depends_on=["a", "gone"]))
    page = page_of(registry)
    assert [link.attrib["href"] for link in page.all(".//svg[@class='graph']//a")] == ["task?id=a"]
    assert page.texts(".//text[@class='state']") == ["pending · a", "not registered", "pending · job"]
    registry["job"].depends_on = []
    assert page_of(registry).all(".//svg[@class='graph']") == []


def test_the_definition_has_the_fields_that_are_not_default() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(id="job", func=print, args=(1, "é"), every={"hours": 1}, timeout=3))
    assert facts(page_of(registry), "definition") == {
        "every": '{"hours": 1}',
        "func": "builtins:print",
        "args": '[1, "é"]',
        "timeout": "3",
        "Runs here": "yes",
        "Version": registry.version(task),
    }


# All of it.


def test_values_are_hidden() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(id="job", func=echo, args=("sesame",), every={"hours": 1}))
    registry.tick()
    page = page_of(registry, hide_values=True)
    assert task.result == "sesame"
    assert "sesame" not in page.html
    assert facts(page, "outcome")["Result"] == "hidden"
    assert [row[-1] for row in rows(page)] == ["hidden"]
    found = facts(page, "definition")
    assert (found["args"], found["kwargs"]) == ("hidden", "hidden")


def test_values_are_hidden_in_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=nothing, manual=True))
    monkeypatch.setattr(registry, "why_not", lambda _: "cannot run here: kwargs hold 'sesame'")
    assert "sesame" in page_of(registry).html
    assert "sesame" not in page_of(registry, hide_values=True).html


def echo(value: str) -> str:
    return value


def test_hostile_values_are_text_and_short() -> None:
    registry = TaskRegistry()
    registry.register(Task(id=HOSTILE, func=nothing, name=HOSTILE, manual=True))

    def fail() -> None:
        raise ValueError(HOSTILE + "\ud800")

    registry.register(
        Task(
            id="job",
            func=fail,
            name=HOSTILE,
            description=HOSTILE,
            tags=(HOSTILE,),
            kwargs={},
            depends_on=[HOSTILE],
            manual=True,
        )
    )
    browser = Browser(registry)
    registry.run_now("job", force=True)
    registry.tick()
    for task_id in ("job", HOSTILE):
        page = browser.get("task", id=task_id)
        assert "<script>alert" not in page.html
        assert "{{ 7 }}" in page.html
        assert len(page.html) < 200_000
        scripts = [one.attrib.get("src") for one in page.all(".//script")]
        assert scripts == ["static/page.js"]


def test_the_page_is_in_korean_for_koreans() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=boom, every={"hours": 1}))
    registry.tick()
    page = page_of(registry, language="ko")
    assert page.texts(".//main//h2")[1:] == ["마지막 결과", "다음 예정 시각", "실행 기록", "의존 관계", "정의"]
    assert "Traceback" not in " ".join(page.texts(".//summary"))


def test_each_part_that_changes_is_live() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=boom, every={"hours": 1}))
    registry.tick()
    page = page_of(registry)
    live = [one.attrib["id"] for one in page.all(".//*[@data-live]")]
    assert live == ["choices", "banner", "head", "why", "outcome", "slots", "runs", "graph", "definition"]
    assert all(one.attrib.get("id") for one in page.all(".//details"))
    ids = [one.attrib["id"] for one in page.root.iter() if "id" in one.attrib]
    assert len(ids) == len(set(ids))


def test_a_task_that_waits_shows_what_for_and_since_when_and_no_moment_that_moves() -> None:
    with freeze_time(NOON, auto_tick_seconds=1) as clock:
        registry = TaskRegistry()
        registry.register(Task(id="job", func=nothing, at="11:30", depends_on=["books"]))
        shown = []
        for _ in range(2):
            page = page_of(registry)
            shown.append((facts(page, "why"), page.texts(".//*[@id='slots']/ol/li")[:2]))
            clock.tick(60)
    assert shown[0] == shown[1]
    why, slots = shown[0]
    assert (why["Next run"], why["Due since"], why["UTC"]) == (
        "waits for books",
        "2026-11-29 11:30:00 +00:00",
        "2026-11-29 11:30:00 +00:00",
    )
    assert slots == ["Sun 2026-11-29 11:30:00 +00:00", "Mon 2026-11-30 11:30:00 +00:00"]
    assert page.one(".//*[@id='why']//dd/a").attrib["href"] == "task?id=books"


@freeze_time(NOON)
def test_a_task_that_waits_for_its_first_run_has_no_slots_yet() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="job", func=nothing, every={"hours": 1}, depends_on=["books"]))
    page = page_of(registry)
    assert facts(page, "why") == {"Next run": "waits for books"}
    assert page.texts(".//*[@id='slots']/p") == ["Its slots count from its first run."]
    registry["job"].depends_on = []
    assert facts(page_of(registry), "why") == {"Next run": "now"}


@freeze_time(NOON)
@pytest.mark.parametrize("how", ["late", "running", "paused", "all paused"])
def test_slots_to_come_begin_with_the_slot_of_the_run_that_is_due(how: str) -> None:
    registry = TaskRegistry()
    first = datetime(2026, 11, 29, 10, 45)
    task = Task(id="job", func=nothing, every={"hours": 1}, first_run_at=first, last_run_at=first)
    registry.register(task)
    if how == "running":
        task.status = TaskStatus.RUNNING
    if how == "paused":
        registry.pause("job")
    if how == "all paused":
        registry.pause_all()
    page = page_of(registry)
    next_slots = ["Sun 2026-11-29 11:45:00 +00:00", "Sun 2026-11-29 12:45:00 +00:00"]
    assert page.texts(".//*[@id='slots']/ol/li")[:2] == next_slots[how == "paused" :] + (
        ["Sun 2026-11-29 13:45:00 +00:00"] if how == "paused" else []
    )
    since = {"Due since": "2026-11-29 11:45:00 +00:00", "UTC": "2026-11-29 11:45:00 +00:00"}
    expected = {"late": since, "running": {"Next run": "after this run", **since}}.get(how, {})
    assert {name: text for name, text in facts(page, "why").items() if name != "This browser"} == expected


def test_a_run_whose_instance_is_no_longer_alive_is_said_to_be_lost() -> None:
    backend = MemoryBackend()
    worker, observer = TaskRegistry(backend=backend), TaskRegistry(backend=backend, observe=True)
    owner, found = list[str](), list[Page]()

    def look() -> None:
        found.append(page_of(observer))
        owner.append(worker.instances()[0].owner)
        backend.leave(owner[0])
        found.extend([page_of(observer), page_of(observer, outcome="failed")])

    worker.expose(look, "look")
    worker.register(Task(id="job", every={"hours": 1}, func=look))
    worker.tick()
    alive, lost, filtered = found
    assert alive.texts(".//*[@id='why']/h2") == ["It is running"]
    assert lost.texts(".//*[@id='why']/h2") == filtered.texts(".//*[@id='why']/h2") == ["Its run is lost"]
    assert lost.texts(".//*[@id='why']/p")[1:] == [
        f"The lease of its instance, {owner[0]}, has expired, or the instance has left. The run is recorded as failed "
        "once an instance is alive again."
    ]
    assert [row[0] for row in rows(alive)] == ["running"]
    assert [row[0] for row in rows(lost)] == ["running lost"]
    worker.shutdown(0)


def test_a_task_that_is_due_on_an_observer_says_whether_an_instance_is_alive() -> None:
    backend = MemoryBackend()
    worker, observer = TaskRegistry(backend=backend), TaskRegistry(backend=backend, observe=True)
    worker.register(Task(id="job", func=seven, manual=True))
    worker.expose(seven, "seven")
    worker.register(Task(id="first", func=seven, every={"hours": 1}))
    worker.tick()
    observer.run_now("job")
    reason = page_of(observer).texts(".//*[@id='why']/p")
    assert reason == ["Due now, it runs with the next tick of another instance"]
    backend.leave(worker.instances()[0].owner)
    assert page_of(observer).texts(".//*[@id='why']/p") == ["Due now, but no instance is alive to run it"]
    page = Browser(observer).get("task", id="job", language="ko")
    assert page.texts(".//*[@id='why']/p") == ["지금 실행할 차례이지만, 실행할 활성 인스턴스가 없음"]
    worker.shutdown(0)
