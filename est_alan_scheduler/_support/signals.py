"""Signal handlers: what they raise is meant for the program, not for the code that they happen to interrupt."""

import threading
from contextlib import suppress
from functools import cache, partial
from inspect import CO_VARARGS
from itertools import pairwise
from types import CodeType, FrameType, FunctionType, MethodType

UNREADABLE = (Exception, SystemExit, KeyboardInterrupt)
"""What the code of a value may raise while it is read. Other classes belong to frameworks, which stop code by them."""


@cache
def _numbers() -> frozenset[int]:
    """Return the signals, but for those by which code limits its own time: what their handlers raise is its error."""
    import signal  # late: a program that runs without an error needs none

    timers = (getattr(signal, name, None) for name in ("SIGALRM", "SIGVTALRM", "SIGPROF"))  # None on Windows
    return frozenset(signal.valid_signals()) - set(timers)


def is_interruption(error: BaseException) -> bool:
    """Return whether a signal handler raised `error` in this thread.

    Python calls a handler with the frame that it interrupts. So the traceback has a frame that was given its caller:
    nothing else is called like that, and it holds for any handler that is written in Python, also for one that has
    been replaced since. A handler that has deleted its arguments is known by its code, as long as it is installed.
    """
    if threading.current_thread() is not threading.main_thread():  # no handler runs elsewhere
        return False
    caller: FrameType | None = None
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if caller is not None and _is_handler(frame, caller):
            return True
        caller, traceback = frame, traceback.tb_next
    return False


def is_for_program(error: BaseException) -> bool:
    """Return whether `error`, of a value that was only to be read, has to go on to the program.

    The handler that Python installs for a Ctrl+C is written in C: it leaves no frame, so a `KeyboardInterrupt` in the
    main thread counts as its.
    """
    if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
        return True
    return is_interruption(error)


def follows_interruption(error: BaseException) -> bool:
    """Return whether a signal handler raised `error`, or what was being handled when it was raised, as in `finally`.

    Of a group of errors, one such is enough: `asyncio.TaskGroup` wraps them. This is for errors of code that was called
    while nothing was being handled.
    """
    seen = set[int]()
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        if is_interruption(link):
            return True
        links.append(link.__cause__ or link.__context__)
        if isinstance(link, BaseExceptionGroup):
            links += link.exceptions
    return False


def _is_handler(frame: FrameType, caller: FrameType) -> bool:
    """Return whether Python has called the function of `frame` as a signal handler, while `caller` ran."""
    code = frame.f_code
    names = code.co_varnames[: code.co_argcount]
    if len(names) < 2 and not code.co_flags & CO_VARARGS:
        return False
    variables = frame.f_locals
    values = [variables[name] for name in names if name in variables]
    is_complete = len(values) == len(names)
    if code.co_flags & CO_VARARGS:
        rest = variables.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        is_complete = is_complete and rest is not None
        values += rest if isinstance(rest, tuple) else ()
    for number, argument in pairwise(values):
        if argument is caller and type(number) is int:
            return number in _numbers()
    return not is_complete and code in _installed()


def _installed() -> set[CodeType]:
    import signal

    codes = set()
    for number in _numbers():
        with suppress(Exception):  # some versions of Python call the `repr` of the handler
            code = _code_of(signal.getsignal(number))
            if code is not None:
                codes.add(code)
    return codes


def _code_of(handler: object) -> CodeType | None:
    """Return the code of a function, also of a bound method, a partial or an object that can be called."""
    while isinstance(handler, partial | MethodType):
        handler = handler.func if isinstance(handler, partial) else handler.__func__
    if not isinstance(handler, FunctionType):
        handler = getattr(type(handler), "__call__", None)  # noqa: B004  # not whether it is callable
    return handler.__code__ if isinstance(handler, FunctionType) else None
