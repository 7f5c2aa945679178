"""The base of all errors that this package raises, and those of each builtin kind.

Their `__module__` is what a traceback shows: the package, which exports them.
"""


class SchedulerError(Exception):
    """The base of all errors that the scheduler raises, each of which is an error of a builtin class as well.

    `except SchedulerError` catches them together. There is one exception: an invalid field of a `Task` or a `Retry`
    raises `pydantic.ValidationError`, a `ValueError`, which pydantic does not let anyone derive from.
    """

    __module__ = "est_alan_scheduler"


class InvalidValueError(SchedulerError, ValueError):
    """An argument, a task or a URL has a value that is not allowed; the text says what is."""

    __module__ = "est_alan_scheduler"


class InvalidTypeError(SchedulerError, TypeError):
    """An argument is of a class that is not allowed; the text says which one is."""

    __module__ = "est_alan_scheduler"


class WrongStateError(SchedulerError, RuntimeError):
    """The call is valid, but not now, not from here, or not with this store; the text says why."""

    __module__ = "est_alan_scheduler"


class ConflictError(WrongStateError):
    """A task is no longer of the version that a change was made for: nothing is changed. Read it again, and decide."""

    __module__ = "est_alan_scheduler"


class WaitTimeoutError(SchedulerError, TimeoutError):
    """No run of a task has ended in the time that the caller of `wait` gave it; the text says why none has."""

    __module__ = "est_alan_scheduler"


class MissingExtraError(SchedulerError, ImportError):
    """A feature needs a library that is not installed; the text names the extra that brings it."""

    __module__ = "est_alan_scheduler"
