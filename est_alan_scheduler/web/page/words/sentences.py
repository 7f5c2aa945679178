"""The sentences of the library, in the languages of the page."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from est_alan_scheduler.web.page.moments import exact_text
from est_alan_scheduler.web.page.words.language import Language
from est_alan_scheduler.web.page.words.phrases.english import ENGLISH_REASONS, ENGLISH_SCHEDULES
from est_alan_scheduler.web.page.words.phrases.korean_reasons import REASONS
from est_alan_scheduler.web.page.words.phrases.korean_schedules import SCHEDULES

_MOST_ENDS = 100  # of an error
_COMMA = ", | and "
_REASONS = ", and (?=waits for |its slot of )"
_STEPS = [(60, 1), (90 * 60, 60), (36 * 3600, 3600), (45 * 86_400, 86_400), (47_335_428, 2_629_746)]
"""Up to how many seconds each unit is used, and its seconds: those of `times.js`, which shows the same moments."""
_YEAR = 31_556_952


class _Words(NamedTuple):
    """What phrases become in a language."""

    phrases: Mapping[str, Sequence[tuple[str, str | None]]]
    """Patterns of the phrases of each kind, and what each becomes; None: it stays as it is, but for its parts."""
    lists: Mapping[str, tuple[str, str, str]]
    """Kinds of phrases that are several of another kind, and what stands between these, in the text and in words."""
    plain: Mapping[str, Callable[[str], str]]
    """What has no words of its own, and only other commas or figures."""


def in_words(text: str, language: Language) -> str:
    """Return a sentence of the library, a schedule in words or a reason, in a language; an unknown one as it is."""
    schedule, reason = _LANGUAGES[language]
    try:
        return _said(schedule, "schedule", text) or _said(reason, "sentence", text) or text
    except RecursionError:  # an id of many thousand characters that looks like hundreds of reasons
        return text


def _said(words: _Words, kind: str, text: str) -> str | None:
    """Return what a phrase of a kind becomes; None if it is not wholly known."""
    kind = kind.rstrip("_12")
    if kind in words.lists:
        return _list(words, kind, text)
    if kind in words.phrases:
        found = _phrase(words, kind, text, 0, "")
        return None if found is None else found[0]
    return words.plain[kind](text) if kind in words.plain else text


def _list(words: _Words, kind: str, text: str) -> str | None:
    """Return what a list of phrases becomes; None if one is unknown."""
    item, separator, between = words.lists[kind]
    said = _items(words, item, separator, text, 0)
    if said is None and text.startswith("retries "):  # the error in it may look like further reasons, and end anywhere
        for match in islice(re.finditer(f"{separator}|\\Z", text), _MOST_ENDS):
            first = _phrase(words, item, text[: match.start()], 0, "")
            others = None if first is None else _items(words, item, separator, text, match.end())
            if first is not None and others is not None:
                said = [first[0], *others]
                break
    return None if said is None else between.join(said)


def _items(words: _Words, item: str, separator: str, text: str, position: int) -> list[str] | None:
    """Return what the phrases from a position on become; None if one is unknown."""
    said = list[str]()
    while position < len(text):
        found = _phrase(words, item, text, position, separator)
        if found is None:
            return None
        said.append(found[0])
        position = found[1]
    return said


def _phrase(words: _Words, kind: str, text: str, position: int, separator: str) -> tuple[str, int] | None:
    """Return what a phrase that begins at a position becomes, and where the next one does; None if it is unknown."""
    end = rf"(?:{separator}|\Z)" if separator else r"\Z"
    for pattern, template in words.phrases[kind]:
        match = re.compile(f"(?P<whole>{pattern}){end}", re.DOTALL).match(text, position)
        if match is not None:
            parts = {name: said and _said(words, name, said) for name, said in match.groupdict("").items()}
            known = {name: said for name, said in parts.items() if said is not None}
            if len(known) == len(parts):
                return template.format(**known) if template else _with_parts(match, known), match.end()
    return None


def _with_parts(match: re.Match[str], parts: Mapping[str, str]) -> str:
    """Return the whole phrase with other parts; a part within another one is in that already."""
    said, position = list[str](), match.start()
    for name in sorted(parts, key=lambda name: (match.start(name), -match.end(name))):
        if name != "whole" and match.start(name) >= position:
            said += match.string[position : match.start(name)], parts[name]
            position = match.end(name)
    return "".join(said) + match.string[position : match.end("whole")]


# Figures.


def _number(text: str) -> str:
    return f"{float(text):.6f}".rstrip("0").rstrip(".") if "e" in text else text


def _lasting(text: str, units: Sequence[str], several: str) -> str:
    """Return a time in seconds in the unit that suits it. `several`: what a unit has at its end, unless it is one."""
    amount = text.removesuffix(" s")
    seconds = float(amount)
    for unit, (most, size) in zip(units[:-1], _STEPS, strict=True):
        if round(seconds / size) * size < most:
            number = _number(amount) if size == 1 else f"{round(seconds / size)}"
            return f"{number}{unit}{'' if number == '1' else several}"
    return f"{round(seconds / _YEAR):,}{units[-1]}{several}"


def _moment(text: str, unknown: str) -> str:
    """Return a moment with its offset, to the second."""
    if text == "None":
        return unknown
    try:
        return exact_text(datetime.fromisoformat(text))
    except (ValueError, OverflowError):  # it is none, or at the end of the calendar
        return text


_ENGLISH = _Words(
    ENGLISH_REASONS,
    {"reasons": ("reason", _REASONS, ", and ")},
    {
        "lasting": lambda text: _lasting(text, (" second", " minute", " hour", " day", " month", " year"), "s"),
        **dict.fromkeys(("moment", "slot"), lambda text: _moment(text, "an unknown time")),
    },
)
_KOREAN = _Words(
    {**SCHEDULES, **REASONS},
    {
        "ids": ("quoted_id", _COMMA, ", "),
        "ranges": ("range", _COMMA, ", "),
        "numbers": ("few", _COMMA, ", "),
        "nth_weekdays": ("nth_weekday", _COMMA, ", "),
        "weekdays": ("weekday", _COMMA, ", "),
        "month_days": ("month_day", _COMMA, ", "),
        "counted": ("counted_part", "(?:, | and )(?=the )", ", "),
        "nths": ("nth", _COMMA, ", "),
        "months": ("month", _COMMA, ", "),
        "reasons": ("reason", _REASONS, "; "),
    },
    {
        "times": lambda text: text.replace(" and ", ", "),
        "listed": lambda text: text.replace(" and ", ", "),
        "number": _number,
        "lasting": lambda text: _lasting(text, ("초", "분", "시간", "일", "개월", "년"), ""),
    },
)
_LANGUAGES: Mapping[Language, tuple[_Words, _Words]] = {
    "en": (_Words(ENGLISH_SCHEDULES, {}, {}), _ENGLISH),
    "ko": (_KOREAN, _KOREAN._replace(plain={**_KOREAN.plain, "moment": lambda text: _moment(text, "알 수 없는 때")})),
}
"""The words of schedules and of reasons. Moments of a schedule are wall times: they have no offset."""
