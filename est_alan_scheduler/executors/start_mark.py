"""Start marks: files in which worker processes note when their calls begin.

The timeout of a run counts from the start of its call. A pool of processes reveals that moment in no other way: a call
may wait for a worker that is busy or still starting, and its future says "running" long before.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from uuid import uuid4


class StartMark:
    """The place where one call notes its start. The file appears when the call begins, and goes with its end."""

    def __init__(self, folder: str) -> None:
        self._path = Path(folder) / f"est-alan-scheduler-{uuid4().hex}"

    def write(self, began_at: float) -> None:
        """Note the start of the call, by `time.monotonic`. Without a note, the timeout starts later."""
        with contextlib.suppress(OSError), open(self._path, "x") as file:
            file.write(repr(began_at))

    def read(self) -> float | None:
        """Return the start of the call; None if it is not noted, or half written."""
        try:
            return float(self._path.read_text())
        except (OSError, ValueError):
            return None

    def remove(self) -> None:
        """Remove the file. Both sides do so, because the parent process may have ended meanwhile."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def new_start_mark() -> StartMark | None:
    """Return a mark for a call on this machine; None if no folder for it can be written to."""
    try:
        folder = tempfile.gettempdir()
    except OSError:
        return None
    return StartMark(folder) if os.access(folder, os.W_OK) else None
