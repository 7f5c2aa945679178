"""Calls of functions that cannot be made, found without making them; the names of arguments for results."""

import functools
import inspect
import time
import unicodedata
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.planning import arguments
from est_alan_scheduler.planning.arguments import Accepts, argument_name, call_fault, parameters_of

BY_ARGS = "which it takes by position only: give it by args"


def nothing() -> None: ...
def greet(name: str) -> None: ...
def add(x: int, y: int = 0) -> None: ...
def positional(x: int, /, y: int) -> None: ...
def keyword(*, x: int, y: int = 0) -> None: ...
def anything(*args: Any, **kwargs: Any) -> None: ...
def shadow(x: int, /, **kwargs: Any) -> None: ...
def report(dep_fetch: int) -> None: ...
def misspelt(dep_fetsh: int) -> None: ...
async def coroutine(x: int) -> None: ...


class Counter:
    def __init__(self, start: int) -> None:
        self.start = start

    def __call__(self, step: int) -> None: ...
    def count(self, step: int) -> None: ...

    @classmethod
    def made(cls, step: int) -> None: ...

    @staticmethod
    def told(step: int) -> None: ...


class Bare: ...


class New:
    def __new__(cls, x: int) -> "New":
        return super().__new__(cls)


class Color(Enum):
    RED = 1


@dataclass
class Point:
    x: int
    y: int = 0


Pair = namedtuple("Pair", ["x", "y"])


class SpecialError(Exception):
    def __init__(self, x: int) -> None:
        super().__init__(x)


