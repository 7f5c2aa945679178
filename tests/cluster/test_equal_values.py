"""Values that Python takes for equal and JSON does not: instances take them over from each other, and settle."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from est_alan_scheduler import ConflictError, Retry, Task, TaskRegistry
from est_alan_scheduler.backends import MemoryBackend
from est_alan_scheduler.backends.rows import Change, Definition
from est_alan_scheduler.cluster.codecs.definitions import decode, encode
from tests import jobs
from tests.cluster.helpers import MINUTE, Join

pytestmark = [pytest.mark.pydantic, pytest.mark.zone]

SEOUL, NOON = ZoneInfo("Asia/Seoul"), datetime(2030, 6, 1, 12)
REPEATED = datetime(2030, 10, 27, 2, 30)  # two times in Berlin
PAIRS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"args": (1,)}, {"args": (True,)}),
    ({"args": (2,)}, {"args": (2.0,)}),
    ({"args": (0.0,)}, {"args": (-0.0,)}),
    ({"args": ([1, {"x": 0}],)}, {"args": ([True, {"x": False}],)}),
    ({"kwargs": {"value": 1}}, {"kwargs": {"value": 1.0}}),
    ({"kwargs": {"value": {"x": [0]}}}, {"kwargs": {"value": {"x": [False]}}}),
    ({"timeout": 5}, {"timeout": 5.0}),
    ({"every": {"hours": 1}, "manual": False}, {"every": {"hours": 1.0}}),
    ({"every": {"hours": 1}, "manual": False, "jitter": 3}, {"jitter": 3.0}),
    ({"retry": Retry(delay=3)}, {"retry": Retry(delay=3.0)}),
    (
        {"run_at": NOON.replace(tzinfo=SEOUL), "manual": False},
        {"run_at": NOON.replace(hour=3, tzinfo=UTC)},
    ),
    (
        {"every": MINUTE, "start_at": NOON.replace(tzinfo=SEOUL), "manual": False},
        {"start_at": NOON.replace(hour=11, tzinfo=timezone(timedelta(hours=8)))},
    ),
    (
        {"run_at": REPEATED, "timezone": "Europe/Berlin", "manual": False},
        {"run_at": REPEATED.replace(fold=1)},
    ),
    (
        {"run_at": REPEATED.replace(hour=1, fold=1), "timezone": "Europe/London", "manual": False},
        {"timeout": 5},
    ),
    ({"func": jobs.add, "args": (1, 2)}, {"func": divmod}),
    ({"func": jobs.add, "args": (1, 2), "name": "add"}, {"func": divmod, "name": None}),
    ({"name": "echo"}, {"name": None}),
    ({}, {"name": "echo"}),
    ({"tags": ["x"]}, {"tags": []}),
]  # fmt: skip
JOB = "tests.jobs:echo"
IDS = [f"{number} {' and '.join(after)}" for number, (_, after) in enumerate(PAIRS)]


def echo(**fields: Any) -> Task:
    given = {"func": jobs.echo, "manual": True, "paused": True, **fields}
    if given["func"] is jobs.echo and "kwargs" not in given:
        given = {"args": (7,), **given}
    return Task(id="s", **given)


def in_store(registry: TaskRegistry) -> tuple[Any, int]:
    """Return the fields of the task in the store, and the revision of that."""
    assert registry._session is not None
    found = registry._session.backend.fetch(None, 0)
    definition = found.definitions["s"]
    assert definition is not None
    return decode(definition.json).task, found.revision


def settle(worker: TaskRegistry, other: TaskRegistry, rounds: int = 2) -> None:
    for _ in range(rounds):
        worker.tick()
        other.refresh()
        if not other.is_observer:
            other.tick()


def check_settled(worker: TaskRegistry, page: TaskRegistry, task: Task) -> None:
    """Check that both have `task`, and that nothing is written any more."""
    found = in_store(worker)
    assert found[0] == encode(task, worker._parts.functions).task
    assert repr(found[0]) == repr(decode(encode(task, worker._parts.functions).text()).task)  # 1 is not True
    settle(worker, page, 3)
    assert in_store(worker) == found
    assert worker.version("s") == page.version("s")
    for registry in (worker, page):
        assert (registry["s"].name, registry["s"].timezone) == (task.name, task.timezone)


class TestSettling:
    @pytest.mark.parametrize(("before", "after"), PAIRS, ids=IDS)
    def test_an_edit_by_an_observer_is_taken_over_for_good(
        self, join: Join, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        worker, page = join(), join(observe=True)
        for registry in (worker, page):
            registry.expose(divmod)
        worker.register(echo(**before))
        page.refresh()
        page.update("s", **after)
        settle(worker, page)
        check_settled(worker, page, echo(**before | after))
        page.update("s", if_version=page.version("s"), timeout=9)
        with pytest.raises(ConflictError):
            worker.update("s", if_version=worker.version("s")[::-1], timeout=10)
        worker.update("s", if_version=page.version("s"), timeout=11)
        settle(worker, page)
        check_settled(worker, page, echo(**before | after | {"timeout": 11}))

    @pytest.mark.parametrize(("before", "after"), PAIRS, ids=IDS)
    def test_new_code_is_taken_over_for_good(self, join: Join, before: dict[str, Any], after: dict[str, Any]) -> None:
        worker, page = join(), join(observe=True)
        page.expose(divmod)
        worker.register(echo(**before))
        page.refresh()
        worker.shutdown(0)
        worker = join()
        worker.register(echo(**before | after))
        settle(worker, page)
        check_settled(worker, page, echo(**before | after))

    @pytest.mark.parametrize(("before", "after"), PAIRS, ids=IDS)
    def test_code_that_is_the_same_to_python_alone_is_new_code(
        self, before: dict[str, Any], after: dict[str, Any]
    ) -> None:
        backend = MemoryBackend()
        first, second = TaskRegistry(backend=backend), TaskRegistry(backend=backend)
        first.expose(divmod)
        first.register(echo(**before))
        first.update("s", history_limit=7)
        second.register(echo(**before | after))
        assert second["s"].history_limit == 100
        settle(first, second)
        check_settled(first, second, echo(**before | after))

    def test_what_was_managed_is_taken_over_by_code_that_registers(self, join: Join) -> None:
        first = join()
        first.register(echo(args=(1,), name="A", timeout=5))
        first.update("s", args=(True,), name=None, timeout=5.0)
        second = join()
        task = second.register(echo(args=(1,), name="A", timeout=5))
        found = (repr(task.args), task.name, "name" in task.__dict__, repr(task.timeout))
        assert found == ("(True,)", "echo", False, "5.0")
        settle(first, second)
        check_settled(first, second, echo(args=(True,), timeout=5.0))

    def test_a_name_is_set_or_not_as_elsewhere(self, join: Join) -> None:
        first, second = join(), join()
        first.register(echo(name="Echo"))
        task = second.register(echo(name="Echo"))
        first.update("s", name=None)
        second.tick()
        assert (task.name, "name" in task.__dict__) == ("echo", False)
        task.func = jobs.boom
        assert task.name == "boom"

    def test_a_default_of_the_registry_is_filled_in_still_after_an_edit_elsewhere(self, join: Join) -> None:
        first, second = join(defaults={"timeout": 5}), join()
        task = first.register(echo(retry=None))
        assert {"timeout", "retry"} & task.model_fields_set == {"retry"}
        second.refresh()
        second.update("s", args=(8,))
        first.refresh()
        assert (task.args, {"timeout", "retry"} & task.model_fields_set) == ((8,), {"retry"})


def test_an_argument_that_json_cannot_hold_is_not_asked_for_its_text_under_the_lock(join: Join) -> None:
    first, second = join(), join()
    task = first.register(echo())
    second.refresh()

    class Asking:
        def __eq__(self, _other: object) -> bool:
            raise AssertionError

        __hash__ = None  # type: ignore[assignment]

        def __repr__(self) -> str:
            first.pause("s")
            return "asked"

    task.args = (Asking(),)
    second.update("s", args=(8,))
    first.refresh()
    assert first["s"].args == (8,)


def test_a_row_that_another_version_of_pydantic_has_written_otherwise_is_not_written_back(join: Join) -> None:
    first, second = join(), join()
    for registry in (first, second):
        registry.register(echo(args=(1,)))
    backend: Any = first._session and first._session.backend
    values = decode(backend.fetch(None, 0).definitions["s"].json)
    for fields in ({**values.task, "name": None, "max_runs": None}, {"args": [1], "manual": True, "func": JOB}):
        definition = values._replace(task=fields)
        backend.change([Change("s", Definition("s", definition.text(), definition.hash()))])
        found = in_store(first)
        assert found[0] == fields
        settle(first, second, 3)
        assert (in_store(first), first.version("s")) == (found, second.version("s"))
    second.update("s", args=(True,))
    settle(first, second)
    check_settled(first, second, echo(args=(True,)))


VALUES = st.recursive(
    st.sampled_from([None, 0, 1, True, False, 0.0, -0.0, 1.0, 2, 2.0, 1e22, 10**22, "", "x", "1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
OFFSETS = [None, UTC, SEOUL, ZoneInfo("Europe/Berlin"), timezone(timedelta(hours=9)), timezone(timedelta(minutes=-90))]
MOMENTS = st.builds(
    lambda moment, zone, fold: moment.replace(tzinfo=zone, fold=fold),
    st.sampled_from([NOON, REPEATED, NOON.replace(hour=3), datetime(1900, 1, 1, 12)]),
    st.sampled_from(OFFSETS),
    st.sampled_from([0, 1]),
)
SECONDS = st.sampled_from([None, 1, 1.0, 5, 5.0, timedelta(seconds=5)])
SCHEDULES = st.fixed_dictionaries({"every": st.sampled_from([{"hours": 1}, {"hours": 1.0}, {"minutes": 60}])}) | (
    st.fixed_dictionaries({"run_at": MOMENTS}) | st.just({"manual": True}) | st.just({"at": ("09:00", "10:00")})
)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "args": st.lists(VALUES, min_size=1, max_size=1),
    "timeout": SECONDS,
    "name": st.sampled_from([None, "echo", "X"]),
    "description": st.sampled_from([None, "", "1"]),
    "tags": st.sampled_from([(), ("x",), ("x", "y"), ("y", "x")]),
    "retry": st.sampled_from([None, 1, Retry(delay=1), Retry(delay=2), Retry(delay=2.0, on=(OSError,)), Retry()]),
    "history_limit": st.sampled_from([0, 1, 100]),
    "max_runs": st.sampled_from([None, 1, 2]),
    "timezone": st.sampled_from([None, "Asia/Seoul", "Europe/Berlin", "Europe/London", "UTC"]),
    "start_at": MOMENTS,
    "end_at": MOMENTS.map(lambda moment: moment.replace(year=2031)),
    "jitter": SECONDS,
    "misfire_grace": SECONDS,
    "exclude": st.sampled_from([(), ("2030-01-01",)]),
    "depends_on_mode": st.sampled_from(["ever", "fresh"]),
    "func": st.sampled_from([jobs.echo, repr]),
}
DEFINITIONS = st.builds(
    lambda schedule, others: schedule | others,
    SCHEDULES,
    st.fixed_dictionaries({}, optional=FIELDS),
)


@given(DEFINITIONS, DEFINITIONS, st.sampled_from(["update", "guarded", "replace", "restart"]), st.booleans())
def test_any_two_definitions_settle_in_two_ticks(
    before: dict[str, Any], after: dict[str, Any], how: str, is_edited: bool
) -> None:
    backend = MemoryBackend()
    page = TaskRegistry(backend=backend, observe=True)
    started = [_start(backend)]
    cleared = {"every": None, "run_at": None, "at": None, "manual": False}
    before, after = {**cleared, "args": (7,), **before}, {**cleared, **after}
    edit: dict[str, Any] = {"history_limit": 7} if is_edited else {}
    try:
        started[-1].register(echo(**before))
        TaskRegistry().register(echo(**before | edit | after))
    except ValueError:  # the fields contradict each other
        assume(False)
    page.refresh()
    page.update("s", **edit)
    settle(started[-1], page)
    if how == "update":
        page.update("s", **after)
    elif how == "guarded":
        page.update("s", if_version=page.version("s"), **after)
    else:
        if how == "restart":
            started.append(_start(backend))
        started[-1].register(echo(**before | after), replace=how == "replace")
    is_code = how in ("replace", "restart") and not _is_same(before, before | after)
    expected = echo(**before | ({} if is_code else edit) | (after if is_code or how in ("update", "guarded") else {}))
    settle(started[-1], page)
    check_settled(started[-1], page, expected)
    for registry in (*started, page):
        registry.shutdown(0)


def _start(backend: MemoryBackend) -> TaskRegistry:
    registry = TaskRegistry(backend=backend)
    registry.expose(jobs.echo)
    registry.expose(repr)
    return registry


def _is_same(code: dict[str, Any], other: dict[str, Any]) -> bool:
    one, two = (echo(**fields).model_dump_json(exclude_defaults=True) for fields in (code, other))
    return one == two
