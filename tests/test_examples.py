"""The examples, each run as a separate process: they do what their docstrings say."""

import hashlib
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Set
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freezegun import freeze_time

from est_alan_scheduler import TaskRegistry

ROOT = Path(__file__).parent.parent
FIRST_STEPS = ROOT / "examples" / "first_steps.py"
LOG_DIGEST = ROOT / "examples" / "log_digest.py"
PIPELINE = ROOT / "examples" / "pipeline.py"
INCOMPLETE = "IncompleteError: wednesday.csv is still being written"
CHECKSUMS = ROOT / "examples" / "checksums.py"
PERSISTENT_JOB = ROOT / "examples" / "persistent_job.py"
WORKERS = ROOT / "examples" / "workers.py"
FROM_SCHEDULE = ROOT / "examples" / "from_schedule.py"
FROM_APSCHEDULER = ROOT / "examples" / "from_apscheduler.py"
WEB = ROOT / "examples" / "web.py"
WEB_APP = ROOT / "examples" / "web_app.py"
PATIENCE = 60.0  # seconds until a process counts as stuck

needs_sigint = pytest.mark.skipif(os.name == "nt", reason="Windows cannot send a Ctrl+C to one process")


@contextmanager
def started(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """Run Python with warnings as errors; kill the process if it hangs, and at the end."""
    # A background job of a shell ignores Ctrl+C, and its children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    finally:
        signal.signal(signal.SIGINT, before)
    watchdog = threading.Timer(PATIENCE, process.kill)  # ends a `readline` that would wait forever
    watchdog.start()
    with process:
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def failed_in(errors: str) -> set[str]:
    """Return the ids of the tasks whose failures stand in the log, which is all that may be in `errors`.

    Ctrl+C may come while a task runs.
    """
    errors = re.sub(r"^Task '\w+'.* failed after [0-9.]+ s: KeyboardInterrupt\n", "", errors, flags=re.MULTILINE)
    failed = set(re.findall(r"^Task '(\w+)'.* failed", errors, re.MULTILINE))
    assert (errors == "") == (not failed), errors
    return failed


def run(*arguments: object, failing: Set[str] = frozenset()) -> str:
    """Return the output of Python, which has to exit with 0; on stderr are only the failures of these tasks."""
    with started(*arguments) as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, failed_in(errors)) == (0, failing)
    return output


def run_until_ctrl_c(*arguments: object, failing: Set[str] = frozenset()) -> list[str]:
    """Interrupt Python after its first line; return its lines. Exit code and stderr are as in `run`."""
    with started(*arguments) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, failed_in(errors)) == (0, failing)
    return (first + rest).splitlines()


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report_in(output: str) -> dict[str, int]:
    return {name: int(count) for name, count in re.findall(r"^([A-Za-z]+) +(\d+)$", output, re.MULTILINE)}


def runs_in(output: str, task_id: str) -> list[str]:
    """Return the history that the log digest prints for a task, without the times."""
    _, _, section = output.partition(f"\n\n{task_id}: ")
    return [line.split(maxsplit=1)[1] for line in section.partition("\n\n")[0].splitlines()[1:]]


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture(scope="module")
def log_digest() -> Any:
    return load(LOG_DIGEST)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "app.log"
    path.touch()
    return path


@pytest.fixture
def tail(log_digest: Any, log: Path) -> Iterator[Any]:
    with closing(log_digest.LogTail(log)) as tail:
        yield tail


def test_first_steps_adds_every_five_seconds_multiplies_at_the_next_minute_and_logs_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with freeze_time("2026-03-02 12:00:15") as clock:
        first_steps = load(FIRST_STEPS)
        registry = TaskRegistry()

        def fifty_seconds(interval: float, blocking: bool) -> None:
            assert (interval, blocking) == (1.0, True)
            for _ in range(50):
                registry.tick()
                clock.tick(timedelta(seconds=1))

        monkeypatch.setattr(first_steps, "registry", registry)
        monkeypatch.setattr(first_steps, "start_scheduler", fifty_seconds)
        first_steps.main()
    assert capsys.readouterr().out.splitlines() == [
        "12:00:15  add(10, 20) = 30",
        "12:00:20  add(10, 20) = 30",
        "12:00:25  add(10, 20) = 30",
        "12:00:30  add(10, 20) = 30",
        "12:00:35  add(10, 20) = 30",
        "12:00:40  add(10, 20) = 30",
        "12:00:45  add(10, 20) = 30",
        "12:00:45  One-off task executed!",
        "12:00:50  add(10, 20) = 30",
        "12:00:55  add(10, 20) = 30",
        "12:01:00  add(10, 20) = 30",
        "12:01:00  multiply(7, 8) = 56",
    ]


