"""Words of other schedulers: the error says what to write here."""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler import Retry, Task, TaskRegistry
from est_alan_scheduler.control.defaults import ALLOWED
from est_alan_scheduler.fields.hints import _HINTS
from tests.frozen import work
from tests.messages import only_error

pytestmark = pytest.mark.pydantic

INTERVAL = "'every' field must be a dict of timedelta keywords such as {'minutes': 5}, or a timedelta, got "
MOMENT = "must be a datetime or an ISO 8601 text such as '2026-11-23T14:30:00' or '2026-11-23T05:30:00Z', got "
AT = "at field must be in HH:MM format, 00:00 to 23:59, such as '07:30', in HH:MM:SS format, or a list of these, got "


def error_of(model: Any = Task, **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model(**({"func": work} if model is Task else {}), **fields)
    return only_error(caught)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"next_run_time": 1}, "'next_run_time': start_at is the moment before which it has no slot"),
        ({"until": 1}, "'until': end_at is the moment after which it has no slot"),
        ({"max_instances": 1}, "'max_instances': a task is never started while it runs, always: leave it out"),
        (
            {"coalesce": True},
            "'coalesce': one run makes up for all missed slots, always: leave it out; misfire_grace skips slots that "
            "are too late",
        ),
        (
            {"trigger": "interval", "minutes": 5},
            "'trigger': the schedule is a field of its own: every={'minutes': 5}, at='09:00', "
            "run_at='2026-12-24T09:00' or cron='0 9 * * *'",
        ),
        ({"minutes": 10}, "'minutes': an interval is every={'minutes': 10}"),
        ({"seconds": 30, "hours": 1}, "'seconds': an interval is every={'hours': 1, 'seconds': 30}"),
        ({"weeks": "x"}, "'weeks': an interval is every={'weeks': 5}"),
        ({"day_of_week": 1}, "'day_of_week': on names weekdays, with at: at='09:00', on='mon-fri'"),
        (
            {"replace_existing": True},
            "'replace_existing': a task of the same id is replaced by registry.register(task, replace=True)",
        ),
        ({"crontab": "x"}, "'crontab': a cron expression is cron='0 9 * * *'"),
        (
            {"func_args": []},
            "'func_args': args are the positional arguments, kwargs those by name",
        ),
        ({"task": "x"}, "'task': func is the function that runs, itself and not its name"),
        (
            {"schedule": 30},
            "'schedule': an interval is every={'minutes': 5}, a time of day at='09:00', a cron expression "
            "cron='0 9 * * *'",
        ),
        (
            {"options": {}},
            "'options': timeout, retry, misfire_grace and the other options are fields of the task itself",
        ),
        ({"expires": 10}, "'expires': misfire_grace is the number of seconds after which a slot is skipped"),
        ({"misfire_grace_time": 10}, "'misfire_grace_time': misfire_grace is the number of seconds after which"),
        ({"job_id": "x"}, "'job_id': id is its name in the registry"),
    ],
)
def test_a_word_of_another_scheduler_is_answered_with_the_one_to_write(fields: dict[str, Any], message: str) -> None:
    error = error_of(**fields)
    assert f"Task has no field {message}" in error
    assert "its fields are" not in error


def test_the_answer_is_the_same_wherever_fields_are_named() -> None:
    registry = TaskRegistry()
    task = registry.register(Task(id="a", func=work, at="09:00"))
    words: Any = {"max_instances": 3}
    minutes: Any = {"minutes": 5}
    weekday: Any = {"day_of_week": 1}
    with pytest.raises(ValueError, match="Task has no field 'max_instances': a task is never started while it runs"):
        registry.update("a", **words)
    with pytest.raises(ValueError, match=r"Task has no field 'minutes': an interval is every=\{'minutes': 5\}"):
        registry.update("a", **minutes)
    with pytest.raises(ValueError, match="Task has no field 'until': end_at"):
        task.until = 1  # type: ignore[attr-defined]  # the unknown word is the test
    with pytest.raises(ValidationError, match="Task has no field 'day_of_week': on names weekdays"):
        registry.task(**weekday)(work)

    class Job(Task):
        pass

    assert "Job has no field 'coalesce': one run makes up for all missed slots" in error_of(Job, func=work, coalesce=1)


