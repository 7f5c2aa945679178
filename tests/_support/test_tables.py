"""Tables: aligned in a terminal whatever the script, safe in HTML."""

from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler._support.tables import columns_of, cut, html_table, plain, text_table


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    texts = ("abc", "작업", "日本", "ｱ", "e\u0301", "a\u200bb", "🙂", "ﾊﾟ")
    assert [columns_of(text) for text in texts] == [3, 4, 4, 1, 1, 2, 2, 2]


def test_decomposed_korean_is_composed() -> None:
    assert columns_of(plain("\u1112\u1161\u11ab", 10)) == 2


def test_a_cut_text_keeps_within_its_columns() -> None:
    assert [cut("작업목록", columns) for columns in (8, 7, 6, 5, 2, 1)] == [
        "작업목록",
        "작업목…",
        "작업…",
        "작업…",
        "…",
        "…",
    ]


def test_rows_are_aligned() -> None:
    rows = [("a", "매일 백업", "x"), ("a long one", "b", "y")]
    assert text_table(("id", "what", "s"), rows, (6, 20, 5)).splitlines() == [
        "id      what       s",
        "a       매일 백업  x",
        "a lon…  b          y",
    ]


@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_the_second_column_begins_at_one_place_whatever_the_texts_are(rows: list[tuple[str, str]]) -> None:
    shown = [(plain(first, 30), "|" + plain(second, 30).replace("|", "")) for first, second in rows]
    shown = [(first.replace("|", ""), second) for first, second in shown]
    lines = text_table(("h", "|"), shown, (8, 12)).split("\n")
    assert len(lines) == len(rows) + 1
    assert len({columns_of(line.partition("|")[0]) for line in lines}) == 1


def test_html_is_escaped() -> None:
    assert html_table(("<a>", "b"), [("1 & 2", '"')], "x < y") == (
        "<table><caption>x &lt; y</caption><tr><th>&lt;a&gt;</th><th>b</th></tr>"
        "<tr><td>1 &amp; 2</td><td>&quot;</td></tr></table>"
    )
    assert html_table((), [("id", "a")]) == "<table><tr><th>id</th><td>a</td></tr></table>"


def test_a_plain_text_is_one_line_of_bounded_length() -> None:
    class Hostile(str):
        def __str__(self) -> str:
            raise RuntimeError

        def __len__(self) -> int:
            raise RuntimeError

    assert plain(Hostile("a\nb\u202e"), 10) == "a\\nb\\u202e"
    assert plain("x" * 1_000_000, 5) == "xxxx…"
