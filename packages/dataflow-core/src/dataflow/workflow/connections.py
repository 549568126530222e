"""Reading connections: which of their words are nodes, which are outputs and inputs."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, NamedTuple

from dataflow.errors import WorkflowError, nearest
from dataflow.workflow.graph import Edge
from dataflow.workflow.paths import parse_path

if TYPE_CHECKING:
    from dataflow.workflow.conditions import Condition

__all__ = ["Connection", "read_connection"]


class Connection(NamedTuple):
    """A connection as it was added."""

    names: tuple[str, ...]
    condition: str | None

    def __str__(self) -> str:
        return f"connection ({', '.join(map(repr, self.names))})"


def read_connection(
    connection: Connection, ids: Collection[str], accepts: Callable[[str, str], bool]
) -> Edge:
    """Decide what a connection means.

    :param ids: the ids of the nodes.
    :param accepts: whether a node takes an input of a name; ``input`` only orders where it does not.
    :raises WorkflowError: where a node is unknown, or two meanings are possible.
    """
    source, target, output, input = _split(connection.names, ids)
    for id in (source, target):
        if id not in ids:
            raise WorkflowError(f"there is no node {id!r}{nearest(id, ids)}")
    if source == target:
        raise WorkflowError(f"{source!r} is connected to itself")
    condition = None if connection.condition is None else _condition(connection.condition)
    if input == "input" and not accepts(target, input):
        output = input = None
    return Edge(source, target, None if output is None else parse_path(output), input, condition)


def _condition(text: str) -> "Condition":
    # Most workflows have none, and the reader takes a moment to import.
    from dataflow.workflow.conditions import Condition

    return Condition.parse(text)


def _split(names: tuple[str, ...], ids: Collection[str]) -> tuple[str, str, str | None, str | None]:
    if len(names) == 2:
        return names[0], names[1], None, None
    if len(names) == 3:
        return names[0], names[1], names[2], names[2]
    first, second, third, fourth = names
    second_is_node, third_is_node = second in ids, third in ids
    if second_is_node and third_is_node:
        raise WorkflowError(
            f"{second!r} and {third!r} are both ids of nodes, so that it could mean two things; "
            f"rename one of the nodes, or connect them by (a, b, 'x')"
        )
    if second_is_node:
        return first, second, third, fourth
    return first, third, second, fourth