@needs_sigint
@pytest.mark.slow
def test_ctrl_c_ends_first_steps_with_one_friendly_line() -> None:
    lines = [line[len("12:00:00  ") :] for line in run_until_ctrl_c(FIRST_STEPS)]
    assert (lines[0], lines[-1]) == ("add(10, 20) = 30", "Stopped by Ctrl+C. Goodbye!")
    assert set(lines[1:-1]) <= {"add(10, 20) = 30", "multiply(7, 8) = 56"}  # a slow machine may reach this line


@pytest.mark.slow
def test_the_demo_of_the_package_runs_to_its_end() -> None:
    output = run("-m", "est_alan_scheduler.scheduler")
    assert re.findall(r"^(\w+): (\w+), \d+ run", output, re.MULTILINE) == [
        ("add", "success"),
        ("multiply", "success"),
        ("log", "success"),
    ]


@pytest.mark.slow
def test_log_digest_reports_every_line_of_the_given_log(log: Path, tmp_path: Path) -> None:
    log.write_text("10:00 INFO up\n10:01 ERROR lost\nTraceback:\n10:02 DEBUG x\n10:03 INFO y\n10:04 WARNING full\n")
    report = tmp_path / "report.txt"
    output = run(LOG_DIGEST, log, "--seconds", 2, "--report", report)
    counts = {"DEBUG": 1, "INFO": 2, "WARNING": 1, "ERROR": 1, "OTHER": 1, "total": 6}
    assert (report_in(output), report_in(report.read_text())) == (counts, counts)


@pytest.mark.slow
def test_the_counts_add_up_to_the_lines_that_the_log_digest_wrote_itself() -> None:
    output = run(LOG_DIGEST, "--seconds", 2)
    counts = report_in(output)
    total = counts.pop("total")
    assert f"{total} lines were written." in output
    assert (sum(counts.values()), counts["OTHER"]) == (total, 0)
    assert total > 0


@pytest.mark.slow
def test_errors_beyond_the_budget_fail_that_task_alone(log: Path) -> None:
    log.write_text("ERROR one\nERROR two\n")
    output = run(LOG_DIGEST, log, "--seconds", 1, "--budget", 1, failing={"error_budget"})
    assert set(runs_in(output, "error_budget")) == {"failed    RuntimeError: 2 errors, 1 allowed"}
    assert set(runs_in(output, "report")) == {"success   'report.txt'"}


@needs_sigint
@pytest.mark.slow
def test_ctrl_c_ends_the_log_digest_with_its_report(log: Path) -> None:
    log.write_text("INFO one\nINFO two\n")
    output = "\n".join(run_until_ctrl_c(LOG_DIGEST, log, "--seconds", PATIENCE))
    assert report_in(output) == {"DEBUG": 0, "INFO": 2, "WARNING": 0, "ERROR": 0, "OTHER": 0, "total": 2}
    assert output.count("Stopped by Ctrl+C.") == 1


def test_the_log_digest_names_a_log_that_is_not_there(
    log_digest: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["log_digest.py", "no.log"])
    with pytest.raises(SystemExit):
        log_digest.main()
    assert capsys.readouterr().err.endswith("error: there is no file no.log\n")


def test_each_line_is_read_once(log: Path, tail: Any) -> None:
    append(log, "one\ntwo\r\n")
    assert (list(tail.new_lines()), list(tail.new_lines())) == (["one", "two"], [])
    append(log, "three\n")
    assert list(tail.new_lines()) == ["three"]


def test_a_partial_last_line_waits_until_it_is_complete(log: Path, tail: Any) -> None:
    append(log, "one\nERR")
    assert list(tail.new_lines()) == ["one"]
    append(log, "OR two")
    assert list(tail.new_lines()) == []
    append(log, " three\nfour\n")
    assert list(tail.new_lines()) == ["ERROR two three", "four"]


def test_a_truncated_log_is_read_from_its_beginning(log: Path, tail: Any) -> None:
    append(log, "one\ntwo\n")
    assert list(tail.new_lines()) == ["one", "two"]
    log.write_text("new\n")
    assert list(tail.new_lines()) == ["new"]


