"""A graph of tasks in layers, from left to right, as SVG."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from markupsafe import Markup

from est_alan_scheduler.web.page.drawing.svg import joined

WIDTH, HEIGHT = 192, 46
"""The size of a node."""
GAP_X, GAP_Y = 44, 14
"""The space between two layers, and between two nodes of one."""
MARGIN = 10
_LOOP = 18  # the space below for edges that go back
_LABEL_WIDTH = 19  # letters of a label; those of East Asia are as wide as two
_STATE_WIDTH = 24  # letters of the line below, which are smaller
_SHORTEST_ID = 6  # letters
_TEXT_X = 30  # from the left side of a node, beside its shape
_SWEEPS = 4

_SHAPES = {
    "success": "M-4,0 L-1,3 L4,-3",
    "failed": "M-3.5,-3.5 L3.5,3.5 M-3.5,3.5 L3.5,-3.5",
    "running": "M-2.5,-4 L4,0 L-2.5,4 Z",
    "paused": "M-2,-3.5 L-2,3.5 M2,-3.5 L2,3.5",
    "retrying": "M3.5,-2 A4,4 0 1 0 4,1 M4,-5 L3.5,-1.5 L0.5,-2.5",
    "late": "M0,-4 L0,1 M0,3.4 L0,3.6",
    "missing": "M-1.8,-2 A2,2 0 1 1 0.4,0 L0.4,1.2 M0.4,3.4 L0.4,3.6",
    "more": "M-3.6,0 L-3.4,0 M-0.1,0 L0.1,0 M3.4,0 L3.6,0",
}
_CIRCLE = "M-3.5,0 A3.5,3.5 0 1 0 3.5,0 A3.5,3.5 0 1 0 -3.5,0"
"""The shape of a standing that has none of its own."""


@dataclass(frozen=True)
class Node:
    """A task, or what stands for one."""

    id: str
    label: str
    standing: str
    """Its CSS class, and its shape: `missing` for an id that no task has, `more` for tasks that are not drawn."""
    state: str
    """The standing in words."""
    href: str | None = None
    is_current: bool = False

    @property
    def has_name(self) -> bool:
        """Whether its label is not the id of a task."""
        return self.standing != "more" and self.label != self.id


@dataclass(frozen=True)
class Edge:
    """`end` waits for `start`."""

    start: str
    end: str
    is_event: bool = False
    """Each new success of `start` lets `end` run: `after`."""


def graph(nodes: Sequence[Node], edges: Iterable[Edge], title: str) -> Markup:
    """Return a graph as SVG. Edges between nodes that are not there are left out; there may be cycles."""
    known = {node.id: node for node in nodes}
    kept = [edge for edge in dict.fromkeys(edges) if edge.start in known and edge.end in known]
    rows = _ordered(_layers(list(known), kept), kept)
    places = _places(rows)
    width = 2 * MARGIN + max(len(rows), 1) * (WIDTH + GAP_X) - GAP_X
    tallest = max(map(len, rows), default=1)
    height = 2 * MARGIN + tallest * (HEIGHT + GAP_Y) - GAP_Y
    returns = any(places[edge.end][0] <= places[edge.start][0] for edge in kept)
    total = height + (_LOOP if returns else 0)
    lines = joined(_edge(edge, places, total) for edge in kept)
    boxes = joined(_node(known[task_id], *places[task_id]) for row in rows for task_id in row)
    return Markup(
        '<svg class="graph" role="group" aria-label="{}" viewBox="0 0 {} {}" width="{}" height="{}">'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
        ' markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L8,4 L0,8 Z"></path></marker></defs>{}{}</svg>'
    ).format(title, width, total, width, total, lines, boxes)


# The layout.


def _layers(ids: Sequence[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Return the layer of each node: one more than the greatest of those that it waits for.

    Edges that close a cycle do not count.
    """
    followers: dict[str, list[str]] = {one: [] for one in ids}
    for edge in edges:
        followers[edge.start].append(edge.end)
    layers = dict.fromkeys(ids, 0)
    order, closing = _postorder(followers)
    for one in reversed(order):
        for other in followers[one]:
            if (one, other) not in closing:
                layers[other] = max(layers[other], layers[one] + 1)
    return layers


def _postorder(followers: Mapping[str, Sequence[str]]) -> tuple[list[str], set[tuple[str, str]]]:
    """Return all nodes, each after its followers, and the edges that close cycles, for which that does not hold."""
    order: list[str] = []
    closing: set[tuple[str, str]] = set()
    is_done: dict[str, bool] = {}
    for root in followers:
        if root in is_done:
            continue
        is_done[root] = False
        stack = [(root, iter(followers[root]))]
        while stack:
            one, rest = stack[-1]
            other = next(rest, None)
            if other is None:
                stack.pop()
                is_done[one] = True
                order.append(one)
            elif other not in is_done:
                is_done[other] = False
                stack.append((other, iter(followers[other])))
            elif not is_done[other]:
                closing.add((one, other))
    return order, closing


