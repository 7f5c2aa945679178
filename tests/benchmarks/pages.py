"""The time of a page of 100 tasks over HTTP, beside a floor: a bare route that dumps 100 equal dicts.

    python -m tests.benchmarks.pages            100,000 tasks on SQLite
    python -m tests.benchmarks.pages --quick    10,000 tasks

Every page is asked for in turn, and the floor after each, so other load on the machine hits both.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler.web import Token, create_app
from tests import jobs

_SIZE, _SIZE_QUICK = 100_000, 10_000
_ROUNDS = 21
_LIMIT = 100
_SECRET = "secret-of-the-benchmark"
_QUERIES: dict[str, dict[str, Any]] = {
    "the first page": {},
    "a page in the middle": {"cursor": None},
    "a status that most have": {"status": "pending"},
    "a status that none has": {"status": "failed"},
    "a tag that every hundredth has": {"tag": "rare"},
    "a tag that none has": {"tag": "none"},
    "a text that few have": {"q": "number 4321"},
    "a text that none has": {"q": "nothing at all"},
    "all of it, and nothing found": {"q": "nothing at all", "status": "pending", "tag": "rare"},
}


def _task(number: int) -> Task:
    fields: dict[str, Any] = {"description": f"The task number {number}"} if number % 3 == 0 else {}
    if number % 100 == 0:
        fields["tags"] = ("rare", "daily")
    elif number % 5 == 0:
        fields["tags"] = ("daily",)
    return Task(
        id=f"task-{number:06}",
        func=jobs.process_id,
        every={"minutes": 5 + number % 55},
        run_immediately=False,
        **fields,
    )


def _fill(registry: TaskRegistry, size: int) -> None:
    """Register tasks in an order that is not that of their ids."""
    for number in random.Random(1).sample(range(size), size):
        registry.register(_task(number))


def _serve(registry: TaskRegistry) -> str:
    """Serve the tasks and the floor from a thread; return the URL."""

    async def floor(_: Request) -> JSONResponse:
        return JSONResponse(shown)

    app = Starlette(routes=[Route("/floor", floor), Mount("/", create_app(registry, auth=Token(_SECRET)))])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    shown = httpx.get(f"{url}/api/tasks", params={"limit": _LIMIT}, headers=_HEADERS, timeout=60).json()
    return url


_HEADERS = {"Authorization": f"Bearer {_SECRET}"}


def _time(ask: Callable[[], httpx.Response]) -> float:
    start = time.perf_counter()
    answer = ask()
    taken = time.perf_counter() - start
    if answer.status_code != 200:
        raise RuntimeError(answer.text)
    return taken * 1e3


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pages", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer tasks")
    size = _SIZE_QUICK if parser.parse_args().quick else _SIZE
    with tempfile.TemporaryDirectory() as directory:
        registry = TaskRegistry()
        print(f"registering {size:,} tasks ...", file=sys.stderr, flush=True)
        _fill(registry, size)
        registry.configure(backend=f"sqlite:///{Path(directory) / 'tasks.db'}")
        registry.refresh()  # writes the tasks
        url = _serve(registry)
        with httpx.Client(base_url=url, headers=_HEADERS, timeout=60) as client:
            whole = client.get("/api/tasks", params={"limit": 1_000}).json()
            _QUERIES["a page in the middle"]["cursor"] = whole["next_cursor"]
            times: dict[str, list[float]] = {name: [] for name in _QUERIES}
            floors: list[float] = []
            for number in range(_ROUNDS + 1):
                for name, query in _QUERIES.items():
                    asked = {"limit": _LIMIT, **query}
                    taken = _time(lambda asked=asked: client.get("/api/tasks", params=asked))  # type: ignore[misc]
                    floor = _time(lambda: client.get("/floor"))
                    if number:  # the first round has cold caches
                        times[name].append(taken)
                        floors.append(floor)
    bare = median(floors)
    print(
        f"A page of {_LIMIT} of {size:,} tasks on SQLite, over HTTP. Medians of {_ROUNDS}; the floor: {bare:.1f} ms.\n"
    )
    for name, found in times.items():
        print(f"{name:32} {median(found):7.1f} ms {median(found) / bare:7.1f} times the floor")
    return 0


if __name__ == "__main__":
    sys.exit(main())