@pytest.mark.parametrize(
    ("word", "field"),
    [("attempts", "max_retries"), ("retry_delay", "delay"), ("factor", "backoff"), ("exceptions", "on")],
)
def test_words_of_other_retry_policies_are_answered_too(word: str, field: str) -> None:
    assert f"Retry has no field {word!r}: {field} is " in error_of(Retry, **{word: 1})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda _: TaskRegistry(timezone="Asia/Seoul"),  # type: ignore[arg-type]  # on purpose
            "TaskRegistry takes no argument 'timezone': write defaults={'timezone': 'Asia/Seoul'}",
        ),
        (
            lambda registry: registry.configure(jitter=5),
            "TaskRegistry takes no argument 'jitter': write it into defaults={'misfire_grace': 300}",
        ),
        (
            lambda registry: registry.configure(max_workers=4),
            "TaskRegistry takes no argument 'max_workers': write executor=ThreadPoolExecutor(4)",
        ),
        (
            lambda registry: registry.configure(jobstores={}),
            "TaskRegistry takes no argument 'jobstores': write backend='sqlite:///tasks.db'",
        ),
        (
            lambda registry: registry.configure(max_runing=4),
            "TaskRegistry takes no argument 'max_runing' (did you mean 'max_running'?)",
        ),
        (lambda registry: registry.configure(x=4), "TaskRegistry takes no argument 'x'"),
        (lambda registry: registry.select(tags=["daily"]), "select takes no argument 'tags': write tag='daily'"),
        (
            lambda registry: registry.shutdown(wait=False),
            "shutdown takes no argument 'wait': write timeout=0 not to wait, nothing to wait",
        ),
        (
            lambda registry: registry.upcoming(5),
            "the limits of upcoming are given by name: upcoming(limit=5), upcoming(until=timedelta(days=1))",
        ),
    ],
)
def test_options_of_other_schedulers_are_answered_too(call: Callable[[Any], None], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        call(TaskRegistry())
    assert str(caught.value) == message


def test_each_default_of_a_registry_is_answered_as_one() -> None:
    assert [word for word in ALLOWED if "defaults=" not in _HINTS["TaskRegistry()"].get(word, "")] == []


def test_no_word_of_the_table_is_a_name_here() -> None:
    for model in (Task, Retry):
        assert not model.model_fields.keys() & _HINTS[model.__name__].keys()


def test_the_answers_name_fields_that_exist() -> None:
    for model in (Task, Retry):
        for hint in _HINTS[model.__name__].values():
            outside = re.sub(r"\w+\([^()]*\)", "", hint)  # without calls
            named = set(re.findall(r"\b([a-z_]+)=", outside)) | set(re.findall(r"\b([a-z]+_[a-z_]+)\b(?!\()", outside))
            assert named - {*model.model_fields, "next_run"} == set(), hint


@pytest.mark.parametrize(
    ("every", "message"),
    [
        ({"months": 1}, "'months' in 'every' field, because months differ in length: write at='09:00', on='1' instead"),
        (
            {"years": 1},
            "'years' in 'every' field, because years differ in length: write at='09:00', on='1 jan' instead",
        ),
        ({"month": 1}, "'month' in 'every' field, because months differ in length: write at='09:00', on='1' instead"),
        ({"quarters": 1}, "write at='09:00', on='1 jan,apr,jul,oct' instead of every"),
        ({"monday": 1}, "'monday' in 'every' field: write at='09:00', on='mon' instead of every"),
        ({"minute": 5}, "'minute' in 'every' field (did you mean 'minutes'?); allowed"),
        ({"h": 5}, "'h' in 'every' field (did you mean 'hours'?); allowed"),
        ({1: 5}, "1 in 'every' field; allowed"),
        (5, f"{INTERVAL}5: write every={{'seconds': 5}} if seconds are meant"),
        (1.5, f"{INTERVAL}1.5: write every={{'seconds': 1.5}} if seconds are meant"),
        ("5m", f"{INTERVAL}'5m': write every={{'minutes': 5}}"),
        ("1h 30min", f"{INTERVAL}'1h 30min': write every={{'hours': 1, 'minutes': 30}}"),
        ("hour", f"{INTERVAL}'hour': write every={{'hours': 1}}"),
        ("every monday", f"{INTERVAL}'every monday': write at='09:00', on='mon' instead of every"),
        ("*/5 * * * *", f"{INTERVAL}'*/5 * * * *': a cron expression goes into cron"),
        ("x" * 500, "'xxx"),
        (True, f"{INTERVAL}True"),
    ],
)
def test_an_interval_that_is_none_is_answered_with_what_may_be_meant(every: Any, message: str) -> None:
    assert message in error_of(every=every)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"run_at": "14:30"}, f"run_at {MOMENT}'14:30': a time of each day is at='14:30'"),
        ({"run_at": time(14, 30)}, f"run_at {MOMENT}datetime.time(14, 30): a time of each day is at='14:30'"),
        ({"start_at": date(2026, 1, 1)}, f"start_at {MOMENT}datetime.date(2026, 1, 1): write start_at='2026-01-01'"),
        (
            {"run_at": timedelta(hours=1)},
            f"run_at {MOMENT}datetime.timedelta(seconds=3600): write run_at=datetime.now() + "
            "datetime.timedelta(seconds=3600)",
        ),
        (
            {"run_at": 1_700_000_000},
            f"run_at {MOMENT}1700000000: write run_at=datetime.fromtimestamp(1700000000) if seconds since 1970 are",
        ),
    ],
)
def test_a_moment_that_is_none_is_answered_with_what_may_be_meant(fields: dict[str, Any], message: str) -> None:
    assert message in error_of(**fields)


