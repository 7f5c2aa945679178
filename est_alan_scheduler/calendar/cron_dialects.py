"""The expressions of other schedulers, recognised: AWS, Quartz, Spring, Jenkins, Go's cron, systemd, time zones."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta

from est_alan_scheduler._support.text import short_repr
from est_alan_scheduler.calendar.cron_advice import Advice, mend
from est_alan_scheduler.calendar.cron_field import FIELDS

_MAX_LENGTH = 200  # of an expression that is looked at

_UNITS = {
    "microseconds": ("us", "µs", "usec", "microsecond"),
    "milliseconds": ("ms", "msec", "millisecond"),
    "seconds": ("s", "sec", "second"),
    "minutes": ("m", "min", "minute"),
    "hours": ("h", "hr", "hour"),
    "days": ("d", "day"),
    "weeks": ("w", "week"),
}
_UNIT_OF = {word: unit for unit, words in _UNITS.items() for word in (unit, *words)}

# The words of systemd.time(7).
_CALENDAR_WORDS = {
    "minutely": "* * * * *",
    "hourly": "0 * * * *",
    "daily": "0 0 * * *",
    "weekly": "0 0 * * mon",
    "monthly": "0 0 1 * *",
    "quarterly": "0 0 1 1,4,7,10 *",
    "semiannually": "0 0 1 1,7 *",
    "yearly": "0 0 1 1 *",
    "annually": "0 0 1 1 *",
}
_CALENDAR_EVENT = re.compile(
    r"(?:OnCalendar\s*=\s*)?"
    r"(?:(?P<weekdays>[A-Za-z]{3}[A-Za-z,.-]*)(?:\s+|$))?"
    r"(?:(?:(?P<year>[0-9*.,/]+)-)?(?P<month>[0-9*.,/]+)(?P<mark>[-~])(?P<day>[0-9*.,/]+)(?:[\sT]+|$))?"
    r"(?:(?P<hour>[0-9*.,/]+):(?P<minute>[0-9*.,/]+)(?::(?P<second>[0-9*.,/]+))?)?"
    r"(?:\s*(?P<zone>[A-Z][\w+/-]*))?"
)
_WEEKS = {"1-7": 1, "8-14": 2, "15-21": 3, "22-28": 4}


class _Now:
    def __repr__(self) -> str:
        return "datetime.now()"


def advise(expression: str) -> Advice | None:
    """Return what to write instead of an expression that cron refuses; None if it is not recognised."""
    text = expression.strip()
    if len(text) <= _MAX_LENGTH:
        for way in (_zoned, interval_meant, _once, _calendar_event, _year_or_question_mark, _crontab_line):
            advice = way(text)
            if advice is not None:
                return advice
    return None


def _zoned(text: str) -> Advice | None:
    match = re.fullmatch(r"(?:CRON_)?TZ=([^\s;]+)[\s;]+(.+)", text, re.DOTALL)
    if match is None:
        return None
    zone, rest = match[1].strip("\"'"), match[2]
    inner = advise(rest) or Advice("", {"cron": rest})
    reason = f"names a time zone{inner.reason and ' and '}{inner.reason}"
    return Advice(reason, {**inner.options, "timezone": zone})


def interval_meant(text: str) -> Advice | None:
    """Recognise `@every 1h30m` of Go, and `rate(5 minutes)` of AWS."""
    match = re.fullmatch(r"(?:@?every\s+|rate\()?((?:[0-9]+(?:\.[0-9]+)?\s*[a-zµ]+\s*)+)\)?", text.lower())
    if match is None:
        return None
    every: dict[str, int | float] = {}
    for amount, word in re.findall(r"([0-9.]+)\s*([a-zµ]+)", match[1]):
        unit = _UNIT_OF.get(word)
        if unit is None:
            return None
        every[unit] = every.get(unit, 0) + (float(amount) if "." in amount else int(amount))
    with suppress(OverflowError):
        return Advice("is an interval", {"every": every}) if timedelta(**every) else None
    return None


def _once(text: str) -> Advice | None:
    """Recognise `@reboot`, and `at(2026-11-20T13:00:00)` of AWS."""
    if text.lower() in ("@reboot", "@once"):
        return Advice("means once, when the program starts", {"run_at": _Now()})
    match = re.fullmatch(r"at\((.+)\)", text)
    if match is not None:
        with suppress(ValueError):
            return Advice("is a moment", {"run_at": datetime.fromisoformat(match[1]).isoformat()})
    return None


def _calendar_event(text: str) -> Advice | None:
    """Recognise `Mon..Fri *-*-* 02:00:00 Asia/Seoul` of systemd, any part of which may be missing."""
    reason, match = "is a calendar event of systemd", _CALENDAR_EVENT.fullmatch(text)
    if text.lower() in _CALENDAR_WORDS:
        return Advice(reason, {"cron": _CALENDAR_WORDS[text.lower()]})
    if match is None or (match["hour"] is None and match["month"] is None):
        return None
    zone: dict[str, object] = {} if match["zone"] is None else {"timezone": match["zone"]}
    year, month, day = (_as_cron(match[name] or "*") for name in ("year", "month", "day"))
    hour, minute, second = (_as_cron(match[name] or "0") for name in ("hour", "minute", "second"))
    weekdays = re.sub("([a-z]{3})[a-z]+", r"\1", _as_cron((match["weekdays"] or "*").lower()))
    if match["mark"] == "~":
        if day != "1":
            return Advice(f"{reason}; of days counted from the end of a month, cron has only the last day, L", {})
        day = "L"
    if all(part.isdigit() for part in (year, month, day)):
        with suppress(ValueError):
            moment = datetime.fromisoformat(f"{year}-{month:0>2}-{day:0>2}T{hour:0>2}:{minute:0>2}:{second:0>2}")
            return Advice(reason, {"run_at": moment.isoformat(), **zone})
    if weekdays.isalpha() and day in _WEEKS:
        weekdays, day = f"{weekdays}#{_WEEKS[day]}", "*"
    if weekdays != "*" and day != "*":
        return Advice(f"{reason}; for days that fit both a date and a weekday, let the function check one of them", {})
    if (year, month, day, weekdays, second) == ("*", "*", "*", "*", "0") and hour.isdigit() and minute.isdigit():
        return Advice(reason, {"at": f"{int(hour):02}:{int(minute):02}", **zone})
    return _within_years(year, reason, [second, minute, hour, day, month, weekdays], zone)


def _as_cron(part: str) -> str:
    return re.sub(r"\b0+(?=[0-9])", "", part.replace("..", "-"))


def _year_or_question_mark(text: str) -> Advice | None:
    """Recognise the fields of AWS (the year last) and of Quartz (the seconds first, perhaps the year last)."""
    wrapped = re.fullmatch(r"cron\((.+)\)", text, re.DOTALL)
    fields = (text if wrapped is None else wrapped[1]).replace("\\*", "*").split()
    year = "*"
    if len(fields) == 7 and re.fullmatch("[-0-9*?,/]+", fields[6]):
        *fields, year = fields
        reason = "has the form of Quartz (seconds first, year last"
    elif len(fields) == 6 and (wrapped or "?" in (fields[2], fields[4]) or re.match("[12][0-9]{3}", fields[5])):
        *fields, year = fields
        reason = "has the form of AWS (minute first, year last, UTC unless told otherwise"
    elif len(fields) == 6 and "?" in fields:
        reason = "has the form of Quartz (seconds first, ? for any day"
    else:
        return mend(fields, [], {}) if len(fields) in (5, 6) else None
    known = FIELDS[-len(fields) :]
    fields = ["*" if text in ("?", f"{field.low}/1") else text for field, text in zip(known, fields, strict=True)]
    weekdays = fields[-1]
    if "0" not in weekdays:  # which Spring has for Sunday
        reason += ", 1 for Sunday" if re.search("(?<![#/])[1-7]", weekdays) else ""
        fields[-1] = ",".join(map(_counted_from_zero, weekdays.split(",")))
    return _within_years(year, f"{reason})", fields, {})


def _crontab_line(text: str) -> Advice | None:
    """Recognise a line of a crontab: five fields and a command, perhaps with a user before it."""
    fields = text.split()
    times, command = fields[:5], " ".join(fields[5:])
    is_command = re.search("[A-Za-z]{3}", command) and re.search("[ /]", command)
    if not is_command or not all(field.reads(time.upper()) for field, time in zip(FIELDS[1:], times, strict=True)):
        return None
    reason = f"has the command {short_repr(command)} behind the fields, which is func here"
    return Advice(reason, {"cron": " ".join(times)})


def _counted_from_zero(term: str) -> str:
    """Return a term of weekdays in which 1 is Sunday as one in which 0 is."""
    match = re.fullmatch(r"(\w{3}|[1-7])(-\w{3}|-[1-7])?(/[0-9]+)?([L#].*)?", term)
    if match is None:
        return term
    start, end, step, special = (part or "" for part in match.groups())
    if step and not end:
        end = "-7"  # there, Saturday is the end
    first, last = (str(int(day) - 1) if day.isdigit() else day for day in (start, end[1:]))
    return f"{first}{end[:1]}{last}{step}{special}"


def _within_years(year: str, reason: str, fields: list[str], options: dict[str, object]) -> Advice | None:
    """Return advice on fields with a year beside them."""
    match = re.fullmatch("([12][0-9]{3})(?:-([12][0-9]{3}))?", year)
    if match is not None and match[1] <= (match[2] or match[1]):
        options = {**options, "start_at": f"{match[1]}-01-01", "end_at": f"{match[2] or match[1]}-12-31T23:59:59"}
    elif year not in ("*", "?"):
        return Advice(f"{reason}; its years, {year}, are more than start_at and end_at can say", {})
    return mend(fields, [reason], options)
