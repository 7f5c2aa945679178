"""What the texts of refusals become: of values in the form of the editor, of requests. `refusals` reads the table.

A group in a pattern is put into the text as it is; one whose name `refusals` knows is put into words first.
"""

from collections.abc import Sequence
from typing import NamedTuple

from est_alan_scheduler.web.page.words.phrases.korean_schedules import ID


class Refusal(NamedTuple):
    """What is said about a text of the library that is like a pattern."""

    pattern: str
    english: str
    """Empty: the text as it is."""
    korean: str


_VALUE = rf"(?P<value>{ID}|[^'\"].*?)"
_MOMENT = r"[0-9-]{10} [0-9:.]+(?:[+-][0-9:.]+)?"
_OF_CRON = rf"cron {ID} "

FIELDS: Sequence[Refusal] = (
    # Numbers
    Refusal(
        r"\w+ must be a number of seconds greater than 0, a timedelta, or None, got .+",
        "Enter a number of seconds greater than 0, at most 1,000,000,000.",
        "0보다 크고 1,000,000,000을 넘지 않는 초를 입력하십시오.",
    ),
    Refusal(
        r"\w+ must be a number \(.+?\) from (?P<low>[0-9.e+]+) to (?P<high>[0-9.e+]+)(?:, or a timedelta)?, got .+",
        "Enter a number from {low} to {high}.",
        "{low}에서 {high}까지의 수를 입력하십시오.",
    ),
    Refusal(
        r"\w+ must be a whole number of at least (?P<low>[0-9]+), got .+",
        "Enter a whole number of at least {low}.",
        "{low} 이상의 정수를 입력하십시오.",
    ),
    Refusal("Input should be a valid integer.*", "Enter a whole number.", "정수를 입력하십시오."),
    Refusal(
        "Input should be greater than or equal to (?P<low>[0-9]+)",
        "Enter a number of at least {low}.",
        "{low} 이상의 수를 입력하십시오.",
    ),
    Refusal(
        "Input should be less than or equal to (?P<high>[0-9]+)",
        "Enter a number of at most {high}.",
        "{high} 이하의 수를 입력하십시오.",
    ),
    Refusal(
        r"max_delay must be at least the delay of (?P<low>[0-9.e+-]+) s, got .+",
        "“{label_max_delay}” must not be shorter than “{label_delay}”.",
        "“{label_max_delay}”은 “{label_delay}”보다 짧을 수 없습니다.",
    ),
    Refusal(
        r"jitter must be less than the (?P<high>[0-9.e+-]+) s between slots, got .+",
        "Enter less than the {high} seconds between two slots.",
        "두 예정 시각의 사이인 {high}초보다 작아야 합니다.",
    ),
    # Intervals
    Refusal(
        r"'every' field needs a finite number of (?P<unit>\w+), got .+",
        "Enter a number of {unit}.",
        "“{unit}” 칸에 수를 입력하십시오.",
    ),
    Refusal(
        r"'every' field must come to at least a microsecond in total, got .+",
        "The interval must be longer than 0.",
        "간격은 0보다 길어야 합니다.",
    ),
    Refusal(
        r"'every' field is too long: .+; at most (?P<high>[0-9]+) days",
        "The interval may be at most {high} days long.",
        "간격은 최대 {high}일입니다.",
    ),
    Refusal(r"Invalid key .+ in 'every' field.*", "There is no such unit.", "없는 단위입니다."),
    # Moments and zones
    Refusal(
        r"(?:run_at|start_at|end_at) must be a datetime or an ISO 8601 text such as .+",
        "Enter a date and a time, both complete.",
        "날짜와 시각을 모두 입력하십시오.",
    ),
    Refusal(
        "Input should be a valid datetime.*",
        "Enter a date and a time that exist, and no offset or one such as +09:00.",
        "있는 날짜와 시각을 입력하고, 오프셋은 비우거나 +09:00처럼 적으십시오.",
    ),
    Refusal(
        rf"end_at must not lie before start_at, got {_MOMENT} and {_MOMENT}",
        "“{label_end_at}” must not lie before “{label_start_at}”.",
        "“{label_end_at}” 시점은 “{label_start_at}” 시점보다 앞설 수 없습니다.",
    ),
    Refusal(
        rf"timezone (?P<value>{ID}) is unknown(?P<meant> \(did you mean .+\?\))?",
        "There is no time zone {value}.{meant}",
        "{value}: 없는 시간대입니다.{meant}",
    ),
    Refusal(
        rf"timezone (?P<value>{ID}) is unknown: abbreviations name no zone.*?: write (?P<places>(?:{ID}(?:, | or )?)+)",
        "The abbreviation {value} names no time zone. Write {places}.",
        "약어 {value}은(는) 시간대 이름이 아닙니다. 다음과 같이 적으십시오: {places}",
    ),
    Refusal(
        rf"timezone (?P<value>{ID}) is unknown: abbreviations name no zone: write a place .+",
        "There is no time zone {value}. Write a place such as Asia/Seoul, or an offset such as +08:00.",
        "{value}: 없는 시간대입니다. Asia/Seoul 같은 지명이나 +08:00 같은 오프셋을 적으십시오.",
    ),
    Refusal(
        rf"timezone (?P<value>{ID}) is unknown: for a clock that is .+ UTC, write (?P<way>.+)",
        "There is no time zone {value}. Write {way}.",
        "{value}: 없는 시간대입니다. 다음과 같이 적으십시오: {way}",
    ),
    Refusal(
        "timezone must be a name such as .+",
        "Write a place such as Asia/Seoul, or an offset such as +08:00.",
        "Asia/Seoul 같은 지명이나 +08:00 같은 오프셋을 적으십시오.",
    ),
    Refusal(
        rf"timezone {ID} is unknown; there is no database of zones here: (?P<way>pip install .+)",
        "The server has no database of time zones: {way}",
        "서버에 시간대 데이터가 없습니다: {way}",
    ),
    # Lists
    Refusal(
        rf"exclude must hold dates such as .+?, got {_VALUE}(?:: weekdays are chosen by .+)?",
        "Enter dates such as 2026-12-25, not {value}.",
        "2026-12-25 같은 날짜를 적으십시오. 날짜가 아닌 것: {value}",
    ),
    Refusal("tags must be a list of texts such as .+", "Enter texts alone.", "텍스트만 적으십시오."),
    Refusal(
        "(?:after|depends_on) must be a list of .*task ids?.+",
        "Enter ids of tasks alone.",
        "작업의 ID만 적으십시오.",
    ),
    Refusal(
        rf"on must be names of exception classes.*?, got {_VALUE}",
        "Enter classes such as builtins:OSError, not {value}.",
        "builtins:OSError 같은 클래스를 적으십시오. 클래스가 아닌 것: {value}",
    ),
    Refusal(
        rf"(?:depends_on|after) of task .+ has (?P<value>{ID}), which no task of a backend can have for an id: .+",
        "No task can have the id {value}: it has a NUL or half a surrogate pair.",
        "작업의 ID로 쓸 수 없는 문자가 있습니다: {value}",
    ),
    Refusal("depends_on_mode must be .+", "Choose one of the two.", "둘 중 하나를 선택하십시오."),
    Refusal("the form has no such field", "", "이 양식에 없는 항목입니다."),
    # Times of day
    Refusal(
        rf"at field must be in HH:MM format.+?, got (?P<value>{ID}|\[.*\])(?: in it)?(?P<instead>: .+)?",
        "{value} is no time of day such as 09:00 or 14:30:15.{instead}",
        "{value}: 09:00이나 14:30:15 같은 시각이 아닙니다.{instead}",
    ),
    Refusal("at field is an empty list.+", "Enter a time of day such as 09:00.", "09:00 같은 시각을 입력하십시오."),
    # Dates
    Refusal(rf"on (?P<value>{ID}) names no dates: (?P<dates>.+)", "{dates}", "{dates}"),
    Refusal(
        r"on=.+ names the dates of at, which is not set: .+",
        "Dates need a time of day.",
        "날짜에는 시각이 필요합니다.",
    ),
    # Cron expressions
    Refusal(
        "cron needs cronsim: (?P<way>pip install .+)",
        "The server needs another package for cron expressions: {way}",
        "Cron 표현식을 쓰려면 서버에 패키지가 더 필요합니다: {way}",
    ),
    Refusal(
        rf"{_OF_CRON}is not five fields .+, but (?P<number>[0-9]+)",
        "Write five fields (minute, hour, day, month, weekday), or six with the seconds first; this has {number}.",
        "분, 시, 일, 월, 요일의 다섯 항목이나 맨 앞에 초를 더한 여섯 항목을 적으십시오. 지금은 {number}개입니다.",
    ),
    Refusal(
        rf"{_OF_CRON}has the (?P<part>[a-z-]+) (?P<value>{ID}); allowed: .+",
        "{value} is not valid for the {part}: {allowed_part}.",
        "{part} 항목에 {value}은(는) 쓸 수 없습니다. 쓸 수 있는 값: {allowed_part}.",
    ),
    Refusal(
        rf"{_OF_CRON}names days that never come: .+?; (?:for the last day of the month, write cron=(?P<way>{ID}); )?.+",
        "There are no such days.{last_day}",
        "그런 날은 없습니다.{last_day}",
    ),
    Refusal(
        rf"{_OF_CRON}is a calendar event of systemd; (?!besides, ).+",
        "This is a calendar event of systemd that no cron expression can say.",
        "systemd의 일정이며 Cron 표현식으로는 나타낼 수 없습니다.",
    ),
    Refusal(
        rf"{_OF_CRON}.+?; its years, .+, are more than start_at and end_at can say",
        "No cron expression can say these years.",
        "Cron 표현식으로는 이 연도들을 나타낼 수 없습니다.",
    ),
    Refusal(rf"{_OF_CRON}.+?; besides, (?P<refusal>cron .+)", "{refusal}", "{refusal}"),
    Refusal(
        rf"{_OF_CRON}.+: write (?P<options>[a-z_]+=.+)",
        "Not valid here. Write instead: {options}",
        "여기서는 쓸 수 없습니다. 대신 이렇게 쓰십시오: {options}",
    ),
    # Fields that contradict each other
    Refusal(
        r"task .+ runs (?:after .+|by run_now only) and has no times of its own: .+ would mean nothing, leave .+ out",
        "Set this back to its default: this kind of schedule has no slots that it could limit.",
        "기본값으로 되돌리십시오. 이 일정에는 이 항목으로 제한할 예정 시각이 없습니다.",
    ),
    Refusal(
        "Task .+? would depend on itself: (?P<cycle>.+)",
        "The task would wait for itself: {cycle}.",
        "작업이 자기 자신을 기다리게 됩니다: {cycle}",
    ),
)
"""Of values in the form. The first pattern that the whole text is like counts."""

