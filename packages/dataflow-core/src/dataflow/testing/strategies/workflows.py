"""Workflows at random: functions, creates, reads, updates, deletions, failures, and edges from earlier to later."""

from dataclasses import dataclass, replace
from typing import TypeAlias

from hypothesis import strategies as st

__all__ = ["TAKES_UP_FAILURE", "Edge", "Graph", "Node", "graphs", "handling_no_failure"]

DATABASE_NODES = ("create", "read", "update", "delete")
KINDS = (*DATABASE_NODES, "function", "async", "write", "write async", "nested")
FAILS = ("function", "async", "create", "write", "write async", "nested")


@dataclass(frozen=True)
class Edge:
    """An edge that feeds ``value``, or only orders; with or without a condition."""

    source: int
    feeds: bool
    condition: str | None


@dataclass(frozen=True)
class Node:
    """A node: what it does, with which number, whether it fails, and the edges that come in."""

    kind: str
    number: int
    fails: bool
    edges: tuple[Edge, ...]


Graph: TypeAlias = tuple[Node, ...]

CONDITIONS = (
    None,
    "status == 'success'",
    "status == 'failed'",
    "status != 'success'",
    "value > 2",
    "value <= 2",
)
TAKES_UP_FAILURE = frozenset({"status == 'failed'", "status != 'success'"})
"""The conditions that hold after a failure."""


def handling_no_failure(graph: Graph) -> Graph:
    """The workflow without the conditions that take up a failure: for databases without savepoints."""
    return tuple(replace(node, edges=tuple(map(_of_success, node.edges))) for node in graph)


def _of_success(edge: Edge) -> Edge:
    return replace(edge, condition=None) if edge.condition in TAKES_UP_FAILURE else edge


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Workflows of one to eight nodes, each with up to three edges from those before it."""
    made: list[Node] = []
    for index in range(draw(st.integers(1, 8))):
        kind = draw(st.sampled_from(KINDS))
        sources = draw(st.lists(st.integers(0, index - 1), max_size=3, unique=True)) if index else []
        edges: list[Edge] = []
        for source in sources:
            # Of several edges into one input only the order of adding could decide; one is enough here.
            has_value = made[source].kind not in DATABASE_NODES
            takes_value = kind not in ("update", "delete") and not any(edge.feeds for edge in edges)
            feeds = has_value and takes_value and draw(st.booleans())
            condition = draw(st.sampled_from(CONDITIONS if has_value else CONDITIONS[:4]))
            # Whether an edge whose condition failed still counts as "ran" for its input is not specified.
            edges.append(Edge(source, feeds, None if feeds else condition))
        fails = kind in FAILS and draw(st.integers(0, 3)) == 0
        made.append(Node(kind, draw(st.integers(1, 5)), fails, tuple(edges)))
    return tuple(made)
