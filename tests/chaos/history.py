"""Written histories, for tests of the checker."""

from typing import Any

from tests.chaos.checker import check
from tests.chaos.facts import Facts, Run, State
from tests.chaos.journal import Born, Claimed, Died, End, Leased, Pulse, Record, Start
from tests.chaos.workload import Job

LEASE, INTERVAL, OFFSET = 3.0, 0.25, 1000.0
REAPED = "lease expired: owner host:1 stopped renewing"
RELEASED = "not started: owner host:1 released its claim"


def instant(at: float) -> int:
    return round((OFFSET + at) * 1e6)


class History:
    """A history, written in few words: instance i1 with owner host:1, and others likewise; task t, each second."""

    def __init__(self, *jobs: Job) -> None:
        self.jobs = jobs or (Job("t", 1.0),)
        self.records: list[Record] = []
        self.runs: list[Run] = []
        self.log = ""
        self.states: dict[str, State] = {}
        self.all_paused = False

    def lives(self, number: int = 1, begin: float = 0.0, end: float = 30.0, since: int = 0) -> "History":
        """Let an instance renew its lease and pulse each second until it is dead."""
        self.records.append(Born(begin, f"i{number}", number, 4, 0.0))
        at = begin
        while at < end:
            self.records += [Leased(at, f"i{number}", f"host:{number}", at + LEASE, since), Pulse(at, f"i{number}")]
            self.records.append(Pulse(at + 0.5, f"i{number}"))
            at += 1.0
        self.records.append(Died(end, f"i{number}", 0 if end >= 30.0 else -9))
        return self

    def claim(self, at: float, epoch: int, number: int = 1, task: str = "t", **columns: Any) -> None:
        self.records.append(Claimed(at, f"i{number}", f"host:{number}", [(task, epoch)]))
        row = Run(task, epoch, instant(at), 1, f"host:{number}", instant(at), None, "running", None, None, False)
        self.runs.append(row._replace(**columns))

    def start(self, at: float, epoch: int, number: int = 1, task: str = "t", attempt: int = 1) -> None:
        slot = next(run.slot for run in self.runs if (run.task, run.epoch) == (task, epoch)) or 0
        self.records.append(Start(at, f"i{number}", number, task, slot, epoch, attempt))

    def end(self, at: float, epoch: int, number: int = 1, task: str = "t", **columns: Any) -> None:
        """Let the function end, and record its outcome."""
        self.records.append(End(at, f"i{number}", task, epoch, failed=columns.get("status") == "failed"))
        self.finish(at, epoch, task, **{"status": "success", "result": str(epoch), **columns})

    def finish(self, at: float, epoch: int, task: str = "t", **columns: Any) -> None:
        """Record an outcome."""
        index = next(n for n, run in enumerate(self.runs) if (run.task, run.epoch) == (task, epoch))
        self.runs[index] = run = self.runs[index]._replace(finished=instant(at), **columns)
        known = self.states.get(task)
        result = run.result if run.status == "success" else known.result if known else None
        if not (run.late and (run.error or "").startswith("not started")):
            self.states[task] = State(task, epoch, run.status, result, run.error)
        elif known:
            self.states[task] = known._replace(epoch=epoch)

    def run(self, at: float, epoch: int, number: int = 1, **columns: Any) -> None:
        """Make a whole run, short and successful."""
        self.claim(at, epoch, number, **columns)
        self.start(at, epoch, number)
        self.end(at + 0.1, epoch, number)

    def goes_on(self, begin: int, end: int, epoch: int = 1, number: int = 1) -> "History":
        """Make a run each second."""
        for at in range(begin, end):
            self.run(float(at), epoch + at - begin, number)
        return self

    def facts(self) -> Facts:
        records = sorted(self.records, key=lambda record: record.at)
        states = list(self.states.values())
        return Facts(self.jobs, records, self.runs, states, LEASE, INTERVAL, OFFSET, 30.0, self.log, self.all_paused)

    def check(self) -> list[str]:
        return check(self.facts())
