"""Problems: errors as `application/problem+json` (RFC 9457)."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.responses import JSONResponse, Response

from est_alan_scheduler._support.errors import ConflictError, InvalidTypeError, InvalidValueError, WrongStateError
from est_alan_scheduler._support.text import one_line
from est_alan_scheduler.backends import BackendUnavailableError
from est_alan_scheduler.planning.task_dict import UnknownTaskError


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
    if isinstance(error, InvalidValueError | InvalidTypeError):  # no others: their texts tell of the inside
        return Problem(422, one_line(str(error)))
    return None


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


def document_of(detail: Any) -> dict[str, Any]:
    """Return the JSON schema of a problem, for the OpenAPI document."""
    return ProblemDocument.model_json_schema(ref_template=detail)
