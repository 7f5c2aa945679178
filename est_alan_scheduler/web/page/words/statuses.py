"""The names of statuses, as the page shows them: of tasks, and of answers that are problems."""

from collections.abc import Callable
from http import HTTPStatus


def status_name(status: str, gettext: Callable[[str], str]) -> str:
    """Return a status in a language: one of a task, or one that the page derives. An unknown one stays as it is."""
    names = {
        "pending": gettext("pending"),
        "running": gettext("running"),
        "success": gettext("success"),
        "failed": gettext("failed"),
        "paused": gettext("paused"),
        "retrying": gettext("retrying"),
        "late": gettext("late"),
    }
    return names.get(status, status)


def problem_title(status: int, gettext: Callable[[str], str]) -> str:
    """Return the title of a problem in a language; of a rare one in English."""
    titles = {
        400: gettext("Bad Request"),
        401: gettext("Unauthorized"),
        403: gettext("Forbidden"),
        404: gettext("Not Found"),
        405: gettext("Method Not Allowed"),
        422: gettext("Unprocessable Content"),
        500: gettext("Internal Server Error"),
        503: gettext("Service Unavailable"),
    }
    return titles.get(status) or HTTPStatus(status).phrase
