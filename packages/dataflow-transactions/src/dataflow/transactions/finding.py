"""Finding again, in another process, what the names of a saga mean."""

from collections.abc import Iterable, Mapping

from dataflow.engine import DataFlow
from dataflow.errors import DataFlowError, WorkflowError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node
from dataflow.nodes.registry import Engine, open_databases
from dataflow.transactions.abilities import called
from dataflow.transactions.definition import Action, Definition
from dataflow.transactions.ledger import DO, UNDO
from dataflow.transactions.places import HOME, Recorded
from dataflow.transactions.plan import Plan, make_plan
from dataflow.transactions.reach import Reached

__all__ = ["NotFound", "find_plan"]


class NotFound(WorkflowError):
    """A saga names something that this program does not define, or that lives in another database here."""


def find_plan(
    db: DataFlow, home: Database, definition: Definition, places: Mapping[str, Recorded], reached: Reached
) -> Plan:
    """The plan of a definition.

    :param db: where names are looked up first; then among all database objects that are open.
    :param places: who the databases of the actions are, by step and direction.
    :param reached: the databases that may be those.
    :raises NotFound: where a name means nothing here, or belongs to another database.
    """
    if reached.get(home) != places[HOME].identity:
        raise NotFound(
            f"it began on {places[HOME]}, of which {called(home)} is a copy; recover it there, and delete its row here"
        )
    nodes = {}
    for step, action, compensation in definition.steps:
        for direction, one in ((DO, action), (UNDO, compensation)):
            if one is not None:
                try:
                    nodes[step, direction] = _find(db, one, places[f"{step}.{direction}"], reached)
                except NotFound as error:
                    what = "step" if direction == DO else "the compensation of step"
                    raise NotFound(f"{what} {step!r}: {error}") from None
    try:
        plan = make_plan(definition, home, nodes)
    except DataFlowError as error:
        raise NotFound(f"its steps no longer fit this program: {error}") from error
    identities = {one: identity for one, identity in reached.items() if identity is not None}
    return plan._replace(identities=identities)


def _find(db: DataFlow, action: Action, place: Recorded, reached: Reached) -> Node:
    engines = [
        engine
        for engine in dict.fromkeys((db, *open_databases.engines()))
        if action.type in engine.node_names()
    ]
    nodes = [node for engine in engines for node in _nodes(engine, action.type)]
    found = [node for node in nodes if node.database is None or reached.get(node.database) == place.identity]
    if not nodes:
        raise NotFound(
            f"this program does not define {action.type}; run recovery where its models and functions are"
        )
    if not found:
        raise NotFound(
            f"{action.type} worked on {place} when the saga began; {'; '.join(_told(nodes, reached))}. Open that "
            "database, under whatever address it has now"
        )
    names = {called(node.database): None for node in found if node.database is not None}
    if len({node.database.place for node in found if node.database is not None}) > 1:
        raise NotFound(
            f"{' and '.join(names)} have one identity: close all but one of them. If one is a copy, delete the row of "
            "its table dataflow_identity, so that it is another one"
        )
    return found[0]


def _told(nodes: Iterable[Node], reached: Reached) -> Iterable[str]:
    """What is the matter with the databases on which nodes of a type work here."""
    for database in dict.fromkeys(node.database for node in nodes):
        if database is not None:
            problem = "is another database" if database in reached else "cannot be reached"
            yield f"{called(database)} {problem}"


def _nodes(engine: Engine, name: str) -> Iterable[Node]:
    """The node of a type; of one that every database offers, that of each."""
    node = engine.find_node(name)
    if node.model is not None or node.database is None:
        return [node]
    return [engine.find_node(name, [database]) for database in engine.databases().values()]
