"""A web app with scheduled work on its own event loop: the scheduler runs as long as the app.

    pip install starlette uvicorn httpx
    python examples/web_app.py                    # then open http://127.0.0.1:8000/
    python examples/web_app.py --port 8080

`probe`, a coroutine function, requests the app's own /health every two seconds and measures the time until the answer.
It runs on the event loop that serves the pages, and does not block it. `summary`, a plain function, depends on `probe`
and runs in a thread. The page / shows the state of both tasks as JSON. Ctrl+C ends the program. Its output is that of
uvicorn: the address, and a line for each request.

FastAPI works in the same way: `FastAPI(lifespan=running(registry))`.
"""

import argparse
import contextlib
import statistics
import time
from collections import deque
from datetime import datetime, timedelta

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from est_alan_scheduler import Task, TaskRegistry, running

registry = TaskRegistry()
latencies: deque[float] = deque(maxlen=100)


async def probe(url: str) -> float:
    """Return the milliseconds until the app answers."""
    async with httpx.AsyncClient() as client:
        began = time.perf_counter()
        (await client.get(url)).raise_for_status()
        latencies.append((time.perf_counter() - began) * 1000)
    return latencies[-1]


def summary(dep_probe: float) -> str:
    """Return a text with the latest and the median latency."""
    return f"latest {dep_probe:.1f} ms, median of {len(latencies)}: {statistics.median(latencies):.1f} ms"


async def health(_request: Request) -> PlainTextResponse:
    """Answer that the app is up."""
    return PlainTextResponse("ok")


async def show(_request: Request) -> JSONResponse:
    """Return the state of the tasks as JSON."""
    return JSONResponse(
        {
            task.id: {
                "status": task.status,
                "result": task.result,
                "error": task.error_message,
                "runs": len(task.history),
            }
            for task in registry
        }
    )


def main() -> None:
    """Read the command line and serve until Ctrl+C."""
    parser = argparse.ArgumentParser(description="A web app with scheduled work on its event loop.")
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1 (%(default)s)")
    options = parser.parse_args()
    url = f"http://127.0.0.1:{options.port}/health"
    soon = datetime.now() + timedelta(seconds=0.5)  # when the server listens
    registry.register(Task(id="probe", every={"seconds": 2}, start_at=soon, func=probe, args=(url,), timeout=1))
    registry.register(Task(id="summary", every={"seconds": 2}, func=summary, depends_on=["probe"]))
    app = Starlette(routes=[Route("/health", health), Route("/", show)], lifespan=running(registry))
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.run(app, host="127.0.0.1", port=options.port)


if __name__ == "__main__":
    main()
