"""The log of the package: `logging.getLogger("est_alan_scheduler")`."""

import logging

from est_alan_scheduler._support.signals import is_interruption

_logger = logging.getLogger("est_alan_scheduler")
_logger.addHandler(logging.NullHandler())  # a library is quiet until the application configures logging

is_enabled = _logger.isEnabledFor
"""Return whether a line of that level has a handler that wants it. It costs next to nothing."""


def log(level: int, message: str, error: BaseException | None = None) -> None:
    """Log a message, with the traceback of `error`. An error of a handler stops neither a run nor the scheduler."""
    try:
        _logger.log(level, message, exc_info=error)
    except (Exception, SystemExit) as failure:
        if is_interruption(failure):
            raise
