"""The documents for users, README and guides: their blocks of code, and what these print."""

import ast
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pydantic

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
GUIDES = sorted((ROOT / "examples" / "guides").glob("*.md"))
DOCUMENTS = [README, *GUIDES]
HAS_WEB = tuple(map(int, pydantic.VERSION.split(".")[:2])) >= (2, 12)
"""Whether the pydantic that is installed is one that the extra web takes: it needs a later one than the core does."""
RUNNABLE = [path for path in GUIDES if HAS_WEB or "from est_alan_scheduler.web import" not in path.read_text("utf-8")]
"""The guides whose code can run beside that pydantic."""
PATIENCE = 60.0  # seconds until a process counts as stuck
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FOREVER = re.compile(r"^[^#\n]*blocking=True\)|^ +while True:$|^serve\(", re.MULTILINE)
_ADDRESS = re.compile(r"(?<=The tasks are at )http://127\.0\.0\.1:\d+/(?P<token>\?token=)?[\w-]*$", re.MULTILINE)

_PACKAGES = {"cron=": "cronsim", '"sqlite:': "sqlalchemy", "est_alan_scheduler.web": "starlette"}
"""What needs a package without an import of it."""

_RUNNER = """
import contextlib, io, json, logging, sys, types

logging.getLogger("est_alan_scheduler").addHandler(logging.NullHandler())  # some tasks fail on purpose
path, blocks = json.load(sys.stdin)
module = sys.modules["__main__"] = types.ModuleType("__main__")
outputs = []
for line, code in blocks:
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile("\\n" * line + code, path, "exec"), module.__dict__)
    outputs.append(printed.getvalue())
json.dump(outputs, sys.stdout)
"""
"""Runs blocks one after the other, as one program would, and writes what each has printed."""


@dataclass(frozen=True)
class Block:
    """A block of code in a document."""

    language: str
    code: str
    line: int
    """The number of lines before its first one."""
    output: str = ""
    """The text block that follows, which says what this block prints."""

    @property
    def runs_forever(self) -> bool:
        """Whether this is a program that ends by a signal only."""
        return self.language == "python" and _FOREVER.search(self.code) is not None


@cache
def blocks_of(document: Path) -> list[Block]:
    """Return the blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    found = [Block(match[1], match[2], text[: match.start(2)].count("\n")) for match in _BLOCK.finditer(text)]
    return [
        Block(block.language, block.code, block.line, following.code if following.language == "text" else "")
        for block, following in zip(found, [*found[1:], Block("", "", 0)], strict=True)
    ]


def blocks_in(document: Path, language: str) -> list[Block]:
    """Return the blocks of a document in one language."""
    return [block for block in blocks_of(document) if block.language == language]


def scripts_of(document: Path) -> list[list[Block]]:
    """Return the Python blocks of a document, divided into programs: one for all, one for each that runs forever."""
    python = blocks_in(document, "python")
    shared = [block for block in python if not block.runs_forever]
    return [script for script in (shared, *([block] for block in python if block.runs_forever)) if script]


def write_scripts(directory: Path) -> list[Path]:
    """Write the programs of all documents to files, for a type checker. Their lines have the numbers of the document.

    `python -m tests.documents DIRECTORY` does the same.
    """
    written = []
    for document in DOCUMENTS:
        for number, script in enumerate(scripts_of(document)):
            lines: list[str] = []
            for block in script:
                lines += [""] * (block.line - len(lines)) + block.code.splitlines()
            path = directory / f"{document.stem.lower().replace('-', '_')}_{number}.py"
            path.write_text("\n".join([*lines, ""]), encoding="utf-8")
            written.append(path)
    return written


def without_packages(blocks: list[Block]) -> list[str]:
    """Return the packages that these blocks need and that are not installed."""
    code = "\n".join(block.code for block in blocks)
    needed = {
        (node.module or "" if isinstance(node, ast.ImportFrom) else name.name).partition(".")[0]
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    needed |= {package for mark, package in _PACKAGES.items() if mark in code}
    return sorted(name for name in needed if find_spec(name) is None)


def outputs_of(document: Path, directory: Path) -> list[str]:
    """Run the Python blocks of a document in one process; return what each prints. An error or a warning is raised."""
    shared = [block for block in blocks_in(document, "python") if not block.runs_forever]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _RUNNER],
        input=json.dumps([document.name, [(block.line, block.code) for block in shared]]),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0), done.stderr
    return [_with_usual_address(output) for output in json.loads(done.stdout)]


def on_a_free_port(code: str) -> str:
    """Return code that serves on a free port: the usual one may be taken on this machine."""
    return code.replace("serve(registry)", "serve(registry, port=0)")


def _with_usual_address(output: str) -> str:
    """Return an output with the usual port, and without the token, which is a new one each time."""
    return _ADDRESS.sub(lambda match: f"http://127.0.0.1:8765/{'?token=…' if match['token'] else ''}", output)


def run_until_stopped(block: Block, directory: Path) -> tuple[str, str, int]:
    """Run a program that does not end, and stop it after as many lines as it should print: output, errors, exit code.

    It is stopped by SIGTERM if it handles that, else as by Ctrl+C.
    """
    stop = signal.SIGTERM if "signal.SIGTERM" in block.code else signal.SIGINT
    with _process(block, directory) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in block.output.splitlines()]
        process.send_signal(stop)
        rest, errors = process.communicate(timeout=PATIENCE)
    return _with_usual_address("".join(lines) + rest), errors, process.returncode


@contextmanager
def started_program(block: Block, directory: Path) -> Iterator[str]:
    """Let a program that does not end run for the time of a block; yield the first line that it prints."""
    with _process(block, directory) as process:
        assert process.stdout is not None
        yield process.stdout.readline()


@contextmanager
def _process(block: Block, directory: Path) -> Iterator["subprocess.Popen[str]"]:
    """Start a program; kill it if it hangs, and at the end."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-W", "error", "-c", on_a_free_port(block.code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    watchdog = threading.Timer(PATIENCE, process.kill)  # ends a `readline` that would wait forever
    watchdog.start()
    with process:
        try:
            yield process
        finally:
            watchdog.cancel()
            process.kill()


if __name__ == "__main__":
    print(*write_scripts(Path(sys.argv[1])), sep="\n")
