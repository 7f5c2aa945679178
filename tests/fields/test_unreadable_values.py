"""Values whose code fails, or that change while they are read: they are described, and take nothing away."""

import functools
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typing_extensions import override

from est_alan_scheduler import Task, TaskRegistry
from est_alan_scheduler._support.text import error_text, short_repr
from est_alan_scheduler.backends.memory import MemoryBackend
from est_alan_scheduler.fields.serialization import NOT_JSON, function_name, json_or_marked, json_or_repr, round_trip
from tests.frozen import Frozen


class Lazy(list[Any]):
    """A list that fails when it is read."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__([1])
        self._error = error

    @override
    def __iter__(self) -> Iterator[Any]:
        raise self._error


class LazyDict(dict[str, Any]):
    """A dict that fails when it is read."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__(a=1)
        self._error = error

    @override
    def items(self) -> Any:
        raise self._error


class Live(dict[str, Any]):
    """A dict that gets another item while it is read, as by another thread."""

    @override
    def items(self) -> Any:
        for item in super().items():
            self[f"k{len(self)}"] = 1
            yield item


class Opaque:
    """An object whose `repr` fails."""

    def __init__(self, error: type[BaseException]) -> None:
        self._error = error

    def __repr__(self) -> str:
        raise self._error


class Nameless:
    """A function whose name cannot be read."""

    def __call__(self) -> None: ...

    def __repr__(self) -> str:
        return "nameless"

    def __getattr__(self, name: str) -> Any:
        raise SystemExit(name)


def take(*_: Any, **__: Any) -> None: ...


def in_thread(function: Callable[[], Any]) -> Any:
    """Return what a function returns in a thread, in which no signal handler runs."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join(10)
    return found[0]


FAILURES = [RuntimeError, KeyError, OSError, SystemExit, KeyboardInterrupt]


@pytest.mark.parametrize("error", FAILURES)
def test_a_repr_that_fails_in_any_way_is_described(error: type[BaseException]) -> None:
    text = f"<Opaque whose repr failed with {error.__name__}>"
    value = Opaque(error)
    assert in_thread(lambda: (short_repr(value), json_or_repr(value), round_trip(value)[0])) == (text, text, text)
    assert in_thread(lambda: json_or_marked([value])) == {NOT_JSON: f"<list whose repr failed with {error.__name__}>"}


@pytest.mark.parametrize("error", FAILURES)
@pytest.mark.parametrize(("kind", "text"), [(Lazy, "[1]"), (LazyDict, "{'a': 1}")])
def test_a_list_or_dict_that_cannot_be_read_is_described(
    kind: Callable[[type[BaseException]], Any], text: str, error: type[BaseException]
) -> None:
    value = kind(error)
    found = in_thread(lambda: (json_or_repr(value), json_or_marked(value), round_trip(value)))
    assert found == (text, {NOT_JSON: text}, (text, f'"{text}"'))


def test_a_dict_that_changes_while_it_is_read_is_described() -> None:
    assert json_or_marked(Live(a=1)) == {NOT_JSON: "{'a': 1, 'k1': 1}"}
    assert json_or_repr([Live(a=1)]) == "[{'a': 1, 'k1': 1}]"


@pytest.mark.parametrize("show", [json_or_repr, json_or_marked])
def test_what_json_holds_is_shown_as_it_was_when_it_was_read(show: Callable[[object], Any]) -> None:
    value = {"a": [1, (2,)]}
    shown = show(value)
    value["a"].append(object())
    assert shown == {"a": [1, [2]]}


def test_a_name_of_a_function_that_cannot_be_read_is_its_repr() -> None:
    assert in_thread(lambda: function_name(Nameless())) == "nameless"


def test_a_text_of_an_error_that_cannot_be_read_is_described() -> None:
    class Odd(Exception):  # noqa: N818  # the name says what it is
        def __str__(self) -> str:
            raise SystemExit

    assert error_text(Odd()) == "Odd: <its str failed with SystemExit>"


def test_a_repr_that_is_a_text_of_another_class_is_shown_as_a_plain_one() -> None:
    class Text(str):
        __slots__ = ()

        @override
        def isascii(self) -> bool:
            raise AssertionError

        def __html__(self) -> str:
            return "<b>"

    class Shown:
        def __repr__(self) -> str:
            return Text("a & b")

    found = short_repr(Shown())
    assert (found, type(found)) == ("a & b", str)


@pytest.mark.parametrize("read", [short_repr, json_or_repr, json_or_marked, round_trip, function_name])
def test_a_ctrl_c_meanwhile_ends_the_program(read: Callable[[Any], Any]) -> None:
    class Interrupted:
        def __getattr__(self, name: str) -> Any:
            signal.raise_signal(signal.SIGINT)

        def __call__(self) -> None: ...

        def __repr__(self) -> str:
            signal.raise_signal(signal.SIGINT)
            return ""

    with pytest.raises(KeyboardInterrupt):
        read(Interrupted())


@pytest.mark.parametrize("value", [Lazy(RuntimeError), LazyDict(SystemExit), Opaque(SystemExit), Opaque(OSError)])
class TestTasks:
    def test_have_a_version_and_a_definition(self, value: Any) -> None:
        registry = Frozen()
        task = registry.register(Task(id="a", every={"minutes": 1}, func=take, args=(value,), kwargs={"x": value}))
        version = registry.version("a")
        assert registry.version("a") == version != registry.version(registry.update("a", args=()))
        assert task.model_dump(mode="json")["kwargs"].keys() == {"x"}

    def test_record_it_as_a_result(self, value: Any) -> None:
        registry = Frozen()
        registry.register(Task(id="a", every={"minutes": 1}, func=functools.partial(lambda one: one, value)))
        registry.tick()
        assert (registry["a"].status.value, registry["a"].result) == ("success", value)
        assert type(registry["a"].model_dump(mode="json")["result"]) is str

    def test_are_refused_by_a_backend(self, value: Any) -> None:
        registry = TaskRegistry(backend=MemoryBackend())
        with pytest.raises(ValueError, match=r"^args\[0\] of task 'a' is .*, which JSON cannot hold"):
            registry.register(Task(id="a", every={"minutes": 1}, func=take, args=(value,)))
