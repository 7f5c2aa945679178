"""Ways to break a backend: each removes one foundation of the promise, and the checker has to notice."""

import random
import time
from collections.abc import Sequence
from typing import Any

from est_alan_scheduler.backends import Backend
from est_alan_scheduler.backends.rows import Claim, Renewal, RunOutcome
from est_alan_scheduler.task import TaskStatus


def _break_compare_and_set(backend: Backend) -> None:
    """Claim on the current version of the row instead of the version of the decision."""
    claim, fetch = backend.claim, backend.fetch

    def careless(owner: str, token: str, claims: Sequence[Claim]) -> dict[str, int]:
        time.sleep(random.uniform(0, 0.1))  # so that another instance may have had the slot
        states = fetch([one.id for one in claims], 0).states
        return claim(owner, token, [one._replace(seen_version=states[one.id].version) for one in claims])

    setattr(backend, "claim", careless)  # noqa: B010  # mypy would refuse the assignment


def _break_fencing(backend: Backend) -> None:
    """Write an outcome onto the run in flight, whichever instance owns it."""
    finish, fetch = backend.finish, backend.fetch

    def careless(owner: str, outcomes: Sequence[RunOutcome]) -> set[tuple[str, int]]:
        states = fetch([one.id for one in outcomes], 0).states
        for one in outcomes:
            state = states[one.id]
            if state.status is TaskStatus.RUNNING and state.epoch != one.epoch:
                finish(state.owner or "", [one._replace(epoch=state.epoch)])
        return finish(owner, outcomes)

    setattr(backend, "finish", careless)  # noqa: B010  # as above


def _break_renewal(backend: Backend) -> None:
    """Report a renewed lease, and renew it only when it has been expired for as long as it lasts."""
    renew, last = backend.renew, [-1e9, 0]

    def careless(owner: str, lease: float) -> Renewal:
        if time.monotonic() > last[0] + 2 * lease:
            renewal = renew(owner, lease)
            last[:] = time.monotonic(), last[1] or renewal.since
        now = backend.now()
        return Renewal(now, now + round(lease * 1_000_000), int(last[1]))

    setattr(backend, "renew", careless)  # noqa: B010  # as above


BREAKS: dict[str, Any] = {"cas": _break_compare_and_set, "fencing": _break_fencing, "renewal": _break_renewal}
