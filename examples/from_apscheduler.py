"""A program for APScheduler 3, and the same program for this library: the plans of both for a year, compared.

    pip install "apscheduler>=3.10,<4" "est-alan-scheduler[cron]"
    python examples/from_apscheduler.py          # the year 2026 of both, within seconds
    python examples/from_apscheduler.py --run    # the migrated program, for real, until Ctrl+C

The program keeps measurements of the free disk space in SQLite. `sample` measures every fifteen minutes; `backup`
copies the database each night; `digest` prints a line on working days; `archive` drops old measurements on the last
day of each month; `check` runs twice an hour in the daytime; `hello` runs once. `with_apscheduler` has the original,
`with_est_alan_scheduler` what it becomes. The program prints the number of runs of each job in both plans, and each
moment that only one of them has: in autumn, APScheduler makes the backup of 02:30 twice; in spring, when there is no
02:30, at 03:30, and this library at 03:00, the first moment that exists.
"""

import argparse
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED
from apscheduler.schedulers.background import BackgroundScheduler

from est_alan_scheduler import Event, Task, TaskRegistry, simulate, start_scheduler

ZONE = ZoneInfo("Europe/Berlin")
START, END = datetime(2026, 1, 1, tzinfo=ZONE), datetime(2027, 1, 1, tzinfo=ZONE)


class Measurements:
    """Measurements of the free disk space, in SQLite. The functions are the same for both schedulers."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "measurements.db"
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS free (at TEXT, bytes INTEGER)")

    def sample(self) -> None:
        """Measure."""
        row = datetime.now().isoformat(), shutil.disk_usage(self.path.parent).free
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("INSERT INTO free VALUES (?, ?)", row)

    def backup(self) -> None:
        """Copy the database."""
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(f"{self.path}.bak")) as target:
            source.backup(target)

    def digest(self, name: str) -> None:
        """Print the least free space."""
        with closing(sqlite3.connect(self.path)) as database:
            (least,) = database.execute("SELECT min(bytes) FROM free").fetchone()
        print(f"{name}: at least {(least or 0) / 1e9:.1f} GB were free")

    def archive(self, days: int) -> None:
        """Drop what is older than so many days."""
        oldest = (datetime.now() - timedelta(days=days)).isoformat()
        with closing(sqlite3.connect(self.path)) as database, database:
            database.execute("DELETE FROM free WHERE at < ?", (oldest,))

    def check(self) -> None:
        """Fail if space is short, so that the alert gets it."""
        if shutil.disk_usage(self.path.parent).free < 1e9:
            raise RuntimeError("less than 1 GB is free")


def alert_of_apscheduler(event: object) -> None:
    """Tell of a job that failed or was missed."""
    print("ALERT", event)


def alert(event: Event) -> None:
    """Tell of a task that failed or was missed."""
    print("ALERT", event.name, event.task_id, event.error_message)


def with_apscheduler(data: Measurements) -> BackgroundScheduler:
    """Return the original. Its last line was `scheduler.start()`."""
    defaults = {"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600}
    scheduler = BackgroundScheduler(timezone=ZONE, job_defaults=defaults)
    scheduler.add_job(data.sample, "interval", minutes=15, start_date=START, id="sample")
    scheduler.add_job(data.backup, "cron", hour=2, minute=30, id="backup")
    scheduler.add_job(data.digest, "cron", day_of_week="0-4", hour=9, id="digest", args=["digest"])
    scheduler.add_job(data.archive, "cron", day="last", hour=23, minute=50, id="archive", kwargs={"days": 90})
    scheduler.add_job(data.check, "cron", hour="8-17", minute="*/30", id="check")
    scheduler.add_job(data.digest, "date", run_date=START + timedelta(hours=36), id="hello", args=["hello"])
    scheduler.add_listener(alert_of_apscheduler, EVENT_JOB_ERROR | EVENT_JOB_MISSED)
    return scheduler


def with_est_alan_scheduler(data: Measurements, start: datetime) -> TaskRegistry:
    """Return the migrated program."""
    # APScheduler lets a daily time that has passed today wait for tomorrow: so does `run_immediately=False`.
    # `coalesce` and `max_instances=1` need no words: late slots become one run, and no task runs twice at a time.
    registry = TaskRegistry(defaults={"timezone": ZONE, "misfire_grace": 3600, "run_immediately": False})
    registry.register(Task(id="sample", every={"minutes": 15}, start_at=start, func=data.sample))
    registry.register(Task(id="backup", at="02:30", func=data.backup))
    # 0 is Monday in APScheduler, and Sunday in cron: a name is the same everywhere.
    registry.register(Task(id="digest", at="09:00", on="mon-fri", func=data.digest, args=("digest",)))
    registry.register(Task(id="archive", at="23:50", on="last", func=data.archive, kwargs={"days": 90}))
    registry.register(Task(id="check", cron="*/30 8-17 * * *", func=data.check))
    registry.register(Task(id="hello", run_at=start + timedelta(hours=36), func=data.digest, args=("hello",)))
    registry.on("failed", "misfired", alert)
    return registry


def plan_of_apscheduler(scheduler: BackgroundScheduler) -> Iterator[tuple[datetime, str]]:
    """Yield the fire times of all jobs, job by job."""
    for job in scheduler.get_jobs():
        at = job.trigger.get_next_fire_time(None, START)
        while at is not None and at < END:
            yield at.astimezone(ZONE), job.id
            now = (at.astimezone(UTC) + timedelta(microseconds=1)).astimezone(ZONE)  # as the scheduler reads its clock
            at = job.trigger.get_next_fire_time(at, now)


def plan_of_est_alan_scheduler(registry: TaskRegistry) -> Iterator[tuple[datetime, str]]:
    """Yield the runs of all tasks in order."""
    for run in simulate(registry, START, END - timedelta(microseconds=1)):
        yield run.at.astimezone(ZONE), run.task_id


def compare(data: Measurements) -> None:
    """Print the number of runs by id, and what only one plan has."""
    theirs = list(plan_of_apscheduler(with_apscheduler(data)))
    registry = with_est_alan_scheduler(data, START)
    ours = list(plan_of_est_alan_scheduler(registry))
    print(f"{'':10}{'APScheduler':>12}{'est_alan_scheduler':>20}")
    for task in registry:
        counts = [sum(task_id == task.id for _, task_id in plan) for plan in (theirs, ours)]
        print(f"{task.id:10}{counts[0]:12}{counts[1]:20}")
    for name, plan, other in (("APScheduler", theirs, ours), ("est_alan_scheduler", ours, theirs)):
        known = {(at.isoformat(), task_id) for at, task_id in other}
        for at, task_id in plan:
            if (at.isoformat(), task_id) not in known:
                print(f"only {name} runs {task_id} at {at.isoformat(' ')}")


def run(data: Measurements) -> None:
    """Run the migrated program until Ctrl+C."""
    registry = with_est_alan_scheduler(data, datetime.now(ZONE))
    try:
        print(f"{len(registry)} tasks until Ctrl+C", flush=True)
        start_scheduler(blocking=True, registry=registry)
    except KeyboardInterrupt:
        print("Stopped by Ctrl+C.")


def main() -> None:
    """Compare the plans, or run the migrated program."""
    parser = argparse.ArgumentParser(description="A program for APScheduler 3, and the same for this library.")
    parser.add_argument("--run", action="store_true", help="run the migrated program until Ctrl+C")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (run if options.run else compare)(Measurements(Path(folder)))


if __name__ == "__main__":
    main()
