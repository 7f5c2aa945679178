"""The page of the instances that share the tasks."""

from starlette.responses import Response

from est_alan_scheduler.web.page.view import PageCall


def page(call: PageCall) -> Response:
    """Answer the page of the instances."""
    return call.view.html("instances.html")
