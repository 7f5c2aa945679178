"""Short texts of values and errors, and texts that stay within their line."""

import re
from collections.abc import Sequence

from est_alan_scheduler._support.errors import SchedulerError
from est_alan_scheduler._support.signals import UNREADABLE, is_for_program

MAX_TEXT = 1_000
"""Characters kept of a value's `repr` or an error's message."""


def short_repr(value: object) -> str:
    """Return `repr(value)`, cut to MAX_TEXT characters; an error of `repr` is described, not raised."""
    if value is None:
        return "None"
    try:
        if isinstance(value, str | bytes | bytearray) and len(value) > MAX_TEXT:
            value = value[:MAX_TEXT]  # the repr is longer still, so it is cut below as well
        text = repr(value)
    except UNREADABLE as error:
        if is_for_program(error):
            raise
        return f"<{type(value).__name__} whose repr failed with {type(error).__name__}>"
    return shorten(text if type(text) is str else str.__str__(text))  # a subclass has code of its own


def shorten(text: str) -> str:
    """Return `text`, cut to MAX_TEXT characters and an ellipsis; what UTF-8 cannot encode is escaped."""
    if not text.isascii():
        text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


# Control characters, the separators of lines and paragraphs, characters that reverse the direction of what follows, and
# halves of surrogate pairs, which cannot be written.
_UNSAFE = "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"


def one_line(text: str) -> str:
    """Return `text` with everything escaped that could end its line, reorder it, or command a terminal."""
    return text if text.isprintable() else re.sub(_UNSAFE, _escape, text)


def _escape(match: re.Match[str]) -> str:
    return repr(match[0])[1:-1]  # none of them is printable


def listed(names: Sequence[str], most: int = 10) -> str:
    """Return names as they stand in a sentence, the first of many, and how many more there are."""
    shown = ", ".join(map(short_repr, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


class RemoteError(SchedulerError):
    """The text of an error from another process that cannot be pickled and loaded."""

    classes: tuple[str, ...] = ()
    """The class of the error and its base classes, as `"module:qualname"`."""


def error_text(error: BaseException) -> str:
    """Return an exception as text, `"ValueError: boom"`, cut to MAX_TEXT characters."""
    if type(error) is RemoteError:
        return str(error)
    name = type(error).__name__
    try:
        message = str(error)
    except UNREADABLE as failure:
        if is_for_program(failure):
            raise
        message = f"<its str failed with {type(failure).__name__}>"
    message = message if type(message) is str else str.__str__(message)
    return shorten(f"{name}: {message}" if message else name)


def class_name(cls: type) -> str:
    """Return `"module:qualname"` of a class."""
    return f"{cls.__module__}:{cls.__qualname__}"
