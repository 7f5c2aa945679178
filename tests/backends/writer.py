"""A process that writes into a store until it is killed, and prints the acknowledged outcomes.

    python -m tests.backends.writer URL NAME

Each line: task id and epoch of a run whose outcome the store has recorded.
"""

import sys
import uuid
from itertools import count

from est_alan_scheduler.backends import open_backend
from est_alan_scheduler.task import TaskStatus
from tests.backends.stores import claim, define, success


def main(url: str, name: str) -> None:
    backend = open_backend(url, name)
    ids = [f"{number:02}" for number in range(20)]
    define(backend, *ids)
    owner = uuid.uuid4().hex
    backend.renew(owner, 3_600)
    for number in count():
        states = backend.fetch(ids, 0).states
        claims = [claim(one, states[one].version) for one in ids if states[one].status != TaskStatus.RUNNING]
        if not claims:
            return
        won = backend.claim(owner, str(number), claims)
        recorded = backend.finish(owner, [success(one, epoch, history_limit=10**6) for one, epoch in won.items()])
        sys.stdout.write("".join(f"{one} {epoch}\n" for one, epoch in sorted(recorded)))
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
