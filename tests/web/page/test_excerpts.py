"""Excerpts of texts."""

import pytest

from est_alan_scheduler.web.page.excerpts import excerpt, line


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
