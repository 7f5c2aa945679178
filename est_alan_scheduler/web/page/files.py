"""The files of the page that are the same for everyone: style sheets, scripts, the icon."""

import os
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

_DIRECTORY = Path(__file__).with_name("static")

STATIC_PATHS = frozenset(f"/static/{path.name}" for path in _DIRECTORY.iterdir())
"""Their paths below the site. They need no role: the page that asks for a token uses them."""


class _Static(StaticFiles):
    """The files, which browsers keep, and ask each time whether they are the same still."""

    @override
    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def static_files() -> StaticFiles:
    """Return the ASGI application of the files."""
    return _Static(directory=_DIRECTORY)
