"""How one caller sees the page."""

import time

import pytest

from est_alan_scheduler.web.page import view
from est_alan_scheduler.web.page.view import considerate


@pytest.mark.parametrize(("seconds", "pauses"), [(-1.0, [0, 0, 0]), (60.0, [])], ids=["long", "short"])
def test_other_threads_go_on_now_and_then_while_a_page_is_rendered(
    seconds: float, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[float] = []
    monkeypatch.setattr(view, "_SLICE", seconds)
    monkeypatch.setattr(time, "sleep", found.append)
    assert list(considerate(iter("abc"))) == ["a", "b", "c"]
    assert found == pauses
