"""The rows of the page of all tasks."""

import gc
import weakref
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import MemoryBackend, Task, TaskRegistry
from est_alan_scheduler.web.page.screens import rows as rows_module
from est_alan_scheduler.web.page.screens.rows import Kept, Rows
from est_alan_scheduler.web.page.view import View
from est_alan_scheduler.web.site import Site
from tests.frozen import START, Frozen, boom, work
from tests.web.page.pages import Browser, Page, text_of

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _utc(set_zone: Callable[[str], None]) -> None:
    set_zone("UTC")


def run_of(start: datetime, seconds: float, status: str = "success") -> dict[str, Any]:
    end = start + timedelta(seconds=seconds)
    return {"run_at": start, "finished_at": end, "status": status, "result": None, "error": None, "attempt": 1}


def cells(registry: TaskRegistry, task_id: str, **options: Any) -> dict[str, str]:
    """Return the texts of a row, by the class of each cell."""
    (row,) = [one for one in Browser(registry).get(**options).all(".//tr[@data-id]") if one.get("data-id") == task_id]
    return {str(cell.get("class")).split()[0]: text_of(cell) for cell in row}


def test_a_row_says_how_a_task_is() -> None:
    registry = Frozen()
    history = [run_of(START - timedelta(minutes=2), 1), run_of(START - timedelta(minutes=1), 185)]
    task = Task(id="fetch", name="Fetch", func=work, every={"minutes": 5}, tags=("a", "b"), history=history)
    task.last_run_at, task.status = START - timedelta(minutes=1), "success"
    registry.register(task)
    assert cells(registry, "fetch") == {
        "choose": "",
        "state": "success",
        "who": "Fetch fetch",
        "schedule": "every 5 minutes",
        "next": "2026-06-01 12:04:00 +00:00",
        "last": "2026-06-01 11:59:00 +00:00",
        "duration": "3 min 5 s",
        "runs": "",
        "tags": "a b",
        "acts": "Run Pause",
    }


def test_a_row_is_in_korean_for_koreans() -> None:
    registry = Frozen()
    registry.register(Task(id="fetch", func=work, every={"minutes": 5}, paused=True, tags=tuple("abcdefgh")))
    assert cells(registry, "fetch", language="ko") == {
        "choose": "",
        "state": "일시 중지",
        "who": "work fetch",
        "schedule": "5분마다",
        "next": "–",
        "last": "–",
        "duration": "–",
        "runs": "–",
        "tags": "a b c d e f 외 2개",
        "acts": "실행 재개",
    }


def test_a_row_has_what_scripts_need() -> None:
    registry = Frozen()
    registry.register(Task(id='<a "b">', func=work, every={"minutes": 5}, description="What for."))
    registry.tick()
    row = Browser(registry).get().one(".//tr[@data-id]")
    assert {name: value for name, value in row.attrib.items() if name.startswith("data-")} == {
        "data-id": '<a "b">',
        "data-version": registry.version('<a "b">'),
        "data-runs": "1",
        "data-status": "success",
        "data-name": "work",
    }
    link = row.find("th/a")
    assert link is not None
    assert (link.get("href"), link.get("title")) == ("task?id=%3Ca+%22b%22%3E", "What for.")
    assert [(one.get("data-act"), one.get("aria-label")) for one in row.iter("button")] == [
        ("run", "Run work now"),
        ("pause", "Pause work"),
    ]


def test_the_last_thirty_runs_are_drawn_and_said() -> None:
    registry = Frozen()
    history = [run_of(START - (40 - i) * SECOND, 1, "failed" if i in (5, 38, 39) else "success") for i in range(40)]
    registry.register(Task(id="a", func=work, every={"minutes": 5}, history=history))
    registry.register(Task(id="b", func=work, every={"minutes": 5}, history=history[:1]))
    labels = [one.get("aria-label") for one in Browser(registry).get().all(".//svg[@class='sparkline']")]
    assert labels == ["30 runs, 2 failed", "1 run"]
    korean = [one.get("aria-label") for one in Browser(registry).get(language="ko").all(".//svg[@class='sparkline']")]
    assert korean == ["실행 30회, 실패 2건", "실행 1회"]


