"""Steps as one transaction: on one database, or on several that agree."""

from collections.abc import Mapping
from typing import Any

from dataflow.errors import CommitUnknown, WorkflowExecutionError
from dataflow.nodes.contract import Node
from dataflow.runtime.calls import NodeHandle
from dataflow.runtime.run import Run
from dataflow.transactions.errors import SagaFailed
from dataflow.transactions.ids import new_id
from dataflow.transactions.plan import Plan, with_key
from dataflow.workflow.builder import WorkflowBuilder
from dataflow.workflow.graph import Workflow

__all__ = ["Together"]

TERMS = "#terms"
"""The id of the node that says how they end."""

KEY = "idempotency_key"
"""The input that is made where nobody says what it is."""


class Together:
    """Takes all steps of a plan in one unit of work; their compensations are not needed.

    :param manager: the node that has the databases agree.
    """

    def __init__(self, plan: Plan, manager: Node) -> None:
        self._stages = plan.stages
        # Ids that cannot be taken for names of outputs.
        self._ids = {stage.id: f"#{number}" for number, stage in enumerate(plan.stages, start=1)}
        self._workflow = self._build(manager)

    async def run(
        self, given: Mapping[str, Mapping[str, object]], seconds: float | None
    ) -> Mapping[str, Any]:
        """Take the steps; their outputs.

        :param given: what came from outside, by step.
        :param seconds: how long they may take.
        :raises SagaFailed: where one of them fails; then nothing has happened.
        """
        key = new_id()
        parameters: dict[str, Mapping[str, object]] = {TERMS: {"timeout": seconds}}
        for stage in self._stages:
            values = dict(given.get(stage.id, {}))
            if KEY not in (*stage.do.action.parameters, *stage.do.action.inputs):
                values = with_key(stage.do.node, values, f"{key}:{stage.id}")
            if values:
                parameters[self._ids[stage.id]] = values
        run = Run(self._workflow, parameters)
        try:
            await run.on_loop(1)
        except WorkflowExecutionError as error:
            steps = {id: step for step, id in self._ids.items()}
            unknown = isinstance(error.cause, CommitUnknown)
            failed = steps.get(error.node or "", self._stages[-1].id)
            raise SagaFailed(
                None, failed, error.cause, "unknown" if unknown else "rolled_back"
            ) from error.cause
        return {stage.id: run.results[self._ids[stage.id]] for stage in self._stages}

    def _build(self, manager: Node) -> Workflow:
        builder = WorkflowBuilder()
        builder.add_node(NodeHandle(manager), TERMS)
        before = None
        for stage in self._stages:
            id, action = self._ids[stage.id], stage.do.action
            builder.add_node(NodeHandle(stage.do.node), id, action.parameters)
            for name, (step, path) in action.inputs.items():
                builder.add_connection(self._ids[step], str(path), id, name)
            if before is not None:
                builder.add_connection(before, id)
            before = id
        return builder.build()
