"""The web: a REST API over a registry, as one ASGI application."""

from est_alan_scheduler._support.errors import MissingExtraError

try:
    import starlette  # noqa: F401  # asked for here, so that the error names the extra
except ModuleNotFoundError as error:
    if error.name != "starlette":
        raise
    raise MissingExtraError('the web needs the extra "web": pip install "est-alan-scheduler[web]"') from error

from est_alan_scheduler.web.app import create_app
from est_alan_scheduler.web.auth import Role

__all__ = ["Role", "create_app"]
