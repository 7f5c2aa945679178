"""The controls of a form."""

from datetime import datetime
from typing import Any

import pytest

from est_alan_scheduler import Retry
from est_alan_scheduler.web.page.form.controls import (
    FLAG,
    IDS,
    INTERVAL,
    LIST,
    MOMENT,
    NUMBER,
    RETRY,
    TEXT,
    TIMES,
    WORD,
    Control,
)


@pytest.mark.parametrize(
    ("control", "texts", "value"),
    [
        (TEXT, {"": " a "}, " a "),
        (WORD, {"": " fresh "}, "fresh"),
        (NUMBER, {"": " 3 "}, 3),
        (NUMBER, {"": "1e3"}, 1000.0),
        (NUMBER, {"": "nan"}, "nan"),
        (NUMBER, {"": "soon"}, "soon"),
        (TIMES, {"": "09:00"}, "09:00"),
        (TIMES, {"": "09:00; 10:00\n11:00,"}, ["09:00", "10:00", "11:00"]),
        (LIST, {"": " a \n\nb"}, ["a", "b"]),
        (LIST, {"": '["a\\nb"]'}, ["a\nb"]),
        (LIST, {"": "[a"}, ["[a"]),
        (LIST, {}, []),
        (IDS, {"": "\n"}, None),
        (FLAG, {"": "true"}, True),
        (FLAG, {}, False),
        (MOMENT, {"": "2026-05-01T09:00", "offset": " +09:00 "}, "2026-05-01T09:00+09:00"),
        (MOMENT, {"offset": "+09:00"}, None),
        (INTERVAL, {"hours": "1", "minutes": " ", "seconds": "x"}, {"hours": 1, "seconds": "x"}),
        (INTERVAL, {"hours": ""}, None),
        (RETRY, {"delay": "5"}, None),
        (RETRY, {"": "true", "delay": "5", "on": "builtins:OSError"}, {"delay": 5, "on": ["builtins:OSError"]}),
    ],
)
def test_texts_mean_a_value_and_what_cannot_be_read_stays(control: Control, texts: dict[str, str], value: Any) -> None:
    assert control.read(texts) == value


@pytest.mark.parametrize("control", [TEXT, WORD, NUMBER, TIMES, IDS, MOMENT, INTERVAL, RETRY])
def test_nothing_is_shown_as_no_text_and_read_as_nothing(control: Control) -> None:
    assert control.show(None) == {}
    assert control.read({}) is None


@pytest.mark.parametrize(
    ("control", "value", "texts"),
    [
        (TIMES, ("09:00", "10:00"), {"": "09:00, 10:00"}),
        (LIST, ("a", "b c"), {"": "a\nb c"}),
        (LIST, (" a",), {"": '[" a"]'}),
        (LIST, ("[a",), {"": '["[a"]'}),
        (MOMENT, datetime(2026, 5, 1, 9), {"": "2026-05-01T09:00:00"}),
        (INTERVAL, {"hours": 1.5}, {"hours": "1.5"}),
        (FLAG, True, {"": "true"}),
    ],
)
def test_a_value_is_shown_as_texts_that_mean_it(control: Control, value: Any, texts: dict[str, str]) -> None:
    assert control.show(value) == texts


def test_a_retry_is_shown_part_by_part_with_a_mark_that_it_is_there() -> None:
    shown = RETRY.show(Retry(max_retries=2, on=(OSError,)))
    assert (shown[""], shown["max_retries"], shown["on"]) == ("true", "2", "builtins:OSError")
