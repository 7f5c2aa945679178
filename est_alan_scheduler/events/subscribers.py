"""The subscribers of a registry: callbacks that are called with its events."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from types import BuiltinMethodType, MethodType, MethodWrapperType
from typing import Any

from est_alan_scheduler._support.errors import InvalidTypeError, InvalidValueError
from est_alan_scheduler._support.functions import generator_kind, is_coroutine_function
from est_alan_scheduler._support.log import is_enabled, log
from est_alan_scheduler._support.signals import is_interruption
from est_alan_scheduler._support.text import error_text, short_repr
from est_alan_scheduler.events.event import EVENTS, Event
from est_alan_scheduler.events.slow_callbacks import watch
from est_alan_scheduler.fields.checks import near_miss

_SLOW = 1.0  # seconds; a callback that takes longer is logged when it returns

Callback = Callable[[Event], object]

KEEP_OPEN: Any = object()
"""Stands for a callback that is not given yet: a decorator waits for it."""


class Subscribers:
    """The subscriptions of a registry; the first is that of the log.

    Callbacks are called one after the other, in the order of their subscriptions, in the thread in which the event
    happens. `_lock` guards changes of the subscriptions and of `callbacks`, which is read without it. No callback is
    called or compared under it.
    """

    def __init__(self, call_fault: Callable[[Callback], str | None] = lambda _: None) -> None:
        """Begin with the log alone. `call_fault` tells why a function cannot be called with one argument, if so."""
        self._call_fault = call_fault
        self._subscriptions: dict[str, dict[object, Callback]] = {name: {} for name in EVENTS}  # replaced, not changed
        self.callbacks: dict[str, tuple[Callback, ...]] = dict.fromkeys(EVENTS, ())
        self.publishes_successes = False
        """Whether a success has any subscriber beside the log."""
        self._lock = threading.Lock()
        self.subscribe("succeeded", log_outcome)
        self.subscribe("failed", log_outcome)

    def subscribe(self, name: str, callback: Callback) -> Callable[[], None]:
        """Call `callback` from now on; return a function that ends this subscription, and may be called again."""
        key = object()
        with self._lock:
            self._keep(name, self._subscriptions[name] | {key: callback})

        def end() -> None:
            self._end(name, key)

        return end

    def on(self, *events: Any, callback: Any = KEEP_OPEN) -> Any:
        """Do what `TaskRegistry.on` says."""
        names = list(events)
        if callback is KEEP_OPEN and names and not isinstance(names[-1], str):
            callback = names.pop()
        if not names:
            example = "on('failed', callback), or @registry.on('failed')"
            raise InvalidTypeError(f"name the events, as in {example}; the events are: {', '.join(EVENTS)}")
        for name in names:
            check_event(name)
        if callback is not KEEP_OPEN:
            return self._subscribe_to_all(names, callback)

        def decorate(func: Callback) -> Callback:
            self._subscribe_to_all(names, func)
            return func

        return decorate

    def _subscribe_to_all(self, names: Iterable[str], callback: Callback) -> Callable[[], None]:
        check_callback(callback)
        if self._call_fault(callback) is not None:
            raise InvalidTypeError(
                f"callback must be a plain function that takes an Event, got {short_repr(callback)}, "
                "which cannot be called with one: write def alert(event), for example"
            )
        ends = [self.subscribe(name, callback) for name in dict.fromkeys(names)]

        def end() -> None:
            for each in ends:
                each()

        return end

    def remove(self, name: str, callback: Callback) -> bool:
        """End the latest subscription of this callback; return whether there was one."""
        while True:
            keys = [key for key, other in self._subscriptions[name].items() if _is_same(other, callback)]
            if not keys:
                return False
            if self._end(name, keys[-1]):  # otherwise another thread has ended it meanwhile
                return True

    def _end(self, name: str, key: object) -> bool:
        with self._lock:
            left = dict(self._subscriptions[name])
            was_there = left.pop(key, None) is not None
            self._keep(name, left)
        return was_there

    def _keep(self, name: str, subscriptions: dict[object, Callback]) -> None:
        self._subscriptions[name] = subscriptions
        callbacks = self.callbacks[name] = tuple(subscriptions.values())
        if name == "succeeded":
            self.publishes_successes = any(callback is not log_outcome for callback in callbacks)

    def clear_after_fork(self) -> None:
        """Replace the lock in a forked child: another thread of the parent may have held it."""
        self._lock = threading.Lock()

    def is_only_logged(self, event: Event) -> bool:
        """Return whether an outcome, and the event that may follow it, have no subscriber beside the log."""
        callbacks = self.callbacks
        if callbacks[event.name] != (log_outcome,):
            return False
        if event.name == "succeeded":
            return not (event.consecutive_failures and callbacks["recovered"])
        return not callbacks["gave_up"] and not (event.retry_at and callbacks["retrying"])

    def publish(self, event: Event, label: str | None = None) -> None:
        """Call all subscribers. The log gets what one of them raises, and the name of one that is slow or hangs.

        `label` is how the log calls the task of an outcome, by default by its id.

        An interruption (neither an `Exception` nor `SystemExit`, as Ctrl+C, or raised by a signal handler) is raised
        after the last of them.
        """
        interruption: BaseException | None = None
        for callback in self.callbacks[event.name]:
            try:
                if callback is log_outcome:  # a slow log would only be slower with more to log
                    log_outcome(event, label)
                else:
                    _call_watched(callback, event)
            except (Exception, SystemExit) as error:
                if is_interruption(error):
                    interruption = error
                    continue
                log(logging.ERROR, f"{_described(callback, event)} failed: {error_text(error)}", error)
            except BaseException as error:
                interruption = error
        if interruption is not None:
            raise interruption


def _call_watched(callback: Callback, event: Event) -> None:
    """Call a subscriber, and log it if it hangs or is slow."""
    key = watch.enter(partial(_described, callback, event))
    began = time.monotonic()
    try:
        callback(event)
    finally:
        watch.leave(key)
        seconds = time.monotonic() - began
        if seconds > _SLOW:
            log(logging.WARNING, f"{_described(callback, event)} took {seconds:.3g} s; its thread had to wait.")


def _is_same(one: Callback, other: Callback) -> bool:
    """Return whether these are one callback. Bound methods are compared, because each look-up makes a new object."""
    is_method = isinstance(one, MethodType | BuiltinMethodType | MethodWrapperType) and type(one) is type(other)
    return one is other or (is_method and one == other)


def check_event(name: object) -> None:
    """Raise `ValueError` if there is no such event."""
    if name not in EVENTS:
        raise InvalidValueError(
            f"there is no event {short_repr(name)}{near_miss(_alike(name), EVENTS)};"
            f" the events are: {', '.join(EVENTS)}"
        )


def check_callback(callback: object) -> None:
    """Raise `TypeError` if this is no plain function."""
    if not callable(callback) or is_coroutine_function(callback) or generator_kind(callback) is not None:
        raise InvalidTypeError(f"callback must be a plain function that takes an Event, got {short_repr(callback)}")


def _alike(name: object) -> object:
    """Return the event with the same first three letters, or `name` if there is none.

    No two events share them. By all letters, "sucess" is too far from "succeeded", and "start" from "started".
    """
    return next((event for event in EVENTS if event[:3] == str(name).lower()[:3]), name)


def log_outcome(event: Event, label: str | None = None) -> None:
    """Log the outcome of a run in one line. This is the first subscriber."""
    attempt = "" if event.attempt == 1 else f" (attempt {event.attempt})"
    if event.error is None:
        if is_enabled(logging.INFO):
            log(logging.INFO, f"Task {label or repr(event.task_id)} succeeded in {event.duration:.3f} s{attempt}")
    elif is_enabled(logging.ERROR):
        then = "" if event.retry_at is None else f"; next attempt at {event.retry_at}"
        after = "" if event.duration is None else f" after {event.duration:.3f} s"
        message = f"Task {label or repr(event.task_id)} failed{after}{attempt}: {event.error_message}{then}"
        is_raised = isinstance(event.error, KeyboardInterrupt) or is_interruption(event.error)
        log(logging.ERROR, message, None if is_raised else event.error)  # the program gets its traceback


def _described(callback: Callback, event: Event) -> str:
    return f"The callback {short_repr(callback)} of the event {event.name!r} (task {event.task_id!r})"
