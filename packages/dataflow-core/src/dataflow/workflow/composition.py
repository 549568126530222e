"""Nodes that are made of others: what belongs to them leaves the graph, and the connections become theirs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from dataflow.nodes.contract import Node
from dataflow.nodes.registry import NodeSource
from dataflow.workflow.graph import Edge
from dataflow.workflow.paths import Path

__all__ = ["Composite", "Composition", "Nodes", "Surroundings", "compose"]

Nodes: TypeAlias = Mapping[str, tuple[Node, Mapping[str, object]]]
"""Node and parameters of each id."""


class Surroundings(NamedTuple):
    """What a node sees of the workflow in which it stands.

    :param id: its own.
    :param nodes: all that were found, itself among them.
    :param edges: in the order in which they were added.
    :param source: where other nodes are looked up.
    """

    id: str
    nodes: Nodes
    edges: Sequence[Edge]
    source: NodeSource


class Composition(NamedTuple):
    """A node that was made of others.

    :param node: takes the place of the one that made it.
    :param parameters: those that are left for it.
    :param members: the ids of the nodes that it has taken in. It takes the input ``x`` of its member ``a`` as ``a.x``.
    :param output: the one of its outputs in which those of its members are found by their ids.
    """

    node: Node
    parameters: Mapping[str, object]
    members: frozenset[str]
    output: str


@runtime_checkable
class Composite(Protocol):
    """A node that becomes another one when the workflow is built."""

    def compose(
        self, parameters: Mapping[str, object], around: Surroundings, problems: list[str]
    ) -> Composition | None:
        """Make it of its parameters.

        :param problems: takes up whatever is wrong.
        :returns: None where it stays what it is.
        """


def compose(
    nodes: Nodes, edges: Sequence[Edge], source: NodeSource, problems: list[str]
) -> tuple[Nodes, Sequence[Edge]]:
    """Let each node that is made of others take them in.

    :param problems: takes up whatever is wrong.
    """
    made: dict[str, Composition] = {}
    for id, (node, parameters) in nodes.items():
        if isinstance(node, Composite):
            composition = node.compose(parameters, Surroundings(id, nodes, edges, source), problems)
            if composition is not None:
                made[id] = composition
    if not made:
        return nodes, edges
    owners: dict[str, str] = {}
    for id, composition in made.items():
        for member in composition.members:
            if owners.setdefault(member, id) != id:
                problems.append(
                    f"node {member!r}: it belongs to {owners[member]!r} and to {id!r}; add another"
                )
    left = {id: node for id, node in nodes.items() if id not in owners}
    left |= {id: (one.node, one.parameters) for id, one in made.items() if id in left}
    return left, list(_moved(edges, owners, made, problems))


def _moved(
    edges: Iterable[Edge], owners: Mapping[str, str], made: Mapping[str, Composition], problems: list[str]
) -> Iterable[Edge]:
    """The edges that are left, those of members at the node that has taken them in."""
    for edge in edges:
        source, target = owners.get(edge.source, edge.source), owners.get(edge.target, edge.target)
        if source == target:
            continue
        if edge.condition is not None and (source, target) != (edge.source, edge.target):
            problems.append(
                f"connection from {edge.source!r} to {edge.target!r}: it has a condition, but a step of "
                f"{(source if source != edge.source else target)!r} runs with all others of it or not at all; "
                "connect that one"
            )
            continue
        if edge.source in owners and edge.output is not None:
            rest = edge.source, edge.output.root, *edge.output.rest
            edge = edge._replace(source=source, output=Path(made[source].output, rest))
        if edge.target in owners and edge.input is not None:
            edge = edge._replace(target=target, input=f"{edge.target}.{edge.input}")
        yield edge._replace(source=source, target=target)
