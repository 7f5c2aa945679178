"""The law of the agenda: a tick runs exactly the tasks, in the order, that a scan of the whole store would run.

These are not RUNNING, due, ready, and their functions are known here.

Thirty steps an example; TICK_LAW_EXAMPLES sets how many examples: by default 100, with `--full` 400.
"""

import os
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from est_alan_scheduler import Retry
from est_alan_scheduler.events.event import EVENTS
from est_alan_scheduler.task import TaskStatus
from tests.twin import IDS, ClockedRegistry, Operation, ScanningRegistry, World

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

# Days of clock changes in New York, on Lord Howe Island and in Casablanca, and an ordinary day.
DAYS = (datetime(2026, 3, 8), datetime(2026, 11, 1), datetime(2026, 4, 4), datetime(2026, 2, 15), datetime(2026, 6, 1))


def brief(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return an equal strategy with a short `repr`: hypothesis warns about long ones."""
    return st.composite(lambda draw: draw(strategy))()


ids = st.sampled_from(IDS)
steps = st.sampled_from(
    [timedelta(**{unit: amount}) for unit in ("milliseconds", "seconds", "minutes", "hours") for amount in (1, 7, 45)]
)
moves = st.one_of(
    steps,
    steps.map(lambda step: -step),
    st.sampled_from([timedelta(days=sign * days) for days in (0, 1, 40, 400) for sign in (1, -1)]),
)
intervals = steps.map(lambda step: {"seconds": step.total_seconds()})
times_of_day = st.sampled_from(
    ["00:00", "00:30", "01:30", "02:15", "02:30", "12:00", "23:30", ("00:00", "02:30:15", "12:00", "23:59:30")]
)
dates = st.sampled_from([None, "mon-fri", "sun", "8,last", "1st mon", "29 feb"])
zones = st.sampled_from([None, "Asia/Seoul", "America/New_York", "Australia/Lord_Howe"])
excluded = st.sampled_from([(), ("2026-03-08", "2026-11-01", "2026-06-02")])
graces = st.sampled_from([None, 1, 60, 4000])
crons = ["*/7 * * * *", "30 1,2 * * *", "0 */5 * * *"] if find_spec("cronsim") else []
others = st.lists(ids, min_size=1, max_size=2, unique=True)
schedules = st.one_of(
    st.fixed_dictionaries({"every": intervals}),
    st.fixed_dictionaries({"at": times_of_day}),
    st.fixed_dictionaries({"run_at": moves}),
    st.fixed_dictionaries({"every": intervals, "timezone": zones, "exclude": excluded}),
    st.fixed_dictionaries({"at": times_of_day, "timezone": zones, "jitter": st.just(60)}),
    st.fixed_dictionaries({"run_at": moves, "timezone": zones}),
    st.fixed_dictionaries({"every": intervals, "misfire_grace": graces, "exclude": excluded}),
    st.fixed_dictionaries({"at": times_of_day, "misfire_grace": graces, "timezone": zones}),
    st.fixed_dictionaries({"at": times_of_day, "on": dates, "timezone": zones, "exclude": excluded}),
    st.fixed_dictionaries({"every": intervals, "start_at": st.just(datetime(2026, 2, 1)), "misfire_grace": graces}),
    st.fixed_dictionaries({"every": intervals, "start_at": st.just(datetime(2026, 2, 1)), "timezone": zones}),
    st.fixed_dictionaries({"every": intervals, "run_immediately": st.booleans(), "exclude": excluded}),
    st.fixed_dictionaries({"at": times_of_day, "run_immediately": st.booleans(), "misfire_grace": graces}),
    st.fixed_dictionaries({"after": others, "run_immediately": st.booleans()}),
    st.fixed_dictionaries({"after": others}),
    st.just({"manual": True}),
    *[st.fixed_dictionaries({"cron": st.just(cron), "timezone": zones, "exclude": excluded}) for cron in crons],
)
retries = st.sampled_from(
    [None, Retry(max_retries=2, delay=0), Retry(max_retries=5, delay=40), Retry(max_retries=9, delay=7200)]
)
modes = st.sampled_from(["ever", "fresh"])
requests = st.sampled_from([None, "ready", "force"])
dependencies: st.SearchStrategy[list[str]] = st.one_of(st.just([]), st.lists(ids, max_size=2, unique=True))
options = st.fixed_dictionaries(
    {"depends_on": dependencies}, optional={"retry": retries, "depends_on_mode": modes, "misfire_grace": graces}
)
fields = brief(st.tuples(schedules, options).map(lambda drawn: drawn[0] | drawn[1]))
moments = st.one_of(st.none(), moves)
assignments = brief(
    st.one_of(
        st.tuples(st.just("assign"), ids, st.just("every"), st.one_of(st.none(), intervals)),
        st.tuples(st.just("assign"), ids, st.just("at"), st.one_of(st.none(), times_of_day)),
        st.tuples(st.just("assign"), ids, st.just("on"), dates),
        st.tuples(st.just("assign"), ids, st.just("run_at"), moments),
        st.tuples(st.just("assign"), ids, st.just("after"), st.one_of(st.none(), others)),
        st.tuples(st.just("assign"), ids, st.sampled_from(["manual", "run_immediately"]), st.booleans()),
        st.tuples(st.just("assign"), ids, st.sampled_from(["last_run_at", "first_run_at", "last_success_at"]), moments),
        st.tuples(st.just("assign"), ids, st.sampled_from(["retry_at", "misfired_at"]), moments),
        st.tuples(st.just("assign"), ids, st.just("retry"), retries),
        st.tuples(st.just("assign"), ids, st.just("depends_on_mode"), modes),
        st.tuples(st.just("assign"), ids, st.just("misfire_grace"), graces),
        st.tuples(st.just("assign"), ids, st.just("paused"), st.booleans()),
        st.tuples(st.just("assign"), ids, st.just("run_requested"), requests),
        st.tuples(st.just("assign"), ids, st.just("status"), st.sampled_from(list(TaskStatus))),
        st.tuples(st.just("assign"), ids, st.just("depends_on"), dependencies),
        st.tuples(st.just("assign"), ids, st.just("history_limit"), st.integers(0, 3)),
        st.tuples(st.just("assign"), ids, st.just("args"), st.just(())),
        st.tuples(st.just("assign"), ids, st.just("timezone"), zones),
        st.tuples(st.just("assign"), ids, st.just("exclude"), excluded),
        st.tuples(st.just("assign"), ids, st.sampled_from(["start_at", "end_at"]), moments),
        st.tuples(st.just("forget"), ids),
        st.tuples(st.just("learn"), ids, st.sampled_from([("work",), ("fail",)])),
    )
)
edits = st.one_of(
    st.tuples(st.just("edit"), st.sampled_from(["clear", "popitem"])),
    st.tuples(st.just("edit"), st.sampled_from(["pop", "__delitem__"]), ids),
    st.tuples(st.sampled_from(["put_back", "remove"]), ids),
    st.tuples(st.just("replace_store")),
)
management = brief(
    st.one_of(
        st.tuples(st.just("manage"), st.sampled_from(["pause", "resume", "run_now"]), ids),
        st.tuples(st.just("manage"), st.just("run_now"), ids, st.booleans()),
        st.tuples(st.just("manage"), st.sampled_from(["pause_all", "resume_all", "resume_all"])),
        st.tuples(st.just("update"), ids, st.one_of(fields, schedules, options)),
    )
)
simple = st.one_of(assignments, edits, management, st.tuples(st.just("advance"), moves), st.just(("tick",)))
behaviours: st.SearchStrategy[Operation] = st.one_of(
    st.just(("work",)), st.just(("work",)), st.sampled_from([("fail",), ("fail",), ("interrupt",)]), simple
)
new_tasks = st.tuples(st.sampled_from(["register", "replace", "put"]), ids, fields, behaviours)
task_parts = st.tuples(fields, st.one_of(behaviours, new_tasks))


class TickLaw(RuleBasedStateMachine):
    """Each rule applies an operation to both worlds and compares them."""

    @initialize(
        day=st.sampled_from(DAYS),
        minutes=st.integers(0, 24 * 60),
        tasks=st.tuples(*[task_parts for _ in IDS]),
        reactions=st.lists(st.tuples(st.sampled_from(EVENTS), st.one_of(behaviours, new_tasks)), max_size=2),
    )
    def begin(
        self,
        day: datetime,
        minutes: int,
        tasks: tuple[tuple[dict[str, Any], Operation], ...],
        reactions: list[tuple[str, Operation]],
    ) -> None:
        utc = day + timedelta(minutes=minutes)
        self.real = World(ClockedRegistry, utc)
        self.twin = World(ScanningRegistry, utc)
        for reaction in reactions:
            self.both("subscribe", *reaction)
        for task_id, parts in zip(IDS, tasks, strict=True):
            self.both("register", task_id, *parts)
        self.both("tick")

    def both(self, *operation: Any) -> None:
        assert self.real.do(operation) == self.twin.do(operation)
        assert self.real.state() == self.twin.state()
        assert isinstance(self.twin.registry, ScanningRegistry)
        idle = self.real.registry.idle_seconds()
        self.twin.registry.idle_seconds()  # reads the changes in, as in the real registry
        if self.twin.registry.scan():
            assert idle == 0

    @rule(how=st.sampled_from(["register", "replace", "put"]), task_id=ids, parts=task_parts)
    def take_in(self, how: str, task_id: str, parts: tuple[dict[str, Any], Operation]) -> None:
        self.both(how, task_id, *parts)
        self.both("tick")

    @rule(operation=st.one_of(assignments, assignments, edits, management, management), step=moves)
    def change(self, operation: Operation, step: timedelta) -> None:
        self.both(*operation)
        self.both("tick")
        self.both("advance", step)
        self.both("tick")

    @rule(first=st.one_of(assignments, management), second=st.one_of(assignments, management), step=moves)
    def change_twice(self, first: Operation, second: Operation, step: timedelta) -> None:
        self.both(*first)
        self.both("advance", step)
        self.both(*second)
        self.both("tick")

    @rule(steps=st.lists(moves, min_size=1, max_size=3))
    def advance(self, steps: list[timedelta]) -> None:
        for step in steps:
            self.both("advance", step)
            self.both("tick")

    @rule(task_id=ids)
    def execute(self, task_id: str) -> None:
        self.both("execute", task_id)


TestTickLaw = TickLaw.TestCase
TestTickLaw.settings = settings(
    max_examples=int(os.environ.get("TICK_LAW_EXAMPLES", 4 * settings().max_examples)),
    stateful_step_count=30,
)
