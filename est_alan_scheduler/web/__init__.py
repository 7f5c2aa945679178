"""The web: a page and a REST API over a registry, as one ASGI application."""

from est_alan_scheduler._support.errors import MissingExtraError

try:  # asked for here, so that the error names the extra
    import jinja2  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ModuleNotFoundError as error:
    if error.name not in ("jinja2", "starlette", "uvicorn"):
        raise
    raise MissingExtraError('the web needs the extra "web": pip install "est-alan-scheduler[web]"') from error

from est_alan_scheduler.web.app import create_app
from est_alan_scheduler.web.auth import Basic, Role, Token
from est_alan_scheduler.web.server import WebServer, serve

__all__ = ["Basic", "Role", "Token", "WebServer", "create_app", "serve"]
