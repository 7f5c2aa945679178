"""Cron expressions by brute force: each value is tried by the rules of crontab(5).

It shares nothing with the library.
"""

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import product
from random import Random

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
NAMES = {
    3: {name.lower(): number for number, name in enumerate(MONTHS, 1)},
    4: {name.lower(): number for number, name in enumerate(WEEKDAYS)},
}
LIMITS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]
SECOND = (0, 59)
_YEARS = 60


def matches(term: str, value: int, low: int, high: int) -> bool:
    """Return whether a term of numbers has a value."""
    found = re.fullmatch(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?", term)
    assert found is not None, term
    first = low if found[1] is None else int(found[1])
    is_open = found[1] is None or (found[2] is None and found[3] is not None)
    last = high if is_open else int(found[2] or found[1])
    return first <= value <= last and (value - first) % int(found[3] or 1) == 0


class Brute:
    """An expression: the seconds of the day and the dates that it has."""

    def __init__(self, expression: str) -> None:
        fields = expression.lower().split()
        seconds = fields.pop(0) if len(fields) == 6 else "0"
        for index, names in NAMES.items():
            for name, number in names.items():
                fields[index] = fields[index].replace(name, str(number))
        self.fields = fields
        second, minute, hour = (
            [
                value
                for value in range(low, high + 1)
                if any(matches(term, value, low, high) for term in text.split(","))
            ]
            for text, (low, high) in ((seconds, SECOND), (fields[0], LIMITS[0]), (fields[1], LIMITS[1]))
        )
        self.times = [at * 3600 + minutes * 60 + moment for at, minutes, moment in product(hour, minute, second)]

    def has(self, day: date) -> bool:
        """Return whether there are slots on a date."""
        days, months, weekdays = (text.split(",") for text in self.fields[2:])
        if not any(matches(term, day.month, 1, 12) for term in months):
            return False
        of_month = any(self._is_date(term, day) for term in days)
        of_week = any(self._is_weekday(term, day) for term in weekdays)
        is_both = self.fields[2][0] == "*" or self.fields[4][0] == "*"
        return (of_month and of_week) if is_both else (of_month or of_week)

    def slots(self, after: datetime) -> Iterator[datetime]:
        """Yield the slots after a moment, for some decades."""
        midnight = datetime.combine(after, datetime.min.time())
        for days in range(_YEARS * 366):
            day = midnight + timedelta(days=days)
            if self.has(day.date()):
                yield from (at for second in self.times if (at := day + timedelta(seconds=second)) > after)

    @staticmethod
    def _is_date(term: str, day: date) -> bool:
        last = date(day.year, day.month, monthrange(day.year, day.month)[1])
        if term == "l":
            return day == last
        if term == "lw":
            while last.isoweekday() > 5:
                last -= timedelta(days=1)
            return day == last
        return matches(term, day.day, 1, 31)

    @staticmethod
    def _is_weekday(term: str, day: date) -> bool:
        number = day.isoweekday()
        if term[-1] == "l":
            return int(term[0]) % 7 == number % 7 and (day + timedelta(days=7)).month != day.month
        if "#" in term:
            return int(term[0]) % 7 == number % 7 and (day.day - 1) // 7 + 1 == int(term[-1])
        return any(matches(term, value, 0, 7) for value in ({0, 7} if number == 7 else {number}))


def some_dates(random: Random, number: int) -> list[date]:
    """Return dates, those at the ends of months among them."""
    first = date(2023, 1, 1)
    dates = [first + timedelta(days=random.randrange(3000)) for _ in range(number)]
    return dates + [date(2028, month, 1) - timedelta(days=days) for month in (2, 3, 5, 9) for days in (0, 1, 2, 3, 4)]


def some_expression(random: Random) -> str:
    """Return an expression of any shape; its days may never come."""
    names = {index: list(values) for index, values in NAMES.items()}

    def term(index: int, low: int, high: int) -> str:
        first, last = sorted(random.choices(range(low, high + 1), k=2))
        step = random.choice([1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 90, random.randint(1, high + 1)])
        shapes = [
            "*",
            f"*/{step}",
            f"{first}",
            f"{first:02}",
            f"{first}-{last}",
            f"{first}-{last}/{step}",
            f"{first}/{step}",
        ]
        shapes += [f"{first}-{first}/{step}"]
        if index == 2:
            shapes += ["l", "lw", "L"]
        if index in names:
            shapes += [
                random.choice(names[index]),
                f"{names[index][1]}-{names[index][4].upper()}",
                f"{names[index][2]}/{step}",
            ]
        if index == 4:
            shapes += [
                f"{first}L",
                f"{first}#{random.randint(1, 5)}",
                f"{random.choice(names[4])}#{random.randint(1, 5)}",
            ]
        return random.choice(shapes)

    fields = []
    for index, (low, high) in enumerate(LIMITS):
        terms = random.choice([1, 1, 1, 1, 2, 3])
        text = ",".join(term(index, low, high) for _ in range(terms))
        fields.append("*" if random.random() < 0.35 else text)
    if random.random() < 0.2:
        fields.insert(0, random.choice(["0", "*", "*/10", "30", "15,45", "0-4", term(-1, *SECOND)]))
    return " ".join(fields)
