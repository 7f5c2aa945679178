"""What a type checker knows: the code of the documents and the examples passes, a slip is an error in the editor."""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from est_alan_scheduler.fields.given import TaskChanges
from tests.documents import ROOT, write_scripts

pytest.importorskip("mypy")
pytest.importorskip("basedpyright")

pytestmark = pytest.mark.slow

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

ACCEPTED = '''
"""What is accepted at run time."""
from datetime import date, datetime, timedelta
from typing import Any, assert_type
from zoneinfo import ZoneInfo

from est_alan_scheduler import EVENTS, Event, EventName, Retry, SchedulerThread, Task, TaskRegistry, TaskStatus
from est_alan_scheduler import start_scheduler


def work(*args: object) -> int:
    return 1


registry = TaskRegistry()
first = registry.register(Task(id="first", every=timedelta(minutes=5), func=work))
tasks = [first]
Task(every={"minutes": 5}, func=work)
Task(every={"minutes": 0.5}, func=work)
Task(run_at="2026-12-24T18:00", func=work)
Task(run_at=datetime(2026, 12, 24), func=work)
Task(at="07:30", timezone=ZoneInfo("Asia/Seoul"), exclude=["2026-12-25"], start_at="2026-01-01", func=work)
Task(at="07:30", timezone="Asia/Seoul", exclude={date(2026, 12, 25)}, end_at=datetime(2027, 1, 1), func=work)
Task(every={"days": 1}, retry=3, args=[1], kwargs={"flush": True}, func=print)
Task(every={"days": 1}, retry=Retry(on=OSError), args=(1,), status="pending", tags=["nightly"], func=work)
Task(every={"days": 1}, retry=Retry(on=[OSError, TimeoutError]), depends_on=["first", first], func=work)
Task(every={"days": 1}, retry={"max_retries": 3, "on": OSError}, depends_on=tasks, func=work)
Task.model_validate({"every": {"days": 1}, "func": work, "retry": {"on": OSError}})


@registry.task(id="second", every=timedelta(hours=1), retry=3, timezone=ZoneInfo("Asia/Seoul"))
def second(dep_first: int = 0) -> str:
    return "done"


assert_type(second(), str)
task = registry.update("second", every=timedelta(hours=2), exclude=["2026-12-25"], func=work, paused=True)
task.every = timedelta(minutes=1)
task.timezone = ZoneInfo("Asia/Seoul")
task.exclude = [date(2026, 12, 25)]
task.retry = 3
task.args = [1]
task.status = "success"
again = registry.update(task, cron=None)
assert_type(again.every, dict[str, int] | dict[str, float] | None)
assert_type(again.run_at, datetime | None)
assert_type(again.timezone, str | None)
assert_type(again.exclude, tuple[date, ...])
assert_type(again.retry, Retry | None)
assert_type(again.args, tuple[Any, ...])
assert_type(again.depends_on, list[str])
assert_type(again.status, TaskStatus)
assert_type(Retry(on=OSError).on, tuple[type[BaseException], ...])


class Billed(Task):
    account: str = "none"


assert_type(Billed(every=timedelta(1), func=work, account="a").account, str)


def tell(event: Event) -> None:
    assert_type(event.name, EventName)


registry.on("failed", tell)
for name in EVENTS:
    registry.on(name, tell)
for run in registry.upcoming(limit=3):
    assert_type(run.at, datetime)
    at, task_id = run


def go() -> None:
    assert_type(start_scheduler(), SchedulerThread)
    with start_scheduler(0.5, registry=registry) as thread:
        thread.stop(1.0)


def block() -> int:
    start_scheduler(blocking=True)
'''

