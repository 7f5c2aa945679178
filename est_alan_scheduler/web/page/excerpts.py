"""Excerpts: texts of any length, cut to fit where they are shown."""

import re

from markupsafe import Markup, escape

from est_alan_scheduler._support.text import one_line

_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b", re.ASCII)


def excerpt(text: str, most: int) -> str:
    """Return a text of at most `most` characters, with an ellipsis if it was longer."""
    return _visible(text) if len(text) <= most else _visible(text[: most - 1]) + "…"


def line(text: str, most: int) -> str:
    """Return a text as one line of at most `most` characters, in which nothing reorders what stands beside it."""
    return excerpt(one_line(" ".join(text[: most * 4].split())) or text[:most], most)


def wrapped(text: str) -> Markup:
    """Return a schedule in words for a narrow column: a line may end after the slash of a zone, but not in a date."""
    dated = _DATE.sub(lambda found: found[0].replace("-", "\N{NON-BREAKING HYPHEN}"), text)
    return Markup("/<wbr>").join(escape(part) for part in dated.split("/"))


def _visible(text: str) -> str:
    """Return a text, or what Python writes for it if nothing of it can be seen: a link needs something to click on."""
    return text if any(one.isprintable() and not one.isspace() for one in text) or not text else repr(text)
