"""Refusals in words: whatever is wrong, people read of the form and not of the program, in their language."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler import Retry, Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.web import Role
from est_alan_scheduler.web.api.problems import Problem
from est_alan_scheduler.web.page.form.controls import UNITS
from est_alan_scheduler.web.page.form.task_form import CONTROLS
from est_alan_scheduler.web.page.words.korean import KOREAN
from est_alan_scheduler.web.page.words.language import Language
from est_alan_scheduler.web.page.words.refusals import LABELS, in_words
from tests import jobs
from tests.frozen import work
from tests.web.page.pages import Browser

KINDS: Mapping[str, Mapping[str, Any]] = {
    "every": {"every": {"hours": 1}},
    "at": {"at": "09:00"},
    "cron": {"cron": "0 9 * * *"},
    "run_at": {"run_at": datetime(2027, 1, 1)},
    "after": {"after": ["x"]},
    "manual": {"manual": True},
}
LIMITED: Mapping[str, Any] = {
    "start_at": "2027-01-01T00:00",
    "end_at": "2028-01-01T00:00",
    "retry": Retry(max_retries=2),
    "timezone": "Asia/Seoul",
}
NUMBERS = ("-1", "0", "1.5", "1e300", "nan", "9" * 400, "1e-7", "2147483648")
TIMES = ("25:00", "9:00", "9pm", "noon", "09:00,x", "9,10pm", "09:00 mon-fri", "09:00 UTC", "09:00+09:00", ",", "0900")
DATES_GIVEN = (
    *("mon-fri sat", "fri mon", "30 feb", "last foo", "foo", "mun", "32", "6th mon", "1st", "1 mon", "-2nd", "daily"),
    *("2nd to last fri", "last mon 5", "fri last", "2nd weekend", "1 jan,mon", "2026-01-01", "mon 1st", "mon and tue"),
)
CRONS = (
    *("1 2 3", "@foo", "@every 5m", "@reboot", "60 * * * *", "*/0 * * * *", "* 25 * * *", "* * 32 * *", "a b c d e"),
    *("* * * 13 *", "* * * * 9", "0 0 30 2 *", "0 22-6 * * *", "0 0 ? * MON", "0 0 12 ? * MON 2027", "H H * * *"),
    *("Mon *-*~03 00:00", "*-*-* 02:00", "TZ=Asia/Seoul 0 9 * * *", "0 9 * * monday", "1,2-01-01 00:00", "0 0 * * L"),
    *("*/5 * * * * root /bin/true", "rate(5 minutes)", "at(2027-01-01T00:00:00)", "60 0 12 ? * MON 2027"),
)
ZONES = ("KST", "IST", "seoul", "GMT+9", "UTC+25", "Mars/Phobos", "../etc", "+25:00", "ABCD")
LISTS = ("[1]", "[null]", "[[1]]", "2026-13-01", "2026-12-25\nx", "builtins.OSError", "nosuch:", "monday")
HOSTILE = ("x", "…", " ", "\x00", "it's", 'say "due now"', "{value}{0}", "\u202e<b>", "가", "a" * 20_000, "', and '")
WRONG = (*NUMBERS, *TIMES, *DATES_GIVEN, *CRONS, *ZONES, *LISTS, *HOSTILE)
LATIN = re.compile("[A-Za-z]+")
TERMS = (
    "Asia/Seoul",
    "builtins:OSError",
    "Cron",
    "systemd",
    "UTC",
    "ID",
    "sun-sat",
    "jan-dec",
    "5L",
    "LW",
    "L",
    "a-b",
    "/n",
    "null",
)
CODE = re.compile(r"_at\b|timedelta|\bNone, |datetime|ISO|=|'every'|field\b|manual|run_now|\w+\(|list of|Input should")


def registry() -> TaskRegistry:
    made = TaskRegistry()
    for kind, fields in KINDS.items():
        made.register(Task(id=kind, func=work, **fields))
    made.register(Task(id="limited", func=work, at="09:00", **LIMITED))
    return made


def refusals(browser: Browser, task: str, changes: Any, language: Language) -> list[str]:
    """Return what the editor says is wrong with texts in the form of a task."""
    headers = {"Accept-Language": language}
    answer = browser.request("POST", "preview-html", json={"id": task, "changes": changes}, headers=headers)
    if answer.headers["content-type"] != "application/problem+json":
        return []
    problem = answer.json()
    return [one["detail"] for one in problem.get("errors", [])] or [problem["detail"]]


def wrong_texts(name: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield a task, a text, and the texts of a field that has it in one of its controls."""
    task = name if name in KINDS else "at" if name == "on" else "limited"
    parts = {"every": UNITS[:3], "retry": ("max_retries", "delay", "backoff", "max_delay", "jitter", "on")}
    for part in parts.get(name, ("",)):
        for text in WRONG:
            yield task, text, {part: text, **({"": "true"} if name == "retry" else {})}
    for text in WRONG if name.endswith("_at") else ():
        yield task, text, {"": "2027-05-01T00:00", "offset": text}


