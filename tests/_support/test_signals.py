"""Signal handlers: what they raise is told apart from what the interrupted code raises."""

import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from est_alan_scheduler._support.signals import follows_interruption, is_interruption

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
SIGNAL = signal.SIGUSR1


class Stop(Exception):  # noqa: N818  # not only an error
    pass


def leave() -> None:
    raise Stop


def plain(signum: int, frame: Any) -> None:
    raise Stop


def raise_in_another_function(signum: int, frame: Any) -> None:
    leave()


def without_arguments(signum: int, frame: Any) -> None:
    del signum, frame
    raise Stop


def any_arguments_deleted(*arguments: Any) -> None:
    del arguments
    raise Stop


def once(signum: int, frame: Any) -> None:
    signal.signal(SIGNAL, signal.SIG_DFL)
    raise Stop


def named(name: str, signum: int, frame: Any) -> None:
    raise Stop(name)


def captured(signum: int, frame: Any) -> None:
    def inner() -> Any:
        return frame

    leave()
    inner()


def cached(signum: int, frame: Any) -> None:
    leave()


class Handler:
    def __call__(self, signum: int, frame: Any) -> None:
        raise Stop

    def method(self, signum: int, frame: Any) -> None:
        raise Stop

    def deleting(self, signum: int, frame: Any) -> None:
        del frame
        raise Stop


def wrapping(handler: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(handler)
    def wrapper(*args: Any, **kwargs: Any) -> None:
        handler(*args, **kwargs)

    return wrapper


HANDLERS: dict[str, Any] = {
    "function": plain,
    "lambda": lambda *_: leave(),
    "another function raises": raise_in_another_function,
    "deleted arguments": without_arguments,
    "deleted any arguments": any_arguments_deleted,
    "one that replaces itself": once,
    "partial": functools.partial(named, "a"),
    "nested partial": functools.partial(functools.partial(named), "a"),
    "captured frame": captured,
    "callable object": Handler(),
    "bound method": Handler().method,
    "deleting method": Handler().deleting,
    "partial of a method": functools.partial(Handler().deleting),
    "decorated": wrapping(without_arguments),
    "cache": functools.lru_cache(cached),
}


@pytest.fixture(params=HANDLERS)
def _handler(request: pytest.FixtureRequest) -> Iterator[None]:
    before = signal.signal(SIGNAL, HANDLERS[request.param])
    yield
    signal.signal(SIGNAL, before)


@pytest.fixture
def _plain_handler() -> Iterator[None]:
    before = signal.signal(SIGNAL, plain)
    yield
    signal.signal(SIGNAL, before)


def error_of(func: Callable[[], object]) -> BaseException:
    try:
        func()
    except BaseException as error:
        return error
    raise AssertionError


def press() -> None:
    os.kill(os.getpid(), SIGNAL)
    while True:
        time.sleep(0.01)


def press_in_a_loop() -> None:
    os.kill(os.getpid(), SIGNAL)
    while True:
        pass


@pytest.mark.usefixtures("_handler")
@pytest.mark.parametrize("func", [press, press_in_a_loop])
def test_what_any_handler_raises_is_an_interruption(func: Callable[[], None]) -> None:
    error = error_of(func)
    assert (is_interruption(error), follows_interruption(error)) == (True, True)


@pytest.mark.usefixtures("_handler")
def test_the_same_error_raised_by_the_function_itself_is_none() -> None:
    assert not follows_interruption(error_of(leave))
    assert not is_interruption(error_of(lambda: plain(SIGNAL, None)))
    assert not is_interruption(error_of(sys.exit))
    assert not is_interruption(error_of(lambda: Handler()(SIGNAL, None)))


@pytest.mark.usefixtures("_plain_handler")
def test_an_error_of_a_clean_up_after_a_handler_raised_follows_the_interruption() -> None:
    def clean_up() -> None:
        try:
            press()
        finally:
            raise ValueError("the connection is broken")

    def translate() -> None:
        try:
            press()
        except Stop as error:
            raise RuntimeError("aborted") from error

    assert follows_interruption(error_of(clean_up))
    assert follows_interruption(error_of(translate))


@pytest.mark.usefixtures("_plain_handler")
def test_a_group_of_errors_with_an_interruption_follows_it() -> None:
    group = BaseExceptionGroup("two", [ValueError(), BaseExceptionGroup("inner", [error_of(press)])])
    assert (follows_interruption(group), is_interruption(group)) == (True, False)
    assert not follows_interruption(BaseExceptionGroup("one", [ValueError()]))


@pytest.mark.usefixtures("_plain_handler")
def test_an_interruption_that_the_function_has_handled_is_over() -> None:
    def handle() -> None:
        with contextlib.suppress(Stop):
            press()
        raise ValueError

    assert not follows_interruption(error_of(handle))


def test_a_timer_of_the_function_itself_is_no_interruption() -> None:
    def work() -> None:
        before = signal.signal(signal.SIGALRM, plain)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            while True:
                time.sleep(0.01)
        finally:
            signal.signal(signal.SIGALRM, before)

    error = error_of(work)
    assert isinstance(error, Stop)
    assert not is_interruption(error)


@pytest.mark.usefixtures("_plain_handler")
def test_in_another_thread_nothing_is_an_interruption() -> None:
    error, answers = error_of(press), list[bool]()
    thread = threading.Thread(target=lambda: answers.append(is_interruption(error)))
    thread.start()
    thread.join()
    assert (is_interruption(error), answers) == (True, [False])


def test_errors_in_a_circle_are_no_interruption() -> None:
    one, other = error_of(leave), error_of(leave)
    one.__context__, other.__cause__ = other, one
    assert not follows_interruption(one)
