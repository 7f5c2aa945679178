"""Start marks: files in which worker processes note when their calls begin and end.

The timeout of a run counts from the start of its call. A pool of processes reveals that moment in no other way: a call
may wait for a worker that is busy or still starting, and its future says "running" long before. It does not reveal the
end either, if the worker dies or stops while it sends the outcome.
"""

import contextlib
import multiprocessing
import os
import tempfile
from pathlib import Path
from uuid import uuid4


class StartMark:
    """The place where one call notes its start and its end. The file appears when the call begins.

    The parent process removes it when the outcome has arrived, so that an outcome that never arrives is not taken for a
    call that has not begun.
    """

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / f"est-alan-scheduler-{uuid4().hex}"

    def write(self, began_at: float) -> None:
        """Note the start of the call, by `time.monotonic`. Without a note, the timeout starts later."""
        with contextlib.suppress(OSError), open(self._path, "x") as file:
            file.write(f"{began_at!r} ")

    def write_end(self, ended_at: float) -> None:
        """Note the end of the call; if the parent process has ended meanwhile, remove the file instead."""
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            self.remove()
            return
        with contextlib.suppress(OSError), open(self._path, "r+") as file:  # not if it was removed
            file.seek(0, os.SEEK_END)
            file.write(f"{ended_at!r} ")

    def read(self) -> tuple[float | None, float | None]:
        """Return the start and the end of the call; None for what is not noted, or half written."""
        try:
            *moments, _ = self._path.read_text().split(" ")  # each ends with a space
            began, ended, *_ = (*map(float, moments), None, None)
        except (OSError, ValueError):
            return None, None
        return began, ended

    def remove(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def new_start_mark() -> StartMark | None:
    """Return a mark for a call on this machine; None if no folder for it can be written to."""
    try:
        folder = tempfile.gettempdir()
    except OSError:
        return None
    return StartMark(folder) if os.access(folder, os.W_OK) else None