REFUSED = '''
"""What is an error in the editor, line by line."""
from datetime import timedelta

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, start_scheduler


def work() -> None: ...
def tell(event: Event) -> None: ...


registry = TaskRegistry()
task = Task(every={"minutes": 5}, func=work)
Task(evry={"minutes": 5}, func=work)  # error
Task("a", work)  # error
Task(every={"minutes": 5})  # error
Task(every=5, func=work)  # error
Task(at=7, func=work)  # error
Task(at="07:30", exclude="2026-12-25", func=5)  # error
Task(at="07:30", timezone=9, func=work)  # error
Task(at="07:30", retry="3", func=work)  # error
Task(at="07:30", status="done", func=work)  # error
Task(at="07:30", depends_on="first", func=work)  # error
Task(at="07:30", depends_on=[work], func=work)  # error
Task(at="07:30", depends_on_mode="always", func=work)  # error
Retry(3)  # error
Retry(max_retry=3)  # error
Retry(on="OSError")  # error
task.evry = {"minutes": 5}  # error
task.every = 5  # error
task.status = "done"  # error
registry.on("fail", tell)  # error
registry.on("failed", work)  # error
registry.update("a", evry=timedelta(1))  # error
registry.update("a", id="b")  # error
registry.task(evry=timedelta(1))  # error
registry.task(every=timedelta(1), func=work)  # error
start_scheduler("1")  # error
if task.every.get("minutes"):  # error
    pass
'''

Found = dict[str, dict[int, list[str]]]
"""The messages of a checker, by file and line."""


def _write_code(directory: Path) -> None:
    """Write what is to be checked."""
    (directory / "accepted.py").write_text(ACCEPTED, encoding="utf-8")
    (directory / "refused.py").write_text(REFUSED, encoding="utf-8")
    every = "".join(
        f"    if {name!r} in given:\n        task.{name} = given[{name!r}]\n" for name in TaskChanges.__annotations__
    )
    (directory / "assigned.py").write_text(
        "from est_alan_scheduler import Task\nfrom est_alan_scheduler.fields.given import TaskFields\n\n\n"
        f"def assign(task: Task, given: TaskFields) -> None:\n{every}",
        encoding="utf-8",
    )
    write_scripts(directory)
    for example in EXAMPLES:
        (directory / example.name).write_text(example.read_text(encoding="utf-8"), encoding="utf-8")


def _run_mypy(directory: Path) -> Found:
    found: Found = defaultdict(lambda: defaultdict(list))
    options = ["--strict", "--config-file=", "--no-error-summary", "--cache-dir=.cache"]
    options.append("--disable-error-code=import-untyped")  # of the peers, which ship no types
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "."],
        cwd=directory,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        message = re.fullmatch(r"(.+?):(\d+): error: (.*)", line)
        if message is not None:
            found[message[1]][int(message[2])].append(message[3])
    assert found, done.stdout + done.stderr
    return found


def _run_pyright(directory: Path) -> Found:
    found: Found = defaultdict(lambda: defaultdict(list))
    config = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT)], "include": ["*.py"]}
    (directory / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", "."],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    for one in json.loads(done.stdout)["generalDiagnostics"]:
        if one["severity"] == "error":
            found[Path(one["file"]).name][one["range"]["start"]["line"] + 1].append(one["message"])
    assert found, done.stdout + done.stderr
    return found


@pytest.fixture(scope="module", params=[_run_mypy, _run_pyright], ids=["mypy", "pyright"])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Return what a checker says of all the code, in one run."""
    directory = tmp_path_factory.mktemp("types")
    _write_code(directory)
    messages: Found = request.param(directory)
    return messages


def test_the_code_of_the_documents_and_examples_and_all_that_is_accepted_passes(found: Found) -> None:
    assert {name: dict(lines) for name, lines in found.items() if name != "refused.py"} == {}


def test_a_slip_is_an_error_in_its_line(found: Found) -> None:
    lines = REFUSED.splitlines()
    expected = [number for number, line in enumerate(lines, 1) if line.endswith("# error")]
    assert sorted(found["refused.py"]) == expected, {
        line: messages for line, messages in found["refused.py"].items() if line not in expected
    }