def with_session(func: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> None:
        func("session", *args, **kwargs)

    return call


@with_session
def needs_session(session: str, x: int) -> None: ...


def renamed(func: Callable[..., None]) -> Callable[..., None]:
    func.__signature__ = inspect.Signature()  # type: ignore[attr-defined]
    return func


@renamed
def disguised(x: int) -> None: ...


@pytest.mark.parametrize(
    ("func", "args", "kwargs", "depends_on", "fault"),
    [
        (nothing, (1,), {}, [], "func nothing takes no positional arguments, but args hold 1"),
        (greet, ("a", "b"), {}, [], "func greet takes 1 positional argument ('name'), but args hold 2"),
        (add, (1, 2, 3), {}, [], "func add takes 2 positional arguments ('x', 'y'), but args hold 3"),
        (greet, (), {}, [], "func greet lacks the argument 'name'"),
        (positional, (1,), {}, [], "func positional lacks the argument 'y'"),
        (keyword, (), {}, [], "func keyword lacks the argument 'x'"),
        (lambda x, y: None, (), {}, [], "func <lambda> lacks the arguments 'x', 'y'"),
        (greet, (), {"nme": 1}, [], "func greet takes no argument 'nme' (did you mean 'name'?), but kwargs hold it"),
        (nothing, (), {"x": 1}, [], "func nothing takes no argument 'x', but kwargs hold it"),
        (add, (1,), {"x": 1}, [], "func add gets the argument 'x' by position already, but kwargs hold it as well"),
        (
            positional,
            (),
            {"x": 1, "y": 2},
            [],
            "func positional takes the argument 'x' by position only, but kwargs hold it by name",
        ),
        (
            shadow,
            (),
            {"x": 1},
            [],
            f"func shadow lacks the argument 'x', {BY_ARGS}",
        ),
        (
            misspelt,
            (),
            {},
            ["fetch"],
            "func misspelt lacks the argument 'dep_fetsh' (did you mean 'dep_fetch'?): depends_on gives it 'dep_fetch'",
        ),
        (
            greet,
            (),
            {},
            ["name"],
            "func greet lacks the argument 'name' (did you mean 'dep_name'?): depends_on gives it 'dep_name'",
        ),
        (
            lambda x, load_users: None,
            (),
            {},
            ["a", "load-users"],
            "func <lambda> lacks the arguments 'x', 'load_users' (did you mean 'dep_load_users'?): "
            "depends_on gives it 'dep_a', 'dep_load_users'",
        ),
        (report, (), {}, ["load"], "func report lacks the argument 'dep_fetch': depends_on gives it 'dep_load'"),
        (report, (), {}, [], "func report lacks the argument 'dep_fetch': name its task in depends_on"),
        (coroutine, (), {}, [], "func coroutine lacks the argument 'x'"),
        (functools.partial(add, 1), (2, 3), {}, [], "func add takes 1 positional argument ('y'), but args hold 2"),
        (
            functools.partial(nothing, 1),  # type: ignore[call-arg]  # the slip is the test
            (),
            {},
            [],
            "func nothing takes no positional arguments, but a partial gives more",
        ),
        (functools.partial(greet), (), {}, [], "func greet lacks the argument 'name'"),
        (
            functools.partial(add, x=1),
            (1,),
            {},
            [],
            "func add gets the argument 'x' by position already, but a partial gives it as well",
        ),
        (
            functools.partial(nothing, z=1),  # type: ignore[call-arg]  # the slip is the test
            (),
            {},
            [],
            "func nothing takes no argument 'z', but a partial gives it",
        ),
        (Counter(0).count, (), {}, [], "func count lacks the argument 'step'"),
        (Counter(0).count, (1, 2), {}, [], "func count takes 1 positional argument ('step'), but args hold 2"),
        (
            functools.partial(Counter(0).count, 1),
            (2,),
            {},
            [],
            "func count takes no positional arguments, but args hold 1",
        ),
        (Counter.made, (), {}, [], "func made lacks the argument 'step'"),
        (Counter.told, (), {}, [], "func told lacks the argument 'step'"),
        (Counter(0), (), {}, [], "func Counter lacks the argument 'step'"),
        (Counter, (), {}, [], "func Counter lacks the argument 'start'"),
        (New, (), {}, [], "func New lacks the argument 'x'"),
        (Bare, (1,), {}, [], "func Bare takes no positional arguments, but args hold 1"),
        (Point, (), {}, [], "func Point lacks the argument 'x'"),
        (Pair, (1,), {}, [], "func Pair lacks the argument 'y'"),
        (SpecialError, (), {}, [], "func SpecialError lacks the argument 'x'"),
        (print, (), {"ends": ""}, [], "func print takes no argument 'ends' (did you mean 'end'?), but kwargs hold it"),
        (len, (), {}, [], f"func len lacks the argument 'obj', {BY_ARGS}"),
        ([].append, (), {}, [], f"func append lacks the argument 'object', {BY_ARGS}"),
        (list.append, ([],), {}, [], f"func append lacks the argument 'object', {BY_ARGS}"),
        (disguised, (), {}, [], "func disguised lacks the argument 'x'"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_made_names_the_argument(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], depends_on: list[str], fault: str
) -> None:
    assert call_fault(func, args, kwargs, depends_on) == fault
    results = {argument_name(task_id): None for task_id in depends_on}
    taken = {name: None for name in results if name in Accepts(func, len(args))}
    with pytest.raises(TypeError):
        func(*args, **kwargs, **taken)


@pytest.mark.parametrize(
    ("func", "args", "kwargs", "depends_on"),
    [
        (nothing, (), {}, ["a"]),
        (add, (1,), {}, []),
        (add, (), {"y": 1, "x": 2}, ["x"]),
        (positional, (1,), {"y": 2}, []),
        (keyword, (), {"x": 1}, []),
        (anything, (1, 2), {"x": 1}, ["a b"]),
        (shadow, (1,), {"x": 1}, []),
        (report, (), {}, ["fetch"]),
        (report, (1,), {}, ["fetch"]),
        (functools.partial(add, x=1), (), {"x": 2}, []),
        (functools.partial(add, x=1), (), {"y": 2}, []),
        (functools.partial(anything, 1, x=2), (3,), {"y": 2}, []),
        (Counter(0).count, (1,), {}, []),
        (Counter, (1,), {}, []),
        (Bare, (), {}, []),
        (Point, (1,), {"y": 2}, []),
        (Color, (1,), {}, []),
        (dict, (), {"x": 1}, []),
        (int, ("7",), {}, []),
        (print, ("a",), {"end": ""}, []),
        ([].append, (1,), {}, []),
        (max, (1, 2), {}, []),
        (Mock(), (1,), {"x": 1}, []),
        (create_autospec(greet), ("a",), {}, []),
        (needs_session, (1,), {}, []),
        (functools.lru_cache(greet), ("a",), {}, []),
    ],
)
def test_a_call_that_can_be_made_has_no_fault(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], depends_on: list[str]
) -> None:
    assert call_fault(func, args, kwargs, depends_on) is None
    results = {argument_name(task_id): None for task_id in depends_on}
    func(*args, **kwargs, **{name: None for name in results if name in Accepts(func, len(args))})


class Evasive(type):
    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError

    def __call__(cls, *args: Any) -> Any:
        return args


@pytest.mark.parametrize("func", [Color, int, max, functools.lru_cache(greet)])
def test_a_callable_without_a_known_signature_may_get_anything(func: Any) -> None:
    assert parameters_of(func) is None
    assert call_fault(func, (1, 2, 3), {"x": 1}, []) is None


def test_a_class_is_read_without_the_code_of_its_metaclass() -> None:
    class HasEvasive(metaclass=Evasive): ...

    assert call_fault(HasEvasive, (1,), {}, []) is None


def test_an_object_that_can_be_called_is_read_without_its_own_code() -> None:
    class Unreadable:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError

        def __call__(self, x: int) -> None: ...

    assert call_fault(Unreadable(), (1,), {}, []) is None
    assert call_fault(Unreadable(), (), {}, []) == "func Unreadable lacks the argument 'x'"


names = st.sampled_from("abcd")


@st.composite
def functions(draw: st.DrawFn) -> Any:
    """Draw a function, perhaps in a partial, as `def` can make it."""
    order = draw(st.permutations("abcd"))
    cuts = sorted(draw(st.lists(st.integers(0, 4), min_size=3, max_size=3)))
    only, either, keyword_only = order[: cuts[0]], order[cuts[0] : cuts[1]], order[cuts[1] : cuts[2]]
    first_default = draw(st.integers(0, cuts[1]))
    by_position = [name if at < first_default else f"{name}=0" for at, name in enumerate([*only, *either])]
    parts = by_position[: cuts[0]] + (["/"] if only else []) + by_position[cuts[0] :]
    more = draw(st.booleans())
    parts += ["*args"] if more else ["*"] if keyword_only else []
    parts += [name + draw(st.sampled_from(["", "=0"])) for name in keyword_only]
    parts += ["**kwargs"] if draw(st.booleans()) else []
    func = eval(f"lambda {', '.join(parts)}: None")
    if draw(st.booleans()):
        func = functools.partial(
            func, *draw(st.lists(st.just(1), max_size=2)), **draw(st.dictionaries(names, st.just(1)))
        )
    return func


@given(functions(), st.lists(st.just(1), max_size=4), st.dictionaries(names, st.just(1)))
def test_law_a_call_has_a_fault_exactly_if_python_refuses_it(
    func: Any, args: list[int], kwargs: dict[str, int]
) -> None:
    try:
        func(*args, **kwargs)
    except TypeError:
        assert call_fault(func, tuple(args), kwargs, []) is not None
    else:
        assert call_fault(func, tuple(args), kwargs, []) is None


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("fetch", "dep_fetch"),
        ("load users", "dep_load_users"),
        ("fetch-data", "dep_fetch_data"),
        ("a - b.c", "dep_a_b_c"),
        ("a_-b", "dep_a__b"),
        ("-x-", "dep__x_"),
        ("7", "dep_7"),
        ("!", "dep__"),
        ("사용자", "dep_사용자"),
        ("사용자 불러오기", "dep_사용자_불러오기"),
        (unicodedata.normalize("NFD", "사용자"), "dep_사용자"),
        ("ﬁle", "dep_file"),  # as Python reads the name of a parameter
        ("हिन्दी", "dep_हिन्दी"),
        ("x²", "dep_x_"),
        ("half\ud800", "dep_half_"),
    ],
)
def test_the_result_of_any_id_has_an_argument(task_id: str, name: str) -> None:
    assert argument_name(task_id) == name
    assert name.isidentifier()


