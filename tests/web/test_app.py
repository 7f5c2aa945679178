"""The application as it is made."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from est_alan_scheduler import InvalidTypeError, InvalidValueError, TaskRegistry
from est_alan_scheduler.web import create_app, serve
from tests.web.clients import MANAGE, TOKEN, bearer, call

ROOT = Path(__file__).parent.parent.parent


def test_it_is_closed_by_default() -> None:
    with pytest.raises(InvalidValueError) as caught:
        create_app(TaskRegistry())
    assert str(caught.value) == (
        'create_app is closed by default: give auth=Token("…"), auth=Basic({"ann": "…"}) or auth=a function '
        '(request) -> Role | None, or allow_anonymous="read"'
    )


@pytest.mark.parametrize("given", ["manage", "READ", True, False, "", 1])
def test_everyone_may_read_at_most(given: Any) -> None:
    with pytest.raises(InvalidValueError, match=r'^allow_anonymous must be "read" or None, got .*: whoever may manage'):
        create_app(TaskRegistry(), auth=TOKEN, allow_anonymous=given)


@pytest.mark.parametrize("given", [None, "sqlite:///tasks.db", TaskRegistry])
def test_it_shows_a_registry(given: Any) -> None:
    with pytest.raises(InvalidTypeError, match=r"^registry must be a TaskRegistry, got "):
        create_app(given, auth=TOKEN)


@pytest.mark.parametrize("name", ["read_only", "hide_values"])
@pytest.mark.parametrize("given", ["no", 0, 1, None])
def test_an_option_is_true_or_false(name: str, given: Any) -> None:
    options: Any = {name: given}
    text = re.escape(f"{name} must be True or False, got {given!r}")
    with pytest.raises(InvalidTypeError, match=f"^{text}$"):
        create_app(TaskRegistry(), auth=TOKEN, **options)
    with pytest.raises(InvalidTypeError, match=f"^{text}$"):
        serve(TaskRegistry(), port=0, blocking=False, **options)


def test_its_page_has_relative_links_only() -> None:
    reply = call(create_app(TaskRegistry(), auth=TOKEN), "GET", "/mount/", bearer(MANAGE), root_path="/mount")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'href="api/' in reply.content
    assert b'="/' not in reply.content


@pytest.mark.parametrize(
    ("path", "root", "location"), [("/m", "/m", "./m/"), ("/a b/c:d?", "/a b/c:d", "./c%3Ad/"), ("", "", "./")]
)
def test_without_its_last_slash_it_redirects_to_it(path: str, root: str, location: str) -> None:
    reply = call(create_app(TaskRegistry(), auth=TOKEN), "GET", path, bearer(MANAGE), root_path=root)
    assert (reply.status, reply.headers["location"]) == (307, location)


def test_other_paths_are_not_found_as_a_problem() -> None:
    app = create_app(TaskRegistry(), auth=TOKEN)
    for path in ("/no", "/api", "/api/no", "/m/no"):
        reply = call(app, "GET", path, bearer(MANAGE))
        assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize("library", ["jinja2", "starlette", "uvicorn"])
def test_without_its_libraries_the_error_names_the_extra(library: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None\nimport est_alan_scheduler.web"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'est_alan_scheduler.MissingExtraError: the web needs the extra "web": pip install "est-alan-scheduler[web]"'
    )


def test_the_core_does_not_import_it() -> None:
    code = "import est_alan_scheduler, sys; [getattr(est_alan_scheduler, name) for name in est_alan_scheduler.__all__]"
    code += "\nprint(sorted({'starlette', 'uvicorn', 'est_alan_scheduler.web'} & {*sys.modules}))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "[]\n"
