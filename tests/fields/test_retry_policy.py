"""The retry policy as a value: its fields, its delays, its JSON."""

import math
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler import Retry, Task
from est_alan_scheduler.schedules.due import due_retry
from tests import jobs
from tests.fields.helpers import failing_task
from tests.frozen import START
from tests.messages import missing, only_error

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

DAY = timedelta(days=1)


class TestPolicy:
    def test_the_defaults_of_retry(self) -> None:
        assert Retry().model_dump() == {
            "max_retries": 3,
            "delay": 1.0,
            "backoff": 2.0,
            "max_delay": 60.0,
            "jitter": 0.1,
            "on": (Exception,),
        }

    def test_a_number_means_max_retries(self) -> None:
        assert failing_task(at="07:00", retry=5).retry == Retry(max_retries=5)

    def test_delays_may_be_given_as_timedeltas(self) -> None:
        retry = Retry(delay=timedelta(minutes=1), max_delay=timedelta(hours=1))
        assert (repr(retry.delay), repr(retry.max_delay)) == ("60.0", "3600.0")
        assert retry == Retry(delay=60, max_delay=3600) == Retry.model_validate_json(retry.model_dump_json())
        assert Retry(delay=timedelta(minutes=5)).max_delay == 300
        with pytest.raises(
            ValidationError, match=r"delay must be a number \(seconds\) from 0 to 1e\+09, or a timedelta"
        ):
            Retry(delay=timedelta(seconds=-1))

    def test_a_long_delay_needs_no_max_delay(self) -> None:
        assert Retry(delay=300).max_delay == 300

    @pytest.mark.parametrize(
        ("field", "value", "parts"),
        [
            ("max_retries", -1, ["whole number", "at least 0", "got -1"]),
            ("max_retries", True, ["whole number", "at least 0", "got True"]),
            ("max_retries", 1.5, ["whole number", "at least 0", "got 1.5"]),
            ("delay", -1, ["seconds", "from 0 to 1e+09", "got -1"]),
            ("delay", math.nan, ["seconds", "from 0 to 1e+09", "got nan"]),
            ("delay", "1", ["seconds", "from 0 to 1e+09", "got '1'"]),
            ("backoff", 0.5, ["from 1 to 1e+06", "got 0.5"]),
            ("max_delay", math.inf, ["seconds", "from 0 to 1e+09", "got inf"]),
            ("max_delay", 0.5, ["at least the delay of 1 s", "got 0.5"]),
            ("jitter", 2, ["from 0 to 1", "got 2"]),
            ("on", (int,), ["exception classes", "got (<class 'int'>,)"]),
            ("on", (), ["exception classes", "got ()"]),
            ("on", "ValueError", ["exception classes", "got 'ValueError'"]),
            ("max_retry", 1, ["Retry has no field 'max_retry' (did you mean 'max_retries'?)"]),
        ],
    )
    def test_an_invalid_retry_option_is_one_error(self, field: str, value: Any, parts: list[str]) -> None:
        with pytest.raises(ValidationError) as caught:
            Retry(**{field: value})
        assert missing(only_error(caught), field, *parts) == []

    @pytest.mark.parametrize("value", [True, "3", 1.5])
    def test_a_retry_field_that_is_no_policy_and_no_number_is_refused(self, value: Any) -> None:
        with pytest.raises(ValidationError) as caught:
            failing_task(at="07:00", retry=value)
        assert missing(only_error(caught), "retry must be a Retry", "whole number", "None", f"got {value!r}") == []

    def test_jitter_is_the_same_for_a_task_slot_and_attempt(self) -> None:
        retry = Retry(max_retries=9, delay=10, backoff=1, jitter=0.5)
        delays = [retry.seconds_after(attempt, ValueError(), "a", START) for attempt in (1, 2, 3)]
        assert delays == pytest.approx([13.726578, 11.092273, 12.058655], abs=1e-6)
        others = {
            retry.seconds_after(1, ValueError(), task_id, START + day * DAY) for task_id in "ab" for day in range(5)
        }
        assert len(others) == 10
        assert all(10 <= delay < 15 for delay in others if delay is not None)

    def test_a_backoff_that_overflows_gives_max_delay(self) -> None:
        retry = Retry(max_retries=10_000, backoff=1e6, jitter=0)
        assert retry.seconds_after(10_000, ValueError(), "a", START) == 60

    def test_a_zero_delay_stays_zero_for_any_attempt(self) -> None:
        retry = Retry(max_retries=3000, delay=0)
        assert {retry.seconds_after(attempt, ValueError(), "a", START) for attempt in (1, 1024, 1025, 3000)} == {0.0}

    def test_a_retry_policy_survives_the_json_round_trip(self) -> None:
        task = Task(id="a", at="07:00", func=jobs.boom, retry=Retry(on=(ValueError, jobs.OddError)), retry_at=START)
        text = task.model_dump_json()
        assert '"on":["builtins:ValueError","tests.jobs:OddError"]' in text
        assert Task.model_validate_json(text) == task

    @pytest.mark.parametrize(
        ("name", "parts"),
        [
            ("builtins:Nothing", ["has no attribute 'Nothing'", "module-level class", "'module:qualname'"]),
            ("ValueError", ["did you mean 'builtins:ValueError'?", "module-level class", "'module:qualname'"]),
            ("builtins:len", ["exception classes"]),
        ],
    )
    def test_a_json_name_that_is_no_exception_class_is_one_error(self, name: str, parts: list[str]) -> None:
        with pytest.raises(ValidationError) as caught:
            Retry.model_validate_json(f'{{"on": ["{name}"]}}')
        assert missing(only_error(caught), "on", repr(name), *parts) == []

    def test_a_retry_policy_is_immutable(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Retry().delay = 5

    def test_a_task_that_never_ran_has_no_due_retry(self) -> None:
        assert due_retry(failing_task(at="07:00")) is None
