"""Holding a scope to it that it only reads."""

from collections.abc import Iterable, Mapping

from dataflow.errors import ValidationError
from dataflow.execution.scope import Scope
from dataflow.nodes.contract import Node
from dataflow.workflow.graph import Step

__all__ = ["check_call", "check_steps"]


def check_call(scope: Scope, node: Node, parameters: Mapping[str, object]) -> None:
    """Refuse a node that writes, in a scope that only reads.

    :raises ValidationError: before anything is sent.
    """
    if scope.read_only and node.database is not None and node.may_write(parameters):
        raise ValidationError(f"{node.name} may write, but the transaction is read-only (read_only)")


def check_steps(steps: Iterable[Step], given: Mapping[str, Mapping[str, object]]) -> None:
    """Refuse steps that write, in a scope that only reads; functions are held to it when they call.

    :param given: parameters of the run.
    :raises ValidationError: before anything is sent.
    """
    for step in steps:
        if step.outside:
            raise ValidationError(
                f"node {step.id!r} is outside of the transaction, which cannot be held to only reading (read_only)"
            )
        parameters = {**step.parameters, **given.get(step.id, {})}
        if step.node.database is not None and step.node.may_write(parameters):
            raise ValidationError(f"node {step.id!r} may write, but its transaction is read-only (read_only)")
