"""Stand-ins: which of them to look at."""

from collections import Counter
from datetime import datetime, timedelta

from est_alan_scheduler.fields.unknown_function import UnknownFunction
from est_alan_scheduler.planning.agenda import Agenda
from est_alan_scheduler.task import Task

NOON = datetime(2026, 6, 1, 12)
MINUTE = timedelta(minutes=1)


def agenda_of(*ids: str, now: datetime = NOON) -> Agenda:
    agenda = Agenda()
    put(agenda, *ids, now=now)
    return agenda


def put(agenda: Agenda, *ids: str, now: datetime = NOON) -> None:
    for task_id in ids:
        task = agenda.store[task_id] = Task(id=task_id, every={"minutes": 1}, func=UnknownFunction(f"app:{task_id}"))
        agenda.work_in(now)
        assert agenda.entries[task_id].task is task


def look(agenda: Agenda, limit: int | None = None, now: datetime = NOON) -> list[str]:
    return [task.id for task in agenda.stand_ins.look(agenda.note_time(now), limit)]


def numbers(count: int) -> list[str]:
    return [f"{number}" for number in range(count)]


def test_a_tick_does_not_see_them() -> None:
    agenda = agenda_of("a", "b")
    assert (agenda.next_moment(), agenda.heap.take(agenda.note_time(NOON), None)) == (None, [])
    assert agenda.hold_due(agenda.note_time(NOON), None) == []


def test_all_that_are_due_are_looked_at_without_a_limit() -> None:
    agenda = agenda_of(*numbers(5))
    assert look(agenda) == look(agenda) == numbers(5)


def test_each_has_its_turn() -> None:
    agenda = agenda_of(*numbers(10))
    for now in (NOON, NOON + 5 * MINUTE):
        looks = [look(agenda, 4, now) for _ in range(12)]
        assert {len(found) for found in looks} == {4}
        assert set().union(*looks[:5]) == set().union(*looks[5:8]) == set(numbers(10))


def test_those_that_nobody_runs_leave_most_of_the_places_to_those_that_come_due() -> None:
    agenda = agenda_of(*numbers(1_000))
    look(agenda, 1_000)
    later = NOON + 2 * MINUTE
    for _ in range(20):
        look(agenda, 100, later)
    new = [f"new {number}" for number in range(90)]
    put(agenda, *new, now=later)
    seen = Counter(task_id for _ in range(2) for task_id in look(agenda, 100, later))
    assert ([seen[task_id] >= 1 for task_id in new], seen.total()) == ([True] * 90, 200)
    assert sum(count for task_id, count in seen.items() if not task_id.startswith("new")) == 50


def test_one_that_is_read_again_has_the_place_of_its_due_moment() -> None:
    agenda = agenda_of("a", "b")
    look(agenda)
    task = agenda.store["a"]
    task.__dict__.update(last_run_at=NOON, first_run_at=NOON)
    agenda.reread(task, NOON)
    assert (look(agenda), look(agenda, now=NOON + MINUTE)) == (["b"], ["b", "a"])


def test_one_that_is_gone_is_not_looked_at() -> None:
    agenda = agenda_of("a", "b", "c")
    look(agenda)
    del agenda.store["a"]
    agenda.work_in(NOON)
    agenda.store["b"].paused = True
    agenda.work_in(NOON)
    assert (look(agenda), agenda.stand_ins.of("app:a")) == (["c"], [])


def test_a_function_that_becomes_known_and_unknown_moves_the_task() -> None:
    agenda = agenda_of("a")
    task = agenda.store["a"]
    for _ in range(2):
        assert (look(agenda), agenda.stand_ins.of("app:a"), agenda.next_moment()) == (["a"], [task], None)
        task.func = print
        agenda.work_in(NOON)
        assert (look(agenda), agenda.stand_ins.of("app:a"), agenda.next_moment() is not None) == ([], [], True)
        task.func = UnknownFunction("app:a")
        agenda.work_in(NOON)


def test_a_rebuilt_agenda_has_the_same_ones() -> None:
    agenda = agenda_of("a", "b")
    look(agenda)
    agenda.note_all()
    agenda.work_in(NOON)
    assert (look(agenda), agenda.next_moment()) == (["a", "b"], None)
