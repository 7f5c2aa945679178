"""Tracebacks as text in which the message of an error cannot pass for other lines."""

from collections.abc import Iterator, Sequence
from traceback import TracebackException
from typing import Any

from est_alan_scheduler._support.text import one_line


class RemoteTraceback(Exception):  # noqa: N818  # not an error: the traceback of one
    """The traceback of an error in another process. As the cause of that error it gets into the log."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class _IndentedMessages(TracebackException):
    """A traceback that indents a message from its second line on: an event begins at the margin."""

    def format_exception_only(self, **options: Any) -> Iterator[str]:  # type: ignore[override]  # they vary by version
        """Yield the lines that Python begins, each with the indented lines that belong to it."""
        for text in super().format_exception_only(**options):
            yield "\n    ".join(text.removesuffix("\n").split("\n")) + "\n"


def format_traceback(error: BaseException) -> str:
    """Return the traceback of an error, its causes included, as Python shows it, with control characters escaped.

    A message of several lines keeps them, indented; a note or a name is one line. The traceback of another process is
    taken as it is: this function has made it there.
    """
    shown = TracebackException.from_exception(error, compact=True)
    pending: list[tuple[TracebackException, BaseException]] = [(shown, error)]
    while pending:
        part, its_error = pending.pop()
        if type(its_error) is not RemoteTraceback:
            part.__class__ = _IndentedMessages
        _flatten(part)
        inner = [(part.__cause__, its_error.__cause__), (part.__context__, its_error.__context__)]
        if isinstance(its_error, BaseExceptionGroup):
            inner += zip(part.exceptions or (), its_error.exceptions, strict=False)
        pending += [(one, cause) for one, cause in inner if one is not None and cause is not None]
    return "\n".join(map(one_line, "".join(shown.format()).split("\n")))


def _flatten(part: TracebackException) -> None:
    notes = part.__notes__  # of any type: each is an assignable attribute of the error
    if isinstance(notes, Sequence) and not isinstance(notes, str):
        part.__notes__ = [one_line(str(note)) for note in notes]
    for frame in part.stack:
        frame.name, frame.filename = one_line(frame.name), one_line(frame.filename)
