"""Building workflows: nodes and connections are noted down, then checked all at once."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, cast

from dataflow.errors import DataFlowError, WorkflowBuildError, WorkflowError
from dataflow.execution.database import Database
from dataflow.model.naming import snake_case
from dataflow.nodes.contract import Node
from dataflow.nodes.function import FunctionNode
from dataflow.nodes.registry import NodeSource, open_databases
from dataflow.workflow.assembly import assemble
from dataflow.workflow.connections import Connection
from dataflow.workflow.graph import Workflow

__all__ = ["WorkflowBuilder"]


class _Added(NamedTuple):
    type: object
    id: str
    parameters: Mapping[str, object]


class WorkflowBuilder:
    """Collects nodes and connections; :meth:`build` makes a workflow of them.

    :param db: the database object whose nodes it uses; without one, those of all open ones of the process.

    >>> workflow = WorkflowBuilder()
    >>> workflow.add_node(lambda: {"name": "Ann"}, "who")
    'who'
    >>> workflow.add_node(lambda name: f"Hello {name}", "greet")
    'greet'
    >>> workflow.add_connection("who", "greet", "name")
    >>> [step.id for step in workflow.build()]
    ['who', 'greet']
    """

    def __init__(self, db: NodeSource | None = None) -> None:
        if db is not None and not hasattr(db, "find_node"):
            raise WorkflowError(f"WorkflowBuilder takes a DataFlow, not a {_kind(db)}")
        self._source = open_databases if db is None else db
        self._added: list[_Added] = []
        self._connections: list[Connection] = []

    def add_node(
        self,
        type: str | Callable[..., Any],
        id: str | None = None,
        parameters: Mapping[str, object] | None = None,
    ) -> str:
        """Add a node.

        :param type: the name of a type such as ``"UserCreateNode"``, one of ``db.nodes``, or a function.
        :param id: what the node is called in this workflow; without it, one is made.
        :param parameters: the inputs that are known.
        :returns: the id.
        """
        if id is None:
            id = self._new_id(type)
        if not isinstance(cast("object", id), str) or not id:
            raise WorkflowError("the id of a node is a text that is not empty")
        if parameters is not None and not isinstance(parameters, Mapping):
            raise WorkflowError(f"node {id!r}: parameters are a dict, not {_kind(parameters)}")
        self._added.append(_Added(type, id, dict(parameters or {})))
        return id

    def add_connection(self, source: str, *rest: str, condition: str | None = None) -> None:
        """Connect two nodes.

        ``(a, b)`` only orders them; ``(a, b, "x")`` feeds the output x of a to the input x of b; ``(a, "x", b, "y")``
        and ``(a, b, "x", "y")`` feed x to y. An output may be a path, such as ``"result.0.id"``.

        :param condition: what must hold of the source's output, such as ``"status == 'failed'"``.
        """
        names = (source, *rest)
        if condition is not None and not isinstance(cast("object", condition), str):
            raise WorkflowError(f"the condition of a connection is a text, not a {_kind(condition)}")
        if not all(isinstance(cast("object", name), str) for name in names):
            raise WorkflowError(
                "add_connection takes ids of nodes and names of outputs and inputs, all of them texts"
            )
        if not 2 <= len(names) <= 4:
            raise WorkflowError(
                "add_connection takes (a, b), (a, b, 'x'), (a, 'x', b, 'y') or (a, b, 'x', 'y')"
            )
        self._connections.append(Connection(names, condition))

    def build(self) -> Workflow:
        """Check everything that can be known, and settle the order.

        :raises WorkflowBuildError: with all that is wrong.
        """
        problems: list[str] = []
        added = {one.id: one for one in self._added}
        uses = Counter(one.id for one in self._added)
        problems += [f"the id {id!r} is used twice" for id, number in uses.items() if number > 1]
        nodes = self._find_nodes(added, problems)
        workflow = assemble(
            {id: (nodes[id], added[id].parameters) for id in added if id in nodes},
            frozenset(added),
            self._connections,
            self._source,
            problems,
        )
        if workflow is None:
            raise WorkflowBuildError(problems)
        return workflow

    def _find_nodes(self, added: Mapping[str, _Added], problems: list[str]) -> Mapping[str, Node]:
        """The node of each id; one that every database offers is taken from where the other nodes are."""
        nodes: dict[str, Node] = {}
        postponed: list[_Added] = []
        for one in added.values():
            try:
                nodes[one.id] = self._find(one, ())
            except DataFlowError:
                postponed.append(one)
        for one in postponed:
            near = {node.database for node in nodes.values() if node.database is not None}
            try:
                nodes[one.id] = self._find(one, near)
            except DataFlowError as error:
                problems.append(f"node {one.id!r}: {error}")
        return nodes

    def _find(self, one: _Added, near: Collection[Database]) -> Node:
        node = getattr(one.type, "__dataflow_node__", None)
        if node is not None:
            return cast("Node", node)
        if isinstance(one.type, str):
            return self._source.find_node(one.type, near)
        if not callable(one.type):
            raise WorkflowError(f"a node is the name of a type or a function, not a {_kind(one.type)}")
        return FunctionNode(one.type)

    def _new_id(self, type: object) -> str:
        name = type if isinstance(type, str) else getattr(type, "__name__", "node")
        stem = snake_case(name.removesuffix("Node")).strip("<>") or "node"
        taken = {one.id for one in self._added}
        number = 1
        while (id := stem if number == 1 else f"{stem}_{number}") in taken:
            number += 1
        return id


def _kind(value: object) -> str:
    return type(value).__name__