@pytest.mark.parametrize(
    ("at", "hint"),
    [
        ("2:00", ": write '02:00'"),
        ("14:30:5", ": write '14:30:05'"),
        ("2pm", ": write '14:00'"),
        ("2:30 PM", ": write '14:30'"),
        ("12 a.m.", ": write '00:00'"),
        ("12pm", ": write '12:00'"),
        ("14.30", ": write '14:30'"),
        ("1430", ": write '14:30'"),
        ("143005", ": write '14:30:05'"),
        ("14h30", ": write '14:30'"),
        ("24:00", ": write '00:00'"),
        ("noon", ": write '12:00'"),
        ("midnight", ": write '00:00'"),
        ("07:00\n", ": write '07:00'"),
        ("every day at 9:00", ": write '09:00'"),
        ("14:30Z", ": write at='14:30', timezone='UTC'"),
        ("14:30+09:00", ": write at='14:30', timezone='+09:00'"),
        ("9:30 Asia/Seoul", ": write at='09:30', timezone='Asia/Seoul'"),
        ("mon 14:30", ": write at='14:30', on='mon'"),
        ("14:30 mon-fri", ": write at='14:30', on='mon-fri'"),
        ("monday at 9:00", ": write at='09:00', on='monday'"),
        ("09:00,17:00", ": write ['09:00', '17:00']"),
        ("9am and 5pm", ": write ['09:00', '17:00']"),
        ("mon-fri", ": write a time, and on='mon-fri' beside it"),
        ("0 9 * * *", ": a cron expression goes into cron"),
        ("2026-01-01 09:00", ": for one moment, write run_at='2026-01-01 09:00'"),
        (datetime(2026, 1, 1, 9), ": for one moment, write run_at='2026-01-01T09:00:00'"),
        (time(14, 30), ": write '14:30'"),
        (time(14, 30, 5), ": write '14:30:05'"),
        ("25:00", ""),
        ("13pm", ""),
        ("9", ""),
        ("x" * 200, ""),
        (730, ""),
    ],
)
def test_a_time_of_day_that_is_none_is_answered_with_what_may_be_meant(at: Any, hint: str) -> None:
    assert error_of(at=at).endswith(f"{AT}{at!r}{hint}")


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (["09:00", "9:30"], f"{AT}'9:30' in it: write '09:30'"),
        (["09:00", None], f"{AT}None in it"),
        ([], "at field is an empty list: must be in HH:MM format, 00:00 to 23:59, such as '07:30', in HH:MM:SS format"),
    ],
)
def test_the_error_names_the_time_of_a_list(at: Any, message: str) -> None:
    assert message in error_of(at=at)


FORMS = "write weekdays 'mon-fri', days of the month '1,15' or 'last', the n-th weekday '1st mon', months '1 jan,jul'"


