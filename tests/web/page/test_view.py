"""The view: what it writes into pages."""

from est_alan_scheduler import Task, TaskRegistry
from tests.web.page.pages import Browser


def test_an_id_with_a_carriage_return_is_in_the_page_as_it_is() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a\r\nb", func=int, every={"minutes": 5}))
    page = Browser(registry).get()
    assert 'data-id="a&#13;\nb"' in page.html
    assert page.one(".//tr[@data-id]").get("data-id") == "a\r\nb"


def test_half_a_pair_of_surrogates_is_escaped() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="a", name="half \ud83d", func=int, every={"minutes": 5}))
    assert r"half \ud83d" in Browser(registry).get().html
