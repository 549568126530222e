"""Making models of tables, one by one: what cannot be made is told, and keeps no other from being made."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from dataflow.discovery.models import Place, model_of
from dataflow.errors import DataFlowError, InvalidValue, nearest
from dataflow.logs import logger
from dataflow.model.naming import snake_case
from dataflow.model.schema import Model
from dataflow.nodes.contract import Node

__all__ = [
    "Adopt",
    "GeneratedNodes",
    "NodeName",
    "Registration",
    "found_among",
    "models_of",
    "names_of",
    "register",
]

Adopt = Callable[[Model], Mapping[str, Node]]
"""Takes a model up into an engine, and gives its nodes by their types."""


class NodeName(str):
    """The name of a type of node, which carries the node: a workflow needs not ask which database is meant."""

    __dataflow_node__: Node

    def __new__(cls, node: Node) -> "NodeName":
        name = super().__new__(cls, node.name)
        name.__dataflow_node__ = node
        return name


class GeneratedNodes(dict[str, dict[str, NodeName]]):
    """The nodes of each model by the name of its class; the name of its table is as good."""

    def __init__(self, nodes: Mapping[str, dict[str, NodeName]], classes: Mapping[str, str]) -> None:
        super().__init__(nodes)
        self._classes = classes

    def __missing__(self, label: str) -> dict[str, NodeName]:
        if label not in self._classes:
            raise KeyError(label)
        return self[self._classes[label]]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._classes

    def get(self, name: str, default: Any = None) -> Any:
        try:
            return self[name]
        except KeyError:
            return default


class Registration(NamedTuple):
    """What has become of the tables that were asked for, by their labels.

    :param models: those that were made.
    :param nodes: their nodes, by what they do.
    :param errors: why there is no model of the others.
    """

    models: Mapping[str, Model]
    nodes: Mapping[str, dict[str, NodeName]]
    errors: Mapping[str, str]

    def result(self, what: str) -> dict[str, Any]:
        """All of it as a dict.

        :param what: the name of the list of models.
        """
        classes = {label: model.name for label, model in self.models.items()}
        return {
            what: list(classes.values()),
            "generated_nodes": GeneratedNodes(
                {classes[label]: nodes for label, nodes in self.nodes.items()}, classes
            ),
            "success_count": len(self.models),
            "error_count": len(self.errors),
            "errors": dict(self.errors),
        }


def names_of(tables: object) -> list[str] | None:
    """The tables that somebody asks for, each once; None for all.

    :raises InvalidValue: for what is no list of names.
    """
    if tables is None:
        return None
    names = [None] if isinstance(tables, str) or not isinstance(tables, Iterable) else [*tables]
    if not all(isinstance(name, str) for name in names):
        raise InvalidValue("tables: expected a list of names such as ['users', 'orders']")
    return list(dict.fromkeys(cast("list[str]", names)))


def found_among(names: Sequence[str], known: Collection[str]) -> tuple[list[str], dict[str, str]]:
    """The labels that are there, and why the others are not among them."""
    found = [name for name in names if name in known]
    errors = {
        name: f"there is no table {name!r}{nearest(name, known)}" for name in names if name not in known
    }
    return found, errors


def register(place: Place, wanted: Iterable[str], adopt: Adopt) -> Registration:
    """Make models of tables.

    :param wanted: the labels of those tables.
    """
    nodes: dict[str, dict[str, NodeName]] = {}

    def adopted(model: Model, label: str) -> None:
        nodes[label] = _named(model, adopt(model))

    models, errors = models_of(place, wanted, adopted)
    return Registration(models, nodes, errors)


def models_of(
    place: Place, wanted: Iterable[str], use: Callable[[Model, str], object] = lambda model, label: None
) -> tuple[dict[str, Model], dict[str, str]]:
    """The models of tables, and why others have none. No oddity of one table keeps the others from theirs.

    :param wanted: the labels of the tables.
    :param use: gets each model and the label of its table; what it raises is told as the reason.
    """
    models: dict[str, Model] = {}
    errors: dict[str, str] = {}
    for label in wanted:
        try:
            model = model_of(place, label, place.tables[label])
            use(model, label)
            models[label] = model
        except DataFlowError as error:
            errors[label] = str(error)
        except Exception as error:
            logger("dataflow.discovery").warning("no model of %s can be made", label, exc_info=True)
            errors[label] = (
                f"{label}: something is odd about it that DataFlow does not expect ({type(error).__name__}); "
                "the log of dataflow.discovery says where"
            )
    return models, errors


def _named(model: Model, nodes: Mapping[str, Node]) -> dict[str, NodeName]:
    """The nodes by what they do: ``create``, ``bulk_upsert``."""
    return {
        snake_case(name.removeprefix(model.name).removesuffix("Node")): NodeName(node)
        for name, node in nodes.items()
    }
