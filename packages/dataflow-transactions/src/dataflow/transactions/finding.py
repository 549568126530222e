"""Finding again, in another process, what the names of a saga mean."""

from collections.abc import Iterable, Mapping

from dataflow.engine import DataFlow
from dataflow.errors import DataFlowError, WorkflowError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node
from dataflow.nodes.registry import Engine, open_databases
from dataflow.transactions.definition import Action, Definition
from dataflow.transactions.ledger import DO, UNDO
from dataflow.transactions.plan import Plan, make_plan

__all__ = ["NotFound", "find_plan"]


class NotFound(WorkflowError):
    """A saga names something that this program does not define, or that lives in another database here."""


def find_plan(db: DataFlow, home: Database, definition: Definition, places: Mapping[str, str]) -> Plan:
    """The plan of a definition.

    :param db: where names are looked up first; then among all database objects that are open.
    :param places: where the database of each action is, by step and direction.
    :raises NotFound: where a name means nothing here.
    """
    nodes = {}
    for step, action, compensation in definition.steps:
        for direction, one in ((DO, action), (UNDO, compensation)):
            if one is not None:
                nodes[step, direction] = _find(db, one, places.get(f"{step}.{direction}"))
    try:
        return make_plan(definition, home, nodes)
    except DataFlowError as error:
        raise NotFound(f"its steps no longer fit this program: {error}") from error


def _find(db: DataFlow, action: Action, place: str | None) -> Node:
    known = False
    for engine in dict.fromkeys((db, *open_databases.engines())):
        if action.type not in engine.node_names():
            continue
        known = True
        for node in _nodes(engine, action.type):
            if node.database is None or node.database.place == place:
                return node
    if known:
        raise NotFound(
            f"{action.type} belongs to another database here than when the saga began; open the one that it began on"
        )
    raise NotFound(
        f"this program does not define {action.type}; run recovery where its models and functions are"
    )


def _nodes(engine: Engine, name: str) -> Iterable[Node]:
    """The node of a type; of one that every database offers, that of each."""
    node = engine.find_node(name)
    if node.model is not None or node.database is None:
        return [node]
    return [engine.find_node(name, [database]) for database in engine.databases().values()]