def test_a_failed_task_shows_its_error_in_one_line() -> None:
    def fail() -> None:
        raise ValueError("first\nsecond " + "x" * 500)

    registry = Frozen()
    registry.register(Task(id="a", func=fail, every={"minutes": 5}))
    registry.tick()
    error = Browser(registry).get().one(".//span[@class='error']")
    assert text_of(error) == ("ValueError: first second " + "x" * 500)[:159] + "…"


def next_of(registry: TaskRegistry, task_id: str) -> str:
    return cells(registry, task_id)["next"]


def test_the_next_run_of_what_is_due_is_since_when_or_what_it_waits_for() -> None:
    registry = Frozen()
    hour = {"hours": 1}
    registry.register(Task(id="new", func=work, every=hour))
    registry.register(Task(id="overdue", func=work, every=hour, last_run_at=START - timedelta(hours=1)))
    registry.register(Task(id="waits", func=work, every=hour, depends_on=["new"]))
    registry.register(Task(id="forced", func=work, every=hour, depends_on=["new"], run_requested="force"))
    registry.register(
        Task(id="busy", func=work, every={"seconds": 5}, status="running", last_run_at=START - 9 * SECOND)
    )
    registry.register(Task(id="missed", func=work, every=hour, last_run_at=START - 4200 * SECOND, misfire_grace=60))
    registry.register(Task(id="manual", func=work, manual=True))
    registry.now = START + 12 * SECOND
    expected = {
        "new": "now",
        "overdue": "2026-06-01 12:00:00 +00:00",
        "waits": "waits for new",
        "forced": "now",
        "busy": "after this run",
        "missed": "2026-06-01 12:50:00 +00:00",
        "manual": "–",
    }
    assert {task_id: next_of(registry, task_id) for task_id in expected} == expected
    assert cells(registry, "overdue")["state"] == "late"
    registry.pause_all()
    assert {next_of(registry, task_id) for task_id in expected} == {"–"}


def test_the_duration_is_that_of_the_last_run_once_it_has_ended() -> None:
    registry = Frozen()
    task = registry.register(Task(id="a", func=work, every={"hours": 1}, history=[run_of(START - 60 * SECOND, 2)]))
    task.last_run_at = START - 60 * SECOND
    assert cells(registry, "a")["duration"] == "2 s"
    task.status = "running"
    assert cells(registry, "a")["duration"] == "–"


def test_readers_get_nothing_that_changes_something() -> None:
    registry = Frozen()
    registry.register(Task(id="a", func=work, every={"hours": 1}))
    page = Browser(registry, read_only=True).get()
    assert [str(cell.get("class")).split()[0] for cell in page.one(".//tr[@data-id]")] == [
        "state",
        "who",
        "schedule",
        "next",
        "last",
        "duration",
        "runs",
        "tags",
    ]


# The memory of rows.


