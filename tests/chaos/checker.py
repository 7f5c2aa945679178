"""The laws of every history, whatever happens to the processes and to the store.

Pure functions over two independent accounts: the journal, which the functions and their processes write, and the
history of the store. Nothing of the library is imported here.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from tests.chaos.facts import Facts, Run
from tests.chaos.journal import Act, Born, Died, Leased, Start
from tests.chaos.management import LAWS as MANAGED
from tests.chaos.management import actions, maybe_paused
from tests.chaos.spans import RECOVERY, Span, healthy, without
from tests.chaos.view import EXPIRED, RELEASED, View, released

SLACK = 3.0  # seconds that a slow machine may take beyond a lease and an interval
EARLY = 0.25  # seconds by which an instance may misjudge the store's clock
_ALARMS = ("A tick failed", "The lease of this instance could not", "Exception in", "The store refuses")


def check(facts: Facts) -> list[str]:
    """Return the violations of laws, one sentence each."""
    view = View(facts)
    return [violation for law in LAWS for violation in law(view)]


def started_once(view: View) -> Iterator[str]:
    """Without retry no slot is started twice; with retry no attempt of a slot. No epoch is started twice."""
    epochs = Counter((start.task, start.epoch) for start in view.starts)
    for (task, epoch), number in epochs.items():
        if number > 1:
            yield f"{task} epoch {epoch} was started {number} times"
    slots: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    for start in view.starts:
        attempt = start.attempt if view.jobs[start.task].retries else 1
        slots[start.task, start.slot, attempt].append(start.epoch)
    for (task, slot, attempt), found in slots.items():
        if len(set(found)) > 1:
            what = f", attempt {attempt}," if view.jobs[task].retries else ""
            yield f"{task} slot {slot}{what} was started more than once: epochs {', '.join(map(str, sorted(found)))}"


def alone(view: View) -> Iterator[str]:
    """No run starts while another run of its task is in flight whose lease has held since its claim.

    The exception: the process that starts it was paused from right before the start until its own lease was over. No
    process can check a lease and call a function in one step.
    """
    in_flight: dict[str, list[Start]] = defaultdict(list)
    for start in view.starts:
        still = []
        for other in in_flight[start.task]:
            end = view.ends.get((other.task, other.epoch))
            over = view.deaths.get(other.instance, float("inf")) if end is None else end.at
            if over <= start.at:
                continue
            still.append(other)
            claim = view.claims.get((other.task, other.epoch))
            if claim is not None and view.held(claim.owner, claim.at, start.at) and not view.overslept(start):
                yield (
                    f"{start.task} epoch {start.epoch} started on {start.instance} while epoch {other.epoch}"
                    f" went on on {other.instance}, whose lease held"
                )
        in_flight[start.task] = [*still, start]


def outcomes(view: View) -> Iterator[str]:
    """Every start has one outcome: that of its function, unless its process died or its lease expired."""
    for (task, epoch), number in Counter((run.task, run.epoch) for run in view.facts.runs).items():
        if number > 1:
            yield f"{task} epoch {epoch} has {number} rows"
    for key in view.claims.keys() - view.rows.keys():
        yield f"{key[0]} epoch {key[1]} was won, and is not in the history"
    for start in view.starts:
        name, run = f"{start.task} epoch {start.epoch}", view.rows.get((start.task, start.epoch))
        end = view.ends.get((start.task, start.epoch))
        error = "" if run is None else run.error or ""
        if run is None:
            yield f"{name} was started, and is not in the history"
        elif error.startswith(RELEASED):
            yield f"{name} was started, and is recorded as {error!r}"
        elif (run.attempt, run.slot) != (start.attempt, start.slot):
            yield (
                f"{name} was started as attempt {start.attempt} of slot {start.slot},"
                f" the history says attempt {run.attempt} of {run.slot}"
            )
        elif run.finished is not None and not error.startswith(EXPIRED):
            seen = None if end is None else "failed" if end.failed else "success"
            if seen != run.status:
                yield f"{name} is recorded as {run.status} ({run.error}), its function says {seen}"
    for run in view.facts.runs:
        if run.finished is None:
            yield f"{run.task} epoch {run.epoch} has no outcome"


def starts(view: View) -> Iterator[str]:
    """Every outcome has a start, unless the claim was released, or the lease of its owner expired before the start."""
    for run in view.facts.runs:
        error = run.error or ""
        is_known = (run.task, run.epoch) in view.started or run.finished is None
        if not is_known and not error.startswith((EXPIRED, RELEASED)):
            yield f"{run.task} epoch {run.epoch} is recorded as {run.status} ({run.error}), and was never started"


def reaped(view: View) -> Iterator[str]:
    """No run is reaped while the lease of its owner holds.

    A late outcome overwrites the moment of the reap with the end of the function. Then a lease that held for two
    renewals more is the evidence: the outcome would have been written in time.
    """
    for run in view.facts.runs:
        if run.finished is not None and (run.error or "").startswith(EXPIRED):
            end, at = view.ends.get((run.task, run.epoch)), view.at(run.finished)
            if end is not None:
                at = max(at, end.at) + 2 * view.facts.lease
            if view.lease_end(run) > at:
                yield f"{run.task} epoch {run.epoch} is recorded as {run.error!r}, and that lease held"


def punctual(view: View) -> Iterator[str]:
    """No run starts before its slot, and no slot waits for long while an instance is healthy."""
    for start in view.starts:
        early = view.at(start.slot) - start.at
        if early > EARLY:
            yield f"{start.task} epoch {start.epoch} started {early:.1f} s before its slot"
    spans = healthy(view.facts.records, view.facts.until)
    begin = min((first for first, _ in spans), default=view.facts.until)
    patience = view.facts.lease + view.facts.interval + SLACK
    managed = actions(view)
    spans = _outside(maybe_paused(managed[""]), spans)
    unpaused = spans
    for job in view.facts.jobs:
        runs = view.runs[job.id]
        spans = _outside(maybe_paused(managed[job.id]), unpaused) if job.id in managed else unpaused
        due = begin + job.at
        if job.after is not None:
            done = [run.finished for run in view.runs[job.after] if run.status == "success" and run.finished]
            due = max(due, view.at(min(done))) if done else view.facts.until
        for run in runs:
            yield from _waited(job.id, run.epoch, due, view.at(run.started), spans, patience)
            over = view.facts.until if run.finished is None else view.at(run.finished)
            if (run.error or "").startswith(EXPIRED):
                over = view.lease_end(run)
            due = view.facts.until if job.period is None else max(view.at(run.started) + job.period, over)
        yield from _waited(job.id, len(runs) + 1, due, view.facts.until, spans, patience)


def requested(view: View) -> Iterator[str]:
    """A requested run comes while an instance is healthy.

    The decision for it may be older than the request; its claim may not.
    """
    found = actions(view)
    spans = _outside(maybe_paused(found[""]), healthy(view.facts.records, view.facts.until))
    patience = view.facts.lease + view.facts.interval + SLACK
    for task, of_one in found.items():
        for action in of_one:
            if action.what == "run_now" and action.is_done:
                came = min(
                    (view.at(run.started) for run in view.runs[task] if _serves(run, action.begin, view)),
                    default=view.facts.until,
                )
                longest = max((min(last, came) - max(first, action.end) for first, last in spans), default=0.0)
                if longest > patience:
                    yield f"{task} was requested, and left waiting for {longest:.1f} s while an instance was healthy"


def _serves(run: Run, requested_at: float, view: View) -> bool:
    """Return whether a run may have been claimed after a request. A request after the claim is for one more run."""
    if released(run):
        return False
    claim = view.claims.get((run.task, run.epoch))
    if claim is not None:
        return view.answered(claim) > requested_at
    # No instance knows of this claim: its owner may have made it at any moment of its life.
    instance = view.owners.get(run.owner, "")
    return view.deaths.get(instance, view.facts.until) > requested_at


def _outside(bad: Sequence[Span], spans: Iterable[Span]) -> list[Span]:
    return sorted(left for first, last in spans for left in without(bad, first, last)) if bad else list(spans)


def _waited(task: str, epoch: int, due: float, claimed: float, spans: Iterable[Span], patience: float) -> Iterator[str]:
    if claimed - due <= patience:
        return
    longest = max((min(last, claimed) - max(first, due) for first, last in spans), default=0.0)
    if longest > patience:
        yield f"{task} epoch {epoch} was left waiting for {longest:.1f} s while an instance was healthy"


def in_order(view: View) -> Iterator[str]:
    """Epochs count up without a gap, slots and attempts grow with them, and the last outcome is the state at the end.

    A retry directly follows the attempt before it, of the same slot.
    """
    for state in view.facts.states:
        runs = view.runs[state.task]
        if [run.epoch for run in runs] != list(range(1, state.epoch + 1)):
            yield f"{state.task} is at epoch {state.epoch}, and has the rows {[run.epoch for run in runs]}"
        kept = [run for run in runs if not released(run)]
        for one, other in pairwise(run for run in kept if (run.task, run.epoch) in view.started):
            if (one.slot or 0, one.attempt) >= (other.slot or 0, other.attempt):
                yield (
                    f"{state.task} epoch {other.epoch} is attempt {other.attempt} of slot {other.slot},"
                    f" epoch {one.epoch} was attempt {one.attempt} of {one.slot}"
                )
        yield from _strays(kept, view)
        good = [run for run in kept if run.status == "success" and not run.late]
        for run in good:
            if run.result != str(run.epoch):
                yield f"{run.task} epoch {run.epoch} has the result of epoch {run.result}"
        stands = state.status, state.error, state.result
        come = [(run.status, run.error, str(good[-1].epoch) if good else None) for run in _last(kept, view)]
        if come and stands not in come:
            yield f"{state.task} stands at {stands}, and by its rows at {come[0]}"


def _strays(runs: list[Run], view: View) -> Iterator[str]:
    """Report retries that do not follow the attempt before them."""
    before: list[Run] = []  # the runs that may have been the last, as in `_last`
    for run in runs:
        if run.attempt > 1 and (run.slot, run.attempt - 1) not in [(one.slot, one.attempt) for one in before]:
            follows = f"attempt {before[-1].attempt} of {before[-1].slot}" if before else "nothing"
            yield f"{run.task} epoch {run.epoch} is attempt {run.attempt} of slot {run.slot}, and follows {follows}"
        before = [*before, run] if _may_be_released(run, view) else [run]


def _may_be_released(run: Run, view: View) -> bool:
    """Return whether the owner of a run may have died between the release of its claim and the record of that."""
    return (run.task, run.epoch) not in view.started and (run.error or "").startswith(EXPIRED)


def _last(runs: list[Run], view: View) -> Iterator[Run]:
    """Yield the runs whose outcome may be the state of a task.

    That is its last; or also the one before, if the owner of the last may have died while it released its claim.
    """
    for run in reversed(runs):
        if run.finished is not None:
            yield run
        if not _may_be_released(run, view):
            return


def at_least_once(view: View) -> Iterator[str]:
    """With retry, a task with a single slot is tried until it succeeds, or no retry is left."""
    for job in view.facts.jobs:
        runs = [run for run in view.runs[job.id] if not released(run)]
        is_over = not runs or runs[-1].finished is None or any(run.status == "success" for run in runs)
        if job.retries and job.period is None and not is_over and runs[-1].attempt <= job.retries:
            yield (
                f"{job.id} ended with attempt {runs[-1].attempt} of {job.retries + 1}, {runs[-1].error!r},"
                " and nothing followed"
            )


def recovered(view: View) -> Iterator[str]:
    """Every instance finds the store again when all harm is over."""
    records = view.facts.records
    healed = max((one.at for one in records if isinstance(one, Act) and one.what == "heal"), default=view.facts.until)
    if view.facts.until - healed < RECOVERY + view.facts.lease + SLACK:
        return
    born = {one.instance for one in records if isinstance(one, Born) and one.at < healed}
    renewed = {one.instance for one in records if isinstance(one, Leased) and one.at > healed}
    for instance in sorted(born - renewed):
        if view.deaths.get(instance, view.facts.until) >= view.facts.until:
            yield f"instance {instance} has not found the store again since all harm was over"


def sensible(view: View) -> Iterator[str]:
    """No row of nonsense is run."""
    for task, instance in view.strangers.items():
        yield f"{task} makes no sense, and was started on {instance}"


def sound(view: View) -> Iterator[str]:
    """No instance ends by itself, and no tick fails."""
    for record in view.facts.records:
        is_expected = isinstance(record, Died) and record.status == (-9 if record.at < view.facts.until else 0)
        if isinstance(record, Died) and not is_expected:
            yield f"instance {record.instance} ended by itself with status {record.status}"
    for line in view.facts.log.splitlines():
        if line.startswith(_ALARMS):
            yield f"the log says: {line}"


LAWS = (
    started_once,
    alone,
    outcomes,
    starts,
    reaped,
    punctual,
    in_order,
    at_least_once,
    sound,
    sensible,
    recovered,
    requested,
    *MANAGED,
)
