"""Going through the steps of a workflow: which of them run, with which inputs, and how each ends."""

from collections.abc import Sequence
from typing import Any, cast

from dataflow.errors import (
    PoolTimeout,
    RecordNotFound,
    ScopeLost,
    TransactionClosed,
    WorkflowExecutionError,
)
from dataflow.execution.scope import Scope
from dataflow.runtime.parameters import Parameters
from dataflow.workflow.graph import FAILED, SUCCESS, Step, Workflow
from dataflow.workflow.paths import Path
from dataflow.workflow.results import Results

__all__ = ["Walk"]

# No edge takes these up: the transaction is over, or cannot go on.
NEVER_HANDLED = (ScopeLost, TransactionClosed, PoolTimeout, TimeoutError)


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

    def written(self) -> Sequence[str]:
        """The ids of the steps that have written what was not committed."""
        return [
            step.id
            for step in self._workflow.steps
            if self._outcomes.get(step.id) == SUCCESS
            and step.node.database is not None
            and step.node.database not in self._scope.committed
            and step.node.may_write(step.parameters)
        ]

    async def take(self, steps: Sequence[Step], *, blocking: bool, has_turn: bool) -> None:
        """Run these steps, save those that are not due.

        :param blocking: whether this thread may block.
        :param has_turn: whether whoever walks has the turn of the scope; functions then get the inner side of it.
        """
        for step in steps:
            if not step.sure and not self._is_due(step):
                continue
            if step.handled:
                await self._attempt(step, self._handed_on(has_turn), blocking=blocking)
            elif step.node.database is None:
                await self._perform(step, self._handed_on(has_turn))
            elif has_turn:
                await self._perform(step, self._scope)
            else:
                await self._perform_in_turn(step, blocking=blocking)

    def _handed_on(self, has_turn: bool) -> Scope:
        """The scope for what takes turns itself: who has the turn hands it on by an inner scope, with its own turns."""
        return self._scope.inner() if has_turn else self._scope

    async def _perform_in_turn(self, step: Step, *, blocking: bool) -> None:
        await self._scope.take_turn(blocking=blocking)
        try:
            await self._perform(step, self._scope)
        finally:
            self._scope.end_turn()

    async def _perform(self, step: Step, scope: Scope) -> None:
        try:
            self._results[step.id] = await step.node.run(scope, self._prepare(step))
        except BaseException:
            self.failed = self.failed or step.id
            raise
        self._outcomes[step.id] = SUCCESS

    async def _attempt(self, step: Step, scope: Scope, *, blocking: bool) -> None:
        """Perform a step in a savepoint; its failure is an outcome if an edge takes it up."""
        part = await scope.part(blocking=blocking)
        try:
            await self._perform(step, part)
        except BaseException as error:
            try:
                await part.undo(blocking=blocking)
            except ScopeLost:
                raise error from None
            if not isinstance(error, Exception) or _ends_the_scope(error):
                raise
            if not self._is_taken_up(step, error):
                raise
        else:
            await part.keep(blocking=blocking)

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
                    values[name] = self._read(edge.source, cast("Path", edge.output))
                    break
        return values

    def _read(self, source: str, path: Path) -> object:
        output = self._results[source]
        if output.get("found") is False and path.root != "found":
            raise RecordNotFound(f"node {source!r} found no row, so that it has no {str(path)!r}")
        return path.read(output)


def _ends_the_scope(error: BaseException) -> bool:
    """Whether no edge may take it up; a run inside a function wraps what happened there."""
    while isinstance(error, WorkflowExecutionError):
        error = error.cause
    return isinstance(error, NEVER_HANDLED)
