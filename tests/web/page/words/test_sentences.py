"""Sentences of the library on the page: the words of schedules, and why a task does not run."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import Retry, Task, describe
from est_alan_scheduler.calendar.cron_expression import parse
from est_alan_scheduler.calendar.cron_prose import in_words as cron_in_words
from est_alan_scheduler.calendar.dates import read_dates
from est_alan_scheduler.calendar.dates_prose import dates_in_words
from est_alan_scheduler.planning.why_not import explain
from est_alan_scheduler.task import OPTION_NAMES, TaskStatus
from est_alan_scheduler.web.page.words.sentences import in_words
from tests.calendar.cron_brute import some_expression
from tests.calendar.dates_oracle import rules, text_of
from tests.calendar.real_expressions import DESCRIBED

NOW = datetime(2026, 6, 1, 12)
LATIN = re.compile("[A-Za-z]+")
CALL = re.compile(r"[a-z_]+\(.*?\)|\b[0-9.e+-]+ s\b")  # of Python, or seconds without an end
# Names of options and expressions that stand in sentences of every language.
TERMS = (
    OPTION_NAMES,
    *("every", "run_at", "at", "cron", "after", "manual"),
    *("ID", "misfire_grace", "max_running", "run_immediately", "False"),
)
HOSTILE = (
    "가",
    "a",
    "it's",
    'say "due now"',
    "b', which has not succeeded, and waits for 'c",
    ", and waits for 'a', which has not succeeded",
    "x, at most once",
    "every 5 minutes' and 'at 09:00",
    "{moment}{0}",
    "because\nof\u2028lines\x00\u202e",
    "half \ud800",
    ", and " * 300,
)


def foreign_to(text: str, foreign: tuple[str, ...]) -> list[str]:
    """Return the Latin words of a text beside the terms and the foreign texts, however these are quoted."""
    return LATIN.findall(without(text, (*foreign, *TERMS)))


def without(text: str, foreign: tuple[str, ...]) -> str:
    ways = {way for one in foreign for way in (one, repr(one), repr(one)[:1_000], repr(one)[1:-1])}
    for known in sorted(ways, key=len, reverse=True):
        text = text.replace(known, "")
    return text


@pytest.mark.parametrize(
    ("words", "korean"),
    [
        ("every minute", "1분마다"),
        ("every 5 minutes", "5분마다"),
        ("every 1 hour 30 minutes", "1시간 30분마다"),
        ("every 0.5 seconds", "0.5초마다"),
        ("every 2 weeks", "2주마다"),
        ("at 14:30", "매일 14:30"),
        ("at 14:30 Asia/Seoul", "매일 14:30 (Asia/Seoul)"),
        ("at 09:00, 12:00 and 18:00 +08:00", "매일 09:00, 12:00, 18:00 (+08:00)"),
        ("at 09:00 on Monday to Friday", "월–금 09:00"),
        ("at 09:00 Europe/Berlin on the last Friday of the month", "매월 마지막 금요일 09:00 (Europe/Berlin)"),
        ("at 09:00 on the 1st of January and on the 25th of December", "1월 1일, 12월 25일 09:00"),
        (
            "at 09:00 on the 2nd-last day and 25th to the last day of May",
            "5월 끝에서 둘째 날, 25일부터 마지막 날까지 09:00",
        ),
        ("at 09:00 on the 2nd to 8th of the month, but only on Wednesday", "매월 2–8일 중 수요일 09:00"),
        ("at 09:00 on the last day from Monday to Friday of the month", "매월 월–금 중 마지막 날 09:00"),
        ("once at 2026-06-01 12:00:00 Asia/Seoul", "2026-06-01 12:00:00 (Asia/Seoul)에 한 번"),
        ("after 'a', 'b, at most once' and \"c's\", at most once", "'a', 'b, at most once', \"c's\" 성공 후, 최대 1회"),
        ("by run_now only", "수동 실행만"),
        ("never", "실행되지 않음"),
        (
            "at 14:30, from 2026-01-01 00:00:00 Asia/Seoul, until 2027-01-01 00:00:00+09:00, except on 2026-12-25, "
            "2026-12-26 and 3 more, up to 30 s later, at most 5 times",
            "매일 14:30, 2026-01-01 00:00:00 (Asia/Seoul)부터, 2027-01-01 00:00:00+09:00까지, 2026-12-25, "
            "2026-12-26 외 3일 제외, 최대 30초 늦춤, 최대 5회",
        ),
        ("every 10 minutes from 07:00 to 19:50 on Monday to Friday", "월–금 07:00–19:50 10분마다"),
        ("at minutes 0 and 45 of every hour in June Japan", "6월 매시 0, 45분 (Japan)"),
        ("every second of minutes 0 and 30 of hours 18 to 23 on Sunday", "매주 일요일 18–23시 0, 30분 매초"),
        ("every 7 minutes from minute 0 to minute 56 of every hour", "매시 0분부터 56분까지 7분마다"),
        ("at 00:00 on the last weekday (Monday to Friday) of March to May", "3월–5월 마지막 평일(월–금) 00:00"),
        ("at 00:00 on the 13th of the month or on Friday, in May and July", "5월, 7월 13일 또는 매주 금요일 00:00"),
        (
            "at 17:00 on the 1st to 7th of the month or on Monday (for days that are both: cron='0 17 * * 1#1')",
            "매월 1–7일 또는 매주 월요일 17:00 (둘 다 맞는 날: cron='0 17 * * 1#1')",
        ),
    ],
)
def test_schedules_have_korean_words(words: str, korean: str) -> None:
    assert in_words(words, "ko") == korean
    assert in_words(words, "en") == {"by run_now only": "only on request"}.get(words, words)


@pytest.mark.parametrize(
    ("sentence", "korean"),
    [
        ("running since 2026-06-01 11:00:00", "2026-06-01 11:00:00 +00:00부터 실행 중"),
        ("due in 45 s at 2026-06-01 14:30:05+09:00", "45초 뒤(2026-06-01 14:30:05 +09:00) 실행 예정"),
        ("due in 1e-05 s at 2026-06-01 14:30:05", "0.00001초 뒤(2026-06-01 14:30:05 +00:00) 실행 예정"),
        (
            "retries (attempt 2 of 4) in 12 s at 2026-06-01 12:00:12, after OSError: late, and waits for 'a', which has"
            " not succeeded",
            "12초 뒤(2026-06-01 12:00:12 +00:00) 재시도 예정 (전체 4회 중 2번째 시도, 직전 오류: OSError: late); "
            "'a' 작업이 아직 성공하지 않아 기다리는 중",
        ),
        (
            "retries (attempt 2 of 4) in 12 s at 2026-06-01 12:00:12, after OSError: late, and waits for nobody",
            "12초 뒤(2026-06-01 12:00:12 +00:00) 재시도 예정 (전체 4회 중 2번째 시도, 직전 오류: OSError: late, and "
            "waits for nobody)",
        ),
        (
            "waits for 'fetsh', which is not registered (did you mean 'fetch'?), and waits for 'b' (B: of it, and "
            "more), which has not succeeded",
            "'fetsh' 작업이 등록되어 있지 않아 기다리는 중 (혹시 'fetch'?); 'b' (B: of it, and more) 작업이 아직 "
            "성공하지 않아 기다리는 중",
        ),
        ("waits for a new success of 'b', 'c' and 'd'", "'b', 'c', 'd' 작업이 새로 성공하기를 기다리는 중"),
        ("paused: resume('a') lets it run", "일시 중지됨. 재개해야 실행됨"),
        ("cannot run here: a row that makes no sense", "여기서 실행할 수 없음: a row that makes no sense"),
        (
            "runs on other instances only: its function 'a:b' is unknown here: register or expose it; due now",
            "다른 인스턴스에서만 실행됨: 함수 'a:b'을(를) 여기서는 알 수 없음. 등록하거나 공개해야 함; "
            "지금 실행할 차례",
        ),
    ],
)
def test_reasons_have_korean_words(sentence: str, korean: str, set_zone: Callable[[str], None]) -> None:
    set_zone("UTC")
    assert in_words(sentence, "ko") == korean


AT, SHOWN = "2026-06-01 14:30:05", "2026-06-01 14:30:05 +09:00"


@pytest.mark.parametrize(
    ("sentence", "english"),
    [
        (f"running since {AT}.250000", f"running since {SHOWN}"),
        ("running since 2026-06-01 14:30:05.25-04:00", "running since 2026-06-01 14:30:05 -04:00"),
        (f"due in 776924 s at {AT}", f"due in 9 days, at {SHOWN}"),
        (
            f"due in 60 s at {AT} (its slot of {AT} came later than misfire_grace allows, and was skipped)",
            f"due in 1 minute, at {SHOWN} (its slot of {SHOWN} came later than misfire_grace allows, and was skipped)",
        ),
        (
            f"retries (attempt 2 of 4) in 12 s at {AT}, after OSError: in 9000 s, and waits for 'in 90 s', which has "
            "not succeeded",
            f"retries (attempt 2 of 4) in 12 seconds, at {SHOWN}, after OSError: in 9000 s, and waits for 'in 90 s', "
            "which has not succeeded",
        ),
        (
            f"its slot of {AT} is 7200 s late, more than misfire_grace, and will be skipped, and waits for a new "
            "success of 'b', 'c' and 'd'",
            f"its slot of {SHOWN} is 2 hours late, more than misfire_grace, and will be skipped, and waits for a new "
            "success of 'b', 'c' and 'd'",
        ),
        ("paused: resume('a') lets it run", "paused: it does not start until it is resumed"),
        (
            "all tasks are paused: resume_all() lets them run",
            "all tasks are paused: none starts until they are resumed",
        ),
        ("never due by itself: it runs by run_now('a') only", "never due by itself: it runs only on request"),
        (
            "due now, but nothing ticks this registry: start_scheduler(registry=…)",
            "due now, but the scheduler of this process does not run",
        ),
        (
            "runs on other instances only: its function 'a:b' is unknown here: register or expose it; "
            f"due in 0.5 s at {AT}",
            "runs on other instances only: its function 'a:b' is unknown here: register or expose it; "
            f"due in 0.5 seconds, at {SHOWN}",
        ),
        ("due now, it runs with the next tick", "due now, it runs with the next tick"),
        ("by run_now only, at most 3 times", "only on request, at most 3 times"),
        (f"due in 45 s at {AT}, and waits for 'a', which sleeps",) * 2,
        (f"cannot run here: due in 45 s at {AT}",) * 2,
    ],
)
def test_reasons_are_for_people_not_for_programmers(
    sentence: str, english: str, set_zone: Callable[[str], None]
) -> None:
    set_zone("Asia/Seoul")
    assert in_words(sentence, "en") == english


@pytest.mark.parametrize(
    ("seconds", "english", "korean"),
    [
        ("1e-05", "0.00001 seconds", "0.00001초"),
        ("1", "1 second", "1초"),
        ("59", "59 seconds", "59초"),
        ("60", "1 minute", "1분"),
        ("5369", "89 minutes", "89분"),
        ("5400", "2 hours", "2시간"),
        ("126000", "35 hours", "35시간"),
        ("129600", "2 days", "2일"),
        ("3844800", "44 days", "44일"),
        ("3888000", "1 month", "1개월"),
        ("44000000", "17 months", "17개월"),
        ("63113904", "2 years", "2년"),
        ("250000000000", "7,922 years", "7,922년"),
    ],
)
def test_a_time_has_the_unit_that_suits_it(seconds: str, english: str, korean: str) -> None:
    reason = f"due in {seconds} s at 2026-06-01 14:30:05+09:00"
    assert in_words(reason, "en") == f"due in {english}, at 2026-06-01 14:30:05 +09:00"
    assert in_words(reason, "ko") == f"{korean} 뒤(2026-06-01 14:30:05 +09:00) 실행 예정"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        "every fortnight",
        "at 09:00 on Mittwoch",
        "every 5 minutes, except on Christmas",
        "due soon",
        "waits for 'a', which sleeps",
        "due in 45 s at 2026-06-01 14:30:05, and waits for 'a', which sleeps",
        "cannot run here: its function 'a' is unknown here: register or expose it; it sleeps",
        "waits for 'a' (x), which has not succeeded, and waits for y), which has not succeeded",
        "waits for 'a" + ", and waits for " * 2_000,
    ],
)
def test_unknown_sentence_stays_as_it_is_as_a_whole(text: str) -> None:
    assert in_words(text, "ko") == text


def test_expressions_that_people_use_have_korean_words() -> None:
    texts = {in_words(words, "ko") for words in DESCRIBED.values()}
    assert len(texts) == len(set(DESCRIBED.values()))
    assert [text for text in texts if foreign_to(re.sub(r"cron='.*'", "", text), ())] == []


def test_random_expressions_have_korean_words(is_full: bool) -> None:
    random, known = Random(16), dict[str, str]()
    for _ in range(6_000 if is_full else 1_000):
        try:
            words = cron_in_words(parse(some_expression(random)))
        except ValueError:
            continue  # its days never come
        korean = in_words(words, "ko")
        assert not LATIN.search(korean), words
        assert known.setdefault(korean, words) == words  # another meaning has other words
    assert len(known) > 500


@given(dates=st.lists(rules().map(text_of), min_size=1, max_size=3).map(",".join))
def test_random_dates_have_korean_words(dates: str) -> None:
    try:
        words = dates_in_words(read_dates(dates))
    except ValueError:
        return  # there is no such date, or the parts of the rules differ
    assert not LATIN.search(in_words(f"at 09:00 {words}", "ko")), words


ids = st.sampled_from(HOSTILE)
moments = st.sampled_from([NOW + timedelta(seconds=n) for n in (-90_000, -60, 0, 0.5, 1, 100, 10**6)])
zones = st.sampled_from([None, "Asia/Seoul", "America/Argentina/Buenos_Aires", "EST5EDT", "+05:30"])
kinds = st.one_of(
    st.fixed_dictionaries(
        {"every": st.sampled_from([{"minutes": 5}, {"days": 8, "seconds": 1.5}, {"microseconds": 1}])}
    ),
    st.fixed_dictionaries({"at": st.sampled_from(["09:00", ("00:00", "12:00:30"), ("01:00", "02:00", "03:00")])}),
    st.fixed_dictionaries({"at": st.just("09:00"), "on": st.sampled_from(["mon-fri", "1 jan,25 dec", "last fri"])}),
    st.fixed_dictionaries({"run_at": moments}),
    st.fixed_dictionaries({"cron": st.sampled_from(list(DESCRIBED))}),
    st.fixed_dictionaries({"after": st.lists(ids, min_size=1, max_size=3, unique=True)}),
    st.just({"manual": True}),
    st.just({}),
)
limits = st.fixed_dictionaries(
    {},
    optional={
        "timezone": zones,
        "start_at": moments,
        "end_at": moments,
        "exclude": st.sampled_from([("2026-06-01",), tuple(f"2026-06-0{n}" for n in range(1, 9))]),
        "jitter": st.sampled_from([1e-9, 30, 0.5]),
        "misfire_grace": st.sampled_from([1, 3600]),
        "max_runs": st.sampled_from([1, 3]),
        "run_immediately": st.just(False),
    },
)
states = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(list(TaskStatus)),
        "paused": st.booleans(),
        "run_requested": st.sampled_from(["ready", "force"]),
        "retry": st.just(Retry(max_retries=3, delay=60)),
        "retry_at": moments,
        "attempt": st.integers(1, 3),
        "runs": st.integers(0, 3),
        "error_message": ids,
        **dict.fromkeys(("last_run_at", "first_run_at", "last_success_at", "misfired_at"), moments),
        "depends_on": st.lists(ids, max_size=3, unique=True),
        "depends_on_mode": st.just("fresh"),
        "consumed": st.dictionaries(ids, moments, max_size=2),
    },
)
calls = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("is_outcome_dropped", "is_full", "has_executor_ended", "are_all_paused"), st.booleans()),
        **dict.fromkeys(("is_ticked", "is_observed"), st.booleans()),
    },
)


@given(kind=kinds, around=limits)
def test_every_schedule_has_korean_words(kind: dict[str, Any], around: dict[str, Any]) -> None:
    try:
        words = describe(Task(func=print, **{**kind, **around}))
    except ValueError:
        return  # a limit that does not go with that kind
    assert foreign_to(in_words(words, "ko"), (*HOSTILE, around.get("timezone") or "", *expressions(words))) == [], words


def expressions(words: str) -> list[str]:
    """Return what a description shows of the expression for days that are both."""
    return re.findall(r"cron='[^']*'", words)


@given(
    fields=st.tuples(kinds, limits, states),
    store=st.dictionaries(ids, st.tuples(kinds, states), max_size=3),
    name=st.sampled_from([None, "이름", "a (b)", "x, and more"]),
    is_called=st.sampled_from(["no", "own", "former"]),
    call=calls,
)
def test_every_reason_has_korean_words(
    fields: tuple[dict[str, Any], ...],
    store: dict[str, tuple[dict[str, Any], ...]],
    name: str | None,
    is_called: str,
    call: dict[str, Any],
) -> None:
    try:
        task = made("task", *fields)
        tasks = {task_id: made(task_id, *drawn, {"name": name}) for task_id, drawn in store.items()}
        called = {"no": None, "own": task, "former": Task(func=print)}[is_called]
        reason = explain(task, {**tasks, "task": task}, NOW, called=called, **call)
    except ValueError:
        return  # options that do not go together
    assert CALL.findall(without(in_words(reason, "en"), HOSTILE)) == [], reason
    said = in_words(reason, "ko")
    names = ("a (b)", "x, and more", "task", *HOSTILE, "None")
    assert foreign_to(said, names) == [], reason
    assert said != reason


def made(task_id: str, *parts: dict[str, Any]) -> Task:
    """Return a task with the fields of all parts."""
    return Task(id=task_id, func=print, **{name: value for part in parts for name, value in part.items()})


@pytest.mark.parametrize("task_id", [", and its slot of 1 " * 500, "of " * 3_000])
def test_an_id_that_looks_like_hundreds_of_phrases_is_no_error(task_id: str) -> None:
    text = describe(Task(func=int, after=[task_id]))
    assert task_id.split()[-1] in in_words(text, "ko")
    assert in_words(f"waits for {task_id!r}, which is not registered", "ko")