def _ordered(layers: Mapping[str, int], edges: Iterable[Edge]) -> list[list[str]]:
    """Return the nodes of each layer in an order with few crossings: by the middle of their neighbours."""
    rows: list[list[str]] = [[] for _ in range(max(layers.values(), default=-1) + 1)]
    for one, layer in layers.items():
        rows[layer].append(one)
    neighbours: dict[str, list[str]] = {one: [] for one in layers}
    for edge in edges:
        neighbours[edge.start].append(edge.end)
        neighbours[edge.end].append(edge.start)
    heights = {one: _share(place, row) for row in rows for place, one in enumerate(row)}
    for _ in range(_SWEEPS):
        for row in rows:
            middles = {one: _mean([heights[other] for other in neighbours[one]], heights[one]) for one in row}
            row.sort(key=middles.__getitem__)
            heights.update({one: _share(place, row) for place, one in enumerate(row)})
    return rows


def _share(place: int, row: Sequence[str]) -> float:
    return (place + 0.5) / len(row)


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _places(rows: Sequence[Sequence[str]]) -> dict[str, tuple[int, int]]:
    """Return the left upper corner of each node; the layers are centred."""
    tallest = max(map(len, rows), default=0)
    places = {}
    for number, row in enumerate(rows):
        top = MARGIN + (tallest - len(row)) * (HEIGHT + GAP_Y) // 2
        for place, one in enumerate(row):
            places[one] = MARGIN + number * (WIDTH + GAP_X), top + place * (HEIGHT + GAP_Y)
    return places


# The parts.


def _edge(edge: Edge, places: Mapping[str, tuple[int, int]], bottom: int) -> Markup:
    (left, top), (right, other) = places[edge.start], places[edge.end]
    style = "edge event" if edge.is_event else "edge"
    if right > left:
        start, end = (left + WIDTH, top + HEIGHT // 2), (right - 2, other + HEIGHT // 2)
        bend = GAP_X // 2
        path = f"M{start[0]},{start[1]} C{start[0] + bend},{start[1]} {end[0] - bend},{end[1]} {end[0]},{end[1]}"
    else:  # back, in a curve below all nodes between
        start, end = (left + WIDTH * 3 // 4, top + HEIGHT), (right + WIDTH // 4, other + HEIGHT + 2)
        path = f"M{start[0]},{start[1]} C{start[0]},{bottom} {end[0]},{bottom} {end[0]},{end[1]}"
    return Markup('<path class="{}" d="{}" marker-end="url(#arrow)"></path>').format(style, path)


def _node(node: Node, left: int, top: int) -> Markup:
    name = fitting(node.label, 200) + (f" ({fitting(node.id, 200)})" if node.has_name else "")
    inner = Markup(
        '<title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="6"></rect>'
        '<path class="shape" transform="translate({},{})" d="{}"></path>'
        '<svg x="{}" y="{}" width="{}" height="{}">'
        '<text class="label" x="0" y="19">{}</text><text class="state" x="0" y="36">{}{}</text></svg>'
    ).format(
        f"{name}: {node.state}",
        left,
        top,
        WIDTH,
        HEIGHT,
        left + 15,
        top + HEIGHT // 2,
        _SHAPES.get(node.standing, _CIRCLE),
        left + _TEXT_X,
        top,
        WIDTH - _TEXT_X - 6,
        HEIGHT,
        fitting(node.label, _LABEL_WIDTH),
        node.state,
        _id(node),
    )
    style = f"node {node.standing}" + (" current" if node.is_current else "")
    if node.href is None or node.is_current:
        return Markup('<g class="{}">{}</g>').format(style, inner)
    return Markup('<a class="{}" href="{}" aria-label="{}">{}</a>').format(
        style, node.href, f"{name}, {node.state}", inner
    )


def _id(node: Node) -> Markup | str:
    """Return the id of a task, beside its state, as far as there is room for it; names may be alike."""
    room = _STATE_WIDTH - 3 - sum(map(_width_of, node.state))
    if not node.has_name or room < _SHORTEST_ID:
        return ""
    return Markup('<tspan class="id"> · {}</tspan>').format(fitting(node.id, room))


def fitting(text: str, width: int) -> str:
    """Return a text as one line of at most `width` letters, with an ellipsis if it was longer."""
    line = " ".join(text[: 4 * width].split())
    if len(line) == len(text) and 2 * len(line) <= width:
        return line
    ends = [0, *accumulate(map(_width_of, line))]
    if ends[-1] <= width and len(text) <= 4 * width:
        return line
    cut = max(place for place, end in enumerate(ends) if end <= width - 1)
    return line[:cut].rstrip() + "…"


def _width_of(char: str) -> int:
    return 2 if unicodedata.east_asian_width(char) in "WF" else 0 if unicodedata.combining(char) else 1
