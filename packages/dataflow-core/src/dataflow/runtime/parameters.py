"""What the caller of a run gives to its nodes, checked before anything else happens."""

from collections.abc import Mapping
from typing import Any, TypeAlias, cast

from dataflow.errors import DataFlowError, MissingValue, UnknownName, ValidationError, WorkflowExecutionError
from dataflow.workflow.graph import Step, Workflow
from dataflow.workflow.results import Results

__all__ = ["Parameters", "prepare_given"]

Parameters: TypeAlias = Mapping[str, Mapping[str, object]]
"""For the id of a node, values by name; they replace those given when it was added."""


def prepare_given(workflow: Workflow, parameters: Parameters) -> dict[str, Any]:
    """Check the parameters, and that no step lacks any.

    :returns: what the steps prepare to that are given values and depend on no other node.
    :raises UnknownName: for an id that is not in the workflow.
    :raises WorkflowExecutionError: where a value is wrong or missing.
    """
    if type(parameters) is not dict and not isinstance(cast("object", parameters), Mapping):
        raise ValidationError("the parameters of a run are a dict of dicts: {'node id': {'name': value}}")
    steps = workflow.by_id
    prepared: dict[str, Any] = {}
    for id in workflow.lacking:
        if id not in parameters:
            parameters = {**parameters, id: {}}
    for id, given in parameters.items():
        step = steps.get(id)
        if step is None:
            raise UnknownName("node", id, "the workflow", steps)
        if type(given) is not dict and not isinstance(cast("object", given), Mapping):
            raise ValidationError(f"the parameters of {id!r} are a dict, not {type(given).__name__}")
        values = {**step.parameters, **given} if step.parameters else given
        try:
            if step.inputs:
                _check_beside_inputs(step, given, values)
            else:
                prepared[id] = step.node.prepare(values)
        except DataFlowError as error:
            raise WorkflowExecutionError(id, error, Results(), ()) from error
    return prepared


def _check_beside_inputs(step: Step, given: Mapping[str, object], parameters: Mapping[str, object]) -> None:
    """Check as far as values that only the run brings let it be known."""
    for name in given:
        if name in step.inputs:
            raise ValidationError(f"{name!r} is fed by a connection and cannot be a parameter of the run")
    names = [*parameters, *step.inputs]
    step.node.check(parameters, names)
    lacking = step.node.missing(names)
    if lacking is not None:
        raise MissingValue(lacking)
