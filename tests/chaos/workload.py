"""The tasks that the workers share."""

from typing import NamedTuple


class Job(NamedTuple):
    """A task of the workload."""

    id: str
    period: float | None
    """Seconds between two slots; None: it has a single slot."""
    seconds: float = 0.0
    """The duration of its function."""
    retries: int = 0
    failing: float = 0.0
    """The share of its runs that fail."""
    after: str | None = None
    """The task that it depends on."""
    at: float = 0.0
    """The moment of a single slot, in seconds since the beginning."""
    managed: str | None = None
    """The management of it by the nemesis: `pause`, `run_now` or `update`."""


def jobs(seconds: float, lease: float) -> list[Job]:
    """Return tasks that keep the workers busy for so many seconds.

    50 tasks each second and 6 each 100 ms: with retry and without, some that fail, some that depend on another. 4 that
    run for longer than a lease, so that it has to be renewed. Some that are managed, each in one way, so that the last
    command is known. And single slots, six at a time, half of them with retry.
    """
    found = [
        Job(
            f"second-{number:02}",
            1.0,
            seconds=0.002 * (number % 10),
            retries=2 if number % 3 == 0 else 0,
            failing=0.2 if number % 7 in (0, 1, 3) else 0.0,
            after=f"second-{number - 1:02}" if number % 10 == 9 else None,
        )
        for number in range(50)
    ]
    found += [Job(f"tenth-{number}", 0.1, retries=number % 2, failing=0.05 * (number % 3)) for number in range(6)]
    found += [Job(f"long-{number}", 1.0, seconds=2.0 * lease, retries=number % 2) for number in range(4)]
    for number in range(2):
        found.append(Job(f"paused-{number}", 0.5, managed="pause"))
        found.append(Job(f"asked-{number}", 3600.0, managed="run_now"))
        found.append(Job(f"updated-{number}", 0.5, managed="update"))
    for number in range(2 * int(seconds)):
        retries = 20 * (number % 2)
        found.append(
            Job(
                f"once-{number:04}",
                None,
                seconds=0.02,
                retries=retries,
                failing=0.2 if retries else 0.0,
                at=2.0 + 3 * (number // 6),
            )
        )
    return found