def view_of(registry: TaskRegistry, **options: Any) -> View:
    values: dict[str, Any] = {"language": "en", "theme": "system", "may_manage": True, "path": "", "query": ""}
    return View(Site(registry), **(values | options))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the ids of the tasks whose rows are drawn, as they are."""
    ids: list[str] = []
    draw = rows_module._drawn

    def noted(task: Task, *others: Any) -> Any:
        ids.append(task.id)
        return draw(task, *others)

    monkeypatch.setattr(rows_module, "_drawn", noted)
    return ids


def test_a_row_is_drawn_once_while_nothing_in_it_changes(drawn: list[str]) -> None:
    registry = Frozen()
    task = registry.register(Task(id="a", func=work, every={"hours": 1}))
    registry.tick()
    rows, view = Rows(), view_of(registry)
    first = rows.html([task], view, may_ask=True)
    registry.now += 60 * SECOND
    assert rows.html([task], view, may_ask=True) == first
    assert drawn == ["a"]
    changes: list[Callable[[], object]] = [
        lambda: registry.update("a", name="Another"),
        lambda: registry.update("a", tags=("x",)),
        lambda: registry.pause("a"),
        lambda: registry.resume("a"),
        lambda: registry.update("a", func=boom),
        lambda: registry.tick_at(registry.now + timedelta(hours=1)),
        lambda: registry.tick_at(registry.now + timedelta(hours=1)),
        lambda: setattr(registry, "now", registry.now + timedelta(hours=2)),  # it is late
        lambda: registry.pause_all(),
    ]
    for number, change in enumerate(changes, 2):
        change()
        rows.html([task], view, may_ask=True)
        assert len(drawn) == number


def test_languages_and_roles_have_rows_of_their_own(drawn: list[str]) -> None:
    registry = Frozen()
    task = registry.register(Task(id="a", func=work, every={"hours": 1}))
    rows, site = Rows(), Site(registry)
    views = [
        View(site, language, "system", may_manage, "", "") for language in ("en", "ko") for may_manage in (True, False)
    ]
    shown = [rows.html([task], view, may_ask=True) for view in views]
    assert len(set(shown)) == 4
    assert [rows.html([task], view, may_ask=True) for view in views] == shown
    assert drawn == ["a"] * 4


def test_the_store_is_asked_only_about_tasks_that_have_run_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = TaskRegistry(backend=f"sqlite:///{tmp_path / 'tasks.db'}")
    for task_id in ("a", "b", "c"):
        registry.register(Task(id=task_id, func=work, every={"hours": 1}))
    asked: list[list[str]] = []
    past = registry._past

    def noted(ids: Any, limit: int) -> Any:
        asked.append(sorted(ids))
        return past(ids, limit)

    monkeypatch.setattr(registry, "_past", noted)
    rows, view, tasks = Rows(), view_of(registry), list(registry)
    assert "<svg" not in rows.html(tasks, view, may_ask=True)
    registry.tick()
    for _ in range(3):
        assert rows.html(tasks, view, may_ask=True).count('aria-label="1 run"') == 3
    registry.run_now("b")
    registry.tick()
    for _ in range(3):
        assert rows.html(tasks, view, may_ask=True).count('aria-label="2 runs"') == 1
    assert asked == [["a", "b", "c"], ["b"]]


def test_a_row_shows_the_last_run_when_the_store_has_it_later(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = TaskRegistry(backend=MemoryBackend())
    task = registry.register(Task(id="a", func=work, every={"hours": 1}))
    registry.tick()
    (last,) = task.history
    former = {**last, "run_at": last["run_at"] - SECOND, "finished_at": last["finished_at"] - SECOND}
    answers = [{"a": [former]}, {"a": [last]}]
    monkeypatch.setattr(registry, "_past", lambda *_: answers.pop(0))
    rows, view = Rows(), view_of(registry)
    durations = [Page(f"<table>{rows.html([task], view, may_ask=True)}</table>").texts(".//td")[5] for _ in range(2)]
    assert durations[0] == "–"
    assert durations[1].endswith("ms")


def test_without_the_store_rows_show_the_runs_that_are_known(tmp_path: Path) -> None:
    registry = TaskRegistry(backend=f"sqlite:///{tmp_path / 'tasks.db'}")
    tasks = [registry.register(Task(id=task_id, func=work, every={"hours": 1})) for task_id in ("a", "b")]
    registry.tick()
    rows, view = Rows(), view_of(registry)
    rows.html(tasks[:1], view, may_ask=True)
    assert rows.html(tasks, view, may_ask=False).count("<svg") == 1
    assert rows.html(tasks, view, may_ask=True).count("<svg") == 2


def test_a_bounded_number_of_values_is_kept_the_latest_that_were_asked_for() -> None:
    kept: Kept[str] = Kept(2)
    kept.put("a", 1, "A")
    kept.put("b", 1, "B")
    assert (kept.get("a", 1), kept.get("a", 2), kept.get("c", 1)) == ("A", None, None)
    kept.put("c", 1, "C")
    assert [kept.get(key, 1) for key in "abc"] == ["A", None, "C"]


def test_rows_keep_no_task_alive() -> None:
    registry = Frozen()
    task = registry.register(Task(id="a", func=work, every={"hours": 1}))
    rows, reference = Rows(), weakref.ref(task)
    assert rows.html([task], view_of(registry), may_ask=True)
    registry.remove("a")
    registry.tick()
    del task
    gc.collect()
    assert reference() is None
