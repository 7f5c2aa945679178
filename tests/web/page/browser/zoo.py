"""Registries to look at: tasks in every state, and tasks with hostile texts."""

from datetime import datetime, timedelta

from est_alan_scheduler import Retry, Task, TaskRegistry, TaskStatus

CONTROL = "".join(map(chr, range(1, 32))) + "\x7f\x85\u2028\ufeff"
"""Control characters, but for NUL, which no HTML can have."""
HOSTILE = {
    "image": "<img src=x onerror=\"document.title='owned'\">",
    "script": "</script></template></title><script>document.title='owned'</script>",
    "quotes": "\"'><svg/onload=window.owned=1>`${7*7}`&amp;&lt;",
    "template": "{{7*7}}{% raw %}{id} %(id)s %s",
    "long": "x" * 10_000,
    "words": "a very long sentence " * 500,
    "right to left": "\u202egnp.exe\u2066 مرحبا بالعالم",
    "emoji": "😀👩‍👩‍👧‍👦é\u0301한글",
    "control": CONTROL,
    "dots": "../../api/tasks?x=1#y%2F+;",
}
"""Texts that a page may take for something else, by what they are."""
PAGES: list[tuple[str, dict[str, str]]] = [
    ("", {}),
    ("task", {"id": "broken"}),
    ("task", {"id": "mail"}),
    ("edit", {"id": "daily"}),
    ("timeline", {"span": "hour"}),
    ("timeline", {"span": "week"}),
    ("instances", {}),
]
"""The pages of such a registry."""
HALF = "half a pair: \ud83d"
"""What no UTF-8 can have."""


class BadLuckError(Exception):
    """What a task fails with."""


def boom() -> None:
    """Fail."""
    raise BadLuckError("the disk is full: /var/data/export.csv")


def greet() -> str:
    """Succeed."""
    return "hello"


def secrets(password: str = "") -> str:
    """Return an argument."""
    return f"result of {password}"


def in_every_state(registry: TaskRegistry | None = None) -> TaskRegistry:
    """Return a registry with tasks in every state, which nothing ticks."""
    registry = registry or TaskRegistry()
    every = {"hours": 1}
    registry.register(Task(id="load", name="Load the data", every=every, func=greet, tags=["data", "nightly"]))
    registry.register(Task(id="broken", name="Export the invoices", every=every, func=boom, tags=["data"]))
    registry.register(Task(id="again", every=every, func=boom, retry=Retry(max_retries=3, delay=3_600)))
    registry.tick()
    registry.register(Task(id="report", name="Report", every=every, func=greet, depends_on=["load", "broken"]))
    registry.register(Task(id="mail", after=["report"], func=greet, description="Sends the report to everyone."))
    registry.register(
        Task(id="daily", name="Every night", cron="30 2 * * *", timezone="America/New_York", func=greet, jitter=60)
    )
    registry.register(Task(id="by hand", name="By hand", manual=True, func=greet))
    registry.register(Task(id="late", name="Too late", run_at=datetime.now() - timedelta(minutes=5), func=greet))
    registry.register(Task(id="held", name="On hold", at="12:00", func=greet))
    registry.pause("held")
    registry.register(Task(id="busy", name="Long at work", every=every, func=greet))
    registry.store["busy"].status = TaskStatus.RUNNING
    registry.store["busy"].last_run_at = datetime.now() - timedelta(seconds=90)
    return registry


def hostile(registry: TaskRegistry | None = None) -> TaskRegistry:
    """Return a registry with a task for each hostile text, which is its id and everything else that it says."""
    registry = registry or TaskRegistry()
    for text in HOSTILE.values():

        def fail(text: str = text) -> None:
            raise BadLuckError(text)

        task = Task(id=text, name=text, description=text, tags=[text[:50]], every={"hours": 1}, func=fail, args=(text,))
        registry.register(task)
    registry.tick()
    for text in HOSTILE.values():
        registry.register(Task(id=f"returns {text}", after=[text], func=lambda text=text: text, kwargs={}))
        registry.run_now(f"returns {text}", force=True)
    registry.tick()
    return registry
