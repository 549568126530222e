"""Which nodes are in the scope of a TransactionContextNode: those that are reached only through it."""

from collections.abc import Iterable, Mapping, Sequence

from dataflow.workflow.graph import Edge

__all__ = ["Scopes", "find_scopes"]

Edges = Mapping[str, Sequence[Edge]]


class Scopes:
    """The scopes of a workflow, one within the other.

    :param members: for each node that has a scope, the nodes in it, those of inner scopes among them.
    """

    def __init__(self, members: Mapping[str, frozenset[str]]) -> None:
        self._members = members
        self._within: dict[str, str] = {}
        # The greatest first: what remains is the innermost.
        for context in sorted(members, key=lambda context: -len(members[context])):
            self._within.update(dict.fromkeys(members[context], context))

    def __contains__(self, id: str) -> bool:
        return id in self._members

    def of(self, id: str) -> str | None:
        """The node in whose scope another one is; None at the top."""
        return self._within.get(id)

    def around(self, id: str) -> Iterable[str]:
        """The nodes whose scopes a node is in, from the innermost on."""
        outer = self.of(id)
        while outer is not None:
            yield outer
            outer = self.of(outer)

    def at(self, level: str | None, id: str) -> str | None:
        """What stands for a node in a scope: itself, or the node of the inner scope that it is in; None outside."""
        while (outer := self.of(id)) != level:
            if outer is None:
                return None
            id = outer
        return id


def find_scopes(contexts: Iterable[str], incoming: Edges, outgoing: Edges) -> Scopes:
    """Find the scope of each of some nodes; one that reaches no other node has none."""
    found = {context: _dominated(context, incoming, outgoing) for context in contexts}
    return Scopes({context: members for context, members in found.items() if members})


def _dominated(context: str, incoming: Edges, outgoing: Edges) -> frozenset[str]:
    members = _reached(context, outgoing)
    while True:
        inside = members | {context}
        entered = {id for id in members if any(not _stays(edge, context, inside) for edge in incoming[id])}
        if not entered:
            return frozenset(members)
        members -= entered


def _reached(context: str, outgoing: Edges) -> set[str]:
    reached: set[str] = set()
    waiting = [context]
    while waiting:
        id = waiting.pop()
        for edge in outgoing[id]:
            if edge.target not in reached and not (id == context and edge.handles_failure):
                reached.add(edge.target)
                waiting.append(edge.target)
    return reached - {context}


def _stays(edge: Edge, context: str, inside: set[str]) -> bool:
    """Whether an edge comes from within a scope, and is not what takes up its failure."""
    return edge.source in inside and not (edge.source == context and edge.handles_failure)
