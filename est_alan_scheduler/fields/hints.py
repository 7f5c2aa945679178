"""Words of other schedulers, `schedule`, APScheduler, Celery beat and cron, and what says the same here."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta

from est_alan_scheduler.calendar.cron_dialects import interval_meant

_MAX_LENGTH = 100  # of a text that is looked at
_UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")
_WORDS_OF: dict[str, dict[str, str]] = {
    "Task": {
        "next_run_time start_date start_time begin first_run next_run_at not_before": (
            "start_at is the moment before which it has no slot"
        ),
        "until end_date end_time stop_at not_after": "end_at is the moment after which it has no slot",
        "run_date run_time eta when moment once": "run_at is the moment of a task that runs once",
        "countdown delay": "for a task that runs once, after a delay, write run_at=datetime.now() + timedelta(…)",
        "trigger triggers": (
            "the schedule is a field of its own: every={'minutes': 5}, at='09:00', run_at='2026-12-24T09:00' or "
            "cron='0 9 * * *'"
        ),
        "schedule interval run_every period frequency repeat_every": (
            "an interval is every={'minutes': 5}, a time of day at='09:00', a cron expression cron='0 9 * * *'"
        ),
        "crontab cron_expression cronexpr expression": "a cron expression is cron='0 9 * * *'",
        "minute hour": "write at='09:30' for a time of day, cron='*/15 9-17 * * *' for more",
        "second": "write at='09:30:15' for a time of day",
        "time times at_time run_times": "at is a time of day or a list of them: at=['09:00', '17:00']",
        "day_of_week days_of_week weekday weekdays dow": "on names weekdays, with at: at='09:00', on='mon-fri'",
        "day day_of_month days_of_month dom": "on names days of the month, with at: at='09:00', on='1,15,last'",
        "month month_of_year months": "on names months, with at: at='09:00', on='1 jan,jul'",
        "year years": "on names dates of each year, with at: at='09:00', on='1 jan'",
        "dates date": "on names dates that come again, with at: at='09:00', on='1 jan'; a single one is run_at",
        "holidays skip_dates except_dates excluded_dates blackout_dates": "exclude is a list of dates without slots",
        "tz time_zone zoneinfo zone": "timezone is a name such as 'Asia/Seoul', or an offset such as '+09:00'",
        "max_instances max_running_jobs concurrency singleton overlap allow_overlap": (
            "a task is never started while it runs, always: leave it out"
        ),
        "coalesce catchup catch_up backfill": (
            "one run makes up for all missed slots, always: leave it out; misfire_grace skips slots that are too late"
        ),
        "misfire_grace_time misfire_policy grace expires expire_seconds grace_time": (
            "misfire_grace is the number of seconds after which a slot is skipped"
        ),
        "max_jitter random_delay randomized_delay": "jitter is the number of seconds of delay at most",
        "replace_existing conflict_policy replace exist_ok": (
            "a task of the same id is replaced by registry.register(task, replace=True)"
        ),
        "jobstore job_store jobstores store": "tasks live where TaskRegistry(backend='sqlite:///tasks.db') says",
        "executor job_executor queue pool": "what runs the tasks of a registry is TaskRegistry(executor=…)",
        "job_id task_id schedule_id key uid uuid": "id is its name in the registry",
        "task target function fn callback job_func job callable action command script": (
            "func is the function that runs, itself and not its name"
        ),
        "func_args job_args arguments params parameters": "args are the positional arguments, kwargs those by name",
        "func_kwargs job_kwargs keyword_arguments": "kwargs are the arguments by name",
        "options opts": "timeout, retry, misfire_grace and the other options are fields of the task itself",
        "retries max_retries retry_count max_attempts max_tries attempts": (
            "retry is the number of retries, or a Retry: retry=3, retry=Retry(max_retries=3, delay=10)"
        ),
        "retry_delay default_retry_delay retry_backoff retry_interval autoretry_for retry_on retry_policy": (
            "retry is a Retry: retry=Retry(max_retries=3, delay=10, on=OSError)"
        ),
        "time_limit soft_time_limit max_runtime timeout_seconds max_duration deadline": (
            "timeout is the number of seconds that a run may take"
        ),
        "enabled active disabled is_enabled is_active": "paused=True is a task without due slots",
        "one_off run_once only_once repeat repeats max_executions max_run_count times_to_run": (
            "max_runs is the number of runs after which it is done; a task that runs once, at a moment, has run_at"
        ),
        "run_on_start run_on_startup immediate start_immediately run_now start_now": (
            "an interval starts with its first tick, unless run_immediately=False"
        ),
        "depends dependencies dependency upstream requires needs parents": (
            "depends_on is a list of ids of tasks that must have succeeded"
        ),
        "on_success on_failure on_error success_callback error_callback callbacks link link_error": (
            "registry.on('succeeded', callback) and registry.on('failed', callback) are told of every task"
        ),
        "tag label labels group groups category": "tags is a list of words by which tasks are selected",
        "title label_text display_name": "name is what people read, id is what the registry reads",
        "doc docs help comment note notes": "description is a text for people",
        "priority order": "tasks that are due run in the order in which they were registered: there is no priority",
        "last_run last_run_time": "last_run_at is when the last run started",
        "next_run": "next_run(task) says when it runs next; start_at is the moment before which it has no slot",
        "max_history keep_history history_size": "history_limit is the number of runs that history keeps",
    },
    "Retry": {
        "retries attempts max_attempts tries max_tries stop times count total": (
            "max_retries is how often it is tried again: one less than the number of attempts"
        ),
        "retry_delay default_retry_delay wait interval countdown initial_delay initial_interval min_wait min_delay": (
            "delay is the number of seconds until the first retry"
        ),
        "factor multiplier backoff_factor exponential_base exp_base backoff_multiplier base": (
            "backoff is the factor by which the delay grows with each retry"
        ),
        "max_wait max_interval retry_backoff_max maximum cap max_backoff backoff_max": (
            "max_delay is the number of seconds up to which the delay grows"
        ),
        "exceptions exception errors retry_on autoretry_for retry_if expected only_for": (
            "on is the class of the errors that are tried again, or several: on=(OSError, TimeoutError)"
        ),
        "retry_jitter random randomize": "jitter is a fraction of the delay",
    },
    "TaskRegistry()": {
        "timezone tz": "defaults={'timezone': 'Asia/Seoul'}",
        "start_at end_at exclude jitter misfire_grace run_immediately depends_on_mode timeout retry history_limit": (
            "it into defaults={'misfire_grace': 300}"
        ),
        "tags max_runs remove_when_done job_defaults task_defaults": "it into defaults={'misfire_grace': 300}",
        "max_workers workers threads executors pool": "executor=ThreadPoolExecutor(4)",
        "jobstores jobstore store url db database": "backend='sqlite:///tasks.db'",
    },
    "select": {"tags": "tag='daily'"},
    "shutdown": {"wait": "timeout=0 not to wait, nothing to wait"},
}
_HINTS = {
    name: {word: hint for words, hint in groups.items() for word in words.split()} for name, groups in _WORDS_OF.items()
}


def peer_word(model: str, name: object, values: object = None) -> str | None:
    """Return what to write instead of a word of another scheduler; None if it is none.

    `values` has the fields that are given, if they are known.
    """
    if model == "Task" and name in _UNITS:
        given = dict(values) if isinstance(values, Mapping) else {}
        every = {unit: given[unit] for unit in _UNITS if isinstance(given.get(unit), int | float)} or {name: 5}
        return f"an interval is every={every!r}"
    return _HINTS.get(model, {}).get(name) if isinstance(name, str) else None


def length_hint(unit: object) -> str:
    """Return what to write instead of an interval of a unit that differs in length, or of weekdays."""
    word = unit.lower().removesuffix("s") if isinstance(unit, str) else ""
    if word not in _DATES:
        return ""
    why = "" if word in (*_WEEKDAYS, "weekday") else f", because {word}s differ in length"
    return f"{why}: write at='09:00', on={_DATES[word]!r} instead of every"


def unit_meant(unit: object) -> object:
    """Return the unit of an interval that a word such as `h` or `min` stands for; any other word as it is."""
    advice = interval_meant(f"1 {unit}") if isinstance(unit, str) and len(unit) <= _MAX_LENGTH else None
    every = None if advice is None else advice.options["every"]
    return next(iter(every)) if isinstance(every, dict) else unit


def interval_hint(value: object) -> str:
    """Return what to write instead of an interval that is a number or a text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f": write every={{'seconds': {value!r}}} if seconds are meant"
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return ""
    text = value.strip()
    advice = interval_meant(text) or interval_meant(f"1 {text}")
    if advice is not None:
        return f": write {advice.code}"
    unit = text.lower().removeprefix("every ").removeprefix("1 ")
    return length_hint(unit) or (": a cron expression goes into cron" if len(text.split()) in (5, 6) else "")