DATES: Sequence[Refusal] = (
    Refusal("at alone is daily, leave on out", "Leave this empty for every day.", "매일이면 비워 두십시오."),
    Refusal(
        "for a single date, write run_at=.+",
        "For a single date, choose “{label_once}”.",
        "하루만이면 일정 종류에서 “{label_once}”을 선택하십시오.",
    ),
    Refusal(
        "a cron expression goes into cron",
        "For a cron expression, choose “{label_cron}”.",
        "Cron 표현식이면 일정 종류에서 “{label_cron}”을 선택하십시오.",
    ),
    Refusal(
        r"it is longer than (?P<high>[0-9]+) characters",
        "It may have at most {high} characters.",
        "최대 {high}자까지 적을 수 있습니다.",
    ),
    Refusal(
        rf"write (?P<one>{ID}) for .+?, (?P<other>{ID}) for .+",
        "Write {one} or {other}.",
        "다음 중 하나를 적으십시오: {one}, {other}",
    ),
    Refusal(rf".+; (?:if )?(?:write )?(?P<way>{ID})(?: is meant, .+)?", "Write {way}.", "이렇게 적으십시오: {way}"),
    Refusal(
        r"there is no such date in any year.*", "There is no such date in any year.", "어느 해에도 없는 날짜입니다."
    ),
    Refusal(
        rf"a month has at most five of each weekday, and (?P<value>{ID}) is beyond them",
        "A month has at most five of each weekday, so there is no {value} one.",
        "한 달에 같은 요일은 최대 다섯 번이므로 {value}은(는) 없습니다.",
    ),
    Refusal(
        r"(?P<value>[0-9-]+) is no day of the month: .+",
        "{value} is no day of the month: write 1 to 31, or -1 to -31 from the end.",
        "{value}: 없는 날입니다. 1에서 31까지, 끝에서부터는 -1에서 -31까지 적으십시오.",
    ),
    Refusal(
        rf"(?P<value>{ID}) is no weekday, day of the month or month(?P<meant> \(did you mean .+?\?\))?(?:; .+)?",
        "{value} is no weekday, day of the month or month.{meant}",
        "{value}: 요일도 날짜도 월도 아닙니다.{meant}",
    ),
    Refusal(
        "a word is missing beside a comma(?:; .+)?",
        "A word is missing beside a comma.",
        "쉼표 옆에 빠진 것이 있습니다.",
    ),
    Refusal(
        "it is empty(?:; .+)?", "Write dates, or leave it without spaces.", "날짜를 적거나 빈칸 없이 비워 두십시오."
    ),
    Refusal(
        rf"(?P<value>{ID}) has no weekday after it(?:; .+)?",
        "A weekday is missing after {value}.",
        "{value} 다음에 요일이 없습니다.",
    ),
    Refusal(
        rf"(?P<value>{ID}) and (?P<other>{ID}) are .+",
        "Write weekdays, then days of the month, then months, with commas between those of one sort.",
        "요일, 날짜, 월의 순서로 적고, 같은 종류 사이에는 쉼표를 넣으십시오.",
    ),
    Refusal(
        "its rules have several forms.+",
        "Write dates of one form, or make a task for each form.",
        "한 가지 형식의 날짜만 적거나, 형식마다 작업을 따로 만드십시오.",
    ),
    Refusal(
        rf"(?P<value>{ID}) counts days, and a weekend has two: write (?P<one>{ID}) or (?P<other>{ID})",
        "A weekend has two days: write {one} or {other}.",
        "주말은 이틀이므로 다음 중 하나를 적으십시오: {one}, {other}",
    ),
    Refusal(
        rf"(?P<value>{ID}) counts the weekdays of a whole month, .+: write (?P<way>{ID}) without it .+",
        "{value} counts the weekdays of a whole month, not among some of its days. Without it: {way}.",
        "{value}은(는) 한 달 전체의 요일을 셉니다. 빼고 적으면: {way}",
    ),
    Refusal(
        rf"write (?P<one>{ID}) for the last one of the month, (?P<other>{ID}) for .+",
        "Write {one} for the last one of the month, {other} for one that is the last day.",
        "그 달의 마지막 요일이면 {one}, 마지막 날이 그 요일일 때면 {other}을(를) 적으십시오.",
    ),
)
"""Of a text that names no dates."""

INSTEAD: Sequence[Refusal] = (
    Refusal(": write (?P<options>[a-z_]+=.+)", " Write instead: {options}", " 대신 이렇게 쓰십시오: {options}"),
    Refusal(": write a time, and (?P<options>on=.+) beside it", " Write {options}", " 이렇게 쓰십시오: {options}"),
    Refusal(rf": write (?P<way>{ID}|\[.+\])", " Write {way}.", " 이렇게 적으십시오: {way}"),
    Refusal(
        ": for one moment, write run_at=.+",
        " For a single moment, choose “{label_once}”.",
        " 한 시점이면 일정 종류에서 “{label_once}”을 선택하십시오.",
    ),
    Refusal(
        ": a cron expression goes into cron",
        " For a cron expression, choose “{label_cron}”.",
        " Cron 표현식이면 일정 종류에서 “{label_cron}”을 선택하십시오.",
    ),
)
"""Of what to write instead of a time of day."""
