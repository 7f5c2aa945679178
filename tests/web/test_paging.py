"""Paging of tasks by their ids, while tasks come and go."""

from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from est_alan_scheduler.web import paging
from est_alan_scheduler.web.paging import cursor_of, key_of, page
from tests import jobs

IDS = st.text(min_size=1, max_size=3)
TAGS, TEXTS = ("x", "y"), (None, "Job", "ß")
FUNCTIONS: tuple[Callable[..., object], ...] = (jobs.add, jobs.boom)


def task(task_id: str, number: int) -> Task:
    """Return a task whose fields differ with a number."""
    return Task(
        id=task_id,
        func=FUNCTIONS[number % 2],
        args=(1, 2) if number % 2 == 0 else (),
        manual=True,
        tags=TAGS[: number % 3],
        status=list(TaskStatus)[number % 4],
        description=TEXTS[number % len(TEXTS)],
        name=f"Name {number}" if number % 5 == 0 else None,
    )


@pytest.fixture(params=[2_000, 3])
def walked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "_STEP", request.param)


@pytest.mark.usefixtures("walked")
@given(
    st.dictionaries(IDS, st.integers(0, 60), max_size=30),
    st.integers(1, 7),
    st.sampled_from((None, *TAGS, "z")),
    st.sampled_from((None, "failed", "pending")),
    st.sampled_from((None, "", "a", "JOB", "name", "BOOM", "ss", "\0")),
)
def test_the_pages_have_all_that_select_finds_in_the_order_of_ids(
    tasks: dict[str, int], limit: int, tag: str | None, status: str | None, text: str | None
) -> None:
    registry = TaskRegistry()
    for task_id, number in tasks.items():
        registry.register(task(task_id, number))
    found, after, has_more = list[str](), None, True
    while has_more:
        tasks_of_page, has_more = page(registry, limit, after, tag, status, text)
        assert len(tasks_of_page) == limit or not has_more
        found += [one.id for one in tasks_of_page]
        after = found[-1] if found else None
    assert found == sorted(one.id for one in registry.select(tag=tag, status=status, text=text))


@pytest.mark.usefixtures("walked")
@given(
    st.sets(IDS, max_size=20),
    st.lists(st.tuples(st.sets(IDS, max_size=5), st.sets(IDS, max_size=5)), max_size=8),
    st.integers(1, 5),
    st.sampled_from((None, "boom")),
)
def test_a_task_that_stays_comes_once_whatever_comes_and_goes_between_pages(
    ids: set[str], changes: list[tuple[set[str], set[str]]], limit: int, text: str | None
) -> None:
    registry = TaskRegistry()
    registry.store = {task_id: task(task_id, 1) for task_id in ids}
    stays, found, after, has_more = set(ids), list[str](), None, True
    for added, removed in [*changes, *[(set[str](), set[str]())] * 100]:
        tasks_of_page, has_more = page(registry, limit, after, text=text)
        found += [one.id for one in tasks_of_page]
        if not has_more:
            break
        after = found[-1]
        for task_id in added - registry.store.keys():
            registry.register(task(task_id, 1))
        for task_id in removed & registry.store.keys():
            registry.remove(task_id)
        stays -= removed
    assert len(found) == len(set(found))
    assert found == sorted(found)
    assert stays <= set(found)


def test_a_task_in_the_place_of_another_one_is_found() -> None:
    registry = TaskRegistry()
    registry.store = {task_id: task(task_id, 1) for task_id in "abc"}
    assert [one.id for one in page(registry, 9)[0]] == ["a", "b", "c"]
    registry.remove("a")
    registry.register(task("bb", 1))
    assert [one.id for one in page(registry, 9)[0]] == ["b", "bb", "c"]


@given(st.text(st.characters(), min_size=1))
def test_a_cursor_comes_back_as_its_key(key: str) -> None:
    assert key_of(cursor_of(key)) == key


@pytest.mark.parametrize("text", ["", "?", "YQ=", "YQ==", "YR", "YQ\n", "ÿ", "_w"])
def test_any_other_text_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it is no cursor of this list: take next_cursor from the page before"):
        key_of(text)


def test_a_page_that_is_soon_full_looks_at_its_own_tasks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry()
    for number in range(50):
        registry.register(task(f"{number:02}", 1))
    read = list[str]()

    def look_up(_: TaskRegistry, ids: Iterable[str]) -> Iterator[Task]:
        for task_id in ids:
            read.append(task_id)
            yield registry[task_id]

    monkeypatch.setattr(paging, "_tasks", look_up)
    assert [one.id for one in page(registry, 3, "10")[0]] == ["11", "12", "13"]
    assert read == ["11", "12", "13", "14"]
    read.clear()
    assert [one.id for one in page(registry, 3, "10", text="boom")[0]] == ["11", "12", "13"]
    assert read == ["11", "12", "13", "14"]
