"""Problems: errors as `application/problem+json` (RFC 9457)."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse, Response

from est_alan_scheduler._support.errors import (
    ConflictError,
    InvalidTypeError,
    InvalidValueError,
    MissingExtraError,
    WrongStateError,
)
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.text import one_line
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.planning.task_dict import UnknownTaskError

_ARGUMENTS = ("args", "kwargs", "run_arguments")
"""The fields that hold arguments of a function."""

_NOT_JSON = re.compile(r"(args|kwargs)\[.*, which JSON cannot hold", re.DOTALL)
_HIDING = (
    (_NOT_JSON, r"\1 hold a value that JSON cannot hold"),
    (re.compile(r" cannot call its function: .*", re.DOTALL), " cannot call its function: its arguments do not fit"),
    (re.compile(r"(kwargs of task .*?) hold .*, where the", re.DOTALL), r"\1 hold an argument, where the"),
    (re.compile(r".* is a value that JSON could not hold", re.DOTALL), "one is a value that JSON could not hold"),
    (re.compile(r" can only be removed here: .*", re.DOTALL), " can only be removed here: the log says why"),
    (re.compile(r"^cannot run here: .*", re.DOTALL), "cannot run here: the log says why"),
    (re.compile(r" since it was of the version .* now: ", re.DOTALL), " since it was of the version that was seen: "),
)
"""Patterns of texts with arguments or the digest of a definition in them, and the text that replaces each match."""


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str
    """The name, with dots for what lies deeper: `retry.max_retries`."""
    detail: str


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []


class Problem(Exception):  # noqa: N818  # the word of RFC 9457
    """An error that is the answer to a request."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers


def response_of(problem: Problem) -> Response:
    """Return the response of a problem."""
    status = problem.status
    content = ProblemDocument(
        title=HTTPStatus(status).phrase, status=status, detail=problem.detail, errors=list(problem.errors)
    )
    shown = content.model_dump(mode="json", exclude=None if problem.errors else {"errors"})
    return JSONResponse(shown, status, problem.headers, media_type="application/problem+json")


def problem_of(error: Exception) -> Problem | None:
    """Return the problem that an error of a handler means to the caller; None for a fault of the server."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, ValidationError):
        return invalid(error)
    if isinstance(error, UnknownTaskError):
        return Problem(404, one_line(str(error)))
    if isinstance(error, BackendUnavailableError):
        return Problem(503, "the store is out of reach", headers={"Retry-After": "1"})
    if isinstance(error, ConflictError):
        return Problem(412, one_line(str(error)))
    if isinstance(error, WrongStateError):
        return Problem(409, one_line(str(error)))
    if isinstance(
        error, InvalidValueError | InvalidTypeError | MissingExtraError
    ):  # no others: their texts tell of the inside
        return _of_text(one_line(str(error)))
    return None


def _of_text(text: str) -> Problem:
    """Return the problem of a value, with its field if the text begins with that."""
    found = _NOT_JSON.match(text)
    return Problem(422, text, [FieldProblem(field=found[1], detail=text)] if found else ())


def told(error: Exception, what: str, hides_values: bool) -> Problem:
    """Return an error as a site tells it; log a fault of the server, as `what`, the sentence that says what failed."""
    problem = problem_of(error)
    if problem is None:
        log(logging.ERROR, what, error)
        return Problem(500, "the server failed: its log says why")
    return without_values(problem) if hides_values else problem


def without_values(problem: Problem) -> Problem:
    """Return a problem as a site shows it that hides arguments."""
    if problem.errors:
        return refused((one.field, text_without_values(one.detail, one.field)) for one in problem.errors)
    return Problem(problem.status, text_without_values(problem.detail), headers=problem.headers)


def text_without_values(text: str, field: str = "") -> str:
    """Return a text of this library, about a field if one is given, as a site shows it that hides arguments."""
    if field.partition(".")[0] in _ARGUMENTS:
        text = text.partition(", got ")[0]
    for pattern, rest in _HIDING:
        text = pattern.sub(rest, text)
    return text


def invalid(error: ValidationError, prefix: str = "") -> Problem:
    """Return the problem of fields that do not validate."""
    found: list[FieldProblem] = []
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        field = prefix + ".".join(map(str, one["loc"]))
        found.append(FieldProblem(field=field, detail=one["msg"].removeprefix("Value error, ")))
    detail = "; ".join(f"{one.field}: {one.detail}" if one.field else one.detail for one in found)
    return Problem(422, detail, found)


def refused(problems: Iterable[tuple[str, str]]) -> Problem:
    """Return the problem of fields, each with what is wrong with it."""
    errors = [FieldProblem(field=field, detail=detail) for field, detail in problems]
    return Problem(422, "; ".join(f"{one.field}: {one.detail}" for one in errors), errors)
