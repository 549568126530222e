"""Going through the steps of a workflow: which of them run, with which inputs, and how each ends."""

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from dataflow.errors import (
    PoolTimeout,
    ScopeLost,
    TransactionClosed,
    WorkflowError,
    WorkflowExecutionError,
)
from dataflow.execution.database import Database
from dataflow.execution.scope import Scope
from dataflow.nodes.contract import Output
from dataflow.runtime.deadline import in_time
from dataflow.runtime.parameters import Parameters
from dataflow.runtime.read_only import check_steps
from dataflow.terms import USUAL, Terms
from dataflow.workflow.graph import FAILED, SUCCESS, Block, Step, Workflow, with_inner
from dataflow.workflow.results import Results

if TYPE_CHECKING:
    from dataflow.nodes.transaction_context import Context
    from dataflow.workflow.paths import Path

__all__ = ["Walk"]

RunBlock: TypeAlias = Callable[[Block, Scope], Coroutine[Any, Any, None]]

# No edge takes these up: the transaction is over, or cannot go on.
NEVER_HANDLED = (ScopeLost, TransactionClosed, PoolTimeout, TimeoutError)


class Walk:
    """Takes steps and keeps what became of them.

    :param parameters: what the caller gave.
    :param prepared: what steps prepared to when that was checked.
    """

    def __init__(
        self,
        workflow: Workflow,
        results: Results,
        parameters: Parameters,
        prepared: dict[str, Any],
    ) -> None:
        self.failed: str | None = None
        """The id of the step whose failure nobody took up."""
        self.whole = workflow.context
        """The step whose scope is a whole unit of work, which runs on its terms already."""
        self._kept: set[str] = set()
        self._went_outside = False
        self._workflow = workflow
        self._results = results
        self._parameters = parameters
        self._prepared = prepared
        self._outcomes: dict[str, str] = {}

    def failure(self, committed: Sequence[Database], error: Exception) -> WorkflowExecutionError:
        """The error of a run that has failed.

        :param committed: the databases that had committed before.
        """
        written = [
            step
            for step in self._workflow.steps
            if self._outcomes.get(step.id) == SUCCESS
            and step.node.database is not None
            and step.node.may_write(step.parameters)
        ]
        return WorkflowExecutionError(
            self.failed,
            error,
            self._results,
            [
                step.id
                for step in written
                if step.id not in self._kept and step.node.database not in committed
            ],
            [database.name for database in committed],
            [step.id for step in written if step.id in self._kept],
            is_partial=bool(self._kept) or self._went_outside,
        )

    def record(self, step: Step, output: Output) -> None:
        """Take note that a step has succeeded."""
        self._results[step.id] = output
        self._outcomes[step.id] = SUCCESS

    def settle(self) -> None:
        """Take note that what was done up to now is committed."""
        self._kept.update(self._outcomes)

    def forget(self, step: Step) -> None:
        """Take note that a step, and all in its scope, was undone."""
        self.failed = None
        for inner in with_inner(step):
            self._outcomes.pop(inner.id, None)
            self._results.pop(inner.id, None)

    async def take(
        self, steps: Sequence[Step], scope: Scope, inner: RunBlock, *, blocking: bool, has_turn: bool
    ) -> None:
        """Run these steps in a scope, save those that are not due.

        Nodes of databases in a row keep the turn of the scope, unless somebody waits for it.

        :param inner: runs the steps of an inner scope on the event loop, each in its place.
        :param blocking: whether this thread may block.
        :param has_turn: whether whoever walks has the turn of the scope; functions then get the inner side of it.
        """
        in_turn = False
        try:
            for step in steps:
                if not (step.sure or self.is_due(step)):
                    continue
                if in_turn and (scope.is_wanted or not step.plain):
                    in_turn = False
                    scope.end_turn()
                if not step.plain:
                    await self._take_other(step, scope, inner, blocking=blocking, has_turn=has_turn)
                    continue
                if not (in_turn or has_turn):
                    await scope.take_turn(blocking=blocking)
                    in_turn = True
                try:
                    output = await step.node.run(scope, self.prepare(step))
                except BaseException:
                    self.failed = self.failed or step.id
                    raise
                self.record(step, output)
        finally:
            if in_turn:
                scope.end_turn()

    def _take_other(
        self, step: Step, scope: Scope, inner: RunBlock, *, blocking: bool, has_turn: bool
    ) -> Coroutine[Any, Any, None]:
        """Run a step that is more than work on a database."""
        if step.outside:
            return self._step_outside(step, scope, blocking=blocking, has_turn=has_turn)
        if step.handled:
            return self._attempt(step, _handed_on(scope, has_turn), inner, blocking=blocking)
        if step.block is not None:
            enter = self._enter_whole if step.id == self.whole else self._enter_in_turn
            return enter(step, step.block, scope, inner, blocking=blocking, has_turn=has_turn)
        if step.id == self._workflow.context:
            return self._perform(step, scope)  # it has nothing done there
        return self._perform(step, _handed_on(scope, has_turn))

    async def _step_outside(self, step: Step, scope: Scope, *, blocking: bool, has_turn: bool) -> None:
        """Commit, and run a step before anything else begins."""
        if not has_turn:
            await scope.take_turn(blocking=blocking)
        try:
            await scope.pause(blocking=blocking)
        finally:
            if not has_turn:
                scope.end_turn()
        self.settle()
        self._went_outside = True
        try:
            await self._perform(step, None)
        except Exception as error:
            if not self.takes_up(step, error):
                raise

    async def _enter_whole(
        self, step: Step, block: Block, scope: Scope, inner: RunBlock, *, blocking: bool, has_turn: bool
    ) -> None:
        """Run the scope that is all there is: nothing stands beside it, and its terms are those of the whole."""
        await self._perform(step, scope)
        if blocking:
            await self.take(block.steps, scope, inner, blocking=True, has_turn=has_turn)
        else:
            await inner(block, scope)

    async def _enter_in_turn(
        self, step: Step, block: Block, scope: Scope, inner: RunBlock, *, blocking: bool, has_turn: bool
    ) -> None:
        """Run a scope that needs no savepoint; what a function leaves behind must not work beside the others."""
        if not has_turn:
            await scope.take_turn(blocking=blocking)
        within = scope.inner()
        try:
            await self._enter(step, block, within, inner, blocking=blocking)
        finally:
            within.end()
            if not has_turn:
                scope.end_turn()

    async def _enter(
        self, step: Step, block: Block, scope: Scope, inner: RunBlock, *, blocking: bool
    ) -> None:
        """Run the scope of a step."""
        await self._perform(step, scope)
        try:
            terms = self._terms_within(step, scope)
        except BaseException:
            self.failed = self.failed or step.id
            raise
        here = self.take(block.steps, scope, inner, blocking=True, has_turn=False) if blocking else None
        await in_time(scope, terms.timeout, here or inner(block, scope), blocking=blocking)

    def _terms_within(self, step: Step, scope: Scope) -> Terms:
        """What is left of the terms of a scope where it is a part of another one."""
        if step.id == self.whole:
            return USUAL
        terms, retries = cast("Context", self.prepare(step))
        if retries:
            raise WorkflowError(
                "only a whole transaction can be run again, not a scope within one: leave the node without connections "
                "to configure the run, or drop retries"
            )
        if terms.isolation is not None:
            scope.isolate(terms.isolation)
        if terms.read_only:
            check_steps(with_inner(step), self._parameters)
            scope.read_only = True
        return terms

    async def _perform(self, step: Step, scope: Scope | None) -> None:
        """Run a step in a scope, or outside of any."""
        watched = scope if step.node.database is None and step.block is None else None
        try:
            prepared = self.prepare(step)
            if watched is not None:
                watched.idle()
            output = await step.node.run(cast("Scope", scope), prepared)
            if watched is not None:
                watched.work()
        except BaseException:
            if watched is not None:
                watched.rest()
            self.failed = self.failed or step.id
            raise
        self.record(step, output)

    async def _attempt(self, step: Step, scope: Scope, inner: RunBlock, *, blocking: bool) -> None:
        """Perform a step in a savepoint; its failure is an outcome if an edge takes it up."""
        part = await scope.part(blocking=blocking)
        try:
            if step.block is None:
                await self._perform(step, part)
            else:
                await self._enter(step, step.block, part, inner, blocking=blocking)
        except BaseException as error:
            try:
                await part.undo(blocking=blocking)
            except ScopeLost as lost:
                error.add_note(f"Its failure could not be handled: {lost}.")
                raise error from None
            if not isinstance(error, Exception) or not self.takes_up(step, error):
                raise
        else:
            await part.keep(blocking=blocking)

    def takes_up(self, step: Step, error: Exception) -> bool:
        """Whether an edge takes up the failure of a step."""
        if not step.handled or _ends_the_scope(error):
            return False
        failed = self.failed
        self.forget(step)
        self._outcomes[step.id] = FAILED
        self._results[step.id] = {"error": str(error), "error_type": type(error).__name__}
        edges = [edge for edge in self._workflow.edges if edge.source == step.id]
        if any(edge.live(self._outcomes, self._results) for edge in edges):
            self.failed = None
            return True
        del self._results[step.id]
        self.failed = failed
        return False

    def is_due(self, step: Step) -> bool:
        """Whether a step is to run, now that all before it have."""
        if step.sure:
            return True
        outcomes, results = self._outcomes, self._results
        for edges in step.inputs.values():
            if not any(edge.live(outcomes, results) for edge in edges):
                return False
        return not step.gates or any(edge.live(outcomes, results) for edge in step.gates)

    def prepare(self, step: Step) -> Any:
        """What a step's node needs to run."""
        if step.id in self._prepared:
            return self._prepared[step.id]
        if step.prepared is not None:
            return step.prepared.value
        if step.inputs:
            return step.node.prepare({**step.parameters, **self.inputs(step)})
        return step.node.prepare(step.parameters)

    def inputs(self, step: Step) -> dict[str, object]:
        """What the run gives to a step: its parameters there, and what live connections bring."""
        values = {**self._parameters.get(step.id, {})}
        for name, edges in step.inputs.items():
            for edge in reversed(edges):
                if edge.live(self._outcomes, self._results):
                    path, source = cast("Path", edge.output), edge.source
                    values[name] = path.read_of(self._results[source], "node", source)
                    break
        return values


def _handed_on(scope: Scope, has_turn: bool) -> Scope:
    """The scope for what takes turns itself: who has the turn hands it on by an inner scope, with its own turns."""
    return scope.inner() if has_turn else scope


def _ends_the_scope(error: BaseException) -> bool:
    """Whether no edge may take it up; a run inside a function wraps what happened there."""
    while isinstance(error, WorkflowExecutionError):
        error = error.cause
    return isinstance(error, NEVER_HANDLED)
