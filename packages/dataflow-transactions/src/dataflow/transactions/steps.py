"""Reading ``steps`` as users write them: by types of nodes, or by the ids of nodes in the workflow."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

from dataflow.errors import DataFlowError, UnknownName, ValidationError, nearest
from dataflow.nodes.contract import Node
from dataflow.nodes.function import FunctionNode
from dataflow.runtime.calls import NodeHandle
from dataflow.transactions.definition import Action, Definition, Source, StepDefinition
from dataflow.transactions.documents import write_document
from dataflow.transactions.ledger import DO, LONGEST_ID, UNDO
from dataflow.transactions.members import Members
from dataflow.transactions.plan import accepts, key_of
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
    members = Members(around, (name for step in steps for name in _names(step)))
    reader = _Reader(around, members)
    for number, step in enumerate(steps, start=1):
        try:
            reader.read(step)
        except DataFlowError as error:
            problems.append(f"step {number}: {error}")
    if problems:
        return None
    return ReadSteps(Definition(tuple(reader.steps.values())), reader.nodes, members.ids)


class _Reader:
    """Reads one step after the other."""

    def __init__(self, around: Surroundings, members: Members) -> None:
        self._around = around
        self._members = members
        self.steps: dict[str, StepDefinition] = {}
        self.nodes: dict[tuple[str, str], Node] = {}

    def read(self, step: object) -> None:
        """Take up a step.

        :raises DataFlowError: for whatever is wrong with it.
        """
        checked = _checked(step)
        node = self._find(checked["node"])
        id = self._id(checked, node)
        action = self._action(node, checked, "node", self.steps)
        compensation = None
        if checked["compensation"] is not None:
            undoing = self._find(checked["compensation"])
            done = {*self.steps, id}
            compensation = self._action(undoing, checked, "compensation", done)
            compensation = compensation._replace(
                inputs={**_key_inputs(node, undoing, compensation, id), **compensation.inputs}
            )
            _check_compensation(node, undoing, compensation)
            self.nodes[id, UNDO] = undoing
        self.nodes[id, DO] = node
        self.steps[id] = StepDefinition(id, action, compensation)

    def _id(self, step: Mapping[str, Any], node: Node) -> str:
        """What a step is called: as it says, as its node in the workflow is, or as its type."""
        named = step["node"]
        id = step.get("id", named if named in self._members else node.name)
        if not isinstance(id, str) or not id or "." in id or len(id) > LONGEST_ID:
            raise ValidationError(
                f"an id is a text without dots, of {LONGEST_ID} characters at most; give it another 'id'"
            )
        if named in self._members and id != named:
            raise ValidationError(f"it is the node {named!r} of the workflow, and so has that id; drop 'id'")
        if id in self.steps:
            raise ValidationError(f"there is a step {id!r} already; give this one another 'id'")
        return id

    def _find(self, named: object) -> Node:
        """What a name means: a node of the workflow, or else a type of node."""
        if isinstance(named, NodeHandle):
            return named.__dataflow_node__
        if not isinstance(named, str):
            raise ValidationError(
                f"a node is named: by a type, or by the id of a node in the workflow, not a {type(named).__name__}; a "
                "function gets a name by @db.node"
            )
        if named not in self._members:
            try:
                return self._around.source.find_node(named)
            except UnknownName as error:
                near = nearest(named, [id for id in self._around.nodes if id != self._around.id])
                if str(error).find("did you mean") < 0 and near:
                    raise ValidationError(f"there is no type of node {named!r}, nor a node{near}") from None
                raise
        node = self._members.take(named)
        if isinstance(node, FunctionNode):
            self._check_known(node)
        return node

    def _check_known(self, node: FunctionNode) -> None:
        """Refuse a function that another process could not find by its name."""
        try:
            known = self._around.source.find_node(node.name)
        except DataFlowError:
            known = None
        if not isinstance(known, FunctionNode) or known.origin != node.origin:
            raise ValidationError(
                f"{node.name} is no type of node, by which another process could go on with it; mark the function "
                "with @db.node"
            )

    def _action(self, node: Node, step: Mapping[str, Any], key: str, before: Collection[str]) -> Action:
        prefix = "" if key == "node" else "compensation_"
        parameters, inputs = {}, {}
        if step[key] in self._members:
            parameters = dict(self._members.parameters(step[key]))
            inputs = self._members.inputs(step[key], before, from_outside=key == "node")
        parameters.update(_mapping(step, f"{prefix}parameters"))
        for name, text in _mapping(step, f"{prefix}inputs").items():
            inputs[name] = _source(text, before)
        node.check(parameters, [*parameters, *inputs])
        write_document(parameters)
        return Action(node.name, parameters, inputs)


def _names(step: object) -> Iterable[object]:
    return [step.get("node"), step.get("compensation")] if isinstance(step, Mapping) else []


def _checked(step: object) -> Mapping[str, Any]:
    if not isinstance(step, Mapping):
        raise ValidationError(f"it is a dict such as {EXAMPLE}, not a {type(step).__name__}")
    for key in step:
        if key not in KEYS:
            raise ValidationError(f"it has no key {key!r}{nearest(key, KEYS)}")
    if "node" not in step:
        raise ValidationError("it needs 'node': a type of node, or the id of a node in the workflow")
    if "compensation" not in step:
        raise ValidationError("it needs 'compensation': what undoes it, or None where nothing has to")
    return step


def _mapping(step: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = step.get(key, {})
    if not isinstance(value, Mapping):
        raise ValidationError(f"{key} are a dict, not a {type(value).__name__}")
    return value


def _source(text: object, before: Collection[str]) -> Source:
    if not isinstance(text, str) or "." not in text:
        raise ValidationError("an input comes from an output of a step, such as 'OrderCreateNode.id'")
    step, _, path = text.partition(".")
    if step not in before:
        raise ValidationError(f"there is no step {step!r} before it{nearest(step, before)}")
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


def _check_compensation(node: Node, undoing: Node, compensation: Action) -> None:
    """Refuse a compensation that would lack something, as far as that is known."""
    names = [*compensation.parameters, *compensation.inputs]
    if undoing.model is None:
        if node.outputs is None:
            return
        names += [name for name in node.outputs if accepts(undoing, compensation.parameters, name)]
    lacking = undoing.missing([*names, *key_of(undoing)])
    if lacking is not None:
        raise ValidationError(
            f"its compensation lacks something: {lacking}; give it by compensation_parameters, or by "
            "compensation_inputs from outputs of steps"
        )
