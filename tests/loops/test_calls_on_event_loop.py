"""Which calls of a registry ask its store, so that code on an event loop makes them in a thread."""

import asyncio
import inspect
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar

import pytest

from est_alan_scheduler import Task, TaskRegistry, running, simulate
from est_alan_scheduler.backends import MemoryBackend
from tests import jobs

CALLS: dict[str, Callable[[TaskRegistry], Any]] = {
    "register": lambda registry: registry.register(Task(id="b", every={"hours": 1}, func=jobs.boom)),
    "task": lambda registry: registry.task(id="c", every={"hours": 1})(jobs.boom),
    "update": lambda registry: registry.update("a", every={"hours": 2}),
    "pause": lambda registry: registry.pause("a"),
    "resume": lambda registry: registry.resume("a"),
    "run_now": lambda registry: registry.run_now("a"),
    "pause_all": lambda registry: registry.pause_all(),
    "resume_all": lambda registry: registry.resume_all(),
    "history": lambda registry: registry.history(),
    "instances": lambda registry: registry.instances(),
    "prune": lambda registry: registry.prune(["b"]),
    "remove": lambda registry: registry.remove("a"),
    "clear": lambda registry: registry.clear(),
    "wait": lambda registry: registry.wait(registry.run_now("a"), timeout=0.01),
    "configure": lambda registry: registry.configure(backend=Asked()),
    "tick": lambda registry: registry.tick(),
    "shutdown": lambda registry: registry.shutdown(),
    "get": lambda registry: registry.get("a"),
    "select": lambda registry: registry.select(tag="x"),
    "table": lambda registry: registry.table(),
    "store": lambda registry: list(registry.store),
    "why_not": lambda registry: registry.why_not("a"),
    "next_run": lambda registry: registry.next_run("a"),
    "upcoming": lambda registry: list(registry.upcoming(limit=1)),
    "simulate": lambda registry: list(simulate(registry, datetime(2026, 1, 1), datetime(2026, 1, 1, 1))),
    "statistics": lambda registry: registry.statistics(),
    "unresolved": lambda registry: registry.unresolved(),
    "pending": lambda registry: registry.pending(),
    "idle_seconds": lambda registry: registry.idle_seconds(),
    "expose": lambda registry: registry.expose(jobs.add),
    "on": lambda registry: registry.on("failed", print),
}
LOCAL = {
    "get", "select", "table", "store", "why_not", "next_run", "upcoming", "simulate", "statistics", "unresolved",
    "pending", "idle_seconds", "expose", "on",
}  # fmt: skip


class Asked(MemoryBackend):
    """A backend that notes which of its methods are looked up, but for `now`, which asks no server."""

    questions: ClassVar[list[str]] = []

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith("_") and name != "now" and inspect.ismethod(found):
            self.questions.append(name)
        return found


@pytest.mark.parametrize("name", CALLS)
def test_the_documented_calls_ask_the_store_and_the_others_do_not(name: str) -> None:
    registry = TaskRegistry(backend=Asked(), lease=600)
    registry.register(Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2)))
    registry.tick()
    if name == "prune":
        CALLS["register"](registry)
    Asked.questions.clear()
    with suppress(TimeoutError):
        CALLS[name](registry)
    asks = bool(Asked.questions)
    registry.shutdown(0)
    assert asks is (name not in LOCAL)


def test_the_docstring_names_the_calls_that_ask_the_store() -> None:
    text = running.__doc__ or ""
    named = {name for name in CALLS if f"`{name}`" in text}
    assert named == CALLS.keys() - LOCAL


def test_a_coroutine_makes_them_in_a_thread() -> None:
    async def main() -> list[dict[str, Any]]:
        registry = TaskRegistry(backend=MemoryBackend())
        async with running(registry):
            task = Task(id="a", every={"hours": 1}, func=jobs.add, args=(1, 2))
            await asyncio.to_thread(registry.register, task)
            while not task.history:
                await asyncio.sleep(0.002)
        return await asyncio.to_thread(registry.history)  # the store has the outcome once the loop has ended

    assert [run["result"] for run in asyncio.run(main())] == ["3"]
