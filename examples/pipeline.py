"""A pipeline on real files: extract, transform, load, each once per success of the step before.

    python examples/pipeline.py                       # a delivery of three files, made by the program
    python examples/pipeline.py inbox --outbox outbox

`extract` takes CSV files of orders out of the inbox, `transform` sums each up by product, `load` adds the sums to
totals.json in the outbox. The steps are due every ten seconds, but with `depends_on_mode="fresh"` a step waits until
the step before has succeeded anew. A file whose last line has no end is still being written: `extract` fails then,
and is retried. In the delivery made by the program, the third file is completed half a second later. The program
stops when all files are loaded, when a step has failed after its last retry, or on Ctrl+C.
"""

import argparse
import csv
import json
import logging
import shutil
import tempfile
import threading
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from est_alan_scheduler import Event, Retry, Task, TaskRegistry, start_scheduler

DELIVERY = {
    "monday.csv": "product,pieces\ntea,3\ncoffee,5\n",
    "tuesday.csv": "product,pieces\ntea,2\ncups,12\n",
    "wednesday.csv": "product,pieces\ncoffee,1\nte",
}
REST = "a,4\n"


class IncompleteError(Exception):
    """A file is still being written."""


def extract(inbox: Path, stage: Path) -> str:
    """Move the complete files from the inbox to the stage; `IncompleteError` if a file is incomplete."""
    moved = []
    for path in sorted(inbox.glob("*.csv")):
        if not path.read_bytes().endswith(b"\n"):
            raise IncompleteError(f"{path.name} is still being written")
        shutil.move(path, stage / path.name)  # `move`, because the stage may be on another disk
        moved.append(path.name)
    return f"took {', '.join(moved) or 'nothing'}"


def transform(stage: Path) -> str:
    """Sum up each file on the stage by product."""
    paths = sorted(stage.glob("*.csv"))
    for path in paths:
        pieces: Counter[str] = Counter()
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            pieces[row["product"]] += int(row["pieces"])
        path.with_suffix(".json").write_text(json.dumps(pieces), encoding="utf-8")
        path.unlink()
    return f"summed up {len(paths)} file(s)"


def load(stage: Path, outbox: Path) -> str:
    """Add the sums on the stage to the totals."""
    totals_path = outbox / "totals.json"
    totals = Counter(json.loads(totals_path.read_text(encoding="utf-8")) if totals_path.exists() else {})
    paths = sorted(stage.glob("*.json"))
    for path in paths:
        totals.update(json.loads(path.read_text(encoding="utf-8")))
    # In this order a failure loses nothing; a process killed right before the end adds these sums again.
    draft = totals_path.with_suffix(".draft")
    draft.write_text(json.dumps(totals, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(totals_path)
    for path in paths:
        path.unlink()
    return f"totals of {len(totals)} product(s)"


def run(inbox: Path, stage: Path, outbox: Path, registry: TaskRegistry) -> None:
    """Run the pipeline on the files of the inbox."""
    is_over = threading.Event()

    def print_outcome(event: Event) -> None:
        print(f"{event.task_id}, attempt {event.attempt}: {event.error_message or event.result}", flush=True)
        if event.error is not None:
            if event.retry_at is None:
                is_over.set()
        elif event.task_id == "load" and not [*inbox.glob("*.csv"), *stage.iterdir()]:
            is_over.set()

    registry.on("succeeded", print_outcome)
    registry.on("failed", print_outcome)
    steps = (("extract", extract, (inbox, stage)), ("transform", transform, (stage,)), ("load", load, (stage, outbox)))
    before: list[str] = []
    for name, func, args in steps:
        registry.register(
            Task(
                id=name,
                every={"seconds": 10},
                func=func,
                args=args,
                depends_on=before,
                depends_on_mode="fresh",
                retry=Retry(max_retries=50, delay=0.1, backoff=1, on=(IncompleteError,)),
            )
        )
        before = [name]
    with start_scheduler(registry=registry):
        while not is_over.wait(1):
            pass


def main() -> None:
    """Read the command line, run, and print the totals."""
    parser = argparse.ArgumentParser(description="Extract, transform and load orders.")
    parser.add_argument("inbox", nargs="?", type=Path, help="a directory of CSV files; by default one that is made")
    parser.add_argument("--outbox", type=Path, help="where totals.json goes; by default a temporary directory")
    options = parser.parse_args()
    logging.getLogger("est_alan_scheduler").setLevel(logging.CRITICAL)  # `show` prints the failures, without tracebacks
    if options.inbox is not None and not options.inbox.is_dir():
        parser.error(f"there is no directory {options.inbox}")

    with tempfile.TemporaryDirectory() as directory:
        registry = TaskRegistry()
        inbox, stage, outbox = options.inbox or Path(directory, "in"), Path(directory, "stage"), options.outbox
        outbox = outbox or Path(directory, "out")
        for path in (inbox, stage, outbox):
            path.mkdir(exist_ok=True)
        if options.inbox is None:
            for name, text in DELIVERY.items():
                (inbox / name).write_text(text, encoding="utf-8")
            registry.register(
                Task(
                    id="deliver",
                    run_at=datetime.now() + timedelta(seconds=0.5),
                    func=append,
                    args=(inbox / "wednesday.csv", REST),
                )
            )
        try:
            run(inbox, stage, outbox, registry)
        except KeyboardInterrupt:
            print("Stopped by Ctrl+C.")
        totals = outbox / "totals.json"
        print(totals.read_text(encoding="utf-8") if totals.exists() else "(nothing was loaded)", end="")


def append(path: Path, text: str) -> str:
    """Complete a file; return its name."""
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
    return path.name


if __name__ == "__main__":
    main()
