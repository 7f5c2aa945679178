"""Three tasks, one of each kind: every few seconds, daily, and once.

Run it with `python examples/first_steps.py`; it runs until Ctrl+C. It prints a line with the time for each run of

- `add(10, 20)`, at once and then every 5 seconds;
- `multiply(7, 8)`, daily, first at the next full minute, if `add` has succeeded by then;
- `log_message("One-off task executed!")`, once, after 30 seconds;

and a last line when Ctrl+C ends it.
"""

from datetime import datetime, timedelta

from est_alan_scheduler import Task, registry, start_scheduler


def say(message: str) -> None:
    """Print a message with the time."""
    print(f"{datetime.now():%H:%M:%S}  {message}", flush=True)


def add(x: int, y: int) -> int:
    """Return the sum."""
    say(f"add({x}, {y}) = {x + y}")
    return x + y


def multiply(x: int, y: int) -> int:
    """Return the product."""
    # The result of `add` is only passed to a function with a parameter dep_<id>; this one does not need it.
    say(f"multiply({x}, {y}) = {x * y}")
    return x * y


def log_message(message: str) -> None:
    """Print the message of the task that runs once."""
    say(message)


def main() -> None:
    """Register the tasks and run them until Ctrl+C."""
    now = datetime.now()
    adding = registry.register(Task(every={"seconds": 5}, func=add, args=(10, 20)))
    # From 23:59 on, the next full minute is 00:00. The slot of today's 00:00 has passed, so the task runs at once.
    next_minute = f"{now + timedelta(minutes=1):%H:%M}"
    registry.register(Task(at=next_minute, func=multiply, args=(7, 8), depends_on=[adding.id]))
    registry.register(
        Task(run_at=now + timedelta(seconds=30), func=log_message, args=("One-off task executed!",)),
    )
    try:
        start_scheduler(interval=1.0, blocking=True)
    except KeyboardInterrupt:
        say("Stopped by Ctrl+C. Goodbye!")


if __name__ == "__main__":
    main()
