"""Where the page is served, and what a browser keeps: mounts, languages, colours, the back button."""

from collections.abc import Callable

from playwright.sync_api import expect

from est_alan_scheduler.web import WebServer, create_app
from tests.web.clients import TOKEN
from tests.web.page.browser.looks import Look
from tests.web.page.browser.watched import Watched
from tests.web.page.browser.zoo import PAGES, in_every_state
from tests.web.test_mounts import in_starlette

PAGE_COLOURS = {"light": "rgb(246, 247, 249)", "dark": "rgb(20, 23, 28)"}


def test_the_page_works_below_a_path_with_a_space(visit: Callable[..., Watched]) -> None:
    registry = in_every_state()
    with in_starlette(create_app(registry, auth=TOKEN)) as url:
        one = visit(url)
        for path, query in PAGES:
            one.go(path, **query)
            one.page.locator("main h1").wait_for()
        one.go("")
        one.row("load").locator("a").first.click()
        one.page.wait_for_url("**/task?id=load")
        one.button("Pause").first.click()
        one.button("Resume").first.wait_for()
        assert registry["load"].paused
        one.link("Dark").click()
        expect(one.page.locator("html")).to_have_attribute("data-theme", "dark")
        assert one.page.url == one.url + "task?id=load"
        one.close()


def test_choices_of_language_and_colours_are_kept_on_all_pages(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    one = visit(site(in_every_state()).url + "")
    one.go("", q="load")
    one.page.get_by_role("link", name="한국어").click()
    one.page.get_by_role("link", name=Look("ko").words("Dark"), exact=True).click()
    assert one.page.url == one.url + "?q=load"
    for path, query in PAGES:
        one.go(path, **query)
        assert one.page.locator("html").get_attribute("lang") == "ko"
        assert one.page.evaluate("getComputedStyle(document.body).backgroundColor") == PAGE_COLOURS["dark"]
    one.page.get_by_role("link", name="English").click()
    one.page.get_by_role("link", name="System colours").click()
    assert one.page.locator("html").get_attribute("lang") == "en"
    assert one.page.evaluate("getComputedStyle(document.body).backgroundColor") == PAGE_COLOURS["light"]


def test_two_people_see_the_page_in_two_languages(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    registry = in_every_state()
    url = site(registry).url
    english, korean = visit(url, Look("en")), visit(url, Look("ko"))
    english.row("load").locator("a").first.click()
    korean.row("load").locator("a").first.click()
    for one in (english, korean):
        one.page.wait_for_url("**/task?id=load")
    english.button("Pause").first.click()
    english.button("Resume").first.wait_for()
    korean.button("Resume").first.wait_for()
    korean.button("Resume").first.click()
    english.button("Pause").first.wait_for()
    assert not registry["load"].paused


def test_the_back_button_undoes_a_filter_and_leads_back_to_a_search(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    one = visit(site(in_every_state()).url)
    rows, search = one.page.locator("#rows [data-id]"), one.page.locator("[name=q]")
    everything = rows.count()
    one.page.locator("#counts a.failed").click()
    expect(rows).to_have_count(1)
    one.page.locator("#head").get_by_role("link", name="Next run").click()
    one.page.wait_for_url("**/?*sort=*")
    expect(rows).to_have_count(1)
    one.page.go_back()
    one.page.go_back()
    expect(rows).to_have_count(everything)
    search.fill("invoices")
    search.press("Enter")
    expect(rows).to_have_count(1)
    one.row("broken").locator("a").first.click()
    one.page.wait_for_url("**/task?id=broken")
    one.page.go_back()
    expect(rows).to_have_count(1)
    expect(search).to_have_value("invoices")


def test_a_search_is_kept_when_the_language_is_changed(
    site: Callable[..., WebServer], visit: Callable[..., Watched]
) -> None:
    one = visit(site(in_every_state()).url)
    one.page.locator("[name=q]").fill("invoices")
    expect(one.page.locator("#rows [data-id]")).to_have_count(1)
    one.page.get_by_role("link", name="한국어").click()
    expect(one.page.locator("html")).to_have_attribute("lang", "ko")
    expect(one.page.locator("[name=q]")).to_have_value("invoices")
    expect(one.page.locator("#rows [data-id]")).to_have_count(1)