@given(st.text(min_size=1))
def test_law_an_argument_is_a_name_that_python_reads_as_it_is(task_id: str) -> None:
    name = argument_name(task_id)
    assert list(inspect.signature(eval(f"lambda {name}: 0")).parameters) == [name]


def narrow(func: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(func)
    def call(x: int) -> None:
        func(x)

    return call


@narrow
def narrowed(x: int, dep_a: int = 0) -> None: ...


@pytest.mark.parametrize(
    ("func", "given_args", "accepted"),
    [
        (lambda dep_a: None, 0, {"dep_a"}),
        (lambda dep_a, dep_b: None, 1, {"dep_b"}),
        (lambda **kwargs: None, 0, {"dep_a", "dep_b"}),
        (lambda *, dep_b=None: None, 0, {"dep_b"}),
        (nothing, 0, set()),
        (functools.partial(lambda dep_a, dep_b: None, 1), 0, {"dep_b"}),
        (functools.partial(lambda dep_a, dep_b: None, dep_a=1), 0, {"dep_b"}),
        (with_session(lambda session, dep_a=0: None), 0, {"dep_a"}),
        (narrowed, 1, set()),
        (max, 0, set()),
    ],
)
def test_a_result_is_passed_only_where_it_can_be_taken(func: Any, given_args: int, accepted: set[str]) -> None:
    assert {name for name in ("dep_a", "dep_b") if name in Accepts(func, given_args)} == accepted


@pytest.mark.parametrize("order", [(time.sleep, list.append), (list.append, time.sleep)])
def test_builtins_with_one_text_of_their_parameters_are_told_apart_by_what_they_are_bound_to(
    order: tuple[Callable[..., Any], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arguments, "_builtins", {})
    # From Python 3.13 on, both say "($self, object, /)".
    found = {func: call_fault(func, (1,), {}, []) for func in order}
    assert found == {time.sleep: None, list.append: f"func append lacks the argument 'object', {BY_ARGS}"}
