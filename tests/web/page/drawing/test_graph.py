"""The drawing of a graph: layers, places, and what it shows of hostile texts."""

import re
from itertools import combinations, pairwise
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from est_alan_scheduler.web.page.drawing.graph import HEIGHT, WIDTH, Edge, Node, fitting, graph
from tests.web.page.pages import Page, text_of

IDS = [f"n{number}" for number in range(12)]
EDGES = st.lists(st.builds(Edge, st.sampled_from(IDS), st.sampled_from(IDS), st.booleans()), max_size=40)


def node(task_id: str, label: str | None = None, standing: str = "success") -> Node:
    return Node(task_id, label or task_id, standing, standing, f"task?id={task_id}")


def drawn(nodes: list[Node], edges: list[Edge]) -> Element:
    return Page(str(graph(nodes, edges, "Dependencies"))).root


def corners(svg: Element) -> dict[str, tuple[int, int]]:
    """Return the left upper corner of each node by its label."""
    found = {}
    for box in svg.findall(".//*[rect]"):
        rect = box.find("rect")
        assert rect is not None
        found[text_of(box.findall("svg/text")[0])] = int(rect.attrib["x"]), int(rect.attrib["y"])
    return found


def columns(svg: Element) -> dict[str, int]:
    return {label: x // WIDTH for label, (x, _) in corners(svg).items()}


def test_each_task_stands_to_the_right_of_all_that_it_waits_for() -> None:
    edges = [Edge("a", "b"), Edge("b", "c"), Edge("a", "c"), Edge("c", "d")]
    assert columns(drawn([node(one) for one in "dcba"], edges)) == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_a_fan_is_one_layer() -> None:
    svg = drawn([node(one) for one in "abcd"], [Edge("a", one) for one in "bcd"])
    assert columns(svg) == {"a": 0, "b": 1, "c": 1, "d": 1}
    assert len({y for _, y in corners(svg).values()}) == 3


def test_neighbours_stand_in_the_order_with_the_fewest_crossings() -> None:
    svg = drawn([node(one) for one in ("a", "b", "y", "x")], [Edge("a", "x"), Edge("b", "y")])
    found = corners(svg)
    assert (found["a"][1] < found["b"][1]) == (found["x"][1] < found["y"][1])


def test_a_cycle_is_drawn_with_an_edge_that_goes_back() -> None:
    svg = drawn([node(one) for one in "abc"], [Edge("a", "b"), Edge("b", "c"), Edge("c", "a")])
    assert columns(svg) == {"a": 0, "b": 1, "c": 2}
    assert len(svg.findall("path")) == 3


def test_a_task_that_waits_for_itself_is_drawn() -> None:
    assert columns(drawn([node("a")], [Edge("a", "a")])) == {"a": 0}


def test_edges_to_what_is_not_drawn_are_left_out() -> None:
    assert drawn([node("a")], [Edge("a", "b"), Edge("c", "a")]).findall("path") == []


def test_a_node_is_a_link_that_says_the_name_the_id_and_the_standing_of_its_task() -> None:
    link = drawn([node("a", "Load", "failed")], []).findall("a")[0]
    assert (link.attrib["href"], link.attrib["class"], link.attrib["aria-label"]) == (
        "task?id=a",
        "node failed",
        "Load (a), failed",
    )
    assert text_of(link) == "Load (a): failedLoadfailed · a"


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Node("load", "load", "late", "late"), "late"),
        (Node("more before 0", "+3", "more", "more"), "more"),
        (Node("load-of-every-morning", "Load", "late", "late"), "late · load-of-every-mo…"),
        (Node("load-of-every-morning", "Load", "late", "기다리고 있습니다"), "기다리고 있습니다"),
    ],
    ids=["no name", "no task", "long id", "no room"],
)
def test_the_id_stands_beside_the_state_if_there_is_a_name(node: Node, text: str) -> None:
    assert text_of(drawn([node], []).findall("g/svg/text")[1]) == text


def test_standings_differ_in_their_shapes_and_not_in_colour_alone() -> None:
    standings = ("success", "failed", "running", "paused", "retrying", "late", "pending", "missing", "more")
    svg = drawn([node(one, standing=one) for one in standings], [])
    shapes = [path.attrib["d"] for path in svg.findall("a/path[@class='shape']")]
    assert len(set(shapes)) == len(standings)


def test_the_task_of_the_page_and_what_stands_for_others_are_no_links() -> None:
    nodes = [Node("a", "a", "success", "succeeded", "task?id=a", is_current=True), Node("b", "b", "missing", "missing")]
    svg = drawn(nodes, [Edge("b", "a", is_event=True)])
    assert svg.findall("a") == []
    assert [box.attrib["class"] for box in svg.findall("g")] == ["node missing", "node success current"]
    assert svg.findall("path")[0].attrib["class"] == "edge event"


def test_without_nodes_it_is_empty() -> None:
    assert corners(drawn([], [])) == {}


def test_a_thousand_nodes_in_one_chain_are_no_deep_recursion() -> None:
    ids = [str(number) for number in range(1_000)]
    edges = [Edge(one, other) for one, other in pairwise(ids)]
    assert columns(drawn([node(one) for one in ids], edges))["999"] > 999


@given(EDGES)
def test_all_coordinates_lie_in_the_box_and_no_two_nodes_overlap(edges: list[Edge]) -> None:
    svg = drawn([node(one) for one in IDS], edges)
    width, height = int(svg.attrib["width"]), int(svg.attrib["height"])
    assert svg.attrib["viewbox"] == f"0 0 {width} {height}"
    found = corners(svg)
    assert sorted(found) == sorted(IDS)
    assert all(0 <= x <= width - WIDTH and 0 <= y <= height - HEIGHT for x, y in found.values())
    for (x, y), (other_x, other_y) in combinations(found.values(), 2):
        assert abs(x - other_x) >= WIDTH or abs(y - other_y) >= HEIGHT
    for path in svg.findall("path"):
        for point_x, point_y in re.findall(r"(-?\d+),(-?\d+)", path.attrib["d"]):
            assert 0 <= int(point_x) <= width
            assert 0 <= int(point_y) <= height


@given(EDGES)
def test_only_edges_of_cycles_go_back(edges: list[Edge]) -> None:
    acyclic = [edge for edge in edges if IDS.index(edge.start) < IDS.index(edge.end)]
    found = corners(drawn([node(one) for one in IDS], acyclic))
    assert all(found[edge.start][0] < found[edge.end][0] for edge in acyclic)


@given(st.text(min_size=1), st.text())
def test_any_text_is_shown_as_text(label: str, state: str) -> None:
    svg = drawn([Node("a", label, "more", state)], [])
    assert {one.tag for one in svg.iter()} == {"svg", "defs", "marker", "path", "g", "title", "rect", "text"}


def test_markup_in_a_name_is_text() -> None:
    svg = drawn([node("a", "<script>alert(1)</script>")], [])
    assert text_of(svg.findall("a/svg/text")[0]) == "<script>alert(1)</…"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("short", "short"),
        ("0123456789", "0123456789"),
        ("0123456789x", "012345678…"),
        ("가나다라마", "가나다라마"),
        ("가나다라마바", "가나다라…"),
        ("two  words\nhere", "two words…"),
        ("é" * 10, "é" * 10),
        ("e\u0301" * 10, "e\u0301" * 10),
        ("x" * 10_000, "xxxxxxxxx…"),
        ("", ""),
    ],
)
def test_a_label_fits_its_node(text: str, short: str) -> None:
    assert fitting(text, 10) == short
