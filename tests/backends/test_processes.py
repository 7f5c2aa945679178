"""Many processes on one store, and processes that die."""

import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from est_alan_scheduler.backends.rows import DeadRunOutcome
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import SHARED, Servers, Store

KILLS = int(os.environ.get("EST_ALAN_SCHEDULER_KILLS", "10"))

_OPEN = """
import sys
from est_alan_scheduler.backends import open_backend
from est_alan_scheduler.backends.rows import Definition
sys.stdout.write("ready\\n")
sys.stdout.flush()
sys.stdin.readline()
backend = open_backend(sys.argv[1], sys.argv[2])
backend.define([Definition(f"task {number}", "{}", "h") for number in range(10)])
print(len(backend.fetch(None, 0).states))
backend.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("store", SHARED, indirect=True)
def test_eight_processes_open_a_new_store_at_once(store: Store) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _OPEN, store.url, store.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    assert answers == [("10\n", "")] * 8
    assert {state.version for state in store.open().fetch(None, 0).states.values()} == {1}


@pytest.mark.slow
def test_a_file_survives_the_death_of_its_writers(servers: Servers, tmp_path: Path) -> None:
    """After each `kill -9` the file passes its integrity check, and has every acknowledged outcome."""
    store = servers.store("sqlite", tmp_path)
    acknowledged: set[tuple[str, int]] = set()
    for number in range(KILLS):
        lines = random.Random(number).randrange(1, 400)
        acknowledged |= _write_and_die(store, lines, number)
        with closing(sqlite3.connect(tmp_path / "tasks.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        backend = store.open()
        recorded = {(run.task_id, run.epoch): run for run in backend.history(limit=10**9)}
        missing = [one for one in acknowledged if recorded[one].status != TaskStatus.SUCCESS]
        assert missing == []
        for row in backend.instances():  # of killed processes
            backend.leave(row.owner)
        backend.reap([DeadRunOutcome(run.task_id, run.epoch, run.owner) for run in backend.find_dead_runs()])
        backend.close()
    epochs = {one: state.epoch for one, state in store.open().fetch(None, 0).states.items()}
    assert sum(epochs.values()) == len(store.open().history(limit=10**9))
    assert acknowledged
    store.close()


def _write_and_die(store: Store, lines: int, number: int) -> set[tuple[str, int]]:
    """Start a writer, kill it shortly after so many acknowledged outcomes, and return all that it acknowledged."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.backends.writer", store.url, store.name],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(lines)]
    delay = random.Random(-number).random() * 0.01
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -9
    seen += rest.splitlines(keepends=True)
    return {(task_id, int(epoch)) for task_id, epoch in (line.split() for line in seen if line.endswith("\n"))}
