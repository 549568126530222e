"""Going through the steps of a workflow: which of them run, with which inputs, and how each ends."""

from collections.abc import Sequence
from typing import Any

from dataflow.errors import PoolTimeout, RecordNotFound, ScopeLost, TransactionClosed
from dataflow.execution.scope import Scope
from dataflow.runtime.parameters import Parameters
from dataflow.workflow.graph import FAILED, SUCCESS, Step, Workflow
from dataflow.workflow.paths import MissingOutput
from dataflow.workflow.results import Results

__all__ = ["Walk"]

# No edge takes these up: the transaction is over, or cannot go on.
NEVER_HANDLED = (ScopeLost, TransactionClosed, PoolTimeout)


class Walk:
    """Takes steps in a scope and keeps what became of them.

    :param parameters: what the caller gave.
    :param prepared: what steps prepared to when that was checked.
    """

    def __init__(
        self,
        workflow: Workflow,
        scope: Scope,
        results: Results,
        parameters: Parameters,
        prepared: dict[str, Any],
    ) -> None:
        self.failed: str | None = None
        """The id of the step whose failure nobody took up."""
        self._workflow = workflow
        self._scope = scope
        self._results = results
        self._parameters = parameters
        self._prepared = prepared
        self._outcomes: dict[str, str] = {}
        self._inner: Scope | None = None

    def written(self) -> Sequence[str]:
        """The ids of the steps that have written."""
        return [
            step.id
            for step in self._workflow.steps
            if self._outcomes.get(step.id) == SUCCESS
            and step.node.database is not None
            and step.node.may_write(step.parameters)
        ]

    async def take(self, steps: Sequence[Step], *, blocking: bool) -> None:
        """Run these steps, save those that are not due.

        :param blocking: whether this thread may block.
        """
        for step in steps:
            if not (step.inputs or step.gates) or self._is_due(step):
                if step.handled:
                    await self._attempt(step, blocking=blocking)
                else:
                    await self._perform(step, self._place(step))

    def _place(self, step: Step) -> Scope:
        """The scope; for a function that runs while this walk has the turn, the inner side of it."""
        if step.node.database is not None or step.node.waits:
            return self._scope
        self._inner = self._inner or self._scope.inner()
        return self._inner

    async def _perform(self, step: Step, scope: Scope) -> None:
        try:
            self._results[step.id] = await step.node.run(scope, self._prepare(step))
        except BaseException:
            self.failed = self.failed or step.id
            raise
        self._outcomes[step.id] = SUCCESS

    async def _attempt(self, step: Step, *, blocking: bool) -> None:
        """Perform a step in a savepoint; its failure is an outcome if an edge takes it up."""
        part = await self._place_of_attempt(step).part(blocking=blocking)
        try:
            await self._perform(step, part)
        except BaseException as error:
            try:
                await part.undo(blocking=blocking)
            except ScopeLost:
                raise error from None
            if isinstance(error, NEVER_HANDLED) or not isinstance(error, Exception):
                raise
            if not self._is_taken_up(step, error):
                raise
        else:
            await part.keep(blocking=blocking)

    def _place_of_attempt(self, step: Step) -> Scope:
        """Who walks in a thread has the turn already and hands it on; a function on the loop has to take it."""
        if step.node.waits:
            return self._scope
        self._inner = self._inner or self._scope.inner()
        return self._inner

    def _is_taken_up(self, step: Step, error: Exception) -> bool:
        self._outcomes[step.id] = FAILED
        self._results[step.id] = {"error": str(error), "error_type": type(error).__name__}
        edges = [edge for edge in self._workflow.edges if edge.source == step.id]
        if any(edge.live(self._outcomes, self._results) for edge in edges):
            self.failed = None
            return True
        del self._results[step.id]
        return False

    def _is_due(self, step: Step) -> bool:
        outcomes, results = self._outcomes, self._results
        for edges in step.inputs.values():
            if not any(edge.live(outcomes, results) for edge in edges):
                return False
        return not step.gates or any(edge.live(outcomes, results) for edge in step.gates)

    def _prepare(self, step: Step) -> Any:
        if step.id in self._prepared:
            return self._prepared[step.id]
        if step.prepared is not None:
            return step.prepared.value
        if step.inputs:
            return step.node.prepare({**step.parameters, **self._inputs(step)})
        return step.node.prepare(step.parameters)

    def _inputs(self, step: Step) -> dict[str, object]:
        values = {**self._parameters.get(step.id, {})}
        for name, edges in step.inputs.items():
            for edge in reversed(edges):
                if edge.live(self._outcomes, self._results):
                    values[name] = self._read(edge.source, edge.output)
                    break
        return values

    def _read(self, source: str, path: Any) -> object:
        output = self._results[source]
        try:
            return path.read(output)
        except MissingOutput:
            if output.get("found") is False:
                raise RecordNotFound(
                    f"node {source!r} found no row, so that it has no {str(path)!r}"
                ) from None
            raise
