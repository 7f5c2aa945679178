"""The page of all tasks: filters, order, paging, empty states, outages."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import Role
from est_alan_scheduler.web.page import census
from est_alan_scheduler.web.page.aliases import alias
from est_alan_scheduler.web.page.screens import tasks as tasks_module
from tests.frozen import Frozen, boom, work
from tests.web.page.pages import Browser, Page, lose_store, text_of


def registry_of(*ids: str, **fields: Any) -> Frozen:
    registry = Frozen()
    for task_id in ids:
        registry.register(Task(id=task_id, name=task_id, func=work, every={"hours": 1}, **fields))
    return registry


def ids(page: Page) -> list[str]:
    return [str(row.get("data-id")) for row in page.all(".//tbody/tr")]


def link(page: Page, text: str) -> str:
    """Return the address of a link with this text."""
    (found,) = [one for one in page.all(".//a") if text_of(one) == text]
    return str(found.get("href"))


def follow(browser: Browser, page: Page, text: str) -> Page:
    return browser.get(link(page, text).removeprefix("./"))


def test_tasks_come_by_name() -> None:
    registry = registry_of("b", "C", "a")
    assert ids(Browser(registry).get()) == ["a", "b", "C"]


def test_many_tasks_come_by_id_unless_an_order_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks_module, "_MANY", 2)
    browser = Browser(registry_of("b", "C", "a"))
    assert ids(browser.get()) == ["C", "a", "b"]
    assert ids(browser.get(sort="name")) == ["a", "b", "C"]


def test_the_headers_sort_and_say_how_it_is_sorted() -> None:
    browser = Browser(registry_of("a", "b"))
    page = browser.get(q="a", cursor="", limit="5")
    assert [(text_of(one), one.get("aria-sort")) for one in page.all(".//thead/tr/th") if one.get("aria-sort")] == [
        ("Name Id", "ascending")
    ]
    assert {name: link(page, name) for name in ("Name", "Id", "Next run", "Last run", "Runs")} == {
        "Name": "./?q=a&limit=5&sort=-name",
        "Id": "./?q=a&limit=5&sort=id",
        "Next run": "./?q=a&limit=5&sort=next",
        "Last run": "./?q=a&limit=5&sort=-last",
        "Runs": "./?q=a&limit=5&sort=-failures",
    }
    page = browser.get(sort="-name")
    assert ids(page) == ["b", "a"]
    assert page.one(".//th[@aria-sort]").get("aria-sort") == "descending"
    assert link(page, "Name") == "./?sort=name"
    assert page.one(".//select[@id='sort']/option[@selected]").get("value") == "-name"


def test_pages_follow_each_other_and_lead_back() -> None:
    browser = Browser(registry_of(*"abcde"))
    first = browser.get(limit="2", sort="-id")
    second = follow(browser, first, "Next page")
    third = follow(browser, second, "Next page")
    assert [ids(page) for page in (first, second, third)] == [["e", "d"], ["c", "b"], ["a"]]
    assert ids(follow(browser, third, "First page")) == ["e", "d"]
    assert [text_of(one) for one in third.all(".//nav[@class='pages']/a")] == ["First page"]
    assert first.all(".//nav[@class='pages']/a[@rel='next']")


def test_a_cursor_of_another_order_is_told() -> None:
    browser = Browser(registry_of(*"abc"))
    href = link(browser.get(limit="2"), "Next page").replace("sort=name", "sort=next").removeprefix("./")
    page = browser.get(href, status=422)
    assert page.texts(".//*[@class='detail']") == ["cursor: This order has no such page."]
    assert [row.get("data-id") for row in browser.get(link(page, "First page")).all(".//tr[@data-id]")] == ["a", "b"]


def test_the_search_finds_texts_and_keeps_what_is_asked_for() -> None:
    registry = registry_of("alpha", "beta")
    registry.register(Task(id="c", name="c", description="Not ALPHA.", func=work, every={"hours": 1}, tags=("x",)))
    browser = Browser(registry)
    page = browser.get(q="alpha")
    assert ids(page) == ["alpha", "c"]
    assert page.one(".//input[@id='q']").get("value") == "alpha"
    assert link(page, "pending 3") == "./?q=alpha&status=pending"
    assert ids(browser.get(q="alpha", tag="x")) == ["c"]
    page = browser.get("?q=&status=&tag=&sort=&cursor=")  # as a form sends it
    assert ids(page) == ["alpha", "beta", "c"]
    assert [one.get("value") for one in page.all(".//select[@id='tag']/option")] == ["", "x"]


def test_tasks_are_filtered_by_their_standing_with_counts() -> None:
    registry = registry_of("a", "b")
    registry.register(Task(id="bad", func=boom, every={"hours": 1}))
    registry.register(Task(id="again", func=boom, every={"hours": 1}, retry=2))
    registry.tick()
    registry.pause("b")
    browser = Browser(registry)
    page = browser.get()
    assert page.texts(".//nav[@id='counts']/a") == [
        "All 4",
        "failed 1",
        "late 0",
        "retrying 1",
        "running 0",
        "paused 1",
        "pending 0",
        "success 1",
    ]
    found = {name: ids(follow(browser, page, name)) for name in ("failed 1", "retrying 1", "paused 1", "success 1")}
    assert found == {"failed 1": ["bad"], "retrying 1": ["again"], "paused 1": ["b"], "success 1": ["a"]}
    assert ids(browser.get("?status=paused&q=a")) == []
    failed = browser.get("?status=failed")
    assert failed.texts(".//nav[@id='counts']/a[@aria-current]") == ["failed 1"]
    assert failed.one(".//input[@name='status']").get("value") == "failed"
    assert link(failed, "All 4") == "./"


def test_tags_are_links_that_filter() -> None:
    registry = registry_of("a", tags=("one & two", "x"))
    registry.register(Task(id="b", func=work, every={"hours": 1}))
    browser = Browser(registry)
    page = follow(browser, browser.get(), "one & two")
    assert ids(page) == ["a"]
    assert page.one(".//select[@id='tag']/option[@selected]").get("value") == "one & two"
    gone = browser.get(tag="gone")
    assert gone.one(".//select[@id='tag']/option[@selected]").get("value") == "gone"


def test_without_tasks_the_page_says_how_to_register_one() -> None:
    page = Browser(TaskRegistry()).get()
    assert page.texts(".//div[@class='card empty']/p") == [
        "There are no tasks yet.",
        "A program registers one like this:",
    ]
    assert page.texts(".//div[@class='card empty']/pre") == [
        'registry.register(Task(id="hello", func=hello, every={"minutes": 5}))'
    ]


def test_what_matches_nothing_leads_back_to_all_tasks() -> None:
    browser = Browser(registry_of("a"))
    page = browser.get(q="nothing")
    assert page.texts(".//div[@class='card empty']/p") == ["No task matches. Show all tasks"]
    assert ids(follow(browser, page, "Show all tasks")) == ["a"]


def test_a_page_behind_the_last_task_says_so() -> None:
    registry = registry_of(*"abc")
    browser = Browser(registry)
    page = browser.get(limit="2")
    registry.remove("c")
    assert follow(browser, page, "Next page").texts(".//div[@class='card empty']/p") == ["There are no more tasks."]


@pytest.mark.parametrize("query", ["status=odd", "sort=a", "limit=0", "limit=1001", "page=2", "cursor=?", "q=a&q=b"])
def test_a_query_that_makes_no_sense_is_a_problem(query: str) -> None:
    page = Browser(registry_of("a")).get(f"?{query}", status=422)
    assert page.texts(".//*[@class='detail']")[0].startswith(query.partition("=")[0])


@pytest.mark.parametrize("options", [{"role": Role.READ}, {"read_only": True}])
def test_readers_see_all_and_have_nothing_that_changes_something(options: Any) -> None:
    registry = registry_of("a")
    page = Browser(registry, **options).get()
    assert ids(page) == ["a"]
    assert [one.get("type") for one in page.one(".//main").iter("input")] == ["search"]
    assert [text_of(one) for one in page.one(".//main").iter("button")] == ["Search"]
    assert page.all(".//*[@data-chosen]") == []


def test_managers_can_choose_tasks() -> None:
    page = Browser(registry_of("a")).get()
    bar = page.one(".//*[@data-chosen]")
    assert bar.get("hidden") == ""
    assert [one.get("data-act") for one in bar.iter("button")] == ["run", "pause", "resume", "remove", None]
    assert page.one(".//*[@data-choose-all]").get("type") == "checkbox"
    assert page.one(".//*[@data-choose]").get("aria-label") == "Select a"


def test_what_scripts_renew_is_marked() -> None:
    page = Browser(registry_of("a")).get()
    live = [one.get("id") for one in page.one(".//main").iter() if one.get("data-live") is not None]
    assert live == ["counts", "head", "rows", "beneath"]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_hostile_values_are_shown_as_text(language: str) -> None:
    registry = Frozen()
    evil = [
        '<script>alert("1")</script>',
        "x" * 10_000,
        "\u202eevil",
        "a\0b\r\nc",
        "half \ud800",
        "{{ 7 * 7 }}",
        "..",
        "%s %(name)s {id}",
    ]

    def fail() -> None:
        raise ValueError(evil[0])

    for text in evil:
        registry.register(Task(id=text, name=text, description=text, tags=(text,), func=fail, every={"hours": 1}))
    registry.tick()
    page = Browser(registry).get(language=language)
    assert len(ids(page)) == len(evil)
    assert "\u202e" not in page.html.replace('data-id="\u202e', "").replace('value="\u202e', "").replace(
        'title="\u202e', ""
    )
    assert not list(page.one(".//main").iter("script"))
    rows = {str(row.get("data-id")): row for row in page.all(".//tbody/tr")}
    assert set(rows) == {alias(text) for text in evil}
    assert max(len(text_of(row)) for row in rows.values()) < 1_000


def test_an_observer_sees_what_others_have_done_since(join: Callable[..., TaskRegistry]) -> None:
    registry, observer = join(), join(observe=True)
    registry.register(Task(id="a", func=work, manual=True))
    browser = Browser(observer)
    assert browser.get().texts(".//td[@class='state']") == ["pending"]
    registry.run_now("a")
    registry.tick()
    registry.register(Task(id="b", func=work, every={"hours": 1}))
    page = browser.get()
    assert ids(page) == ["a", "b"]
    assert page.texts(".//td[@class='state']") == ["success", "pending"]
    assert page.one(".//svg[@class='sparkline']").get("aria-label") == "1 run"
    failing = registry.update("a", func=boom)
    for _ in range(31):
        registry.run_now(failing)
        registry.tick()
    page = browser.get()
    assert page.one(".//tr[@data-id='a']/td/svg").get("aria-label") == "30 runs, 30 failed"
    assert page.texts(".//nav[@id='counts']/a")[1] == "failed 1"


def test_the_tasks_of_the_page_are_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry(backend=f"sqlite:///{tmp_path / 'tasks.db'}")
    for task_id in ("a", "b", "c"):
        registry.register(Task(id=task_id, name=task_id, func=work, every={"hours": 1}))
    asked: list[list[str]] = []
    refresh = registry.refresh

    def noted(*tasks: Any) -> None:
        asked.append([task.id for task in tasks])
        refresh(*tasks)

    monkeypatch.setattr(registry, "refresh", noted)
    Browser(registry).get("?limit=2")
    assert asked == [[], ["a", "b"]]  # an observer of many due tasks looks at some of them only


def test_a_task_that_has_changed_since_the_census_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "_FEW", 1)
    registry = registry_of("a", "b")
    browser = Browser(registry)
    assert ids(browser.get("?status=pending")) == ["a", "b"]
    registry.pause("a")
    assert ids(browser.get("?status=pending")) == ["b"]


def test_an_outage_of_the_store_shows_what_was_read_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry(backend=f"sqlite:///{tmp_path / 'tasks.db'}")
    registry.register(Task(id="a", func=work, every={"hours": 1}))
    browser = Browser(registry)
    lose_store(registry, monkeypatch)
    assert ids(browser.get()) == ["a"]


def test_tasks_of_the_store_that_cannot_be_shown_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = registry_of("a")
    problems = {f"odd-{number}": f"reason <{number}>" for number in range(30)}
    monkeypatch.setattr(registry, "unresolved", lambda: problems)
    page = Browser(registry).get()
    assert page.texts(".//details/summary") == ["30 tasks of the store cannot be shown here"]
    assert page.texts(".//details/ul/li")[:2] == ["odd-0: reason <0>", "odd-1: reason <1>"]
    assert len(page.all(".//details/ul/li")) == 20


def test_under_the_pause_of_all_counts_filter_and_rows_say_paused() -> None:
    registry = registry_of("a", "b")
    registry.register(Task(id="busy", func=work, every={"hours": 1}, status="running"))
    browser = Browser(registry)
    assert link(browser.get(), "pending 2") == "./?status=pending"
    registry.pause_all()
    page = browser.get("?status=paused")
    assert ids(page) == ["a", "b"]
    assert link(page, "running 1") == "./?status=running"
    assert page.texts(".//tbody/tr/td[@class='state']") == ["paused", "paused"]
    assert ids(browser.get("?status=pending")) == []
