"""Tables of short texts: aligned for a terminal, or as HTML."""

from collections.abc import Iterable, Sequence
from unicodedata import category, combining, east_asian_width, normalize

from est_alan_scheduler._support.text import one_line

_GAP = "  "
_NO_ROOM = frozenset(("Cf", "Me", "Mn"))  # categories of characters that take no column


def plain(text: str, most: int) -> str:
    """Return at most so many characters of a text of any class, as one line, composed and safe to print."""
    whole = str.__str__(text)
    short = whole if len(whole) <= most else whole[: most - 1] + "…"
    return one_line(normalize("NFC", short))


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for a wide character (Chinese, Japanese, Korean)."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def cut(text: str, columns: int) -> str:
    """Return a text that takes at most so many columns, with an ellipsis for what is left out."""
    if columns_of(text) <= columns:
        return text
    left, kept = columns - 1, []
    for character in text:
        left -= _columns(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept) + "…"


def text_table(header: Sequence[str], rows: Iterable[Sequence[str]], widest: Sequence[int]) -> str:
    """Return rows as aligned lines; no column is wider than its number in `widest`."""
    lines = [[cut(cell, most) for cell, most in zip(row, widest, strict=True)] for row in (header, *rows)]
    widths = [max(map(columns_of, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        _GAP.join(cell + " " * (width - columns_of(cell)) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return rows as a small table in HTML; with an empty `header`, the first cell of each row is its heading."""
    from html import escape  # late: it loads the names of all characters, and few programs show a table

    def line(cells: Sequence[str], headings: int) -> str:
        marked = (("th" if number < headings else "td", escape(cell)) for number, cell in enumerate(cells))
        return f"<tr>{''.join(f'<{tag}>{text}</{tag}>' for tag, text in marked)}</tr>"

    lines = [line(header, len(header))] if header else []
    lines += [line(row, 0 if header else 1) for row in rows]
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{told}{''.join(lines)}</table>"


def _columns(character: str) -> int:
    if combining(character) or category(character) in _NO_ROOM:
        return 0
    return 2 if east_asian_width(character) in "WF" else 1
