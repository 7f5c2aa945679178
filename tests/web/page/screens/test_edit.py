"""The editor of a task: the values that its form shows, the preview of other ones, and what saves them."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element

import freezegun
import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.web import Role
from tests import jobs
from tests.backends.stores import SHARED, Store
from tests.web.page.pages import HTML, Browser, Page, lose_store, text_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "<b>&'\"\u202e" + "x" * 10_000

KINDS: dict[str, dict[str, Any]] = {
    "every": {"every": {"hours": 1, "seconds": 30}},
    "at": {"at": ["09:00", "14:30:15"], "on": "mon-fri", "timezone": "Asia/Seoul", "exclude": ["2026-12-25"]},
    "cron": {"cron": "*/15 9-17 * * mon-fri", "start_at": "2026-03-01T09:00", "end_at": "2027-03-01T09:00:00+09:00"},
    "run_at": {"run_at": datetime(2026, 5, 1, 9, 0, 0, 123456), "remove_when_done": True, "paused": True},
    "after": {"after": ["x", "y"], "depends_on": ["z\n"], "depends_on_mode": "fresh"},
    "manual": {
        "manual": True,
        "name": HOSTILE,
        "description": f"\n{HOSTILE}",
        "tags": ["a", "b c"],
        "timeout": 1.5,
        "max_runs": 3,
        "retry": Retry(max_retries=2, delay=5, on=(OSError, ValueError)),
    },
}


@pytest.fixture
def noon(set_zone: Callable[[str], None]) -> Iterator[Any]:
    set_zone("UTC")  # a frozen clock is local time
    with freezegun.freeze_time(NOON) as clock:
        yield clock


def registry_of(**fields: Any) -> TaskRegistry:
    registry = TaskRegistry()
    registry.register(Task(id="a", func=jobs.process_id, **fields))
    return registry


def controls(form: Element) -> Iterator[Element]:
    """Yield the controls that are not within a fieldset which is disabled."""
    for child in form:
        if child.tag in ("input", "select", "textarea") and "name" in child.attrib:
            yield child
        elif "disabled" not in child.attrib:
            yield from controls(child)


def value_of(control: Element) -> str:
    if control.tag == "textarea":
        return (control.text or "").removeprefix("\n")  # browsers leave it out
    if control.tag == "select":
        return next(one.attrib["value"] for one in control if "selected" in one.attrib)
    if control.get("type") == "checkbox":
        return "true" if "checked" in control.attrib else ""
    return control.attrib["value"]


def form_in(page: Page) -> dict[str, dict[str, str]]:
    """Return the texts of the form as the script of the page reads them."""
    form: dict[str, dict[str, str]] = {}
    for control in controls(page.one(".//form[@id='edit']")):
        if control.get("type") != "radio" or "checked" in control.attrib:
            field, _, part = control.attrib["name"].partition(".")
            form.setdefault(field, {})[part] = value_of(control)
    return form


def filled(form: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    shown = {name: {part: text for part, text in texts.items() if text} for name, texts in form.items()}
    return {name: texts for name, texts in shown.items() if texts}


def preview_of(browser: Browser, changes: dict[str, dict[str, str]], language: str = "en") -> Page:
    body = {"id": "a", "changes": changes}
    answer = browser.request("POST", "preview-html", json=body, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    return Page(answer.text)


def refused(browser: Browser, path: str, status: int, **body: Any) -> Any:
    return browser.post(path, {"id": "a", **body}, status)


def save(browser: Browser, changes: dict[str, dict[str, str]], version: str) -> Any:
    return browser.post("save", {"id": "a", "version": version, "changes": changes})


class TestForm:
    @pytest.mark.parametrize("kind", KINDS)
    def test_shows_the_values_of_each_kind_and_means_no_change(self, kind: str, noon: Any) -> None:
        registry = registry_of(**KINDS[kind])
        page = Browser(registry).get("edit", id="a")
        assert page.one(".//input[@name='kind'][@checked]").attrib["value"] == kind
        shown = [one.attrib["data-kind"] for one in page.all(".//fieldset[@data-kind]") if "hidden" not in one.attrib]
        assert shown == [kind]
        page = preview_of(Browser(registry), form_in(page))
        assert page.texts(".//p[@class='quiet']")[-1] == "Nothing has changed yet."

    def test_has_these_texts(self) -> None:
        form = form_in(Browser(registry_of(**KINDS["at"])).get("edit", id="a"))
        assert filled(form) == {
            "kind": {"": "at"},
            "at": {"": "09:00, 14:30:15"},
            "on": {"": "mon-fri"},
            "timezone": {"": "Asia/Seoul"},
            "exclude": {"": "2026-12-25"},
            "run_immediately": {"": "true"},
            "depends_on_mode": {"": "ever"},
        }

    def test_hostile_values_are_texts(self) -> None:
        form = form_in(Browser(registry_of(**KINDS["manual"])).get("edit", id="a"))
        assert (form["name"][""], form["description"][""]) == (HOSTILE, f"\n{HOSTILE}")
        assert form["retry"] == {
            "": "true",
            "max_retries": "2",
            "delay": "5",
            "backoff": "2.0",
            "max_delay": "60.0",
            "jitter": "0.1",
            "on": "builtins:OSError\nbuiltins:ValueError",
        }

    def test_a_moment_with_microseconds_is_a_text_which_browsers_keep(self) -> None:
        page = Browser(registry_of(**KINDS["run_at"])).get("edit", id="a")
        control = page.one(".//input[@id='field-run_at']")
        assert (control.attrib["type"], control.attrib["value"]) == ("text", "2026-05-01T09:00:00.123456")
        page = Browser(registry_of(run_at="2026-05-01T09:00")).get("edit", id="a")
        assert page.one(".//input[@id='field-run_at']").attrib["type"] == "datetime-local"

    def test_every_control_has_a_label_and_refers_to_its_hint_and_error(self) -> None:
        page = Browser(registry_of(**KINDS["manual"])).get("edit", "ko", id="a")
        ids = {one.attrib["id"] for one in page.all(".//*[@id]")}
        within = {one for label in page.all(".//label") for one in label.iter("input")}
        named = {label.get("for") for label in page.all(".//label")}
        for control in page.one(".//form[@id='edit']").iter():
            if control.tag in ("input", "select", "textarea"):
                assert control in within or control.get("id") in named or control.get("aria-label"), control.attrib
                assert set(control.get("aria-describedby", "").split()) <= ids

    def test_arguments_are_not_in_it(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.echo, args=("the-secret",), manual=True))
        for is_hidden in (False, True):
            assert "the-secret" not in Browser(registry, hide_values=is_hidden).get("edit", id="a").html

    def test_a_reader_is_told_that_it_needs_more(self) -> None:
        registry = registry_of(manual=True)
        page = Browser(registry, Role.READ).get("edit", id="a", status=403)
        assert page.texts(".//p[@class='detail']") == ["this needs the right to manage tasks"]
        page = Browser(registry, read_only=True).get("edit", id="a", status=403)
        assert page.texts(".//p[@class='detail']") == ["this site is read-only"]
        for path in ("save", "preview-html"):
            body = {"id": "a", "version": "x", "changes": {}}
            assert (
                Browser(registry, Role.READ).post(path, body, 403)["detail"] == "this needs the right to manage tasks"
            )

    def test_an_unknown_task_is_404(self) -> None:
        page = Browser(TaskRegistry()).get("edit", id="..", status=404)
        assert "'..'" in page.texts(".//p[@class='detail']")[0]


class TestPreview:
    def test_shows_both_plans_and_what_else_changes(self, noon: Any) -> None:
        browser = Browser(registry_of(at="13:00", retry=3, tags=["x"]))
        form = {
            "kind": {"": "cron"},
            "cron": {"": "0 13,14 * * *"},
            "retry": {"": "true", "delay": "5"},
            "tags": {"": ""},
        }
        page = preview_of(browser, form)
        assert page.texts(".//p[@class='words']") == ["at 13:00", "at 13:00 and 14:00 every day"]
        old, new = page.all(".//ol")
        assert [text_of(one) for one in old.iterfind(".//span[@class='wall']")][:2] == [
            "2026-03-01 13:00:00",
            "2026-03-02 13:00:00",
        ]
        assert [text_of(one) for one in new.iterfind("li[@class='differs']/span[@class='wall']")][:2] == [
            "2026-03-01 14:00:00",
            "2026-03-02 14:00:00",
        ]
        assert page.texts(".//section[@class='changes']//div") == [
            "Times of day 13:00 → none",
            "Cron expression none → 0 13,14 * * *",
            "Retry a failed run: First delay 1.0 → 5",
            "Tags x → none",
        ]

    def test_shows_one_plan_while_it_stays(self, noon: Any) -> None:
        page = preview_of(Browser(registry_of(every={"milliseconds": 100})), {"timeout": {"": "2"}})
        assert page.texts(".//h3") == ["Now and after saving", "Changes"]
        walls = page.texts(".//span[@class='wall']")
        assert walls == [f"2026-03-01 12:00:00{tenth}" for tenth in ("", *(f".{n}00" for n in range(1, 10)))]

    def test_an_interval_that_never_ran_has_the_same_plan_while_the_clock_goes_on(self) -> None:
        with freezegun.freeze_time(NOON, auto_tick_seconds=1):
            page = preview_of(Browser(registry_of(every={"hours": 1})), {"timeout": {"": "2"}})
        assert page.texts(".//h3")[0] == "Now and after saving"

    def test_marks_changes_of_the_clock(self, noon: Any) -> None:
        browser = Browser(registry_of(manual=True))
        form = {"kind": {"": "at"}, "at": {"": "02:30"}, "timezone": {"": "Europe/Berlin"}}
        page = preview_of(browser, {**form, "start_at": {"": "2026-03-28T12:00"}})
        first = page.all(".//ol/li")[0]
        assert text_of(first).startswith("2026-03-29 03:00:00 2026-03-29 03:00:00 +02:00 Europe/Berlin moved")
        page = preview_of(browser, {**form, "start_at": {"": "2026-10-24T12:00"}})
        assert page.texts(".//span[@class='mark']") == ["once only: the clock shows this time twice"]
        assert page.texts(".//span[@class='wall']")[:2] == ["2026-10-25 02:30:00 +02:00", "2026-10-26 02:30:00 +01:00"]

    def test_says_that_the_task_is_paused(self, noon: Any) -> None:
        browser = Browser(registry_of(at="13:00", paused=True))
        assert len(preview_of(browser, {}).texts(".//p[@class='notice']")) == 1
        assert preview_of(browser, {"paused": {"": ""}}).texts(".//p[@class='notice']") == []

    def test_tells_what_is_wrong_by_fields(self) -> None:
        browser = Browser(registry_of(every={"hours": 1}))
        form = {"timeout": {"": "soon"}, "retry": {"": "true", "jitter": "2"}, "exclude": {"": "2026-02-30"}}
        problem = refused(browser, "preview-html", 200, changes=form)
        assert [one["field"] for one in problem["errors"]] == ["exclude", "timeout", "retry.jitter"]
        assert problem == refused(browser, "save", 422, changes=form, version=browser_version(browser))

    def test_what_is_wrong_tells_no_values(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=dict, kwargs={"dep_x": 1}, manual=True))
        form = {"depends_on": {"": "x"}}
        for browser in (Browser(registry), Browser(registry, hide_values=True)):
            told = refused(browser, "preview-html", 200, changes=form)["detail"]
            assert told == "The task already has an argument where the result of 'x' would go."

    def test_words_are_in_the_language_of_the_page(self) -> None:
        browser = Browser(registry_of(every={"hours": 1}))
        answer = browser.request(
            "POST",
            "preview-html",
            json={"id": "a", "changes": {"every": {"hours": ""}}},
            headers={"Accept-Language": "ko"},
        )
        assert answer.json()["errors"] == [{"field": "every", "detail": "값이 필요합니다."}]

    def test_cron_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "cronsim", None)
        form = {"kind": {"": "cron"}, "cron": {"": "1 2 3 4 *"}}
        problem = refused(Browser(registry_of(manual=True)), "preview-html", 200, changes=form)
        (told,) = problem["errors"]
        assert told["field"] == "cron"
        assert told["detail"].endswith('for cron expressions: pip install "est-alan-scheduler[cron]"')


def browser_version(browser: Browser) -> str:
    return browser.get("edit", id="a").one(".//form[@id='edit']").attrib["data-version"]


class TestSave:
    def test_changes_these_fields_and_keeps_the_rest(self) -> None:
        registry = registry_of(**KINDS["at"], retry=3, tags=["x"])
        before = registry["a"].model_dump()
        browser = Browser(registry)
        saved = save(browser, {"at": {"": "10:00"}, "tags": {"": "y"}}, browser_version(browser))
        assert registry["a"].model_dump() == {**before, "at": "10:00", "tags": ("y",)}
        assert saved == {"version": registry.version("a")}

    def test_another_kind_replaces_the_schedule(self) -> None:
        registry = registry_of(**KINDS["at"])
        browser = Browser(registry)
        save(browser, {"kind": {"": "every"}, "every": {"minutes": "5"}}, browser_version(browser))
        task = registry["a"]
        assert (task.every, task.at, task.on) == ({"minutes": 5}, None, None)

    def test_the_slots_of_an_interval_stay_where_they_are(self, noon: Any) -> None:
        registry = registry_of(every={"hours": 1})
        registry.tick()
        noon.tick(timedelta(minutes=30))
        browser = Browser(registry)
        page = browser.get("edit", id="a")
        save(browser, {**form_in(page), "timeout": {"": "3"}}, browser_version(browser))
        assert registry.next_run("a") == datetime(2026, 3, 1, 13)

    def test_refuses_a_version_that_is_not_that_of_now(self) -> None:
        registry = registry_of(every={"hours": 1})
        browser = Browser(registry)
        version = browser_version(browser)
        registry.update("a", at="09:00", every=None)
        problem = refused(browser, "save", 412, version=version, changes={"every": {"minutes": "5"}})
        assert problem["detail"] == "task 'a' was changed meanwhile"
        assert (registry["a"].at, registry["a"].every) == ("09:00", None)

    def test_a_conflict_is_told_before_what_else_is_wrong(self) -> None:
        registry = registry_of(every={"hours": 1})
        browser = Browser(registry)
        version = browser_version(browser)
        assert refused(browser, "save", 422, version=version, changes={"every": {"hours": ""}})["errors"]
        registry.update("a", tags=["x"])
        refused(browser, "save", 412, version=version, changes={"every": {"hours": ""}})

    def test_a_run_meanwhile_is_no_conflict(self) -> None:
        registry = registry_of(every={"hours": 1})
        browser = Browser(registry)
        version = browser_version(browser)
        registry.tick()
        save(browser, {"timeout": {"": "3"}}, version)
        assert registry["a"].timeout == 3

    def test_works_where_values_are_hidden(self) -> None:
        registry = TaskRegistry()
        registry.register(Task(id="a", func=jobs.echo, args=(1,), manual=True))
        browser = Browser(registry, hide_values=True)
        version = browser_version(browser)
        save(browser, {"timeout": {"": "3"}}, version)
        assert (registry["a"].timeout, registry["a"].args) == (3, (1,))
        refused(browser, "save", 412, version=version, changes={"timeout": {"": "4"}})

    def test_an_empty_field_stays_empty_whatever_the_defaults_of_the_registry_are(self) -> None:
        registry = TaskRegistry(defaults={"timeout": 5, "timezone": "Asia/Seoul"})
        registry.register(Task(id="a", func=jobs.process_id, at="09:00"))
        browser = Browser(registry)
        save(browser, {"timeout": {"": ""}, "timezone": {"": ""}}, browser_version(browser))
        assert (registry["a"].timeout, registry["a"].timezone) == (None, None)

    @pytest.mark.parametrize("store", SHARED, indirect=True)
    def test_an_observer_saves_what_others_run_and_sees_what_they_change(self, store: Store) -> None:
        runner, observer = TaskRegistry(backend=store.open()), TaskRegistry(backend=store.open(), observe=True)
        runner.register(Task(id="a", func=jobs.process_id, every={"hours": 1}, tags=["x"]))
        runner.tick()
        browser = Browser(observer)
        page = browser.get("edit", id="a")
        assert filled(form_in(page))["every"] == {"hours": "1"}
        assert preview_of(browser, {"every": {"minutes": "5"}}).texts(".//p[@class='words']")[1] == "every 5 minutes"
        version = browser_version(browser)
        save(browser, {"every": {"hours": "", "minutes": "5"}}, version)
        runner.refresh()
        assert (runner["a"].every, runner["a"].tags) == ({"minutes": 5}, ("x",))
        version = browser_version(browser)
        runner.update("a", tags=["y"])
        refused(browser, "save", 412, version=version, changes={"every": {"minutes": "6"}})
        save(browser, {"every": {"minutes": "6"}}, browser_version(browser))
        assert (observer["a"].every, observer["a"].tags) == ({"minutes": 6}, ("y",))
        assert runner.shutdown()
        assert observer.shutdown()

    def test_a_store_out_of_reach_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        registry = TaskRegistry(backend=MemoryBackend())
        registry.register(Task(id="a", func=jobs.process_id, every={"hours": 1}))
        browser = Browser(registry)
        version = browser_version(browser)
        lose_store(registry, monkeypatch)
        problem = refused(browser, "save", 503, version=version, changes={"timeout": {"": "3"}})
        assert problem["detail"] == "the store is out of reach"
        assert browser.request("GET", "edit?id=a", headers=HTML).status_code == 503


def test_the_preview_says_which_ids_are_not_registered() -> None:
    registry = registry_of(after=["quick"])
    registry.register(Task(id="quick", func=jobs.process_id, manual=True))
    browser = Browser(registry)
    assert preview_of(browser, {}).texts(".//p[@class='notice']") == []
    changes = {"after": {"": "quikc"}, "depends_on": {"": "nope"}}
    assert preview_of(browser, changes).texts(".//p[@class='notice']") == [
        "Waits for 'nope', which is not registered",
        "Waits for 'quikc', which is not registered (did you mean 'quick'?)",
    ]
    assert preview_of(browser, changes, "ko").texts(".//p[@class='notice']")[0] == (
        "'nope' 작업이 등록되어 있지 않아 기다리는 중"
    )


def test_the_preview_of_a_moment_in_a_gap_shows_when_it_comes_and_that_it_is_moved(noon: Any) -> None:
    registry = registry_of(run_at=datetime(2027, 3, 1, 9), timezone="Europe/Berlin")
    page = preview_of(Browser(registry), {"run_at": {"": "2027-03-28T02:30"}})
    (new,) = page.all(".//section[@class='plan new']")
    assert text_of(new).startswith("After saving once at 2027-03-28 02:30:00 Europe/Berlin 2027-03-28 03:00:00")
    assert "moved: the clock skips its time" in text_of(new)
    assert page.texts(".//ins") == ["2027-03-28T03:00:00+02:00"]
