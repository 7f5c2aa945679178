"""The pages as a whole: problems, the page that asks for the token, choices; and the help for tests of pages."""

import pytest

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import Role
from tests.frozen import work
from tests.web.page.pages import HTML, Browser, Page


def test_a_browser_gets_a_page_with_its_elements() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="fetch", func=work, every={"minutes": 5}))
    assert Browser(registry).get().texts(".//tbody/tr/th/a") == ["work"]


@pytest.mark.parametrize("html", ["<p><b></p></b>", "<p>", "</p>", '<p id="a" id="b"></p>'])
def test_html_that_is_not_well_formed_is_refused(html: str) -> None:
    with pytest.raises(AssertionError):
        Page(f"<html>{html}</html>")


@pytest.mark.parametrize(
    ("path", "query", "status", "title"),
    [
        ("nothing", {}, 404, "404 Not Found"),
        ("a/b/c", {}, 404, "404 Not Found"),
        ("task", {"id": "missing"}, 404, "404 Not Found"),
        ("task", {}, 422, "422 Unprocessable Content"),
        ("timeline", {"span": "century"}, 422, "422 Unprocessable Content"),
        ("save", {}, 405, "405 Method Not Allowed"),
    ],
)
def test_problem_is_a_page_for_people_and_json_for_programs(
    path: str, query: dict[str, str], status: int, title: str
) -> None:
    browser = Browser(TaskRegistry())
    assert browser.get(path, status=status, **query).texts(".//h1") == [title]
    answer = browser.request("GET", path, params=query, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["status"] == status


def test_problem_of_the_api_is_json_for_people_too() -> None:
    for path in ("api/tasks/missing", "api", "api/"):
        answer = Browser(TaskRegistry()).request("GET", path, headers=HTML)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_problem_is_told_in_the_language_of_the_page() -> None:
    page = Browser(TaskRegistry()).get("nothing", "ko", 404)
    assert page.texts(".//h1") == ["404 찾을 수 없음"]
    assert page.texts(".//*[@class='detail']") == ["이 주소에는 아무것도 없습니다."]


def test_problem_at_a_path_with_slashes_has_links_to_the_site() -> None:
    page = Browser(TaskRegistry()).get("a/b/c", status=404)
    assert page.one(".//link[@rel='stylesheet']").get("href") == "../../static/base.css"
    assert {link.get("href") for link in page.all(".//nav[1]/a")} == {"../../", "../../timeline", "../../instances"}


def test_problem_listens_to_no_changes() -> None:
    assert Browser(TaskRegistry()).get("nothing", status=404).all(".//*[@id='live']") == []
    assert len(Browser(TaskRegistry()).get().all(".//*[@id='live']")) == 1


def test_detail_of_a_problem_is_text() -> None:
    page = Browser(TaskRegistry()).get("task", id="<b>'&", status=404)
    assert "<b>'&" in page.texts(".//*[@class='detail']")[0]


def test_caller_without_the_token_is_asked_for_it_and_sees_nothing_of_the_tasks() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="secret", func=work, every={"minutes": 5}))
    registry.pause_all()
    page = Browser(registry, None).get("task", id="secret", page="2", status=401)
    assert page.texts(".//h1") == ["Sign in"]
    assert [(field.get("name"), field.get("value")) for field in page.all(".//form/input[@type='hidden']")] == [
        ("id", "secret"),
        ("page", "2"),
    ]
    assert page.all(".//*[@class='banner']") == page.all(".//main//a") == page.all(".//footer") == []
    assert page.all(".//*[@role='alert']") == []


def test_caller_with_a_wrong_token_is_told_so_and_does_not_see_it_again() -> None:
    page = Browser(TaskRegistry(), None).get("task", id="a", token="wrong-wrong-wrong", status=401)
    assert page.texts(".//*[@role='alert']") == ["The token is wrong."]
    assert "wrong-wrong-wrong" not in page.html


def test_caller_without_the_token_chooses_a_language() -> None:
    answer = Browser(TaskRegistry(), None).request("GET", "task?id=a&language=ko", headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, "./task?id=a")


@pytest.mark.parametrize(
    ("path", "location", "cookies"),
    [
        ("?language=ko", "./", {"est_alan_scheduler_language": "ko"}),
        ("task?id=a%2Fb&theme=dark", "./task?id=a%2Fb", {"est_alan_scheduler_theme": "dark"}),
        ("?theme=light&language=en", "./", {"est_alan_scheduler_theme": "light", "est_alan_scheduler_language": "en"}),
        ("?id=%FF%0D%0Ax&theme=system", "./?id=%FF%0D%0Ax", {"est_alan_scheduler_theme": "system"}),
        ("/evil.example?theme=dark", "./evil.example", {"est_alan_scheduler_theme": "dark"}),
        ("%5Cevil.example?theme=dark", "./%5Cevil.example", {"est_alan_scheduler_theme": "dark"}),
        ("javascript:x?theme=dark", "./javascript%3Ax", {"est_alan_scheduler_theme": "dark"}),
    ],
)
def test_choice_is_kept_in_a_cookie_and_taken_out_of_the_address(
    path: str, location: str, cookies: dict[str, str]
) -> None:
    answer = Browser(TaskRegistry()).request("GET", path, headers=HTML)
    assert (answer.status_code, answer.headers["location"]) == (303, location)
    assert dict(answer.cookies) == cookies
    assert all("Path=/; SameSite=strict" in cookie for cookie in answer.headers.get_list("set-cookie"))


@pytest.mark.parametrize("path", ["?language=de", "?theme=%22%3E", "?language=", "task?id=a&theme=DARK"])
def test_choice_that_there_is_not_is_refused_without_a_cookie(path: str) -> None:
    answer = Browser(TaskRegistry()).request("GET", path, headers=HTML)
    assert (answer.status_code, "set-cookie" in answer.headers) == (422, False)


def test_choice_is_no_way_to_answer_a_request_that_changes_something() -> None:
    answer = Browser(TaskRegistry()).request("POST", "save?theme=dark", json={})
    assert (answer.status_code, "set-cookie" in answer.headers) == (422, False)


def test_reader_sees_nothing_that_changes_something() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", func=work, every={"minutes": 5}))
    registry.pause_all()
    page = Browser(registry, Role.READ).get()
    assert page.texts(".//*[@class='banner']/strong") == ["All tasks are paused."]
    assert page.all(".//*[@data-pause-all]") == page.all(".//*[@data-act]") == []