@pytest.mark.parametrize(
    ("on", "message"),
    [
        ("mo", f"'mo' is no weekday, day of the month or month (did you mean 'mon'?); {FORMS}"),
        ("montag", f"'montag' is no weekday, day of the month or month (did you mean 'monday'?); {FORMS}"),
        ("ju", f"'ju' is no weekday, day of the month or month (did you mean 'jun' or 'jul'?); {FORMS}"),
        ("월요일", f"is no weekday, day of the month or month; {FORMS}"),
        ("", f"it is empty; {FORMS}"),
        ("0", f"0 is no day of the month: these are 1 to 31, and last, -1 to -31 from the end; {FORMS}"),
        ("32", f"32 is no day of the month: these are 1 to 31, and last, -1 to -31 from the end; {FORMS}"),
        ("31 feb", "there is no such date in any year; the last day of a month is 'last', as in 'last feb'"),
        ("6th mon", "a month has at most five of each weekday, and '6th' is beyond them"),
        ("24th mon-fri", "there is no such date in any year"),
        (
            "1 mon",
            "write '1st mon' for the 1st Monday of the month, 'mon 1' for the 1st of the month, but only on Monday",
        ),
        (
            "2,4 tue mar",
            "write '2nd,4th tue mar' for the 2nd and 4th Tuesday of March, 'tue 2,4 mar' for the 2nd and 4th of March, "
            "but only on Tuesday",
        ),
        (
            "1 mon,3 tue",
            "write '1st mon,3rd tue' for the 1st Monday of the month and on the 3rd Tuesday of the month, 'mon 1,tue 3'"
            " for the 1st of the month, but only on Monday and on the 3rd of the month, but only on Tuesday",
        ),
        (
            "-2 fri",
            "write '2nd-last fri' for the 2nd-last Friday of the month, 'fri -2' for the 2nd-last day of the month, "
            "but only on Friday",
        ),
        (
            "-1 mon",
            "write 'last mon' for the last Monday of the month, 'mon -1' for the last day of the month, but only on "
            "Monday",
        ),
        (
            "-2 mon-fri",
            "write '2nd-last mon-fri' for the 2nd-last day from Monday to Friday of the month, 'mon-fri -2' for the "
            "2nd-last day of the month, but only on Monday to Friday",
        ),
        ("-6 fri", "not in order, which is: the n-th, weekdays, days of the month, months; write 'fri -6'"),
        (
            "2nd last fri",
            "write '2nd-last fri' for the 2nd-last Friday of the month, '2nd,last fri' for the 2nd and last Friday of "
            "the month",
        ),
        (
            "the third last friday of march",
            "write '3rd-last friday march' for the 3rd-last Friday of March, 'third,last friday march' for the 3rd and "
            "last Friday of March",
        ),
        ("second to last fri", "'to' is no weekday, day of the month or month; write '2nd-last fri'"),
        ("the 2nd-to-last fri", "'2nd-to-last' is no weekday, day of the month or month; write '2nd-last fri'"),
        ("the penultimate day", "'day' is no weekday, day of the month or month; write '-2'"),
        ("penultimate fri", "'penultimate' is no weekday, day of the month or month; write '2nd-last fri'"),
        (
            "2nd last",
            "write '-2' for the 2nd-last day of the month, '2,last' for the 2nd and last day of the month",
        ),
        (
            "2nd to last day of the month",
            "write '-2' for the 2nd-last day of the month, '2-last' for the 2nd to the last day of the month",
        ),
        (
            "2nd-last",
            "write '-2' for the 2nd-last day of the month, '2-last' for the 2nd to the last day of the month",
        ),
        ("second to last", "'to' is no weekday, day of the month or month; write '-2'"),
        (
            "last 3 days",
            "write '-3-last' for the 3rd-last day to the last day of the month, 'last,3' for the last day and 3rd of "
            "the month",
        ),
        ("first 3 days of mar", "'of' is no weekday, day of the month or month; write '1-3 mar'"),
        ("jan 1, dec 25", "write '1 jan,25 dec'"),
        ("1 mon,fri 13", f"months; {FORMS}"),
        ("2nd weekend", "a weekend has two: write '2nd sat' or '2nd sun'"),
        ("2-8 wed", "not in order, which is: the n-th, weekdays, days of the month, months; write 'wed 2-8'"),
        ("jan 1", "write '1 jan'"),
        ("1st", "'1st' has no weekday after it; write '1'"),
        ("1st jan", "'1st' has no weekday after it; write '1 jan'"),
        ("mon tue", "'mon' and 'tue' are both weekdays: a comma is missing between them; write 'mon,tue'"),
        ("1,,2", "a word is missing beside a comma; write '1,2'"),
        ("mon,", "a word is missing beside a comma; write 'mon'"),
        ("every monday", "write 'monday'"),
        ("mon..fri", "write 'mon-fri'"),
        ("mon to fri", "write 'mon-fri'"),
        ("mon and wed", "write 'mon,wed'"),
        ("first monday of the month", "write 'first monday'"),
        ("last day of the month", "write 'last'"),
        ("on the 15th", "write '15'"),
        ("fri the 13th", "write 'fri 13'"),
        (
            "1st mon 2-8",
            "'1st' counts the weekdays of a whole month, not among some of its days: write 'mon 2-8' without it for a "
            "weekday that is one of these days",
        ),
        ("last weekend", "'last' counts days, and a weekend has two: write 'last sat' or 'last sun'"),
        (
            "sat last",
            "write 'last sat' for the last one of the month, 'sat -1' for one that is the last day",
        ),
        (
            "1 jan,15",
            "its rules have several forms: days of the month with months, and days of the month; if '1,15 jan' is "
            "meant, write that, else register a task for each",
        ),
        ("daily", "at alone is daily, leave on out"),
        ("*", "at alone is daily, leave on out"),
        ("workdays", "write 'weekdays'"),
        ("working days", "write 'weekdays'"),
        ("Business Days", "write 'weekdays'"),
        ("last working day of the month", "write 'last weekdays'"),
        ("first workday of the month", "write 'first weekdays'"),
        ("2026-12-25", "for a single date, write run_at='2026-12-25T09:00' instead of at and on"),
        ("0 9 * * mon", "a cron expression goes into cron"),
        ("mon," * 60, "it is longer than 200 characters"),
    ],
)
def test_a_text_that_names_no_dates_is_answered_with_what_may_be_meant(on: str, message: str) -> None:
    error = error_of(at="09:00", on=on)
    assert "names no dates: " in error
    assert message in error