@pytest.mark.skipif(os.name == "nt", reason="Windows does not rename an open file")
def test_a_rotated_log_is_read_to_its_end_and_then_its_successor(log: Path, tail: Any) -> None:
    append(log, "one\n")
    assert list(tail.new_lines()) == ["one"]
    append(log, "two\nunfinished")
    log.rename(log.with_suffix(".1"))
    assert list(tail.new_lines()) == ["two"]
    append(log, "a successor that is longer than the log before\n")
    assert list(tail.new_lines()) == ["unfinished", "a successor that is longer than the log before"]


def test_a_log_that_does_not_exist_yet_has_no_lines(log_digest: Any, tmp_path: Path) -> None:
    with closing(log_digest.LogTail(tmp_path / "later.log")) as tail:
        assert list(tail.new_lines()) == []
        append(tmp_path / "later.log", "one\n")
        assert list(tail.new_lines()) == ["one"]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-03-02 12:00:15,123 WARNING pool: almost full", "WARNING"),
        ("[ERROR] payment: no answer to the INFO request", "ERROR"),
        ("DEBUG", "DEBUG"),
        ("  File 'shop.py', line 12, in pay", "OTHER"),
        ("INFORMATION desk", "OTHER"),
        ("", "OTHER"),
    ],
)
def test_a_line_counts_for_the_first_level_that_it_names(log_digest: Any, line: str, level: str) -> None:
    assert log_digest.level_of(line) == level


class TestPipeline:
    def test_the_pipeline_loads_a_delivery_whose_last_file_comes_late(self) -> None:
        lines = run(PIPELINE).splitlines()
        failed = [
            f"extract, attempt {number}: {INCOMPLETE}"
            for number in range(1, lines.index("deliver, attempt 1: wednesday.csv") + 1)
        ]
        assert len(failed) >= 1
        assert lines[: len(failed)] == failed
        assert re.fullmatch(r"extract, attempt \d+: took wednesday.csv", lines[len(failed) + 1])
        assert lines[len(failed) + 2 :] == [
            "transform, attempt 1: summed up 3 file(s)",
            "load, attempt 1: totals of 3 product(s)",
            *'{\n  "coffee": 6,\n  "cups": 12,\n  "tea": 9\n}'.splitlines(),
        ]

    def test_the_pipeline_takes_each_file_of_the_inbox_once(self, tmp_path: Path) -> None:
        inbox, outbox = tmp_path / "in", tmp_path / "out"
        inbox.mkdir()
        for name in ("a", "b"):
            (inbox / f"{name}.csv").write_text("product,pieces\ntea,1\n")
        assert run(PIPELINE, inbox, "--outbox", outbox).splitlines() == [
            "extract, attempt 1: took a.csv, b.csv",
            "transform, attempt 1: summed up 2 file(s)",
            "load, attempt 1: totals of 1 product(s)",
            "{",
            '  "tea": 2',
            "}",
        ]
        (inbox / "c.csv").write_text("product,pieces\ntea,1\n")
        run(PIPELINE, inbox, "--outbox", outbox)
        assert json.loads((outbox / "totals.json").read_text()) == {"tea": 3}

    def test_a_failure_after_the_last_retry_ends_the_pipeline(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("product,pieces\ntea,many\n")
        assert run(PIPELINE, tmp_path).splitlines()[1:] == [
            "transform, attempt 1: ValueError: invalid literal for int() with base 10: 'many'",
            "(nothing was loaded)",
        ]

    @needs_sigint
    def test_ctrl_c_ends_the_pipeline_early(self, tmp_path: Path) -> None:
        (tmp_path / "wednesday.csv").write_text("product")
        lines = run_until_ctrl_c(PIPELINE, tmp_path)
        assert (lines[0], lines[-2:]) == (
            f"extract, attempt 1: {INCOMPLETE}",
            ["Stopped by Ctrl+C.", "(nothing was loaded)"],
        )


class TestChecksums:
    def test_checksums_reads_each_directory_and_reports_changes(self, tmp_path: Path) -> None:
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "file").write_text(name)
        first, *lines = run(CHECKSUMS, tmp_path, "--seconds", "1").splitlines()
        assert first == f"Reading 2 directories in {tmp_path} ..."
        digests = [hashlib.sha256(b"file" + name).hexdigest()[:12] for name in (b"a", b"b")]
        assert [re.sub(r"most [0-9.]+ s", "most N s", line) for line in lines] == [
            f"{name:16} read 1 time(s), at most N s, unchanged: {digest}"
            for name, digest in zip("ab", digests, strict=True)
        ]

    @needs_sigint
    def test_ctrl_c_ends_checksums_early(self) -> None:
        lines = run_until_ctrl_c(CHECKSUMS, "--seconds", "600")
        assert lines[1] == "interrupted"
        assert len(lines) == 7


