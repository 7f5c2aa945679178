"""A run of chaos from beginning to end: workers, nemesis, healing, and the facts for the checker."""

import asyncio
import json
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from est_alan_scheduler.backends import Backend
from tests.backends.stores import Servers, Store
from tests.chaos.checker import SLACK
from tests.chaos.facts import Facts, Run, State
from tests.chaos.fleet import Fleet
from tests.chaos.journal import Journal, Leased, Managed, Managing, Reader, read
from tests.chaos.nemesis import ACTS, MANAGE, Nemesis
from tests.chaos.nonsense import PREFIX
from tests.chaos.proxy import Connect, Proxy
from tests.chaos.spans import RECOVERY
from tests.chaos.worker import Config
from tests.chaos.workload import jobs

BACKENDS = {"sqlite": "sqlite", "postgresql": "postgres", "redis": "redis"}
_PATIENCE = 120.0  # seconds for the runs in flight at the end of the chaos


class Settings(NamedTuple):
    """The settings of a run."""

    backend: str
    seconds: float
    seed: int
    lease: float = 3.0
    interval: float = 0.25
    workers: int | None = None
    """The number of workers; by default a random one from 3 to 8."""
    threads: tuple[int, ...] | None = None
    """The threads of the executors, place by place and repeated; 0: inline. By default random."""
    acts: tuple[str, ...] = (*ACTS, MANAGE)
    broken: str | None = None
    keep: Path | None = None


class _Stage(NamedTuple):
    """All that a run needs, before the first worker starts."""

    settings: Settings
    directory: Path
    store: Store
    journal: Journal
    fleet: Fleet
    nemesis: Nemesis
    threads: tuple[int, ...]


def run(settings: Settings, servers: Servers | None = None, say: Callable[[str], None] = lambda _: None) -> Facts:
    """Return the facts of a run. Everything that was started is stopped, also after an error."""
    chance = random.Random(settings.seed)
    with ExitStack() as stack:
        stage = _set_up(settings, servers, chance, stack)
        _rage(stage, chance, say)
        backend = stage.store.open()
        _resume_all(backend, stage.journal)
        _settle(backend, stage)
        until = time.monotonic()
        stage.fleet.stop(60)
        say("stopped")
        facts = _facts(stage, backend, until)
        if settings.keep is not None:
            lines = "".join(f"{json.dumps(row)}\n" for row in (*facts.states, *facts.runs))
            (stage.directory / "history").write_text(lines)
            shutil.copytree(stage.directory, settings.keep)
        return facts


def _set_up(settings: Settings, servers: Servers | None, chance: random.Random, stack: ExitStack) -> _Stage:
    """Make a store, a proxy for each worker, the fleet and the nemesis; `stack` undoes it."""
    workers = settings.workers or chance.randint(3, 8)
    threads = settings.threads or (4, *(chance.choice((0, 0, 4, 8)) for _ in range(workers - 1)))
    kind = BACKENDS[settings.backend]
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
    if servers is None:
        servers = Servers()
        stack.callback(servers.close)
    store = servers.store(kind, directory)
    stack.callback(store.close)
    server: Any = None if kind == "sqlite" else servers.get(kind)
    proxies = [] if server is None else [Proxy(_connection(server)) for _ in range(workers)]
    for proxy in proxies:
        stack.callback(proxy.close)
    urls = [_url(store, proxy) for proxy in proxies] or [store.url] * workers
    journal = Journal(directory / "journal")
    stack.callback(journal.close)
    config = Config(
        "", store.name, str(directory / "journal"), "", settings.seconds, settings.lease, settings.interval,
        time.time(), broken=settings.broken,
    )  # fmt: skip
    fleet = Fleet(urls, config, threads, skews=server is not None, directory=directory, journal=journal)
    stack.callback(fleet.close)
    reader = Reader(directory / "journal")
    nemesis = Nemesis(fleet, proxies, store, server, journal, reader, settings.lease, settings.acts, chance)
    stack.callback(nemesis.allow)  # also after an error
    return _Stage(settings, directory, store, journal, fleet, nemesis, threads)


