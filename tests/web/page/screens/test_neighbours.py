"""The neighbourhood of a task."""

from datetime import datetime
from typing import Any

from est_alan_scheduler import Task, TaskRegistry, TaskStatus
from est_alan_scheduler.web.page.drawing.graph import Edge, Node
from est_alan_scheduler.web.page.screens.neighbours import Neighbourhood

NOON = datetime(2026, 11, 29, 12)


def nothing() -> None:
    pass


def registry_of(**inputs: list[str]) -> TaskRegistry:
    """Return a registry with tasks by id, each with what it depends on."""
    registry = TaskRegistry()
    for task_id, ids in inputs.items():
        add(registry, task_id, depends_on=ids)
    return registry


def add(registry: TaskRegistry, task_id: str, **fields: Any) -> Task:
    given: dict[str, Any] = {"run_at": "2027-01-01"} if "after" not in fields else {}
    return registry.register(Task(id=task_id, func=nothing, **given, **fields))


def around(registry: TaskRegistry, task_id: str) -> tuple[list[Node], list[Edge]]:
    found = Neighbourhood(registry, registry[task_id], NOON, str.upper)
    return found.nodes(), found.edges()


def shown(registry: TaskRegistry, task_id: str) -> tuple[set[str], set[tuple[str, str]]]:
    nodes, edges = around(registry, task_id)
    return {node.id for node in nodes}, {(edge.start, edge.end) for edge in edges}


def test_two_levels_on_each_side_are_shown() -> None:
    registry = registry_of(**{f"t{number}": [f"t{number - 1}"] if number else [] for number in range(7)})
    ids, edges = shown(registry, "t3")
    assert ids == {"t1", "t2", "t3", "t4", "t5"}
    assert edges == {("t1", "t2"), ("t2", "t3"), ("t3", "t4"), ("t4", "t5")}


def test_a_task_alone_has_no_neighbours() -> None:
    assert shown(registry_of(a=[], b=[]), "a") == ({"a"}, set())


def test_edges_among_the_neighbours_are_shown() -> None:
    ids, edges = shown(registry_of(a=[], b=["a"], c=["a", "b"]), "c")
    assert (ids, edges) == ({"a", "b", "c"}, {("a", "b"), ("a", "c"), ("b", "c")})


def test_an_edge_of_after_is_one_of_events() -> None:
    registry = registry_of(a=[], b=[])
    add(registry, "c", after=["a"], depends_on=["b"])
    assert set(around(registry, "c")[1]) == {Edge("a", "c", is_event=True), Edge("b", "c")}


def test_nodes_have_names_standings_and_links() -> None:
    registry = registry_of(a=[], b=["a", "gone"])
    registry["a"].name = "Load"
    registry["a"].paused = True
    assert around(registry, "b")[0] == [
        Node("b", "nothing", "pending", "PENDING", "task?id=b", is_current=True),
        Node("a", "Load", "paused", "PAUSED", "task?id=a"),
        Node("gone", "gone", "missing", "MISSING"),
    ]


def test_a_cycle_ends() -> None:
    registry = registry_of(a=[], b=["a"])
    registry.store["a"].depends_on = ["b"]
    ids, edges = shown(registry, "a")
    assert (ids, edges) == ({"a", "b"}, {("a", "b"), ("b", "a")})


def test_what_is_too_much_is_counted() -> None:
    registry = registry_of(hub=[], **{f"leaf{number}": ["hub"] for number in range(60)})
    nodes, edges = around(registry, "hub")
    assert len(nodes) == 13
    assert nodes[-1] == Node("more behind 0", "+49", "more", "MORE")
    assert Edge("hub", "more behind 0") in edges


def test_no_task_passes_for_what_is_counted() -> None:
    registry = registry_of(hub=[], **{f"leaf{number}": ["hub"] for number in range(60)}, **{"more behind 0": []})
    assert around(registry, "hub")[0][-1].id == "more behind 0+"


def test_under_the_pause_of_all_the_failed_ones_are_still_shown_first() -> None:
    registry = registry_of(hub=[], **{f"leaf{number:02}": ["hub"] for number in range(60)})
    registry["leaf59"].status = TaskStatus.FAILED
    assert "leaf59" in shown(registry, "hub")[0]
    registry.pause_all()
    assert "leaf59" in shown(registry, "hub")[0]


def test_at_most_forty_nodes_are_shown() -> None:
    inputs: dict[str, list[str]] = {f"up{a}.{b}": [] for a in range(20) for b in range(20)}
    inputs |= {f"up{a}": [f"up{a}.{b}" for b in range(20)] for a in range(20)}
    inputs |= {"hub": [f"up{a}" for a in range(20)]}
    inputs |= {f"down{a}": ["hub"] for a in range(20)}
    inputs |= {f"down{a}.{b}": [f"down{a}"] for a in range(20) for b in range(20)}
    nodes, edges = around(registry_of(**inputs), "hub")
    assert len(nodes) == 39
    assert [node.label for node in nodes[-4:]] == ["+9", "+214", "+9", "+214"]
    ids = {node.id for node in nodes}
    assert all({edge.start, edge.end} <= ids for edge in edges)


def test_those_that_somebody_should_look_at_are_not_left_out() -> None:
    registry = registry_of(hub=[], **{f"leaf{number}": ["hub"] for number in range(60)})
    registry["leaf59"].paused = True
    assert "leaf59" in {node.id for node in around(registry, "hub")[0]}


def test_dependents_are_those_of_this_moment() -> None:
    registry = registry_of(a=[], b=["a"], c=[])
    registry["b"].depends_on = []
    registry["c"].depends_on = ["a"]
    registry.store["d"] = Task(id="d", func=nothing, run_at="2027-01-01", depends_on=["a"])
    assert [task.id for task in registry._dependents("a")] == ["c", "d"]
    del registry.store["c"]
    assert [task.id for task in registry._dependents("a")] == ["d"]
    assert registry._dependents("nobody") == []
