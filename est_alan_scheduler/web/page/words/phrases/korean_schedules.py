"""The Korean of schedules in words: patterns of the English phrases, and what each becomes.

A group in a pattern is a phrase of the kind that its name says, without a number at its end; one of no kind is kept as
it is. `sentences` reads the tables.
"""

from collections.abc import Mapping, Sequence

_MOST = 1_000  # characters of a `repr` that is not cut
ID = rf"""(?:['"].{{{_MOST - 1}}}…|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
"""The `repr` of an id: cut, or in its quotes."""
LISTED_IDS = rf"{ID}(?:(?:, | and ){ID})*"
_MOMENT = r"[0-9-]{10} [0-9:.]+(?:[+-][0-9:.]+)?"
_ZONE = r"[A-Za-z+-][A-Za-z0-9_+:/-]*"
_IN_ZONE = rf"{_MOMENT}(?: {_ZONE})?"
_TIMES = r"[0-9:]+(?:(?:, | and )[0-9:]+)*"
_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DAYS = rf"{_DAY}(?:(?:,| and| to) {_DAY})*"
_NTH = r"(?:[0-9]+(?:st|nd|rd|th)(?:-last)?|last)"
_NTHS = rf"{_NTH}(?:(?:, | and ){_NTH})*"
_MONTH_DAY = r"(?:[0-9]+(?:st|nd|rd|th)(?:-last day)?|last day)"
_DATES = r"(?:on the .+|every [0-9]+ days from the .+)"
_WHEN = r"(?:on|in|every day|every [0-9]+ days)\b.*"

SCHEDULES: Mapping[str, Sequence[tuple[str, str]]] = {
    "schedule": [
        (
            rf"(?P<rule>.+?)(?P<start>, from {_IN_ZONE})?(?P<end>, until {_IN_ZONE})?"
            r"(?P<except>, except on [0-9, -]+(?: and [0-9]+ more)?)?(?P<jitter>, up to [0-9.e+-]+ s later)?"
            r"(?P<most>, at most (?:once|[0-9]+ times))?",
            "{rule}{start}{end}{except}{jitter}{most}",
        ),
    ],
    "start": [(rf", from (?P<moment>{_MOMENT})(?: (?P<zone>{_ZONE}))?", ", {moment}{zone}부터")],
    "end": [(rf", until (?P<moment>{_MOMENT})(?: (?P<zone>{_ZONE}))?", ", {moment}{zone}까지")],
    "except": [
        (r", except on (?P<listed>[0-9, -]+)", ", {listed} 제외"),
        (r", except on (?P<listed>[0-9, -]+) and (?P<n>[0-9]+) more", ", {listed} 외 {n}일 제외"),
    ],
    "jitter": [(r", up to (?P<number>[0-9.e+-]+) s later", ", 최대 {number}초 늦춤")],
    "most": [(", at most once", ", 최대 1회"), (r", at most (?P<n>[0-9]+) times", ", 최대 {n}회")],
    "zone": [(r"(?P<name>.+)", " ({name})")],
    "rule": [
        ("never", "실행되지 않음"),
        ("by run_now only", "수동 실행만"),
        (rf"after (?P<ids>{LISTED_IDS})", "{ids} 성공 후"),
        (rf"once at (?P<moment>{_MOMENT})(?: (?P<zone>{_ZONE}))?", "{moment}{zone}에 한 번"),
        (rf"at (?P<times>{_TIMES})(?: (?P<zone>{_ZONE}))?", "매일 {times}{zone}"),
        (rf"at (?P<times>{_TIMES})(?: (?P<zone>{_ZONE}))? (?P<days>{_WHEN})", "{days} {times}{zone}"),
        (r"(?P<rule>.+) \(for days that are both: cron=(?P<text>.+)\)", "{rule} (둘 다 맞는 날: cron={text})"),
        (rf"(?P<time>.+?) (?P<days>{_WHEN})", "{days} {time}"),
        (rf"(?P<time>.+?) (?P<days>{_WHEN}) (?P<zone>{_ZONE})", "{days} {time}{zone}"),
        (r"(?P<time>.+)", "{time}"),
        (rf"(?P<time>.+) (?P<zone>{_ZONE})", "{time}{zone}"),
    ],
    "quoted_id": [(rf"(?P<text>{ID})", "{text}")],
    # Times of the day
    "time": [
        (r"every (?P<span>.+?)", "{span}마다"),
        (r"every (?P<span>.+?) (?P<ranges>from [0-9]+:.+)", "{ranges} {span}마다"),
        (rf"at (?P<times>{_TIMES})", "{times}"),
        (r"(?:at )?(?P<field>.+)", "{field}"),
    ],
    "span": [
        (r"(?P<unit>[a-z]+)", "1{unit}"),
        (r"(?P<number>[0-9.]+) (?P<unit>[a-z]+)", "{number}{unit}"),
        (r"(?P<number>[0-9.]+) (?P<unit>[a-z]+) (?P<span>.+)", "{number}{unit} {span}"),
    ],
    "unit": [
        *(("weeks?", "주"), ("days?", "일"), ("hours?", "시간"), ("minutes?", "분"), ("seconds?", "초")),
        *(("milliseconds?", "밀리초"), ("microseconds?", "마이크로초")),
    ],
    "range": [(r"from (?P<start_time>[0-9:]+) to (?P<end_time>[0-9:]+)", "{start_time}–{end_time}")],
    "field": [
        (r"(?P<field_1>.+?) of (?P<field_2>.+)", "{field_2} {field_1}"),
        ("every second", "매초"),
        ("every minute", "매분"),
        ("every hour", "매시"),
        (
            r"every (?P<span>[0-9]+ (?P<mark>[a-z]+)) from [a-z]+ (?P<n>[0-9]+) to [a-z]+ (?P<m>[0-9]+)",
            "{n}{mark}부터 {m}{mark}까지 {span}마다",
        ),
        (r"(?P<mark>[a-z]+) (?P<numbers>[0-9].*)", "{numbers}{mark}"),
    ],
    "mark": [("hours?", "시"), ("minutes?", "분"), ("seconds?", "초")],
    "few": [(r"(?P<n>[0-9]+)", "{n}"), (r"(?P<n>[0-9]+) to (?P<m>[0-9]+)", "{n}–{m}")],
    # Days
    "days": [
        ("every day", "매일"),
        (r"every day in (?P<months>.+)", "{months} 매일"),
        (r"in (?P<months>.+)", "{months}"),
        (rf"(?P<dates>{_DATES}) of (?P<months>the month) or on (?P<weekly>.+)", "{months} {dates} 또는 {weekly}"),
        (
            rf"(?P<dates>{_DATES}) of the month or on (?P<weekly>.+), in (?P<months>.+)",
            "{months} {dates} 또는 {weekly}",
        ),
        (rf"(?P<dates>{_DATES}) of (?P<months>.+), but only on (?P<only>.+)", "{months} {dates} 중 {only}"),
        (
            rf"(?P<dates>{_DATES}) of the month, but only on (?P<only>.+), in (?P<months>.+)",
            "{months} {dates} 중 {only}",
        ),
        (rf"(?P<dates>{_DATES}) of (?P<months>.+)", "{months} {dates}"),
        (r"on the (?P<counted>.+) of (?P<months>.+)", "{months} {counted}"),
        (r"on (?P<weekly>.+)", "{weekly}"),
        (r"on (?P<nth_weekdays>the .+) in (?P<months>.+)", "{months} {nth_weekdays}"),
        (r"on (?P<weekly>.+) in (?P<months>.+)", "{months} {weekly}"),
        (r"(?P<days_1>.+?)(?:,| and) (?P<days_2>(?:on|every day in) .+)", "{days_1}, {days_2}"),
    ],
    "weekly": [
        (rf"(?P<week>{_DAY})", "매주 {week}"),
        (rf"(?P<week>{_DAYS})", "{week}"),
        (rf"(?P<week>{_DAYS})(?:, | and )(?P<nth_weekdays>the .+)", "{week}, 매월 {nth_weekdays}"),
        (r"(?P<nth_weekdays>the .+)", "매월 {nth_weekdays}"),
    ],
    "only": [(rf"(?P<week>{_DAYS})", "{week}"), (r"(?P<weekly>.+)", "{weekly}")],
    "nth_weekday": [(rf"the (?P<nth>{_NTH}) (?P<week>{_DAY}) of the month", "{nth} {week}")],
    "week": [(rf"(?P<weekday>{_DAY})", "{weekday}요일"), (rf"(?P<weekdays>{_DAYS})", "{weekdays}")],
    "weekday": [
        (rf"(?P<weekday_1>{_DAY}) to (?P<weekday_2>{_DAY})", "{weekday_1}–{weekday_2}"),
        *(("Monday", "월"), ("Tuesday", "화"), ("Wednesday", "수"), ("Thursday", "목"), ("Friday", "금")),
        *(("Saturday", "토"), ("Sunday", "일")),
    ],
    "dates": [
        (r"on the (?P<month_days>.+)", "{month_days}"),
        (
            r"every (?P<n>[0-9]+) days from the (?P<month_day_1>.+) to the (?P<month_day_2>.+)",
            "{month_day_1}부터 {month_day_2}까지 {n}일마다",
        ),
    ],
    "month_day": [
        (r"(?P<n>[0-9]+)(?:st|nd|rd|th)", "{n}일"),
        (r"(?P<n>[0-9]+)(?:st|nd|rd|th) to (?P<m>[0-9]+)(?:st|nd|rd|th)", "{n}–{m}일"),
        (r"(?:the )?last day", "마지막 날"),
        (r"(?:the )?last weekday \(Monday to Friday\)", "마지막 평일(월–금)"),
        (rf"(?P<nth>{_NTH}) day", "{nth} 날"),
        (
            rf"(?P<month_day_1>{_MONTH_DAY}) to (?:the )?(?P<month_day_2>{_MONTH_DAY})",
            "{month_day_1}부터 {month_day_2}까지",
        ),
    ],
    "counted_part": [
        (rf"(?:the )?(?P<nths>{_NTHS}) (?P<week>{_DAYS})", "{nths} {week}"),
        (rf"(?:the )?(?P<nths>{_NTHS}) day from (?P<week>{_DAYS})", "{week} 중 {nths} 날"),
    ],
    "nth": [
        *(("last", "마지막"), ("1st", "첫째"), ("2nd", "둘째"), ("3rd", "셋째"), ("4th", "넷째"), ("5th", "다섯째")),
        (r"(?P<n>[0-9]+)(?:st|nd|rd|th)", "{n}번째"),
        (r"(?P<nth>[0-9]+(?:st|nd|rd|th))-last", "끝에서 {nth}"),
    ],
    "month": [
        ("the month", "매월"),
        (r"(?P<month_1>[A-Z][a-z]+) to (?P<month_2>[A-Z][a-z]+)", "{month_1}–{month_2}"),
        *(("January", "1월"), ("February", "2월"), ("March", "3월"), ("April", "4월"), ("May", "5월"), ("June", "6월")),
        *(("July", "7월"), ("August", "8월"), ("September", "9월"), ("October", "10월"), ("November", "11월")),
        ("December", "12월"),
    ],
}
"""The phrases of a schedule, by their kind."""
