"""The log of the package: `logging.getLogger("est_alan_scheduler")`."""

import logging
import traceback

from est_alan_scheduler._support.signals import is_interruption
from est_alan_scheduler._support.text import one_line
from est_alan_scheduler._support.tracebacks import format_traceback

# No NullHandler: without any configuration, Python's last resort writes warnings and errors to stderr.
_logger = logging.getLogger("est_alan_scheduler")

is_enabled = _logger.isEnabledFor
"""Return whether lines of that level are wanted. It costs next to nothing."""


def log(level: int, message: str, error: BaseException | None = None) -> None:
    """Log a message as one line, with the traceback of `error`.

    Messages contain texts of tasks, errors and the store. None of them can add a line of its own, or commands to a
    terminal. An error of a handler stops neither a run nor the scheduler.
    """
    try:
        _logger.log(level, one_line(message), exc_info=error)
    except (Exception, SystemExit) as failure:
        if is_interruption(failure):
            raise


def _format_traceback(record: logging.LogRecord) -> bool:
    """Set the text of a traceback that would differ from Python's own. Formatters show a text that is set."""
    error = record.exc_info and record.exc_info[1]
    if error and _has_reader():
        try:
            text = format_traceback(error)
            if text != "".join(traceback.format_exception(error)):  # else the application may format it as it likes
                record.exc_text = text.removesuffix("\n")
        except Exception as failure:  # of a class of `error`: the formatter will tell it
            if is_interruption(failure):
                raise
    return True


def _has_reader() -> bool:
    """Return whether a handler shows an error: the text of a traceback takes long to make."""
    logger: logging.Logger | None = _logger
    has_handlers = False
    while logger is not None:
        has_handlers = has_handlers or bool(logger.handlers)
        if not all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return not has_handlers and logging.lastResort is not None


_logger.addFilter(_format_traceback)
