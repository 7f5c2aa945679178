"""The form of a task: what it shows comes back as it is, and other texts are changes."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from est_alan_scheduler import Retry, Task, TaskRegistry
from est_alan_scheduler.cluster.codecs.definitions import ForeignZone
from est_alan_scheduler.web.api.definitions import changes_of
from est_alan_scheduler.web.api.problems import Problem
from est_alan_scheduler.web.page.form.controls import UNITS
from est_alan_scheduler.web.page.form.task_form import CONTROLS, changes_of_form, form_of
from est_alan_scheduler.web.site import Site
from tests import jobs

texts = st.text(min_size=1, max_size=20)
seconds = st.one_of(st.integers(1, 10**9), st.floats(1e-6, 1e9))
zones = st.sampled_from([None, "Asia/Seoul", "Europe/Berlin", "+05:30"])
moments = st.one_of(
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)),
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.sampled_from([UTC, ZoneInfo("Asia/Seoul")])),
)
retries = st.builds(
    Retry,
    max_retries=st.integers(0, 2**31 - 1),
    delay=st.one_of(st.integers(0, 60), st.floats(0, 60)),
    backoff=st.floats(1, 1e6),
    max_delay=st.floats(60, 1e9),
    jitter=st.floats(0, 1),
    on=st.sampled_from([(Exception,), (OSError, ValueError)]),
)
amounts = st.one_of(st.integers(0, 5), st.floats(0, 5))
intervals = st.dictionaries(st.sampled_from(UNITS), amounts, min_size=1).map(lambda every: {**every, "days": 1})
times = st.times().map(lambda at: at.isoformat("seconds"))
kinds: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"every": intervals}),
    st.fixed_dictionaries(
        {"at": st.one_of(times, st.lists(times, min_size=1, max_size=4))}, optional={"on": st.just("last fri")}
    ),
    st.fixed_dictionaries({"cron": st.sampled_from(["*/15 9-17 * * mon-fri", "@daily", " 0 0  * * *"])}),
    st.fixed_dictionaries({"run_at": moments}),
    st.fixed_dictionaries({"after": st.lists(texts, min_size=1, max_size=3)}),
    st.just({"manual": True}),
)
others = st.fixed_dictionaries(
    {},
    optional={
        "timezone": zones,
        "start_at": moments,
        "exclude": st.lists(st.dates(), max_size=3),
        "misfire_grace": seconds,
        "timeout": seconds,
        "run_immediately": st.booleans(),
        "remove_when_done": st.booleans(),
        "paused": st.booleans(),
        "max_runs": st.integers(1, 2**31 - 1),
        "retry": st.one_of(st.none(), retries),
        "depends_on": st.lists(texts, max_size=3),
        "depends_on_mode": st.sampled_from(["ever", "fresh"]),
        "name": texts,
        "description": st.text(max_size=50),
        "tags": st.lists(texts, max_size=3),
    },
)
tasks = st.builds(lambda kind, rest: Task(id="a", func=jobs.process_id, **kind, **rest), kinds, others)


def changes(task: Task, form: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return changes_of_form(task, form, lambda text: text)


def refused(task: Task, form: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str]]:
    with pytest.raises(Problem) as caught:
        changes(task, form)
    return [(one.field, one.detail) for one in caught.value.errors]


def task_of(**fields: Any) -> Task:
    return Task(id="a", func=jobs.process_id, **fields)


@given(tasks)
def test_what_the_form_shows_is_no_change(task: Task) -> None:
    assert changes(task, form_of(task)) == {}


@given(tasks)
def test_each_text_is_read_as_the_value_that_it_shows(task: Task) -> None:
    # The second pass of an hour that is not repeated is another value for the same moment.
    assume(not any(moment is not None and moment.fold for moment in (task.run_at, task.start_at)))
    form = form_of(task)
    read = {name: control.read(form[name]) for name, control in CONTROLS.items()}
    if isinstance(task.at, tuple) and len(task.at) == 1:
        del read["at"]  # a list of one time means what the time alone means
    if not task.description:
        del read["description"]  # an empty one is none
    found, _ = changes_of(Site(TaskRegistry()), task, read)
    assert found == {}


@pytest.mark.parametrize(
    ("fields", "name", "shown"),
    [
        ({"every": {"hours": 1, "seconds": 30}}, "every", {"hours": "1", "seconds": "30"}),
        ({"every": timedelta(milliseconds=1500)}, "every", {"seconds": "1", "microseconds": "500000"}),
        ({"at": "14:30"}, "at", {"": "14:30"}),
        ({"at": ["14:30:05", "09:00"]}, "at", {"": "09:00, 14:30:05"}),
        ({"at": "14:30", "on": "mon-fri"}, "on", {"": "mon-fri"}),
        ({"cron": "@daily"}, "cron", {"": "@daily"}),
        ({"run_at": "2026-03-01T09:00:00"}, "run_at", {"": "2026-03-01T09:00:00"}),
        ({"run_at": "2026-03-01T09:00:00+09:00"}, "run_at", {"": "2026-03-01T09:00:00", "offset": "+09:00"}),
        ({"run_at": datetime(2026, 3, 1, tzinfo=UTC)}, "run_at", {"": "2026-03-01T00:00:00", "offset": "+00:00"}),
        ({"after": ["x", "y, z"]}, "after", {"": "x\ny, z"}),
        ({"manual": True}, "kind", {"": "manual"}),
        ({"manual": True, "exclude": [date(2026, 12, 25)]}, "exclude", {"": "2026-12-25"}),
        ({"manual": True, "timeout": 1.5}, "timeout", {"": "1.5"}),
        ({"manual": True, "paused": True}, "paused", {"": "true"}),
        ({"manual": True}, "name", {}),
        ({"manual": True, "name": "n"}, "name", {"": "n"}),
        ({"manual": True, "tags": ["two\nlines", "b"]}, "tags", {"": '["two\\nlines", "b"]'}),
        ({}, "kind", {"": ""}),
        ({"at": "14:30", "manual": True}, "kind", {"": ""}),
    ],
)  # fmt: skip
def test_a_value_is_shown_as_these_texts(fields: dict[str, Any], name: str, shown: dict[str, str]) -> None:
    assert form_of(task_of(**fields))[name] == shown


def test_a_retry_is_shown_part_by_part() -> None:
    shown = {"max_retries": "3", "delay": "1.0", "backoff": "2.0", "max_delay": "60.0", "jitter": "0.1"}
    form = form_of(task_of(manual=True, retry=3))
    assert form["retry"] == {"": "true", **shown, "on": "builtins:Exception"}


def test_the_zone_of_those_that_run_a_task_elsewhere_is_none_of_its_own() -> None:
    task = task_of(at="09:00")
    task.__dict__["timezone"] = ForeignZone("Asia/Seoul")
    assert form_of(task)["timezone"] == {}
    assert changes(task, form_of(task)) == {}


def test_the_second_pass_of_a_repeated_hour_has_its_offset() -> None:
    task = task_of(run_at=datetime(2026, 10, 25, 2, 30, fold=1), timezone="Europe/Berlin")
    assert form_of(task)["run_at"] == {"": "2026-10-25T02:30:00", "offset": "+01:00"}


@pytest.mark.parametrize(
    ("fields", "form", "changed"),
    [
        ({"every": {"hours": 1}}, {"every": {"hours": "", "minutes": "90"}}, {"every": {"minutes": 90}}),
        ({"every": {"hours": 1}}, {"every": {"hours": "1.5"}}, {"every": {"hours": 1.5}}),
        ({"every": {"hours": 1}}, {"every": {"hours": "soon"}}, {"every": {"hours": "soon"}}),
        ({"at": "09:00"}, {"at": {"": "10:00"}}, {"at": "10:00"}),
        ({"at": "09:00"}, {"at": {"": "10:00, 11:00"}}, {"at": ["10:00", "11:00"]}),
        ({"at": "09:00"}, {"at": {"": "10:00"}, "paused": {"": "true"}}, {"at": "10:00", "paused": True}),
        ({"manual": True, "timeout": 3}, {"timeout": {"": ""}}, {"timeout": None}),
        ({"manual": True, "retry": 3}, {"retry": {"": ""}}, {"retry": None}),
        ({"manual": True}, {"retry": {"": "true", "delay": "5"}}, {"retry": {"delay": 5}}),
        ({"manual": True}, {"retry": {"": "true"}}, {"retry": {}}),
        ({"manual": True, "tags": ["a"]}, {"tags": {"": " b \n\nc, d\n"}}, {"tags": ["b", "c, d"]}),
        ({"manual": True, "tags": ["a"]}, {"tags": {"": ""}}, {"tags": []}),
        ({"manual": True, "name": "n"}, {"name": {"": ""}}, {"name": None}),
        ({"manual": True}, {"start_at": {"": "2026-03-01T09:00"}}, {"start_at": "2026-03-01T09:00"}),
        (
            {"manual": True},
            {"start_at": {"": "2026-03-01T09:00", "offset": "+09:00"}},
            {"start_at": "2026-03-01T09:00+09:00"},
        ),
        ({"manual": True}, {"start_at": {"": "", "offset": "+09:00"}}, {}),
    ],
)
def test_other_texts_are_changes(fields: dict[str, Any], form: dict[str, dict[str, str]], changed: Any) -> None:
    found = changes(task_of(**fields), form)
    assert {name: value for name, value in found.items() if value != getattr(task_of(**fields), name)} == changed


@pytest.mark.parametrize(
    ("fields", "form", "changed"),
    [
        ({"every": {"hours": 1}}, {"at": {"": "09:00"}}, {"every": None, "at": "09:00"}),
        ({"at": "09:00", "on": "1"}, {"manual": {}}, {"at": None, "on": None, "manual": True}),
        ({"manual": True}, {"cron": {"": "@daily"}}, {"manual": False, "cron": "@daily"}),
        ({}, {"run_at": {"": "2026-03-01T09:00"}}, {"run_at": "2026-03-01T09:00"}),
        ({"at": "09:00", "cron": "@daily"}, {"at": {}}, {"cron": None}),
        ({"at": "09:00", "cron": "@daily"}, {"after": {"": "x"}}, {"at": None, "cron": None, "after": ["x"]}),
    ],
)
def test_another_kind_replaces_the_former_one(fields: dict[str, Any], form: dict[str, Any], changed: Any) -> None:
    kind = next(iter(form))
    given = {name: texts for name, texts in form.items() if texts}
    assert changes(task_of(**fields), {"kind": {"": kind}, **given}) == changed


def test_texts_of_other_kinds_do_not_count() -> None:
    form = {"cron": {"": "@daily"}, "on": {"": "mon"}, "every": {"hours": "2"}}
    assert changes(task_of(every={"hours": 1}), form) == {"every": {"hours": 2}}


def test_a_kind_needs_a_value() -> None:
    task = task_of(every={"hours": 1})
    assert refused(task, {"kind": {"": "at"}}) == [("at", "Enter a value.")]
    assert refused(task, {"every": {"hours": ""}}) == [("every", "Enter a value.")]
    assert refused(task, {"kind": {"": "daily"}}) == [("kind", "Choose a kind of schedule.")]
    assert refused(task, {"func": {"": "os:abort"}}) == [("func", "the form has no such field")]


def test_a_task_without_a_schedule_may_change_in_other_ways() -> None:
    assert changes(task_of(), {"timeout": {"": "3"}, "kind": {"": ""}}) == {"timeout": 3}
