"""The tests of the page notice what they look for."""

from collections.abc import Callable

import pytest
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from est_alan_scheduler.web.auth import Role
from est_alan_scheduler.web.guard import Guard, Policy
from tests.web.page.browser.watched import Watched
from tests.web.test_mounts import asgi

FAULTS = {
    "<script>1</script>": "the policy forbids script-src-elem inline",
    '<p style="color: red">': "the policy forbids style-src-attr inline",
    '<img src="http://127.0.0.2:1/x.png" alt="">': "the policy forbids img-src http://127.0.0.2:1/x.png",
    '<meta http-equiv="refresh" content="0;url=http://127.0.0.2:1/">': "a request left the site: http://127.0.0.2:1/",
    '<img src="missing.png" alt="">': "Failed to load resource: the server responded with a status of 404",
    '<script type="module" src="throws.js"></script>': "error: Error: thrown",
    '<script type="module" src="warns.js"></script>': "warning in the console: warned",
}
SCRIPTS = {"/throws.js": "throw new Error('thrown')", "/warns.js": "console.warn('warned')"}


def app_of(body: str) -> Guard:
    """Return an application with the headers of the page, and this body."""

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        head = '<!doctype html><html lang="en"><title>x</title><link rel="icon" href="icon"><main>'
        response: Response = HTMLResponse(head + body)
        if scope["path"] in SCRIPTS:
            response = Response(SCRIPTS[scope["path"]], media_type="text/javascript")
        elif scope["path"] != "/":
            response = Response(status_code=404 if scope["path"] == "/missing.png" else 200)
        await response(scope, receive, send)

    return Guard(respond, Policy(None, Role.READ, None))


@pytest.mark.parametrize(("body", "fault"), FAULTS.items(), ids=list(FAULTS.values()))
def test_a_fault_of_a_page_is_noted(body: str, fault: str, visit: Callable[..., Watched]) -> None:
    with asgi(app_of(body)) as url:
        one = visit(url)
        for _ in range(100):
            if any(fault in found for found in one.faults):
                break
            one.page.wait_for_timeout(50)
        assert any(fault in found for found in one.faults), one.faults
        one.faults.clear()


@pytest.mark.parametrize("body", ["<p>" + "w" * 400, "<h1>x</h1><input><button></button>"])
def test_a_page_that_scrolls_sideways_or_hinders_people_fails(body: str, visit: Callable[..., Watched]) -> None:
    with asgi(app_of(body)) as url:
        one = visit(url)
        with pytest.raises(AssertionError):
            one.check_page()
