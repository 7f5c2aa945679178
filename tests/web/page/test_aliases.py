"""Ids that HTML cannot hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web.page.aliases import alias, id_of_alias
from tests.web.page.pages import Browser

ids = st.text(st.characters(exclude_categories=[]), min_size=1) | st.text("\0\ue000\ud800\ufffd%0", min_size=1)


@given(task_id=ids)
def test_an_alias_leads_back_to_its_id_and_has_only_what_html_can_hold(task_id: str) -> None:
    assert id_of_alias(alias(task_id)) == task_id
    assert "\0" not in alias(task_id)
    alias(task_id).encode()


@pytest.mark.parametrize("task_id", ["job", "a/b", "..", "작업", "100%", "a\nb"])
def test_an_id_that_html_can_hold_stands_for_itself(task_id: str) -> None:
    assert alias(task_id) == id_of_alias(task_id) == task_id


@pytest.mark.parametrize(("odd", "twin"), [("nul\0", "nul\ufffd"), ("half\ud800", "half\\ud800")])
def test_removing_a_task_with_an_odd_id_leaves_the_one_that_looks_like_it_alone(odd: str, twin: str) -> None:
    registry = TaskRegistry()
    for task_id in (odd, twin):
        registry.register(Task(id=task_id, func=int, manual=True))
    browser = Browser(registry)
    rows = browser.get("").all(".//tr[@data-id]")
    shown = next(row for row in rows if row.get("data-id") == alias(odd))
    chosen = {"id": shown.get("data-id"), "version": shown.get("data-version")}
    answer = browser.post("act", {"action": "remove", "tasks": [chosen]})
    assert answer["results"] == [{"id": alias(odd), "ok": True, "detail": None, "after": 0}]
    assert list(registry.store) == [twin]
