"""A scheduler with its API at an address of this machine, for programs and for a browser.

    pip install ".[web]"                      # in a clone
    python examples/web.py                    # then open the address that it prints
    python examples/web.py --port 8080

The program ticks its tasks in a thread, and serves them beside. It makes a token, and prints the address with it: a
browser has to open that once. A program sends the token in each request:

    curl -H "Authorization: Bearer <the token>" http://127.0.0.1:8765/api/tasks

Ctrl+C ends the program.
"""

import argparse
import random

from est_alan_scheduler import Task, TaskRegistry, start_scheduler
from est_alan_scheduler.web import serve

registry = TaskRegistry()


def measure() -> float:
    """Return a temperature, as a sensor would."""
    return round(random.gauss(20, 2), 1)


def warn(dep_measure: float) -> str:
    """Return a text about the latest temperature."""
    return "too warm" if dep_measure > 22 else "all is well"


def main() -> None:
    """Read the command line, and serve until Ctrl+C."""
    parser = argparse.ArgumentParser(description="A scheduler with its API.")
    parser.add_argument("--port", type=int, default=8765, help="on 127.0.0.1 (%(default)s)")
    options = parser.parse_args()
    registry.register(Task(id="measure", every={"seconds": 2}, func=measure))
    registry.register(Task(id="warn", every={"seconds": 2}, func=warn, depends_on=["measure"]))
    with start_scheduler(registry=registry):
        serve(registry, port=options.port)
    print("Stopped. Goodbye!")


if __name__ == "__main__":
    main()