def _rage(stage: _Stage, chance: random.Random, say: Callable[[str], None]) -> None:
    """Start the workers, let the nemesis rage among them, and heal what it has done."""
    workers = len(stage.fleet)
    say(f"{workers} workers, threads {stage.threads}")
    for place in range(workers):
        stage.fleet.fill(place, chance)
    _await(stage.directory / "journal", stage.nemesis, workers)
    say("all are there")
    stage.nemesis.rage(stage.settings.seconds)
    stage.nemesis.heal()
    say("healed")


def _facts(stage: _Stage, backend: Backend, until: float) -> Facts:
    """Return the facts after the workers were stopped, at the moment `until`."""
    settings, directory = stage.settings, stage.directory
    runs = [Run(*row[:7], row.status.value, *row[8:]) for row in backend.history(limit=10**9)]
    view = backend.fetch(None, 0)
    states = [
        State(
            one.id, one.epoch, one.status.value, one.result, one.error_message,
            one.paused, _word(view.definitions[one.id]),
        )
        for one in view.states.values()
        if not one.id.startswith(PREFIX)
    ]  # fmt: skip
    return Facts(
        jobs(settings.seconds, settings.lease),
        read(directory / "journal"),
        runs,
        states,
        settings.lease,
        settings.interval,
        offset=time.time() - time.monotonic(),
        until=until,
        all_paused=view.paused,
        log=(directory / "stderr").read_text(errors="replace"),
    )


def _await(journal: Path, nemesis: Nemesis, workers: int) -> None:
    """Wait until each worker has a lease."""
    end = time.monotonic() + _PATIENCE
    while len({record.instance for record in read(journal) if isinstance(record, Leased)}) < workers:
        nemesis.watch(0.2)
        if time.monotonic() > end:
            raise RuntimeError("the workers do not start")


def _resume_all(backend: Backend, journal: Journal) -> None:
    """Resume all, whichever command came last: the runs that are still due need it."""
    journal.write(Managing(time.monotonic(), "", 0, "resume_all", ""))
    backend.pause_all(False)
    journal.write(Managed(time.monotonic(), "", 0, is_done=True))


def _word(definition: Any) -> str:
    return str(json.loads(definition.json)["task"]["args"][2])


def _settle(backend: Backend, stage: _Stage) -> None:
    """Wait for the instances to find the store, for the outcomes of all runs in flight, and for a lease more."""
    settings, nemesis = stage.settings, stage.nemesis
    _await_renewals(stage, time.monotonic())
    open_runs = {(run.task_id, run.epoch) for run in _open_runs(backend)}
    end = time.monotonic() + _PATIENCE
    while open_runs and time.monotonic() < end:
        nemesis.watch(0.5)
        open_runs &= {(run.task_id, run.epoch) for run in _open_runs(backend)}
    nemesis.watch(settings.lease + settings.interval + 1.0)


def _await_renewals(stage: _Stage, since: float) -> None:
    """Wait until each worker has renewed its lease since then. The checker judges those that do not."""
    fleet, reader, renewed = stage.fleet, Reader(stage.directory / "journal"), set[str]()
    while time.monotonic() < since + RECOVERY + stage.settings.lease + SLACK:
        renewed |= {one.instance for one in reader.news() if isinstance(one, Leased) and one.at > since}
        if all(fleet.name(place) in renewed for place in range(len(fleet)) if fleet.is_there(place)):
            break
        stage.nemesis.watch(0.2)


def _open_runs(backend: Backend) -> list[Any]:
    return [run for run in backend.history(limit=1_000) if run.finished is None]


def _connection(server: Any) -> Connect:
    address = server.address()
    if isinstance(address, str):
        return lambda: asyncio.open_unix_connection(address)
    return lambda: asyncio.open_connection("127.0.0.1", address)


def _url(store: Store, proxy: Proxy) -> str:
    if store.kind == "postgres":
        return f"postgresql+psycopg://postgres@127.0.0.1:{proxy.port}/postgres"
    return f"redis://127.0.0.1:{proxy.port}/0"