@needs_sigint
def test_the_web_app_serves_and_schedules_until_ctrl_c() -> None:
    for package in ("starlette", "uvicorn", "httpx"):
        pytest.importorskip(package)
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with started(WEB_APP, "--port", port) as process:
        shown: dict[str, Any] = {}
        give_up_at = time.monotonic() + PATIENCE
        while shown.get("summary", {}).get("status") != "success":
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/") as answer:
                shown = json.load(answer)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in errors) == (0, False)
    assert (shown["probe"]["status"], shown["probe"]["error"]) == ("success", None)
    assert re.fullmatch(r"latest [0-9.]+ ms, median of 1: [0-9.]+ ms", shown["summary"]["result"])


@needs_sigint
def test_the_web_serves_its_tasks_to_whom_has_the_token_until_ctrl_c() -> None:
    for package in ("starlette", "uvicorn"):
        pytest.importorskip(package)
    with started(WEB, "--port", 0) as process:
        assert process.stdout is not None
        address, token = process.stdout.readline().split()[-1].split("?token=")
        asked = urllib.request.Request(address + "api/tasks", headers={"Authorization": f"Bearer {token}"})
        status: dict[str, str] = {}
        give_up_at = time.monotonic() + PATIENCE
        while status.get("warn") != "success":
            assert time.monotonic() < give_up_at
            with urllib.request.urlopen(asked) as answer:
                status = {task["id"]: task["status"] for task in json.load(answer)["items"]}
            time.sleep(0.02)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(address + "api/tasks")
        caught.value.close()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
    assert (caught.value.code, process.returncode, output, errors) == (401, 0, "Stopped. Goodbye!\n", "")


@pytest.mark.slow
def test_the_persistent_job_survives_kill_9() -> None:
    pytest.importorskip("sqlalchemy")
    assert run(PERSISTENT_JOB, failing={"films"}).splitlines() == [
        "The first worker:",
        "  copying photos, attempt 1 ...",
        "  copying films, attempt 1 ...",
        "It is dead. The second worker:",
        "  copying films, attempt 2 ...",
        "photos: photos copied",
        "  attempt 1: success",
        "films: films copied",
        "  attempt 1: failed lease expired",
        "  attempt 2: success",
    ]


@pytest.mark.slow
def test_the_workers_share_the_tasks() -> None:
    pytest.importorskip("sqlalchemy")
    *lines, total = run(WORKERS).splitlines()
    ran = [re.fullmatch(r"worker (\d) ran ( *\d+): ([\d ]+)", line) for line in lines]
    tasks = sorted(task for match in ran if match for task in match[3].split())
    assert (tasks, total) == ([f"{number:02}" for number in range(50)], "50 runs of 50 tasks")


@pytest.mark.slow
def test_the_program_for_schedule_does_the_same_after_its_migration() -> None:
    pytest.importorskip("schedule")
    *lines, last = run(FROM_SCHEDULE).splitlines()
    assert last == "1023 runs with schedule, 1023 with est_alan_scheduler: the journals are the same."
    assert lines[0] == "Sun 01 22:10  orders tea"
    assert "Mon 02 08:15  summary: 61 orders" in lines


@pytest.mark.slow
def test_the_program_for_apscheduler_has_the_same_plan_after_its_migration_but_at_clock_changes() -> None:
    pytest.importorskip("apscheduler")
    pytest.importorskip("cronsim")
    _, *lines = run(FROM_APSCHEDULER).splitlines()
    assert [line.split() for line in lines[:6]] == [
        ["sample", "35040", "35040"],
        ["backup", "366", "365"],
        ["digest", "261", "261"],
        ["archive", "12", "12"],
        ["check", "7300", "7300"],
        ["hello", "1", "1"],
    ]
    assert lines[6:] == [
        "only APScheduler runs backup at 2026-03-29 02:30:00+01:00",
        "only APScheduler runs backup at 2026-10-25 02:30:00+01:00",
        "only est_alan_scheduler runs backup at 2026-03-29 03:00:00+02:00",
    ]


@needs_sigint
@pytest.mark.parametrize(("example", "package"), [(FROM_SCHEDULE, "schedule"), (FROM_APSCHEDULER, "apscheduler")])
def test_ctrl_c_ends_a_migrated_program(example: Path, package: str) -> None:
    pytest.importorskip(package)
    lines = run_until_ctrl_c(example, "--run")
    assert (lines[0].split()[1:], lines[-1]) == (["tasks", "until", "Ctrl+C"], "Stopped by Ctrl+C.")
