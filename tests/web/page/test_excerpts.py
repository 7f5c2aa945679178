"""Excerpts of texts."""

import pytest

from est_alan_scheduler.web.page.excerpts import excerpt, line, wrapped


@pytest.mark.parametrize(
    ("text", "expected"),
    [("two\nlines", "two\nlines"), ("1234567890", "12345678…"), ("123456789", "123456789"), ("", "")],
)
def test_an_excerpt_keeps_its_lines(text: str, expected: str) -> None:
    assert excerpt(text, 9) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        (" two\n\tlines ", "two lines"),
        ("123456789", "123456789"),
        ("1234567890", "12345678…"),
        ("a\0b", "a\\x00b"),
        ("a\u202eb", "a\\u202eb"),
    ],
)
def test_a_line_is_short_and_reorders_nothing(text: str, expected: str) -> None:
    assert line(text, 9) == expected


@pytest.mark.parametrize("text", ["   ", "\u200b\u200b"])
def test_a_text_of_which_nothing_can_be_seen_is_shown_as_python_writes_it(text: str) -> None:
    assert excerpt(text, 9) == line(text, 9) == repr(text)


def test_a_schedule_is_wrapped_after_the_slash_of_a_zone_and_not_within_a_date() -> None:
    assert wrapped("at <02:30> America/New_York") == "at &lt;02:30&gt; America/<wbr>New_York"
    assert wrapped("once at 2026-12-29") == "once at 2026\u201112\u201129"
