"""The program of the demo: `python -m est_alan_scheduler.web`."""

import argparse
import contextlib
import logging
from collections.abc import Sequence

from est_alan_scheduler.loops.thread import SchedulerThread
from est_alan_scheduler.web.demo.tasks import demo_registry, ends
from est_alan_scheduler.web.server import serve


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve the demo until Ctrl+C."""
    parser = argparse.ArgumentParser("python -m est_alan_scheduler.web", description="A demo of the page.")
    parser.add_argument("--port", type=int, default=8765, help="on 127.0.0.1 (%(default)s); 0 takes a free one")
    options = parser.parse_args(arguments)
    logging.basicConfig(handlers=[logging.NullHandler()])  # the page shows the failures
    ends.clear()
    registry = demo_registry()
    loop = SchedulerThread(registry, 1.0)
    with contextlib.suppress(KeyboardInterrupt), loop:
        loop.start()
        try:
            serve(registry, port=options.port)
        except OSError as error:
            parser.exit(1, f"{error}\n")
        finally:
            ends.set()
