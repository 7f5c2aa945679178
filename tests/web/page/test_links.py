"""The links from one page to another."""

import pytest

from est_alan_scheduler.web.page.links import edit_link, tag_link, task_link

TEXT, QUOTED = "a b&c=../\ud800", "a+b%26c%3D..%2F%ED%A0%80"


@pytest.mark.parametrize(
    ("link", "start"), [(task_link(TEXT), "task?id="), (edit_link(TEXT), "edit?id="), (tag_link(TEXT), "./?tag=")]
)
def test_a_link_quotes_what_it_leads_to(link: str, start: str) -> None:
    assert link == start + QUOTED
