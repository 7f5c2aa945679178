"""Texts that stay within their line."""

import sys
import unicodedata

import pytest

from est_alan_scheduler._support.text import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("boom", "boom"),
        ("a\nb\r\n\tc", r"a\nb\r\n\tc"),
        ("\x85\u2028\u2029\x0b\x0c\x1c", r"\x85\u2028\u2029\x0b\x0c\x1c"),
        ("\x1b[2J\x9b31m\x08\x7f\0", r"\x1b[2J\x9b31m\x08\x7f\x00"),
        ("\u202egpj.exe\u2066\u200f\u061c", r"\u202egpj.exe\u2066\u200f\u061c"),
        ("half \ud83d of a pair", r"half \ud83d of a pair"),
        ("작업 'Ünïcode' 👩\u200d🔬 a\xa0b", "작업 'Ünïcode' 👩\u200d🔬 a\xa0b"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_what_ends_a_line_or_commands_a_terminal_is_escaped(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_no_character_of_unicode_is_left_that_ends_a_line_is_a_control_or_changes_the_direction() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = one_line(every)
    assert len(left.splitlines()) == 1
    assert {unicodedata.category(character) for character in left}.isdisjoint({"Cc", "Zl", "Zp", "Cs"})
    directions = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert {unicodedata.bidirectional(character) for character in left}.isdisjoint(directions)
    left.encode()
