"""The help for tests of pages."""

import pytest

from est_alan_scheduler import Task, TaskRegistry
from tests.frozen import work
from tests.web.page.pages import Browser, Page


def test_a_browser_gets_a_page_with_its_elements() -> None:
    registry = TaskRegistry()
    registry.register(Task(id="fetch", func=work, every={"minutes": 5}))
    assert Browser(registry).get().texts(".//tbody/tr/th/a") == ["work"]


@pytest.mark.parametrize("html", ["<p><b></p></b>", "<p>", "</p>", '<p id="a" id="b"></p>'])
def test_html_that_is_not_well_formed_is_refused(html: str) -> None:
    with pytest.raises(AssertionError):
        Page(f"<html>{html}</html>")
