"""The files that are the same for everyone."""

import pytest

from est_alan_scheduler import TaskRegistry
from est_alan_scheduler.web.page.files import STATIC_PATHS
from tests.web.page.pages import HTML, Browser


@pytest.mark.parametrize("path", sorted(STATIC_PATHS))
def test_file_needs_no_role_and_is_asked_for_anew_each_time(path: str) -> None:
    answer = Browser(TaskRegistry(), None).request("GET", path[1:])
    kinds = {"css": "text/css", "js": "javascript", "svg": "image/svg+xml"}
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert kinds[path.rpartition(".")[2]] in answer.headers["content-type"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_file_that_is_the_same_still_is_not_sent_again() -> None:
    browser = Browser(TaskRegistry(), None)
    tag = browser.request("GET", "static/base.css").headers["etag"]
    answer = browser.request("GET", "static/base.css", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content) == (304, b"")
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["static/", "static/nothing.js", "static/..%2Fpages.py", "static/%2E%2E/pages.py"])
def test_nothing_else_is_a_file(path: str) -> None:
    assert Browser(TaskRegistry()).request("GET", path).status_code == 404
    assert Browser(TaskRegistry(), None).request("GET", path, headers=HTML).status_code == 401
