"""Reading ``steps`` as users write them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dataflow.errors import DataFlowError, ValidationError, nearest
from dataflow.nodes.contract import Node
from dataflow.runtime.calls import NodeHandle
from dataflow.transactions.definition import Action, Definition, Source, StepDefinition
from dataflow.transactions.ledger import DO, UNDO
from dataflow.workflow.composition import Surroundings
from dataflow.workflow.paths import parse_path

__all__ = ["ReadSteps", "read_steps"]

KEYS = (
    "node",
    "compensation",
    "id",
    "parameters",
    "inputs",
    "compensation_parameters",
    "compensation_inputs",
)
EXAMPLE = '{"node": "OrderCreateNode", "compensation": "OrderDeleteNode"}'


class ReadSteps(NamedTuple):
    """What steps mean.

    :param nodes: those of the names in the definition, by step and direction.
    :param members: the ids of the nodes in the workflow that belong to the saga.
    """

    definition: Definition
    nodes: Mapping[tuple[str, str], Node]
    members: frozenset[str]


def read_steps(steps: object, around: Surroundings, problems: list[str]) -> ReadSteps | None:
    """Find out what steps mean.

    :param problems: takes up whatever is wrong.
    :returns: None where something is.
    """
    if not isinstance(steps, list | tuple) or not steps:
        problems.append(f"steps are a list that is not empty, of dicts such as {EXAMPLE}")
        return None
    reader = _Reader(around)
    for number, step in enumerate(steps, start=1):
        try:
            reader.read(step)
        except DataFlowError as error:
            problems.append(f"step {number}: {error}")
    if problems:
        return None
    return ReadSteps(Definition(tuple(reader.steps.values())), reader.nodes, frozenset(reader.members))


class _Reader:
    """Reads one step after the other."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.steps: dict[str, StepDefinition] = {}
        self.nodes: dict[tuple[str, str], Node] = {}
        self.members: set[str] = set()

    def read(self, step: object) -> None:
        """Take up a step.

        :raises DataFlowError: for whatever is wrong with it.
        """
        if not isinstance(step, Mapping):
            raise ValidationError(f"it is a dict such as {EXAMPLE}, not a {type(step).__name__}")
        for key in step:
            if key not in KEYS:
                raise ValidationError(f"it has no key {key!r}{nearest(key, KEYS)}")
        for key in ("node", "compensation"):
            if key not in step:
                none = ", or None where nothing has to be undone" if key == "compensation" else ""
                raise ValidationError(f"it needs {key!r}: a type of node{none}")
        node = self._find(step["node"])
        id = step.get("id", node.name)
        if id in self.steps:
            raise ValidationError(f"there is a step {id!r} already; give this one another 'id'")
        action = self._action(node, step, "")
        compensation = None
        if step["compensation"] is not None:
            undoing = self._find(step["compensation"])
            compensation = self._action(undoing, step, "compensation_")
            compensation = compensation._replace(
                inputs={**_key_inputs(node, undoing, compensation, id), **compensation.inputs}
            )
            self.nodes[id, UNDO] = undoing
        self.nodes[id, DO] = node
        self.steps[id] = StepDefinition(id, action, compensation)

    def _find(self, named: object) -> Node:
        if isinstance(named, str):
            node = self._around.source.find_node(named)
        elif isinstance(named, NodeHandle):
            node = named.__dataflow_node__
        else:
            raise ValidationError(f"a node is the name of a type, not a {type(named).__name__}")
        return node

    def _action(self, node: Node, step: Mapping[str, Any], prefix: str) -> Action:
        parameters = step.get(f"{prefix}parameters", {})
        inputs = {name: self._source(text) for name, text in step.get(f"{prefix}inputs", {}).items()}
        node.check(parameters, [*parameters, *inputs])
        return Action(node.name, parameters, inputs)

    def _source(self, text: str) -> Source:
        step, _, path = text.partition(".")
        if step not in self.steps:
            raise ValidationError(f"there is no step {step!r} before it{nearest(step, self.steps)}")
        return Source(step, parse_path(path))


def _key_inputs(node: Node, undoing: Node, compensation: Action, step: str) -> Mapping[str, Source]:
    """Which row a compensation on a model is about: the one that its step gave back."""
    model = undoing.model
    if model is None or undoing.missing([*compensation.parameters, *compensation.inputs]) is None:
        return {}
    same = node.model is model
    names = {field.name: field.name if same else model.id_name for field in model.key}
    return {
        name: Source(step, parse_path(output))
        for name, output in names.items()
        if node.outputs is None or output in node.outputs
    }