@pytest.mark.parametrize(
    ("on", "hint"),
    [
        (["mon", "fri"], ": write 'mon,fri'"),
        (15, ": write '15'"),
        (date(2026, 12, 25), ": for one date, write run_at='2026-12-25T09:00' instead of at and on"),
        (datetime(2026, 12, 25, 7), ": for one date, write run_at='2026-12-25T07:00:00' instead of at and on"),
        (True, ""),
        (None, None),
    ],
)
def test_another_value_names_no_dates(on: Any, hint: str | None) -> None:
    if hint is None:
        assert Task(func=work, at="09:00", on=on).on is None
        return
    assert error_of(at="09:00", on=on).endswith(
        f"on must be a text such as 'mon-fri', '1,15' or 'last fri', got {on!r}{hint}"
    )


EXCLUDE = "exclude must be a list of dates, got "
EXCLUDED = "exclude must hold dates such as date(2026, 12, 25) or '2026-12-25', got "
ON = ": weekdays are chosen by on, beside at: on='mon-fri'"


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ("2027-01-01", f"{EXCLUDE}'2027-01-01': write ['2027-01-01']"),
        (date(2027, 1, 1), f"{EXCLUDE}datetime.date(2027, 1, 1): write ['2027-01-01']"),
        ("sat,sun", f"{EXCLUDE}'sat,sun'{ON}"),
        ("weekends", f"{EXCLUDE}'weekends'{ON}"),
        (5, f"{EXCLUDE}5"),
        (["sat", "sun"], f"{EXCLUDED}'sat'{ON}"),
        (["Saturday"], f"{EXCLUDED}'Saturday'{ON}"),
        (["2027-02-30"], f"{EXCLUDED}'2027-02-30'"),
    ],
)
def test_what_excludes_no_dates_is_answered_with_what_may_be_meant(exclude: Any, message: str) -> None:
    assert error_of(at="09:00", exclude=exclude).endswith(message)


@pytest.mark.parametrize(
    ("args", "hint"),
    [(1, ": write args=(1,)"), ("abc", ": write args=('abc',)"), ({1}, ""), (None, ""), ("x" * 200, "")],
)
def test_a_single_argument_is_answered_with_the_tuple_of_it(args: Any, hint: str) -> None:
    assert error_of(args=args).endswith(f"args must be a tuple or list of positional arguments, got {args!r}{hint}")


@pytest.mark.parametrize("func", [1, None, "done"])
def test_the_result_of_a_call_is_answered_with_the_function_itself(func: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        Task(func=func, every={"minutes": 5})
    assert only_error(caught) == (
        f"func: Value error, func must be callable, got {func!r}; a name is only loaded by model_validate_json; "
        "write the function itself, func=f without ()"
    )


def test_a_near_miss_of_a_field_is_named_alone() -> None:
    assert error_of(evry={"minutes": 5}).endswith("Task has no field 'evry' (did you mean 'every'?)")
    assert error_of(Retry, dely=5).endswith("Retry has no field 'dely' (did you mean 'delay'?)")
    assert "Task has no field 'xyz'; its fields are: id, every, " in error_of(xyz=5)
