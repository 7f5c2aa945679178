"""The sentences of the library, in the languages of the page."""

import re
from collections.abc import Callable, Mapping
from itertools import islice

from est_alan_scheduler.web.page.words.language import Language
from est_alan_scheduler.web.page.words.phrases.korean_reasons import REASONS
from est_alan_scheduler.web.page.words.phrases.korean_schedules import SCHEDULES

_PHRASES = {**SCHEDULES, **REASONS}
_MOST_ENDS = 100  # of an error
_COMMA = ", | and "
_LISTS = {
    "ids": ("quoted_id", _COMMA),
    "ranges": ("range", _COMMA),
    "numbers": ("few", _COMMA),
    "nth_weekdays": ("nth_weekday", _COMMA),
    "weekdays": ("weekday", _COMMA),
    "month_days": ("month_day", _COMMA),
    "counted": ("counted_part", "(?:, | and )(?=the )"),
    "nths": ("nth", _COMMA),
    "months": ("month", _COMMA),
    "reasons": ("reason", ", and (?=waits for |its slot of )"),
}
"""Kinds of phrases that are several of another kind, and what stands between these."""
_PLAIN: Mapping[str, Callable[[str], str]] = {
    "times": lambda text: text.replace(" and ", ", "),
    "listed": lambda text: text.replace(" and ", ", "),
    "number": lambda text: f"{float(text):.6f}".rstrip("0").rstrip(".") if "e" in text else text,
    "moment": lambda text: "알 수 없는 때" if text == "None" else text,
}
"""What has no words of its own, and only other commas or figures."""


def in_words(text: str, language: Language) -> str:
    """Return a sentence of the library, a schedule in words or a reason, in a language; an unknown one as it is."""
    return text if language == "en" else _said("schedule", text) or _said("sentence", text) or text


def _said(kind: str, text: str) -> str | None:
    """Return the Korean of a phrase of a kind; None if it is not wholly known."""
    kind = kind.rstrip("_12")
    if kind in _LISTS:
        return _list(kind, text)
    if kind in _PHRASES:
        found = _phrase(kind, text, 0, "")
        return None if found is None else found[0]
    return _PLAIN[kind](text) if kind in _PLAIN else text


def _list(kind: str, text: str) -> str | None:
    """Return the Korean of a list of phrases; None if one is unknown."""
    item, separator = _LISTS[kind]
    words = _items(item, separator, text, 0)
    if words is None and text.startswith("retries "):  # the error in it may look like further reasons, and end anywhere
        for match in islice(re.finditer(f"{separator}|\\Z", text), _MOST_ENDS):
            first = _phrase(item, text[: match.start()], 0, "")
            others = None if first is None else _items(item, separator, text, match.end())
            if first is not None and others is not None:
                words = [first[0], *others]
                break
    return None if words is None else ("; " if kind == "reasons" else ", ").join(words)


def _items(item: str, separator: str, text: str, position: int) -> list[str] | None:
    """Return the Korean of the phrases from a position on; None if one is unknown."""
    words = list[str]()
    while position < len(text):
        found = _phrase(item, text, position, separator)
        if found is None:
            return None
        words.append(found[0])
        position = found[1]
    return words


def _phrase(kind: str, text: str, position: int, separator: str) -> tuple[str, int] | None:
    """Return the Korean of a phrase that begins at a position, and where the next one does; None if it is unknown."""
    end = rf"(?:{separator}|\Z)" if separator else r"\Z"
    for pattern, korean in _PHRASES[kind]:
        match = re.compile(f"(?:{pattern}){end}", re.DOTALL).match(text, position)
        if match is not None:
            parts = {name: said and _said(name, said) for name, said in match.groupdict("").items()}
            if None not in parts.values():
                return korean.format(**parts), match.end()
    return None
