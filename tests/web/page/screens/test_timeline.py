"""The page of the timeline."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import freezegun
import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.web import Role
from est_alan_scheduler.web.page.timeline import forecast
from tests import jobs
from tests.web.page.pages import Browser, Page, lose_store, text_of

NOON = datetime(2026, 3, 2, 12)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def clock(set_zone: Callable[[str], None]) -> Iterator[Any]:
    set_zone("UTC")
    with freezegun.freeze_time(NOON) as clock:
        yield clock


@pytest.fixture(params=["memory", "sqlite", "observer"])
def registry(request: pytest.FixtureRequest, tmp_path: Path, clock: Any) -> TaskRegistry:
    """Return a registry with trouble, ten minutes after a tick; or one that observes it."""
    url = None if request.param == "memory" else f"sqlite:///{tmp_path / 'tasks.db'}"
    registry = TaskRegistry(backend=url)
    registry.register(Task(id="fine", name="fine", func=jobs.process_id, every={"minutes": 20}, tags=["blue"]))
    registry.register(Task(id="broken", name="broken", func=jobs.boom, every={"hours": 2}))
    registry.tick()
    registry.register(Task(id="overdue", name="overdue", func=jobs.process_id, run_at=NOON + MINUTE))
    clock.tick(600)
    return TaskRegistry(backend=url, observe=True) if request.param == "observer" else registry


def labels(page: Page) -> list[str]:
    return page.texts(".//li[@class='lane-row']/a")


def titles(page: Page, kind: str) -> list[str]:
    return [
        text_of(one).replace("\u2068", "").replace("\u2069", "")
        for one in page.all(f".//div[@id='timeline']//rect[@class='{kind}']")
    ]


def follow(browser: Browser, page: Page, link: str) -> Page:
    """Return the page behind a link."""
    path, _, query = (page.one(link).get("href") or "").partition("?")
    given: dict[str, Any] = dict(parse_qsl(query))
    return browser.get(path, **given)


class TestLanes:
    def test_what_failed_or_is_late_comes_first(self, registry: TaskRegistry) -> None:
        page = Browser(registry).get("timeline")
        assert labels(page) == ["overdue", "broken", "fine"]
        assert page.texts(".//details/summary") == ["Trouble: 1 failed, 1 late"]
        assert [re.sub(r" 2026.*?\+00:00( UTC)?", "", text) for text in page.texts(".//div[@id='troubles']/ul/li")] == [
            "late overdue",
            "failed broken ValueError: boom",
        ]

    def test_runs_are_bars_and_slots_are_ticks(self, registry: TaskRegistry) -> None:
        page = Browser(registry).get("timeline")
        assert titles(page, "bar success") == ["fine · 03-02 12:00:00 · success · 0 ms"]
        assert titles(page, "bar failed") == ["broken · 03-02 12:00:00 · failed · 0 ms · ValueError: boom"]
        slots = [title.split(" · ") for title in titles(page, "slot")]
        assert [at[6:] for name, at in slots if name == "fine"] == ["12:20:00", "12:40:00", "13:00:00"]
        assert page.texts(".//li[@class='lane-row']/span")[2] == "success: 1 run, 3 slots, next at 03-02 12:20:00"

    def test_a_lane_links_to_its_task_and_has_one_tab_stop(self, registry: TaskRegistry) -> None:
        page = Browser(registry).get("timeline")
        for lane in page.all(".//li[@class='lane-row']"):
            label, drawing = lane.findall(".//a")
            assert label.get("href") == drawing.get("href")
            assert (label.get("tabindex"), drawing.get("tabindex")) == (None, "-1")

    def test_a_name_that_is_not_the_id_stands_beside_it(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="id-1", func=jobs.process_id, manual=True))
        assert labels(Browser(registry).get("timeline")) == ["process_id id-1"]

    def test_only_the_tasks_with_trouble_can_be_shown(self, registry: TaskRegistry) -> None:
        assert labels(Browser(registry).get("timeline", show="trouble")) == ["overdue", "broken"]

    def test_a_search_and_a_tag_narrow_the_lanes(self, registry: TaskRegistry) -> None:
        browser = Browser(registry)
        assert labels(browser.get("timeline", q="OVER", tag="")) == ["overdue"]
        assert labels(browser.get("timeline", tag="blue", q="")) == ["fine"]
        page = browser.get("timeline", q="nothing")
        assert page.texts(".//p[@class='empty']") == ["No task matches. All tasks"]

    def test_a_run_in_flight_is_a_bar_up_to_now(self, registry: TaskRegistry) -> None:
        if registry.is_observer:
            return  # it runs nothing
        seen: list[Page] = []
        func = registry.expose(lambda: seen.append(Browser(registry).get("timeline", q="busy")), "tests.look")
        registry.register(Task(id="busy", name="busy", func=func, run_at=datetime.now()))
        registry.tick()
        assert titles(seen[0], "bar running") == ["busy · 03-02 12:10:00 · running · 0 ms"]

    @pytest.mark.parametrize("language", ["en", "ko"])
    def test_runs_that_are_not_kept_are_no_silence(self, clock: Any, language: str) -> None:
        registry = TaskRegistry()
        task = Task(id="busy", name="busy", func=jobs.process_id, every={"minutes": 1}, history_limit=3)
        registry.register(task)
        for _ in range(10):
            registry.tick()
            clock.tick(60)
        page = Browser(registry).get("timeline", language)
        said = {
            "en": "runs before 03-02 12:07:00 are not kept (history_limit: 3)",
            "ko": "03-02 12:07:00 이전 실행은 보관되지 않음 (history_limit: 3)",
        }[language]
        assert titles(page, "gap") == [f"busy · {said}"]
        assert said in page.texts(".//li[@class='lane-row']/span")[0]
        assert page.texts(".//ul[@id='legend']/li")[3] == {"en": "runs not shown", "ko": "표시되지 않는 실행"}[language]

    def test_a_reader_sees_the_same_without_what_keys_need_to_change_something(self, registry: TaskRegistry) -> None:
        page = Browser(registry, Role.READ, hide_values=True).get("timeline")
        assert labels(page) == ["overdue", "broken", "fine"]
        assert page.all(".//*[@data-version]") == []

    def test_keys_find_the_tasks(self, registry: TaskRegistry) -> None:
        lanes = Browser(registry).get("timeline").all(".//li[@data-version]")
        assert [(one.get("data-id"), one.get("data-status"), one.get("data-runs")) for one in lanes] == [
            ("overdue", "late", "0"),
            ("broken", "failed", "1"),
            ("fine", "success", "1"),
        ]


class TestTime:
    def test_a_third_of_the_time_is_past(self, registry: TaskRegistry) -> None:
        for span in ("hour", "day", "week"):
            page = Browser(registry).get("timeline", span=span)
            assert page.one(".//line[@class='now']").get("x1") == "33.33%"

    def test_the_links_move_by_the_span(self, registry: TaskRegistry) -> None:
        browser = Browser(registry)
        for span, length in (("hour", 60), ("day", 24 * 60), ("week", 7 * 24 * 60)):
            page = browser.get("timeline", span=span, page=2)
            now = NOON + 10 * MINUTE
            for rel, at in (("prev", now - length * MINUTE), ("next", now + length * MINUTE)):
                href = page.one(f".//a[@rel='{rel}']").get("href")
                assert href == f"timeline?span={span}&at={at:%Y-%m-%dT%H%%3A%M%%3A%S}Z"
            later = follow(browser, page, ".//a[@rel='next']")
            assert later.all(".//line[@class='now']") == []

    @pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1582-10-10T00:00:00+09:00"])
    @pytest.mark.parametrize("span", ["hour", "week"])
    def test_any_moment_has_a_page_with_links_to_its_neighbours(self, at: str, span: str) -> None:
        registry = TaskRegistry()
        registry.register(
            Task(id="a", name="a", func=jobs.process_id, every={"seconds": 1}, timezone="America/New_York")
        )
        page = Browser(registry).get("timeline", span=span, at=at, zone="Asia/Seoul")
        for rel in ("prev", "next"):
            follow(Browser(registry), page, f".//a[@rel='{rel}']")

    def test_another_zone_has_its_wall_times(self, registry: TaskRegistry) -> None:
        page = Browser(registry).get("timeline", zone="Asia/Seoul")
        assert "21:10" in page.texts(".//text")
        assert page.one(".//span[@data-browser-zone]").get("data-browser-zone") == "Asia/Seoul"

    @pytest.mark.parametrize("zone", ["Mars", "../etc/passwd", "America", "\0"])
    def test_a_zone_that_does_not_exist_is_refused_in_words(self, zone: str) -> None:
        page = Browser(TaskRegistry()).get("timeline", status=422, zone=zone)
        assert page.texts(".//ul/li") == ["zone: there is no time zone of this name"]

    def test_a_clock_change_is_told_and_marks_the_slots_that_it_moves(self, clock: Any) -> None:
        clock.move_to("2026-03-08 05:00")
        registry = TaskRegistry()
        registry.register(Task(id="a", name="a", func=jobs.process_id, at="02:30", timezone="America/New_York"))
        registry.register(
            Task(id="b", name="b", func=jobs.process_id, at=["02:30", "03:00"], timezone="America/New_York")
        )
        page = Browser(registry).get("timeline", span="day", zone="America/New_York")
        assert page.texts(".//p[@class='quiet change-note']") == ["The clock goes forward by 1 h, to 2026-03-08 03:00."]
        lanes = [[use.get("href") for use in lane.iter("use")] for lane in page.all(".//li[@class='lane-row']")]
        assert lanes == [["#mark-moved"], ["#mark-merged"]]

    @pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
    def test_a_clock_change_in_a_year_marks_single_slots_and_those_of_bands(self, zone: str) -> None:
        registry = TaskRegistry()
        for task_id, at in (
            ("daily", "02:30"),
            ("dense", [f"{hour:02}:{minute}" for hour in range(24) for minute in (10, 40)]),
        ):
            registry.register(Task(id=task_id, name=task_id, func=jobs.process_id, at=at, timezone="Europe/Berlin"))
        page = Browser(registry).get("timeline", span="week", at="2027-03-28T00:00:00Z", zone=zone)
        lanes = {
            lane.get("data-id"): [use.get("href") for use in lane.iter("use")]
            for lane in page.all(".//li[@class='lane-row']")
        }
        assert lanes == {"daily": ["#mark-moved"], "dense": ["#mark-moved"]}
        assert page.texts(".//text[@class='count']") == ["at 00:10, 00:40, 01:10, 01:40…, 505 slots"]
        assert page.texts(".//ul[@id='legend']/li")[5:] == ["moved by the clock"]

    def test_texts_are_in_korean_for_koreans(self, registry: TaskRegistry) -> None:
        page = Browser(registry).get("timeline", "ko", span="week")
        assert page.texts(".//details/summary") == ["문제: 실패 1건, 지연 1건"]
        assert "화 03-03" in page.texts(".//text")


class TestForecast:
    @pytest.fixture
    def chain(self) -> TaskRegistry:
        registry = TaskRegistry()
        registry.register(Task(id="source", name="source", func=jobs.process_id, every={"minutes": 20}))
        registry.register(Task(id="sink", name="sink", func=jobs.process_id, after=["source"]))
        return registry

    def test_by_schedules_a_dependent_has_no_slots(self, chain: TaskRegistry) -> None:
        page = Browser(chain).get("timeline")
        assert [title for title in titles(page, "slot") if title.startswith("sink")] == []

    def test_with_dependencies_it_has(self, chain: TaskRegistry) -> None:
        page = Browser(chain).get("timeline", forecast="dependencies")
        found = [title.split(" · ")[1][6:11] for title in titles(page, "slot") if title.startswith("sink")]
        assert found == ["12:00", "12:20", "12:40", "13:00"]

    def test_an_end_of_the_forecast_is_told_and_drawn(
        self, chain: TaskRegistry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(forecast, "_MOST_RUNS", 4)
        page = Browser(chain).get("timeline", forecast="dependencies")
        assert "The forecast ends at 03-02 12:20:00" in page.texts(".//p[@class='notice']")[0]
        assert page.one(".//rect[@class='unknown']").get("x") == "55.56%"

    @pytest.mark.parametrize(
        ("name", "words"), [("MOST_SIMULATED", "Too many tasks"), ("permits", "Other simulations are under way")]
    )
    def test_a_refusal_is_told_and_the_slots_are_those_of_the_schedules(
        self, chain: TaskRegistry, monkeypatch: pytest.MonkeyPatch, name: str, words: str
    ) -> None:
        from est_alan_scheduler.web.api import runs

        if name == "permits":
            monkeypatch.setattr(runs, "_PERMIT_SECONDS", 0.01)
            with runs._permits, runs._permits:
                page = Browser(chain).get("timeline", forecast="dependencies")
        else:
            monkeypatch.setattr(forecast, "MOST_SIMULATED", 1)
            page = Browser(chain).get("timeline", forecast="dependencies")
        assert page.texts(".//p[@class='notice']")[0].startswith(words)
        assert len([title for title in titles(page, "slot") if title.startswith("source")]) == 4


class TestBounds:
    def test_forty_lanes_a_page_and_the_rest_is_told(self) -> None:
        registry = TaskRegistry()
        for number in range(1_050):
            registry.register(Task(id=f"{number:04}", name=f"{number:04}", func=jobs.process_id, at="18:00"))
        page = Browser(registry).get("timeline", span="week")
        assert len(labels(page)) == 40
        (pages,) = page.texts(".//nav[@class='pages']")
        assert pages == "Next and 1,010 more tasks: search to narrow"
        second = follow(Browser(registry), page, ".//nav[@class='pages']/a")
        assert labels(second) == [f"{number:04}" for number in range(40, 80)]
        assert second.texts(".//nav[@class='pages']/a") == ["Previous", "Next"]

    def test_a_dense_lane_is_a_band_with_its_count(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="dense", name="dense", func=jobs.process_id, every={"seconds": 5}))
        page = Browser(registry).get("timeline", span="day")
        assert titles(page, "band") == ["dense · every 5 seconds · 17,281 slots"]
        assert page.texts(".//text[@class='count']") == ["every 5 seconds, 17,281 slots"]
        assert titles(page, "slot") == []

    def test_runs_at_one_pixel_are_one_bar_with_the_worst_outcome(self, clock: Any) -> None:
        registry = TaskRegistry()
        outcomes = [1, 0, 1]
        registry.register(Task(id="a", name="a", func=lambda: 1 / outcomes.pop(0), every={"seconds": 1}))
        for _ in range(3):
            registry.tick()
            clock.tick(1)
        page = Browser(registry).get("timeline", span="day")
        expected = "a · 03-02 12:00:00 – 03-02 12:00:02 · 3 runs · 1 failed · ZeroDivisionError: division by zero"
        assert titles(page, "bar failed") == [expected]

    def test_the_drawing_of_forty_busy_lanes_stays_small(self, clock: Any) -> None:
        registry = TaskRegistry()

        def fail() -> None:
            raise ValueError("<" * 5_000)

        for number in range(40):
            task_id = f"{number:02}" + "x" * 200
            registry.register(Task(id=task_id, func=fail, every={"seconds": 75}, max_runs=1_000))
        for _ in range(48):
            registry.tick()
            clock.tick(75)
        page = Browser(registry).get("timeline")
        drawn = sum(map(len, re.findall(r"<svg.*?</svg>", page.html, re.DOTALL)))
        assert drawn < 600_000  # of which 460,000 are the errors, escaped
        for lane in page.all(".//li[@class='lane-row']"):
            assert len(list(lane.iter("rect"))) <= 100

    def test_an_empty_registry_has_neither_lanes_nor_trouble(self) -> None:
        page = Browser(TaskRegistry()).get("timeline")
        assert page.texts(".//p[@class='empty']") == ["There are no tasks yet."]
        assert page.texts(".//details/summary") == ["No trouble: nothing has failed, nothing is late"]

    def test_a_page_behind_the_last_one_leads_to_the_first(self) -> None:
        page = Browser(TaskRegistry()).get("timeline", page=1_000_000)
        assert page.texts(".//p[@class='empty']") == ["There are no more tasks. First page"]


def test_hostile_texts_are_texts() -> None:
    registry = TaskRegistry()
    bad = '"><script>alert(1)</script>\u202e\ud800' + "x" * 10_000

    def fail() -> None:
        raise ValueError(bad)

    registry.register(Task(id=bad, name=bad, func=fail, run_at=NOON))
    registry.register(Task(id="late" + bad, name=bad, func=fail, run_at=NOON + MINUTE, tags=[bad]))
    registry.tick()
    with freezegun.freeze_time(NOON + 5 * MINUTE):
        queries: tuple[dict[str, Any], ...] = (
            {},
            {"q": '"><script>'},
            {"tag": '"><script>alert(1)'},
            {"forecast": "dependencies"},
        )
        for query in queries:
            page = Browser(registry).get("timeline", **query)
            assert "<script>" not in page.html
            assert len(page.html) < 120_000


def test_a_store_that_is_away_leaves_what_is_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry(backend=MemoryBackend())
    registry.register(Task(id="a", name="a", func=jobs.process_id, every={"minutes": 20}))
    lose_store(registry, monkeypatch)
    page = Browser(registry).get("timeline")
    assert page.texts(".//*[@id='timeline-notes']/p") == ["The runs cannot be read: the store is out of reach."]
    assert labels(page) == ["a"]
