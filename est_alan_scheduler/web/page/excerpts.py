"""Excerpts: texts of any length, cut to fit where they are shown."""

from est_alan_scheduler._support.text import one_line


def excerpt(text: str, most: int) -> str:
    """Return a text of at most `most` characters, with an ellipsis if it was longer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def line(text: str, most: int) -> str:
    """Return a text as one line of at most `most` characters, in which nothing reorders what stands beside it."""
    return excerpt(one_line(" ".join(text[: most * 4].split())), most)