def foreign(told: str, given: str) -> list[str]:
    """Return the Latin words of a Korean text that are neither terms nor quoted from what was given."""
    told = re.sub(r"""(['"]).*?(?:\1|…)""", "", told, flags=re.DOTALL)
    told = re.sub(rf"(?:{'|'.join(map(KOREAN.__getitem__, LABELS.values()))}): \S+( \S+)*", "", told)
    for term in sorted(TERMS, key=len, reverse=True):
        told = told.replace(term, "")
    return [] if told == given else LATIN.findall(told)


@pytest.mark.parametrize("name", CONTROLS)
def test_whatever_is_wrong_with_a_field_is_told_in_korean(name: str) -> None:
    browser = Browser(registry())
    found = {
        (text, told)
        for task, text, texts in wrong_texts(name)
        for told in refusals(browser, task, {name: texts}, "ko")
        if foreign(told, text)
    }
    assert found == set()


@pytest.mark.parametrize("name", CONTROLS)
def test_whatever_is_wrong_with_a_field_is_told_without_the_terms_of_a_program(name: str) -> None:
    browser = Browser(registry())
    found = {
        (text, told)
        for task, text, texts in wrong_texts(name)
        for told in refusals(browser, task, {name: texts}, "en")
        if CODE.search(re.sub(r"""(['"]).*?(?:\1|…)""", "", told, flags=re.DOTALL))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("task", "changes", "english", "korean"),
    [
        (
            "every",
            {"every": {"minutes": "x"}},
            {"every": "Enter a number of minutes."},
            {"every": "“분” 칸에 수를 입력하십시오."},
        ),
        (
            "cron",
            {"cron": {"": "60 * * * *"}},
            {"cron": "'60' is not valid for the minute: 0-59, *, a-b, /n."},
            {"cron": "분 항목에 '60'은(는) 쓸 수 없습니다. 쓸 수 있는 값: 0-59, *, a-b, /n."},
        ),
        (
            "cron",
            {"cron": {"": "@every 5m"}},
            {"cron": "Not valid here. Write instead: Interval: 5 minutes"},
            {"cron": "여기서는 쓸 수 없습니다. 대신 이렇게 쓰십시오: 간격: 5분"},
        ),
        (
            "limited",
            {"end_at": {"": "2026-01-01T00:00"}},
            {"end_at": "“Not after” must not lie before “Not before”."},
            {"end_at": "“종료” 시점은 “시작” 시점보다 앞설 수 없습니다."},
        ),
        (
            "limited",
            {"kind": {"": "manual"}, "retry": {}, "timezone": {}},
            dict.fromkeys(
                ("start_at", "end_at"),
                "Set this back to its default: this kind of schedule has no slots that it could limit.",
            ),
            dict.fromkeys(
                ("start_at", "end_at"),
                "기본값으로 되돌리십시오. 이 일정에는 이 항목으로 제한할 예정 시각이 없습니다.",
            ),
        ),
        (
            "limited",
            {"retry": {"": "true", "delay": "9", "max_delay": "5"}},
            {"retry.max_delay": "“Longest delay” must not be shorter than “First delay”."},
            {"retry.max_delay": "“최대 대기 시간”은 “첫 대기 시간”보다 짧을 수 없습니다."},
        ),
        (
            "at",
            {"at": {"": "9pm"}, "jitter": {"": "x"}},
            {
                "at": "'9pm' is no time of day such as 09:00 or 14:30:15. Write '21:00'.",
                "jitter": "Enter a number of seconds greater than 0, at most 1,000,000,000.",
            },
            {
                "at": "'9pm': 09:00이나 14:30:15 같은 시각이 아닙니다. 이렇게 적으십시오: '21:00'",
                "jitter": "0보다 크고 1,000,000,000을 넘지 않는 초를 입력하십시오.",
            },
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_field(
    task: str, changes: Any, english: Mapping[str, str], korean: Mapping[str, str]
) -> None:
    browser = Browser(registry())
    for language, told in (("en", english), ("ko", korean)):
        for path, more in (("preview-html", {}), ("save", {"version": browser_version(browser, task)})):
            body = {"id": task, "changes": changes, **more}
            problem = browser.request("POST", path, json=body, headers={"Accept-Language": language}).json()
            assert {one["field"]: one["detail"] for one in problem["errors"]} == told
            assert problem["detail"] == "; ".join(f"{one['field']}: {one['detail']}" for one in problem["errors"])


def browser_version(browser: Browser, task: str) -> str:
    """Return the version of a task as its editor has it."""
    return browser.get("edit", id=task).one(".//form[@id='edit']").attrib["data-version"]


@pytest.mark.parametrize("language", ["en", "ko"])
def test_fields_have_the_labels_of_the_form(language: Language) -> None:
    page = Browser(registry()).get("edit", language, id="limited")
    shown = {text.strip() for text in page.texts(".//label") + page.texts(".//legend")}
    assert [text for text in (_label(text, language) for text in LABELS.values()) if text not in shown] == []


def _label(text: str, language: Language) -> str:
    return KOREAN[text] if language == "ko" else text


@pytest.mark.parametrize(
    ("role", "method", "path", "status", "korean"),
    [
        (Role.MANAGE, "GET", "nothing", 404, "이 주소에는 아무것도 없습니다."),
        (Role.MANAGE, "GET", "task?id=missing", 404, "ID가 'missing'인 작업이 없습니다."),
        (Role.MANAGE, "GET", "task?id=cronn", 404, "ID가 'cronn'인 작업이 없습니다. 혹시 이것입니까? 'cron'"),
        (Role.MANAGE, "GET", "save", 405, "이 주소에 GET 요청은 보낼 수 없습니다."),
        (Role.READ, "GET", "edit?id=cron", 403, "작업을 관리할 권한이 필요합니다."),
        (None, "POST", "act", 401, "인증이 필요합니다."),
        (Role.READ, "POST", "pause-all", 403, "작업을 관리할 권한이 필요합니다."),
        (Role.MANAGE, "GET", "?limit=0", 422, "limit: 1 이상의 수를 입력하십시오."),
        (Role.MANAGE, "GET", "?limit=x", 422, "limit: 정수를 입력하십시오."),
        (Role.MANAGE, "GET", "?cursor=x", 422, "cursor: 이 정렬에 없는 페이지입니다."),
        (Role.MANAGE, "GET", "?other=x", 422, "other: 없는 매개변수입니다."),
        (Role.MANAGE, "GET", "?q=1&q=2", 422, "q: 값이 두 번 있습니다."),
        (Role.MANAGE, "GET", "task", 422, "id: 값이 필요합니다."),
        (Role.MANAGE, "GET", "task?id=", 422, "id: 비어 있습니다."),
        (Role.MANAGE, "GET", "task?id=cron&cursor=x", 422, "cursor: 없는 페이지입니다."),
        (
            Role.MANAGE,
            "GET",
            "task?id=cron&outcome=x",
            422,
            "outcome: 다음 중 하나여야 합니다: 'pending', 'running', 'success', 'failed'",
        ),
        (Role.MANAGE, "GET", "timeline?zone=Nowhere", 422, "zone: 없는 시간대입니다."),
        (
            Role.MANAGE,
            "GET",
            "timeline?at=x",
            422,
            "at: 2026-01-31T09:00:00+09:00처럼 오프셋이 있는 날짜와 시각이어야 합니다.",
        ),
        (Role.MANAGE, "POST", "act", 422, "action: 값이 필요합니다.; tasks: 값이 필요합니다."),
    ],
)
def test_request_is_refused_in_korean(role: Role | None, method: str, path: str, status: int, korean: str) -> None:
    headers = {"Accept-Language": "ko", "Accept": "application/json"}
    answer = Browser(registry(), role).request(
        method, path, headers=headers, **({"json": {}} if method == "POST" else {})
    )
    assert (answer.status_code, answer.json()["detail"]) == (status, korean)


def test_action_is_refused_in_the_language_of_the_page() -> None:
    made = registry()
    made.register(Task(id="needy", func=takes_two, manual=True))
    told = {}
    for language in ("en", "ko"):
        body = {"action": "run", "tasks": [{"id": "needy"}]}
        answer = Browser(made).request("POST", "act", json=body, headers={"Accept-Language": language})
        told[language] = answer.json()["results"][0]["detail"]
    assert told == {
        "en": "The function cannot be called: it lacks 'one', 'other'.",
        "ko": "함수를 호출할 수 없습니다. 없는 인수: 'one', 'other'",
    }


def takes_two(one: int, other: int) -> int:
    return one + other


def test_id_that_no_store_can_hold_is_told_at_its_field() -> None:
    made = TaskRegistry(backend=MemoryBackend())
    made.register(Task(id="a", func=jobs.process_id, manual=True))
    body = {"id": "a", "changes": {"depends_on": {"": "x\0"}}}
    answer = Browser(made).request("POST", "preview-html", json=body, headers={"Accept-Language": "ko"})
    assert answer.json()["errors"] == [
        {"field": "depends_on", "detail": "작업의 ID로 쓸 수 없는 문자가 있습니다: 'x\\x00'"}
    ]


def test_wrong_page_of_a_list_is_told_once_with_a_link_to_the_first_one() -> None:
    page = Browser(registry()).get(status=422, cursor="x", tag="a")
    assert page.texts(".//*[@class='detail']") == ["cursor: This order has no such page."]
    assert page.html.count("This order has no such page.") == 1
    links = {link.text: link.get("href") for link in page.all(".//main//a")}
    assert links == {"First page": "./?tag=a", "All tasks": "./"}


def test_other_problem_has_no_link_to_a_first_page() -> None:
    page = Browser(registry()).get(status=422, limit="0", cursor="x")
    assert [link.text for link in page.all(".//main//a")] == ["All tasks"]


@pytest.mark.parametrize(
    ("what", "doubt"),
    [
        ("no answer within 30 seconds", ""),
        ("no answer within 30 seconds", "; a change that was asked for may have been made"),
        ("an argument of the task takes too long to show", "; a change that was asked for may have been made"),
    ],
)
def test_missing_answer_is_told_in_korean_with_and_without_a_doubt_about_changes(what: str, doubt: str) -> None:
    told = in_words(Problem(503, what + doubt), "ko").detail
    assert LATIN.findall(told) == []
    assert ("변경은 이루어졌을 수도" in told) is bool(doubt)
