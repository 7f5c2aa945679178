"""A soak test: 1,000 tasks, each once a second, on a thread pool. Memory and threads must not grow.

    python -m tests.benchmarks.soak [minutes]      10 by default; a line every 30 s

Histories are filled at the start, because memory grows until they are full.
"""

import gc
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from est_alan_scheduler import Task, TaskRegistry, start_scheduler

_TASKS = 1_000
_WORKERS = 10


def work(number: int) -> str:
    """Return a new text each time; every tenth task fails."""
    if number % 10 == 0:
        raise ValueError(f"on purpose at {time.time()}")
    return f"{number} at {time.time()}"


def main() -> int:
    """Return the exit code."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with ThreadPoolExecutor(_WORKERS) as pool:
        registry = TaskRegistry(executor=pool)
        now = datetime.now()
        run = {"run_at": now, "finished_at": now, "status": "success", "result": "x" * 40, "error": None}
        for number in range(_TASKS):
            history = [dict(run) for _ in range(100)]
            registry.register(Task(every={"seconds": 1}, func=work, args=(number,), timeout=30, history=history))
        print(f"{'minutes':>8}{'RSS, MB':>10}{'threads':>9}{'runs':>10}{'objects':>10}")
        began = time.monotonic()
        with start_scheduler(registry=registry):
            while True:
                passed = (time.monotonic() - began) / 60
                gc.collect()
                runs = registry.statistics().runs
                objects = len(gc.get_objects())
                print(f"{passed:>8.1f}{_rss():>10.1f}{threading.active_count():>9}{runs:>10}{objects:>10}", flush=True)
                if passed >= minutes:
                    return 0
                time.sleep(min(30.0, minutes * 60 - passed * 60 + 0.1))


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    sys.exit(main())
