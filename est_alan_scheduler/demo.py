"""The example of the README with short times: ten seconds of ticks, and their outcome."""

import time
from datetime import datetime, timedelta

from est_alan_scheduler.task import Task
from est_alan_scheduler.task_registry import TaskRegistry

SECONDS = 10


def add(x: int, y: int) -> int:
    """Return the sum."""
    print(f"add({x}, {y}) = {x + y}", flush=True)
    return x + y


def multiply(x: int, y: int) -> int:
    """Return the product."""
    print(f"multiply({x}, {y}) = {x * y}", flush=True)
    return x * y


def log_message(message: str) -> None:
    """Print a message."""
    print(f"log: {message}", flush=True)


def main(registry: TaskRegistry) -> None:
    """Tick the tasks of the example in `registry` for SECONDS, then print each task's status and history."""
    now = datetime.now()
    adding = registry.register(Task(id="add", every={"seconds": 2}, func=add, args=(10, 20)))
    tasks = [
        adding,
        # This very minute has come already, so the daily task runs at once: as soon as `add` has succeeded.
        registry.register(Task(id="multiply", at=f"{now:%H:%M}", func=multiply, args=(7, 8), depends_on=[adding.id])),
        registry.register(
            Task(
                id="log",
                run_at=now + timedelta(seconds=5),
                func=log_message,
                args=("One-off task executed!",),
            )
        ),
    ]
    print(f"Ticking for {SECONDS} seconds ...", flush=True)
    end = now + timedelta(seconds=SECONDS)
    while datetime.now() < end:
        registry.tick()
        time.sleep(0.05)
    for task in tasks:
        print(f"\n{task.id}: {task.status.value}, {len(task.history)} run(s)")
        for run in task.history:
            print(f"  {run['run_at']:%H:%M:%S}  {run['status']}  result={run['result']}")
