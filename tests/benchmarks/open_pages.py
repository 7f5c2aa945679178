"""The lateness of a loop while pages are open: 1,000 tasks that run 100 times a second, and 50 clients.

    python -m tests.benchmarks.open_pages              5 minutes
    python -m tests.benchmarks.open_pages --quick      15 seconds

The clients live in a process of their own. Each does what `live.js` does: it listens to what changes, and fetches the
first page anew at once, and then at most once a second. Before they come, the same loop runs without them. A bare sleep
in a third process shows at the same time how late the machine itself is.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median, quantiles

import httpx

from est_alan_scheduler import Task, TaskRegistry, current_run, start_scheduler
from est_alan_scheduler.web import Token, serve

_TASKS, _PERIOD, _CLIENTS = 1_000, 10, 50
_SECRET = "secret-of-the-benchmark"
_AFTER_CHANGE, _BETWEEN = 0.15, 1.0  # seconds, as in live.js


@dataclass
class Lateness:
    """The lateness of all starts since it was last asked, in milliseconds."""

    late: list[float] = field(default_factory=list, repr=False)  # the name of the function has it, which rows show

    def note(self) -> None:
        """Note the lateness of the current run: what each task does."""
        run = current_run()
        if run is not None:
            self.late.append((time.time() - run.slot.timestamp()) * 1e3)

    def take(self) -> tuple[float, float, float]:
        """Return the median, the 99th percentile and the maximum, and begin anew."""
        found, self.late = self.late, []
        return median(found), quantiles(found, n=100, method="inclusive")[98], max(found)


def _sleep(seconds: float) -> None:
    """Sleep a hundred times a second, and print how late that ends: the process of the floor."""
    late, moment = Lateness(), time.time()
    for _ in range(int(seconds * 100)):
        moment += 0.01
        time.sleep(max(0.0, moment - time.time()))
        late.late.append((time.time() - moment) * 1e3)
    p50, p99, most = late.take()
    print(f"  {'bare sleep':10} {p50:>8.2f} {p99:>8.2f} {most:>8.2f}", flush=True)


async def _client(http: httpx.AsyncClient, end: float, counts: Counter[str]) -> None:
    """Be one open page."""
    changed = asyncio.Event()

    async def listen() -> None:
        async with http.stream("GET", "live") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event:"):
                    counts["messages"] += 1
                    changed.set()

    listening = asyncio.ensure_future(listen())
    while time.time() < end:
        await changed.wait()
        await asyncio.sleep(_AFTER_CHANGE)
        changed.clear()
        began = time.time()
        try:
            answer = await http.get("", headers={"Accept": "text/html", "X-Live": "1"})
        except httpx.TransportError:  # the server has closed a connection that was idle for 5 seconds
            counts["connections anew"] += 1
            changed.set()
            continue
        taken = time.time() - began
        counts[f"status {answer.status_code}"] += 1
        counts["milliseconds"] += round(taken * 1e3)
        counts["bytes"] += len(answer.content)
        await asyncio.sleep(max(_BETWEEN, taken))
    listening.cancel()


async def _clients(url: str, seconds: float) -> None:
    """Be all of them; they open one after the other."""
    counts: Counter[str] = Counter()
    end = time.time() + seconds
    async with (
        httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {_SECRET}"},
            timeout=30,
            limits=httpx.Limits(max_connections=None),
        ) as http,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(_CLIENTS):
            group.create_task(_client(http, end, counts))
            await asyncio.sleep(1.0 / _CLIENTS)
    pages = sum(number for name, number in counts.items() if name.startswith("status"))
    statuses = ", ".join(f"{number:,} of {name}" for name, number in counts.items() if name.startswith("status"))
    each = f"{counts['milliseconds'] / pages:.0f} ms and {counts['bytes'] / pages / 1e3:.0f} kB each"
    messages = counts["messages"] / seconds
    print(f"  {_CLIENTS} clients: {statuses}; {pages / seconds:.0f} pages and {messages:.1f} messages a second; {each}")


def _fill(registry: TaskRegistry, lateness: Lateness) -> None:
    """Register tasks whose slots are spread evenly. Their histories are full within a minute, and grow no more."""
    start = datetime.now() + timedelta(seconds=1)
    for number in range(_TASKS):
        at = start + timedelta(seconds=_PERIOD * number / _TASKS)
        every = {"seconds": _PERIOD}
        registry.register(
            Task(id=f"task-{number:04}", every=every, start_at=at, func=lateness.note, tags=("load",), history_limit=6)
        )


def _measured(seconds: float, lateness: Lateness) -> tuple[float, float, float]:
    """Wait, print a line a minute, and return the lateness of all of it."""
    began, used = time.monotonic(), time.process_time()
    late: list[float] = []
    while (left := began + seconds - time.monotonic()) > 0:
        time.sleep(min(60.0, left))
        late += lateness.late
        p50, p99, most = lateness.take()
        now = time.process_time()
        print(
            f"{(time.monotonic() - began) / 60:>8.1f} min {p50:>8.2f} {p99:>8.2f} {most:>8.2f}"
            f" {(now - used) / min(60.0, left):>8.0%} {_rss():>8.1f} {threading.active_count():>8}",
            flush=True,
        )
        used = now
    lateness.late = late
    return lateness.take()


def _rss() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _started(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.benchmarks.open_pages", *arguments])


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.open_pages", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a first impression, and for CI")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long the pages stay open")
    parser.add_argument("--clients-of", metavar="URL", help=argparse.SUPPRESS)  # this is the process of the clients
    parser.add_argument("--sleep", type=float, help=argparse.SUPPRESS)  # this is the process of the floor
    options = parser.parse_args()
    before, seconds = (2.0, 7.0) if options.quick else (20.0, options.minutes * 60)
    if options.clients_of:
        asyncio.run(_clients(options.clients_of, seconds))
        return 0
    if options.sleep:
        _sleep(options.sleep)
        return 0
    lateness, registry = Lateness(), TaskRegistry()
    _fill(registry, lateness)
    print(f"{_TASKS:,} tasks, {_TASKS // _PERIOD} runs a second\n")
    print(f"{'':12} {'p50, ms':>8} {'p99, ms':>8} {'max, ms':>8} {'CPU':>8} {'RSS, MB':>8} {'threads':>8}")
    with start_scheduler(registry=registry), serve(registry, port=0, auth=Token(_SECRET), blocking=False) as server:
        time.sleep(1.5)
        lateness.late.clear()
        print("no page is open")
        with _started("--sleep", str(before)):
            floor = _measured(before, lateness)
        print(f"{_CLIENTS} pages are open")
        length = ["--quick"] if options.quick else ["--minutes", str(options.minutes)]
        with _started("--clients-of", server.url, *length) as clients, _started("--sleep", str(seconds)):
            found = _measured(seconds, lateness)
            if clients.wait():
                return 1
    for name, before, after in (("p50", floor[0], found[0]), ("p99", floor[1], found[1])):
        print(f"lateness {name}: {after:.2f} ms, {after / before:.1f} times that without pages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
