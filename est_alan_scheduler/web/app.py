"""The application: the API, and what guards it."""

from starlette.applications import Starlette
from starlette.routing import Mount

from est_alan_scheduler.task_registry import TaskRegistry
from est_alan_scheduler.web.api.dispatch import Api
from est_alan_scheduler.web.api.routes import ENDPOINTS
from est_alan_scheduler.web.site import Site


def create_app(registry: TaskRegistry, *, read_only: bool = False, hide_values: bool = False) -> Starlette:
    """Return an ASGI application that shows and manages the tasks of a registry."""
    site = Site(registry, read_only, hide_values)
    return Starlette(routes=[Mount("/api", app=Api(site, ENDPOINTS))])
