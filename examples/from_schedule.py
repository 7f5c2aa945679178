"""A program for `schedule`, and the same program for this library: a week of both, run by run.

    pip install schedule freezegun
    python examples/from_schedule.py          # a week of both in frozen time, within a second
    python examples/from_schedule.py --run    # the migrated program, for real, until Ctrl+C

The program looks after the log of a shop. `orders` writes a line every ten minutes; `rotate` starts a new file each
night; `summary` counts the orders of a week on Monday mornings; `prune` deletes files that are older than three days.
`with_schedule` has the original, `with_est_alan_scheduler` what it becomes. Each gets a folder of its own, and its
functions keep a journal there. The program prints the first lines of the journals, and that they are the same.
"""

import argparse
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import schedule
from freezegun import freeze_time

from est_alan_scheduler import Task, TaskRegistry, start_scheduler
from est_alan_scheduler.testing import play

START, END = datetime(2026, 3, 1, 22), datetime(2026, 3, 8, 22)  # from a Sunday evening on


class Shop:
    """The log of a shop, in a folder. The functions are the same for both schedulers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal: list[str] = []

    def orders(self, name: str) -> None:
        """Append a line to today's log."""
        with (self.folder / "orders.log").open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now():%Y-%m-%d %H:%M} {name}\n")
        self._note(f"orders {name}")

    def rotate(self) -> None:
        """Give the log of the past day a name of its own."""
        log = self.folder / "orders.log"
        target = self.folder / f"orders-{datetime.now() - timedelta(days=1):%Y-%m-%d}.log"
        log.rename(target)
        self._note(f"rotate: {target.name}")

    def summary(self) -> None:
        """Count the orders that are kept."""
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in self.folder.glob("*.log"))
        self._note(f"summary: {lines} orders")

    def prune(self, days: int) -> None:
        """Delete the logs that are older than so many days."""
        oldest = f"orders-{datetime.now() - timedelta(days=days):%Y-%m-%d}.log"
        old = [path for path in self.folder.glob("orders-*.log") if path.name < oldest]
        for path in old:
            path.unlink()
        self._note(f"prune: {len(old)} files")

    def _note(self, text: str) -> None:
        self.journal.append(f"{datetime.now():%a %d %H:%M}  {text}")


def with_schedule(shop: Shop) -> schedule.Scheduler:
    """Return the original. Its main loop was `while True: scheduler.run_pending(); time.sleep(1)`."""
    scheduler = schedule.Scheduler()
    scheduler.every(10).minutes.do(shop.orders, "tea").tag("shop")
    scheduler.every().day.at("00:00:30").do(shop.rotate).tag("files")
    scheduler.every().day.at("03:00").do(shop.prune, days=3).tag("files")
    scheduler.every().monday.at("08:15").do(shop.summary)
    return scheduler


def with_est_alan_scheduler(shop: Shop) -> TaskRegistry:
    """Return the migrated program."""
    registry = TaskRegistry()
    # `schedule` waits for the first interval; here the first run would come at once.
    minutes = timedelta(minutes=10)
    orders = Task(id="orders", every=minutes, run_immediately=False, func=shop.orders, args=("tea",), tags=["shop"])
    registry.register(orders)
    # A daily time that has passed today: `schedule` waits for tomorrow, and so does a task that does not run at once.
    registry.register(Task(id="rotate", at="00:00:30", run_immediately=False, func=shop.rotate, tags=["files"]))
    prune = Task(id="prune", at="03:00", run_immediately=False, func=shop.prune, kwargs={"days": 3}, tags=["files"])
    registry.register(prune)
    registry.register(Task(id="summary", at="08:15", on="mon", run_immediately=False, func=shop.summary))
    return registry


def week_with_schedule(shop: Shop) -> None:
    """Run the original for a week: its loop asks every ten seconds here."""
    with freeze_time(START) as clock:
        scheduler = with_schedule(shop)
        while datetime.now() < END:
            clock.tick(timedelta(seconds=10))
            scheduler.run_pending()


def week_with_est_alan_scheduler(shop: Shop) -> None:
    """Run the migrated program for a week."""
    with freeze_time(START) as clock:
        play(with_est_alan_scheduler(shop), clock, END)


def in_a_new_folder(week: Callable[[Shop], None]) -> list[str]:
    """Return the journal of a week."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        week(shop)
        return shop.journal


def run() -> None:
    """Run the migrated program until Ctrl+C."""
    with tempfile.TemporaryDirectory() as folder:
        registry = with_est_alan_scheduler(Shop(Path(folder)))
        try:
            print(f"{len(registry)} tasks until Ctrl+C", flush=True)
            start_scheduler(blocking=True, registry=registry)
        except KeyboardInterrupt:
            print("Stopped by Ctrl+C.")


def main() -> None:
    """Compare a week of both, or run the migrated program."""
    parser = argparse.ArgumentParser(description="A program for `schedule`, and the same for this library.")
    parser.add_argument("--run", action="store_true", help="run the migrated program until Ctrl+C")
    if parser.parse_args().run:
        run()
        return
    theirs, ours = in_a_new_folder(week_with_schedule), in_a_new_folder(week_with_est_alan_scheduler)
    rare = [line for line in ours if "orders tea" not in line]
    print(*ours[:3], "...", *rare, sep="\n")
    print(f"\n{len(theirs)} runs with schedule, {len(ours)} with est_alan_scheduler:", end=" ")
    print("the journals are the same." if theirs == ours else "the journals differ!")


if __name__ == "__main__":
    main()
