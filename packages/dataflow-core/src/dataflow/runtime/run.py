"""One run of a workflow: as one unit of work, or as one for each node."""

from collections.abc import Coroutine
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from dataflow.errors import WorkflowError, WorkflowExecutionError
from dataflow.execution.scope import current_scope, open_scope
from dataflow.execution.stepping import step
from dataflow.runtime.alone import run_alone
from dataflow.runtime.ids import new_run_id
from dataflow.runtime.options import TransactionMode
from dataflow.runtime.parameters import Parameters, prepare_given
from dataflow.runtime.read_only import check_steps
from dataflow.runtime.retries import RETRIES, can_repeat, passes, run_again
from dataflow.runtime.unit import Extent, UnitOfWork
from dataflow.runtime.walk import Walk
from dataflow.terms import USUAL
from dataflow.workflow.graph import Step, Workflow
from dataflow.workflow.results import Results

if TYPE_CHECKING:
    from dataflow.nodes.transaction_context import Context

__all__ = ["Run"]

NOTHING: dict[str, Any] = {}


class Run:
    """A run: it belongs to one call of a runtime and is used once.

    Within an open scope, such as in a function of another run, it becomes a part of that scope.

    :param parameters: for the id of a node, values by name; they replace those given when it was added.
    :param transaction: what is one transaction.
    :raises UnknownName: for an id that is not in the workflow.
    :raises WorkflowExecutionError: where parameters are wrong or missing, before anything else happens.
    """

    __slots__ = (
        "_outer",
        "_parameters",
        "_prepared",
        "_retries",
        "_sole",
        "_terms",
        "_transaction",
        "_workflow",
        "id",
        "results",
    )

    def __init__(
        self, workflow: Workflow, parameters: Parameters | None, transaction: TransactionMode = "workflow"
    ) -> None:
        self.id = new_run_id()
        self.results = Results()
        self.results.retries = 0
        self._workflow = workflow
        self._parameters = NOTHING if parameters is None else parameters
        self._prepared = (
            prepare_given(workflow, self._parameters) if parameters or workflow.lacking else NOTHING
        )
        self._outer = outer = None if current_scope.get() is None else open_scope()
        # It needs no scope to share.
        self._sole = workflow.sole if outer is None else None
        # Of a transaction that was lost, no part can be repeated.
        self._terms, self._retries = USUAL, RETRIES if outer is None else 0
        if workflow.context is not None:
            self._configure(workflow.context)
        if self._terms.read_only or (outer is not None and outer.read_only):
            check_steps(workflow.steps, self._parameters)
        self._transaction = transaction
        if outer is None:
            return
        if transaction != "workflow":
            raise WorkflowError(
                f"transaction={transaction!r} commits node by node, which cannot be done inside a transaction that is "
                "open; run it outside, or with transaction='workflow' as a part of it"
            )
        if self._terms.isolation is not None:
            outer.isolate(self._terms.isolation)

    def here(self) -> None:
        """Run everything in the calling thread, which may block; no step waits for anything."""
        started = perf_counter()
        try:
            step(self._attempt(blocking=True))
        except WorkflowExecutionError as error:
            if not self._may_repeat(error):
                raise
            step(self._again(blocking=True))
        self.results.execution_time = perf_counter() - started

    async def on_loop(self, concurrency: int) -> None:
        """Run on an event loop, which stays free while a database of the process works.

        :param concurrency: how many asynchronous functions may overlap.
        """
        started = perf_counter()
        try:
            await self._attempt(blocking=False, concurrency=concurrency)
        except WorkflowExecutionError as error:
            if not self._may_repeat(error):
                raise
            await self._again(blocking=False, concurrency=concurrency)
        self.results.execution_time = perf_counter() - started

    def _attempt(self, *, blocking: bool, concurrency: int = 1) -> Coroutine[Any, Any, None]:
        if self._sole is not None:
            return self._run_sole(self._sole, blocking=blocking)
        if self._transaction != "workflow":
            return self._run_apart(blocking=blocking, concurrency=concurrency)
        unit = UnitOfWork(self._walk(), self._extent(), self._outer)
        return unit.here() if blocking else unit.on_loop(concurrency)

    def _may_repeat(self, error: WorkflowExecutionError) -> bool:
        """Whether all of it can run again, after bad luck."""
        is_one = self._transaction == "workflow" or self._sole is not None
        return (
            self._retries > 0
            and _is_bad_luck(error)
            and is_one
            and can_repeat(self._workflow.steps, self._parameters)
        )

    async def _again(self, *, blocking: bool, concurrency: int = 1) -> None:
        def attempt() -> Coroutine[Any, Any, None]:
            self.results.clear()
            return self._attempt(blocking=blocking, concurrency=concurrency)

        self.results.retries = await run_again(attempt, self._retries, _is_bad_luck, blocking=blocking)

    async def _run_apart(self, *, blocking: bool, concurrency: int) -> None:
        from dataflow.runtime.apart import Apart

        apart = Apart(
            self._workflow,
            self._walk(),
            self._parameters,
            f"run {self.id}",
            self._terms,
            self._retries,
            functions=self._transaction == "node",
        )
        try:
            await apart.run(blocking=blocking, concurrency=concurrency)
        finally:
            self.results.retries = apart.retries

    def _configure(self, context: str) -> None:
        """Take up what the node says that configures the run."""
        step = self._workflow.by_id[context]
        if context in self._prepared:
            prepared = self._prepared[context]
        elif step.prepared is not None:
            prepared = step.prepared.value
        else:
            prepared = step.node.prepare(step.parameters)
        self._terms, retries = cast("Context", prepared)
        if self._outer is None and retries is not None:
            self._retries = retries

    def _walk(self) -> Walk:
        return Walk(self._workflow, self.results, self._parameters, self._prepared)

    def _extent(self) -> Extent:
        workflow = self._workflow
        return Extent(
            f"run {self.id}",
            workflow.block,
            workflow.databases,
            workflow.models,
            workflow.writes or self._is_given_writes(),
            self._terms,
            workflow.agreement,
        )

    def _is_given_writes(self) -> bool:
        """Whether the parameters make a node write that would not by itself."""
        steps = self._workflow.by_id
        return any(
            steps[id].node.may_write({**steps[id].parameters, **given})
            for id, given in self._parameters.items()
        )

    async def _run_sole(self, step: Step, *, blocking: bool) -> None:
        id, node, parameters = step.id, step.node, step.parameters
        try:
            if self._parameters:
                given = self._parameters[id]
                parameters = {**parameters, **given} if parameters else given
            if id in self._prepared:
                prepared = self._prepared[id]
            elif step.prepared is not None:
                prepared = step.prepared.value
            else:
                prepared = node.prepare(parameters)
            self.results[id] = await run_alone(
                node, parameters, prepared, f"run {self.id}", blocking=blocking
            )
        except Exception as error:
            raise WorkflowExecutionError(id, error, self.results, ()) from error


def _is_bad_luck(error: Exception) -> bool:
    """Whether it passes by, and nothing was committed before."""
    return passes(error) and not (isinstance(error, WorkflowExecutionError) and error.kept)
