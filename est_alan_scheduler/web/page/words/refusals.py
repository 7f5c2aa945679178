"""Refusals in words: problems as the pages show them, with the labels of the form, in the languages of the page."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence

from est_alan_scheduler.web.api.problems import FieldProblem, Problem
from est_alan_scheduler.web.page.excerpts import excerpt
from est_alan_scheduler.web.page.words.language import TRANSLATIONS, Language
from est_alan_scheduler.web.page.words.phrases.problems import PROBLEMS
from est_alan_scheduler.web.page.words.phrases.refusals import DATES, FIELDS, INSTEAD, Refusal

LABELS: Mapping[str, str] = {
    "every": "Interval",
    "at": "Times of day",
    "on": "Dates",
    "cron": "Cron expression",
    "run_at": "Moment",
    "timezone": "Time zone",
    "start_at": "Not before",
    "end_at": "Not after",
    "jitter": "Jitter",
    "delay": "First delay",
    "max_delay": "Longest delay",
}
"""The labels in the form of the fields that a sentence may name."""
_CHOICES = {"once": "Once", "cron": "Cron"}  # kinds of schedules, as the form offers them
_PARTS = {  # the fields of a cron expression, and the values that they can have
    "second": ("second", "0-59"),
    "minute": ("minute", "0-59"),
    "hour": ("hour", "0-23"),
    "day-of-month": ("day", "1-31, L, LW"),
    "month": ("month", "1-12, jan-dec"),
    "day-of-week": ("weekday", "0-7, sun-sat, 5L, 1#2"),
}
_KOREAN_PARTS = {"second": "초", "minute": "분", "hour": "시", "day": "일", "month": "월", "weekday": "요일"}
_LONGEST = 60  # characters of a value that is wrong
_GENERAL = "*, a-b, /n"
_NO_TIMES = re.compile(
    r"task .+ and has no times of its own: (?P<names>\w+(?: and \w+)*) would mean nothing", re.DOTALL
)
_OF_FIELD = re.compile(r"(end_at|jitter|cron|at|on|timezone|depends_on|after)\b")
_PLACES = {"retry": "retry.max_delay"}  # where a problem of the whole is shown


def in_words(problem: Problem, language: Language) -> Problem:
    """Return a problem in words for people, each of its sentences wholly or as it is."""
    found = [FieldProblem(field=field, detail=_said(detail, language)) for field, detail in _errors(problem)]
    named = "; ".join(f"{one.field}: {one.detail}" if one.field else one.detail for one in found)
    detail = named or _said(problem.detail, language)
    return Problem(problem.status, detail, found, problem.headers)


def _errors(problem: Problem) -> list[tuple[str, str]]:
    """Return what is wrong with which field; a problem that names none may begin with it."""
    if problem.errors or problem.status != 422:
        return [(_place(one.field, one.detail), one.detail) for one in problem.errors]
    several = _NO_TIMES.match(problem.detail)
    if several is not None:
        return [(name, problem.detail) for name in several["names"].split(" and ")]
    own = _OF_FIELD.match(problem.detail)
    return [] if own is None else [(own[1], problem.detail)]


def _place(field: str, detail: str) -> str:
    return _PLACES.get(field, field) if detail.startswith("max_delay ") else field


def _said(text: str, language: Language) -> str:
    found = _first((*FIELDS, *PROBLEMS), text, language)
    return text if found is None else found


def _first(table: Sequence[Refusal], text: str, language: Language) -> str | None:
    """Return what is said about a text by the first row that knows the whole of it; None without any."""
    for row in table:
        match = re.fullmatch(row.pattern, text, re.DOTALL)
        if match is None:
            continue
        groups = match.groupdict("")
        parts = {name: _part(name, said, language) for name, said in groups.items()}
        if None in parts.values():
            continue
        template = row.korean if language == "ko" else row.english
        return template.format(**_extra(groups, language), **parts) if template else text
    return None


def _part(name: str, text: str, language: Language) -> str | None:
    """Return a group of a pattern in words; None if it is unknown."""
    known: dict[str, Callable[[], str | None]] = {
        "low": lambda: _number(text),
        "high": lambda: _number(text),
        "unit": lambda: _translated(text, language),
        "part": lambda: _part_of_cron(text, language),
        "dates": lambda: _first(DATES, text, language),
        "refusal": lambda: _first(FIELDS, text, language),
        "instead": lambda: _first(INSTEAD, text, language) if text else "",
        "options": lambda: _options(text, language),
        "meant": lambda: _meant(text, language),
        "value": lambda: "null" if text == "None" else excerpt(text, _LONGEST),
        "places": lambda: _listed(text, language),
        "choices": lambda: _listed(text, language),
    }
    return known[name]() if name in known else text


def _extra(groups: Mapping[str, str], language: Language) -> dict[str, str]:
    """Return what templates may name beside the groups of their pattern: labels, and what depends on the groups."""
    labels = {**{name: text for name, text in LABELS.items() if name != "cron"}, **_CHOICES}
    extra = {f"label_{name}": _translated(text, language) for name, text in labels.items()}
    if "part" in groups:
        extra["allowed_part"] = f"{_PARTS[groups['part']][1]}, {_GENERAL}"
    way = groups.get("way", "")
    korean = f" 그 달의 마지막 날이면 이렇게 적으십시오: {way}"
    extra["last_day"] = "" if not way else korean if language == "ko" else f" For the last day of a month, write {way}."
    return extra


def _translated(text: str, language: Language) -> str:
    return TRANSLATIONS[language].gettext(text)


def _number(text: str) -> str:
    number = float(text)
    return f"{number:,.0f}" if number.is_integer() else f"{number:g}"


def _part_of_cron(text: str, language: Language) -> str:
    name = _PARTS[text][0]
    return _KOREAN_PARTS[name] if language == "ko" else name


def _listed(text: str, language: Language) -> str:
    return text.replace(" or ", ", ") if language == "ko" else text


def _meant(text: str, language: Language) -> str:
    names = text.removeprefix(" (did you mean ").removesuffix("?)")
    if not names:
        return ""
    return f" 혹시 이것입니까? {_listed(names, language)}" if language == "ko" else f" Did you mean {names}?"


def _options(text: str, language: Language) -> str | None:
    """Return fields as a program writes them, `cron='0 9 * * *', jitter=59`, with their labels."""
    try:
        call = ast.parse(f"f({text})", mode="eval").body
    except (SyntaxError, ValueError):
        return None
    if not isinstance(call, ast.Call) or any(one.arg not in LABELS for one in call.keywords):
        return None
    shown = [(LABELS[one.arg or ""], _value(one.value, language)) for one in call.keywords]
    return "; ".join(f"{_translated(label, language)}: {value}" for label, value in shown)


def _value(node: ast.expr, language: Language) -> str:
    if not isinstance(node, ast.Constant | ast.Dict):
        return "지금" if language == "ko" else "now"  # `datetime.now()`
    value = ast.literal_eval(node)
    if isinstance(value, dict):
        space = "" if language == "ko" else " "
        return ", ".join(f"{amount}{space}{_translated(unit, language)}" for unit, amount in value.items())
    return str(value)
