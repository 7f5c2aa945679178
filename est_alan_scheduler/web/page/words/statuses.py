"""The names of statuses, as the page shows them."""

from collections.abc import Callable


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
