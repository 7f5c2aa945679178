"""Checks of messages by the parts that they must name: their wording is not promised."""

from typing import Any

import pytest
from pydantic import ValidationError


def missing(message: object, *parts: str) -> list[str]:
    """Return the parts that a message does not contain."""
    text = str(message)
    return [part for part in parts if part not in text]


def only_error(caught: "pytest.ExceptionInfo[ValidationError]") -> str:
    """Return the field and the message of a validation error, which must be the only one."""
    (error,) = caught.value.errors()
    location: tuple[Any, ...] = error["loc"]
    return ".".join(map(str, location)) + ": " + error["msg"]
