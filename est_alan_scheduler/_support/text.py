"""Short texts of values and errors."""

MAX_TEXT = 1_000
"""Characters kept of a value's `repr` or an error's message."""


def short_repr(value: object) -> str:
    """Return `repr(value)`, cut to MAX_TEXT characters; an error of `repr` is described, not raised."""
    if value is None:
        return "None"
    if isinstance(value, str | bytes | bytearray) and len(value) > MAX_TEXT:
        value = value[:MAX_TEXT]  # the repr is longer still, so it is cut below as well
    try:
        text = repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr failed with {type(error).__name__}>"
    return shorten(text)


def shorten(text: str) -> str:
    """Return `text`, cut to MAX_TEXT characters and an ellipsis; what UTF-8 cannot encode is escaped."""
    if not text.isascii():
        text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"


class RemoteError(Exception):
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
    except Exception as failure:
        message = f"<its str failed with {type(failure).__name__}>"
    return shorten(f"{name}: {message}" if message else name)


def class_name(cls: type) -> str:
    """Return `"module:qualname"` of a class."""
    return f"{cls.__module__}:{cls.__qualname__}"
