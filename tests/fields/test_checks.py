"""Checks of a task's fields that several fields share, and those of fields together."""

from typing import Any

import pytest
from pydantic import ValidationError

from est_alan_scheduler import Task


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"depends_on_mode": "frsh"}, "depends_on_mode must be 'ever' or 'fresh', got 'frsh' (did you mean 'fresh'?)"),
        ({"run_requested": "now"}, "run_requested must be None or 'ready' or 'force', got 'now'"),
    ],
)
def test_a_word_that_is_not_allowed_is_named_with_the_allowed_words(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Task(func=print, every={"hours": 1}, **fields)
    assert [error["msg"] for error in caught.value.errors()] == [f"Value error, {message}"]


def test_jitter_is_compared_with_the_first_schedule_option_while_several_stand() -> None:
    pytest.importorskip("cronsim")
    task = Task(func=print, every={"hours": 1}, jitter=100)
    task.cron = "* * * * *"
    assert task.jitter == 100
    with pytest.raises(ValueError, match="jitter must be less than the 60 s between slots, got 100"):
        task.every = None