def moment_hint(field: str, value: object) -> str:
    """Return what to write instead of a moment that is a date, a time of day or a duration."""
    if isinstance(value, date):
        return f": write {field}={value.isoformat()!r}"
    if isinstance(value, timedelta):
        return f": write {field}=datetime.now() + {value!r}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f": write {field}=datetime.fromtimestamp({value!r}) if seconds since 1970 are meant"
    if isinstance(value, time) or (isinstance(value, str) and re.fullmatch("[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", value)):
        return f": a time of each day is at={str(value)[:5]!r}" if field == "run_at" else ""
    return ""


def argument_hint(value: object) -> str:
    """Return what to write instead of `args` that are a single argument."""
    is_single = isinstance(value, str | bytes) or not (value is None or isinstance(value, Iterable))
    shown = repr(value) if is_single else ""
    return f": write args=({shown},)" if 0 < len(shown) <= _MAX_LENGTH else ""


def excluded_hint(value: object) -> str:
    """Return what to write instead of dates that are not in a list."""
    if isinstance(value, date):
        return f": write [{f'{value:%Y-%m-%d}'!r}]"
    if isinstance(value, str) and re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return f": write [{value!r}]"
    return weekday_hint(value)


def weekday_hint(value: object) -> str:
    """Return what to write instead of a weekday among the dates that are excluded."""
    is_weekday = isinstance(value, str) and value.lower()[:3] in {name[:3] for name in (*_WEEKDAYS, "weekend")}
    return ": weekdays are chosen by on, beside at: on='mon-fri'" if is_weekday else ""


_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DATES = {
    "month": "1",
    "quarter": "1 jan,apr,jul,oct",
    "year": "1 jan",
    "weekday": "mon-fri",
    **{name: name[:3] for name in _WEEKDAYS},
}
