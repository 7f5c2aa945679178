"""The facts as the laws read them: indexed, by one clock, with the meaning of the texts of outcomes."""

from collections import defaultdict

from tests.chaos.facts import Facts, Run
from tests.chaos.journal import Claimed, End, Start, Trouble
from tests.chaos.spans import GAP, SLOW, covers, deaths, leases, owners, pauses

EXPIRED, RELEASED = "lease expired: owner ", "not started: "


def released(run: Run) -> bool:
    """Return whether the claim of a run was released, so that the task was as before it."""
    return run.late and (run.error or "").startswith(RELEASED)


class View:
    """The facts, indexed."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.jobs = {job.id: job for job in facts.jobs}
        starts = [record for record in facts.records if isinstance(record, Start)]
        self.starts = [start for start in starts if start.task in self.jobs]
        self.strangers = {start.task: start.instance for start in starts if start.task not in self.jobs}
        self.ends = {(record.task, record.epoch): record for record in facts.records if isinstance(record, End)}
        self.started = {(start.task, start.epoch): start for start in self.starts}
        claims = [record for record in facts.records if isinstance(record, Claimed)]
        self.claims = {(task, epoch): claim for claim in claims for task, epoch in claim.runs}
        self.runs: dict[str, list[Run]] = defaultdict(list)
        for run in sorted(facts.runs, key=lambda run: run.epoch):
            self.runs[run.task].append(run)
        self.rows = {(run.task, run.epoch): run for run in facts.runs}
        self.leases = leases(facts.records)
        self.deaths = deaths(facts.records)
        self.pauses = pauses(facts.records)
        self.owners = owners(facts.records)
        self._slow = {(one.instance, one.since): one.at for one in facts.records if isinstance(one, Trouble)}

    def at(self, instant: int) -> float:
        """Return an instant of the store as a time by the clock of the journal."""
        return instant / 1e6 - self.facts.offset

    def answered(self, claim: Claimed) -> float:
        """Return the latest possible moment of the answer to a claim."""
        return self._slow.get((claim.instance, claim.at), claim.at + SLOW)

    def held(self, owner: str, begin: float, end: float) -> bool:
        """Return whether a lease held all the time."""
        return covers(self.leases.get(owner, []), begin, end)

    def overslept(self, start: Start) -> bool:
        """Return whether a process was paused from its last check of its lease, past its end, until a start."""
        claim = self.claims.get((start.task, start.epoch))
        if claim is None or self.held(claim.owner, claim.at, start.at):
            return False
        return any(first <= start.at <= last + GAP / 2 for first, last in self.pauses.get(start.instance, ()))

    def lease_end(self, run: Run) -> float:
        """Return the end of the unbroken lease under which a run was claimed, as far as it is known."""
        claim = self.claims.get((run.task, run.epoch))
        at = self.at(run.started) if claim is None else claim.at
        return max((end for begin, end in self.leases.get(run.owner, []) if begin <= at < end), default=at)
