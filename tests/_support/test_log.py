"""The log: one event is one line, whatever the texts in it, and no line of a traceback passes for one."""

import ast
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import est_alan_scheduler
from est_alan_scheduler._support.log import log
from est_alan_scheduler._support.tracebacks import RemoteTraceback, format_traceback
from tests.test_log_lines import FORGED, HOSTILE, lines_of


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def noted(error: Exception, *notes: Any) -> Exception:
    for note in notes:
        error.add_note(note)
    return error


def in_the_middle() -> BaseException:
    try:
        raised(ValueError(HOSTILE))
        try:
            raise KeyError(HOSTILE)
        finally:
            raise RuntimeError(HOSTILE)
    except RuntimeError as caught:
        return caught


def renamed() -> BaseException:
    def fail() -> None:
        raise ValueError

    fail.__code__ = fail.__code__.replace(co_name=HOSTILE, co_filename=HOSTILE)
    try:
        fail()
    except ValueError as caught:
        return caught
    raise AssertionError


def unreadable_syntax() -> BaseException:
    return raised(SyntaxError(HOSTILE, (HOSTILE, 1, 1, "x =\x1b[2J 1\n" + HOSTILE, 1, 2)))


HOSTILE_ERRORS: list[Callable[[], BaseException]] = [
    lambda: raised(ValueError(HOSTILE)),
    lambda: ValueError(HOSTILE),
    lambda: raised(type(HOSTILE.replace("\0", ""), (Exception,), {})("text")),
    lambda: raised(type("E", (Exception,), {"__module__": HOSTILE})("text")),
    lambda: raised(ValueError("text"), raised(KeyError(HOSTILE), raised(OSError(HOSTILE)))),
    in_the_middle,
    lambda: noted(ValueError("text"), "a note", HOSTILE),
    lambda: raised(ExceptionGroup(HOSTILE, [ValueError(HOSTILE), ExceptionGroup("g", [noted(OSError(), HOSTILE)])])),
    renamed,
    unreadable_syntax,
]


@pytest.mark.parametrize("make", HOSTILE_ERRORS)
def test_no_error_forges_a_line_of_its_traceback(make: Callable[[], BaseException]) -> None:
    lines = lines_of(format_traceback(make()))
    assert [line for line in lines if FORGED in line]
    assert [line for line in lines if line.startswith(FORGED)] == []


def fail_plainly() -> BaseException:
    return raised(ValueError("boom"), noted(KeyError("it"), "a note", "another"))


@pytest.mark.parametrize(
    "make",
    [fail_plainly, lambda: raised(ExceptionGroup("two", [ValueError("a"), KeyError("b")])), lambda: OSError(2, "no")],
)
def test_a_plain_traceback_is_that_of_python(make: Callable[[], BaseException]) -> None:
    error = make()
    assert format_traceback(error) == "".join(traceback.format_exception(error))


def test_a_message_of_several_lines_keeps_them_indented() -> None:
    assert format_traceback(ValueError("first\nsecond\n  third\x1b[2J")) == (
        "ValueError: first\n    second\n      third\\x1b[2J\n"
    )


def test_the_traceback_of_another_process_keeps_its_lines() -> None:
    remote = format_traceback(raised(ValueError(HOSTILE)))
    lines = lines_of(format_traceback(raised(ValueError("boom"), RemoteTraceback(remote))))
    assert set(remote.splitlines()) < set(lines)


def test_a_chain_of_a_thousand_errors_has_a_traceback() -> None:
    error = ValueError(HOSTILE)
    for number in range(1_000):
        error.__cause__, error = None, ValueError(f"{number}")
        error.__cause__ = ValueError(HOSTILE)
    assert FORGED in format_traceback(error)


class Formatted(logging.Handler):
    """A handler as applications have one, with a formatter of their own."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.texts: list[str] = []
        self.errors: list[Any] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))
        self.errors.append(record.exc_info and record.exc_info[1])


class Short(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802  # of logging
        return f"in short: {ei[1]}"


def logged(error: BaseException, formatter: logging.Formatter) -> Formatted:
    handler = Formatted(formatter)
    logging.getLogger("est_alan_scheduler").addHandler(handler)
    try:
        log(logging.ERROR, f"It failed: {error}", error)
    finally:
        logging.getLogger("est_alan_scheduler").removeHandler(handler)
    return handler


def test_a_handler_gets_the_error_itself_and_a_safe_traceback() -> None:
    error = raised(ValueError(HOSTILE))
    handler = logged(error, logging.Formatter("%(levelname)s %(message)s"))
    first, *rest = lines_of(handler.texts[0])
    assert first.startswith(r"ERROR It failed: \nforged")
    assert "\n".join(rest) + "\n" == format_traceback(error)
    assert handler.errors == [error]


def test_a_formatter_of_the_application_formats_harmless_tracebacks() -> None:
    assert logged(raised(ValueError("boom")), Short()).texts == ["It failed: boom\nin short: boom"]


@pytest.mark.parametrize(
    ("handlers", "last_resort"), [([logging.NullHandler()], logging.lastResort), ([], None)], ids=["null", "none"]
)
def test_no_traceback_is_formatted_if_nobody_reads_it(
    handlers: list[logging.Handler], last_resort: logging.Handler | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("est_alan_scheduler._support.log.format_traceback", lambda error: pytest.fail("formatted"))
    monkeypatch.setattr(logging.getLogger("est_alan_scheduler"), "propagate", False)
    monkeypatch.setattr(logging.getLogger("est_alan_scheduler"), "handlers", handlers)
    monkeypatch.setattr(logging, "lastResort", last_resort)
    log(logging.ERROR, "It failed", ValueError("boom"))


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise pickle.PicklingError(HOSTILE)


def test_an_error_without_a_text_is_logged_all_the_same() -> None:
    handler = Formatted(logging.Formatter())
    logging.getLogger("est_alan_scheduler").addHandler(handler)
    try:
        log(logging.ERROR, "It failed", SpeechlessError())
    finally:
        logging.getLogger("est_alan_scheduler").removeHandler(handler)
    assert lines_of(handler.texts[0])[0] == "It failed"


def test_python_s_last_resort_gets_a_safe_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger("est_alan_scheduler"), "propagate", False)
    error = raised(ValueError(HOSTILE))
    log(logging.INFO, "It goes on")
    log(logging.ERROR, "It failed", error)
    assert capsys.readouterr().err == "It failed\n" + format_traceback(error)


def test_all_of_the_package_logs_through_one_function() -> None:
    root = Path(est_alan_scheduler.__file__).parent
    others = []
    for path in root.rglob("*.py"):
        names = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        if names & {"getLogger", "warn", "excepthook", "print_exception", "print_exc"}:
            others.append(path.relative_to(root).as_posix())
    assert others == ["_support/log.py"]
