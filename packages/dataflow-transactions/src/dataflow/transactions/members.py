"""The nodes of a workflow that belong to a saga, and what their connections mean there."""

from collections.abc import Collection, Iterable, Mapping

from dataflow.errors import ValidationError
from dataflow.nodes.contract import Node
from dataflow.transactions.definition import Source
from dataflow.workflow.composition import Surroundings

__all__ = ["Members"]


class Members:
    """The nodes of the workflow that steps name.

    :param named: all that steps name, be it nodes of the workflow or something else.
    """

    def __init__(self, around: Surroundings, named: Iterable[object]) -> None:
        self._around = around
        self._taken: set[str] = set()
        self.ids = frozenset(
            name for name in named if isinstance(name, str) and name in around.nodes and name != around.id
        )

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self.ids

    def take(self, id: str) -> Node:
        """The node of an id, which can be taken once.

        :raises ValidationError: where it was taken before.
        """
        if id in self._taken:
            raise ValidationError(f"the node {id!r} of the workflow is used already; add another")
        self._taken.add(id)
        return self._around.nodes[id][0]

    def parameters(self, id: str) -> Mapping[str, object]:
        """Those given when the node was added."""
        return self._around.nodes[id][1]

    def inputs(self, id: str, before: Collection[str], *, from_outside: bool) -> dict[str, Source]:
        """What the connections of a node bring from other steps.

        :param before: the steps that are done before it.
        :param from_outside: whether nodes that belong to no step may feed it.
        :raises ValidationError: for a connection that makes no sense between steps.
        """
        inputs: dict[str, Source] = {}
        for edge in self._around.edges:
            if edge.target != id:
                continue
            where = f"the connection from {edge.source!r} to {id!r}"
            if edge.source not in self.ids:
                if not from_outside and edge.source != self._around.id:
                    raise ValidationError(f"{where}: a compensation is fed by steps alone")
                continue
            if edge.condition is not None:
                raise ValidationError(
                    f"{where} has a condition; steps are done in their order, and their compensations where one of "
                    "them fails: drop the connection"
                )
            if edge.source not in before:
                raise ValidationError(f"{where} is against the order of the steps")
            if edge.input is not None and edge.output is not None:
                inputs[edge.input] = Source(edge.source, edge.output)
        return inputs
