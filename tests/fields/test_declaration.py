"""The declaration of fields: descriptions, help, signatures, and the types that a field keeps and takes."""

import inspect
import pydoc
from typing import Any

import pytest
from pydantic import BaseModel

from est_alan_scheduler import Retry, Task
from est_alan_scheduler.fields.given import TaskChanges, TaskFields, TaskOptions
from tests.jobs import add

pytestmark = [
    pytest.mark.pydantic,
    pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated"),  # `help` reads it, in pydantic 2.0
]

DESCRIBED: list[type[BaseModel]] = [Task, Retry]


@pytest.mark.parametrize("model", DESCRIBED)
class TestDescribed:
    def test_every_field_has_a_description_of_one_line(self, model: type[BaseModel]) -> None:
        texts = {name: field.description or "" for name, field in model.model_fields.items()}
        assert [name for name, text in texts.items() if not 10 < len(text) < 120 or "\n" in text] == []
        assert [name for name, text in texts.items() if not text.endswith(".")] == []

    def test_help_begins_with_what_the_model_is_and_lists_its_fields(self, model: type[BaseModel]) -> None:
        text = pydoc.render_doc(model, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
        lines = [line.removeprefix(" |  ") for line in text.split("Method resolution order")[0].splitlines()]
        assert "Annotated" not in text.split("Method resolution order")[0]
        listed = lines[lines.index("Fields:") + 2 :]
        expected = [f"    {name}: {field.description}" for name, field in model.model_fields.items()]
        assert listed[: len(expected)] == expected

    def test_its_signature_has_each_field_with_its_bare_type_and_its_default(self, model: type[BaseModel]) -> None:
        parameters = inspect.signature(model).parameters
        assert {name: parameter.annotation for name, parameter in parameters.items()} == {
            name: field.annotation for name, field in model.model_fields.items()
        }
        required = [name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty]
        assert required == [name for name, field in model.model_fields.items() if field.is_required()]


def test_help_describes_a_field_that_most_tasks_do_not_use() -> None:
    text = pydoc.render_doc(Task, renderer=pydoc.plaintext)  # type: ignore[attr-defined]
    assert f" |  tags\n |      {Task.model_fields['tags'].description}\n" in text


def test_a_model_that_derives_from_task_has_its_own_help() -> None:
    class Billed(Task):
        """A task that somebody pays for."""

        account: str = "none"

    assert inspect.getdoc(Billed) == "A task that somebody pays for."
    assert "account" in inspect.signature(Billed).parameters


def test_a_task_needs_no_more_room_for_its_descriptions() -> None:
    task = Task(every={"seconds": 1}, func=add)
    assert not {"__doc__", "__signature__"} & task.__dict__.keys()
    with pytest.raises(AttributeError):
        _ = task.__signature__


def test_the_keyword_arguments_for_type_checkers_are_the_fields_of_a_task() -> None:
    fields = Task.model_fields.keys()
    assert TaskFields.__annotations__.keys() == fields
    assert TaskOptions.__annotations__.keys() == fields - {"func"}
    assert TaskChanges.__annotations__.keys() == fields - {"id"}


@pytest.mark.parametrize("on", [OSError, [OSError], (OSError,)])
def test_errors_to_retry_are_taken_alone_or_together_also_within_a_task(on: Any) -> None:
    task = Task.model_validate({"every": {"days": 1}, "func": add, "retry": {"on": on}})
    assert task.retry == Retry(on=on)
    assert Retry(on=on).on == (OSError,)
