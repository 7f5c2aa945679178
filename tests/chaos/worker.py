"""A worker process: an instance of the scheduler on the shared tasks, until it is stopped or killed.

    python -m tests.chaos.worker CONFIG

`CONFIG` is JSON, the fields of `Config`. It reads commands from its standard input, one a line: `die POINT` and
`lose POINT` set a trap, `clear` removes all traps; `manage METHOD TASK WORD` calls that method of the registry; at
`stop`, or at the end of the input, it stops gracefully.
"""

import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import count
from typing import Any, NamedTuple

from est_alan_scheduler import Retry, Task, TaskRegistry, UnknownTaskError, current_run, start_scheduler
from est_alan_scheduler.backends import open_backend
from tests.chaos.breaks import BREAKS
from tests.chaos.journal import Born, End, Journal, Managed, Managing, Pulse, Start
from tests.chaos.watched import Traps, watch
from tests.chaos.workload import Job, jobs

PULSE = 0.25  # seconds
FIRST = "0.1"  # the name of the first instance
_LAST_CALL = 30.0  # seconds for runs to end after `stop`


class Config(NamedTuple):
    """The settings of a worker."""

    url: str
    name: str
    journal: str
    instance: str
    seconds: float
    lease: float
    interval: float
    began: float  # seconds since 1970
    threads: int = 0
    skew: float = 0.0
    broken: str | None = None


def main(config: Config) -> None:
    if config.skew:
        skew_clock(config.skew)
    journal = Journal(config.journal)
    journal.write(Born(time.monotonic(), config.instance, os.getpid(), config.threads, config.skew))
    if config.url.startswith("sqlite"):  # so that a lock which the nemesis holds is a refusal, not only a wait
        sqlite: Any = import_module("est_alan_scheduler.backends.sql.sqlite")
        sqlite._PATIENCE = config.lease
    traps, stopping = Traps(journal, config.instance), threading.Event()
    threading.Thread(target=_heartbeat, args=(journal, config.instance), daemon=True).start()
    executor = ThreadPoolExecutor(config.threads) if config.threads else None
    registry = TaskRegistry(executor=executor, lease=config.lease)
    run = _function(journal, config.instance, traps)
    registry.expose(run, "run")
    manage = _manager(registry, journal, config.instance)
    threading.Thread(target=_obey, args=(traps, stopping, manage), daemon=True).start()
    for job in jobs(config.seconds, config.lease):
        if job.managed == "update" and config.instance != FIRST:
            continue  # another registration would undo the update
        registry.register(_task(job, run, config.began))
    if not _connect(registry, config, journal, traps, stopping):
        return
    thread = start_scheduler(config.interval, registry=registry)
    stopping.wait()
    thread.stop(_LAST_CALL)
    if executor is not None:
        executor.shutdown()


def _connect(registry: TaskRegistry, config: Config, journal: Journal, traps: Traps, stopping: threading.Event) -> bool:
    """Join the others as soon as the store can be reached; return False if `stop` comes first."""
    while not stopping.is_set():
        try:
            backend = open_backend(config.url, config.name)
            if config.broken:
                BREAKS[config.broken](backend)
            watch(backend, journal, config.instance, traps)
            registry.configure(backend=backend)
            return True
        except ConnectionError:  # each attempt takes a while in any case
            stopping.wait(0.2)
    return False


def _task(job: Job, run: Callable[..., int], began: float) -> Task:
    schedule: dict[str, Any] = {"every": {"milliseconds": round((job.period or 0) * 1_000)}}
    if job.period is None:
        moment = datetime.fromtimestamp(began, UTC).replace(tzinfo=None) + timedelta(seconds=job.at)
        schedule = {"run_at": moment}
    retry = Retry(max_retries=job.retries, delay=0.1, max_delay=0.5) if job.retries else None
    return Task(
        id=job.id,
        func=run,
        args=(job.seconds, job.failing, ""),
        retry=retry,
        depends_on=[job.after] if job.after else [],
        history_limit=1_000_000,
        **schedule,
    )


def _function(journal: Journal, instance: str, traps: Traps) -> Callable[[float, float, str], int]:
    def run(seconds: float, failing: float, word: str) -> int:
        """Return the epoch, so that each result identifies its run."""
        this = current_run()
        assert this is not None
        assert this.epoch is not None
        traps.spring("before-start")
        slot = (this.slot - datetime(1970, 1, 1)) // timedelta(microseconds=1)
        at, task = time.monotonic(), this.task_id
        journal.write(Start(at, instance, os.getpid(), task, slot, this.epoch, this.attempt, word))
        traps.spring("after-start")
        time.sleep(seconds)
        traps.spring("before-end")
        failed = random.Random(f"{this.task_id} {this.epoch}").random() < failing
        journal.write(End(time.monotonic(), instance, this.task_id, this.epoch, failed))
        traps.spring("after-end")
        if failed:
            raise RuntimeError("now and then")
        return this.epoch

    return run


def _manager(registry: TaskRegistry, journal: Journal, instance: str) -> Callable[[str, str, str], None]:
    numbers = count()

    def manage(what: str, task: str, word: str) -> None:
        if registry.backend is None:
            return  # this instance has not joined the others yet
        number, is_done = next(numbers), True
        journal.write(Managing(time.monotonic(), instance, number, what, task, word))
        try:
            if what == "update":
                registry.update(task, args=(0.0, 0.0, word))
            else:
                getattr(registry, what)(*([task] if task else []))
        except (
            ConnectionError,
            UnknownTaskError,
            RuntimeError,
        ):  # the store is unavailable, or others were faster
            is_done = False
        journal.write(Managed(time.monotonic(), instance, number, is_done))

    return manage


def _obey(traps: Traps, stopping: threading.Event, manage: Callable[[str, str, str], None]) -> None:
    for line in sys.stdin:
        command, _, point = line.strip().partition(" ")
        if command == "stop":
            break
        if command == "clear":
            traps.clear()
        elif command == "manage":  # it may take a while, and the next command must not wait
            what, task, word = (*point.split(), "", "")[:3]
            threading.Thread(target=manage, args=(what, task, word), daemon=True).start()
        else:
            traps.set(point, command)
    stopping.set()


def _heartbeat(journal: Journal, instance: str) -> None:
    while True:
        journal.write(Pulse(time.monotonic(), instance))
        time.sleep(PULSE)


def skew_clock(seconds: float) -> None:
    """Shift this machine's clock as the library reads it; the monotonic clock stays right."""
    read, read_ns = time.time, time.time_ns
    time.time = lambda: read() + seconds
    time.time_ns = lambda: read_ns() + round(seconds * 1e9)

    class AnyMoment(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, datetime)

    class Skewed(datetime, metaclass=AnyMoment):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + timedelta(seconds=seconds)

    for name, module in list(sys.modules.items()):
        if name.startswith("est_alan_scheduler") and getattr(module, "datetime", None) is datetime:
            setattr(module, "datetime", Skewed)  # noqa: B010  # a name that mypy knows in no module


if __name__ == "__main__":
    main(Config(**json.loads(sys.argv[1])))
