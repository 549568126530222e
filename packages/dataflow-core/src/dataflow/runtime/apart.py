"""A run that is not one transaction: each of its nodes is one, or needs none."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from dataflow.errors import DataFlowError, WorkflowExecutionError
from dataflow.execution.scope import Scope
from dataflow.nodes.contract import Output
from dataflow.runtime.alone import run_alone
from dataflow.runtime.parameters import Parameters
from dataflow.runtime.retries import can_repeat, passes, run_again
from dataflow.runtime.threads import in_thread
from dataflow.runtime.unit import Extent, UnitOfWork
from dataflow.runtime.walk import Walk
from dataflow.terms import USUAL, Terms
from dataflow.workflow.blocks import block_of
from dataflow.workflow.graph import Step, Workflow, with_inner

if TYPE_CHECKING:
    from dataflow.nodes.transaction_context import Context

__all__ = ["Apart"]


class Apart:
    """Takes the steps of a workflow in order, each as a unit of work by itself; so is each scope.

    :param holder: the name under which others see it hold connections.
    :param terms: on which transactions run, where a scope has none of its own.
    :param retries: how often a unit of work is run again, likewise.
    :param functions: whether what a function does is a transaction; else each of its calls is for itself.
    """

    def __init__(
        self,
        workflow: Workflow,
        walk: Walk,
        parameters: Parameters,
        holder: str,
        terms: Terms,
        retries: int,
        *,
        functions: bool,
    ) -> None:
        self._workflow = workflow
        self._walk = walk
        self._parameters = parameters
        self._holder = holder
        self._terms = terms
        self._retries = retries
        self._functions = functions
        self.retries = 0
        """How often a unit of work was run again, all of them together."""

    async def run(self, *, blocking: bool, concurrency: int) -> None:
        """Run them.

        :param blocking: whether this thread may block and does it all.
        :param concurrency: how many asynchronous functions of a scope may overlap.
        """
        for step in self._workflow.block.steps:
            if not self._walk.is_due(step):
                continue
            make = self._attempts(step, blocking=blocking, concurrency=concurrency)
            try:
                await make()
            except WorkflowExecutionError as error:
                retries = self._context(step)[1]
                if not retries or not passes(error) or not self._can_repeat(step):
                    raise
                self.retries += await self._again(step, make, retries, blocking=blocking)
            except DataFlowError as error:
                self._walk.failed = step.id
                raise self._walk.failure((), error) from error
            self._walk.settle()

    def _attempts(
        self, step: Step, *, blocking: bool, concurrency: int
    ) -> Callable[[], Coroutine[Any, Any, None]]:
        """What makes an attempt at a step."""
        node = step.node
        if step.block is None and node.database is not None and self._terms is USUAL:
            return lambda: self._recorded(step, self._node_alone(step, blocking=blocking))
        if self._is_alone(step):
            return lambda: self._recorded(step, self._function_alone(step, blocking=blocking))

        def attempt() -> Coroutine[Any, Any, None]:
            unit = UnitOfWork(self._walk, self._extent(step), None)
            return unit.here() if blocking else unit.on_loop(concurrency)

        return attempt

    async def _recorded(self, step: Step, work: Awaitable[Output]) -> None:
        try:
            output = await work
        except Exception as error:
            if not self._walk.takes_up(step, error):
                self._walk.failed = step.id
                raise self._walk.failure((), error) from error
        else:
            self._walk.record(step, output)

    async def _node_alone(self, step: Step, *, blocking: bool) -> Output:
        prepared = self._walk.prepare(step)
        return await run_alone(step.node, self._given(step), prepared, self._holder, blocking=blocking)

    async def _function_alone(self, step: Step, *, blocking: bool) -> Output:
        prepared = self._walk.prepare(step)
        if blocking or step.node.waits:
            return await step.node.run(cast("Scope", None), prepared)
        outputs: list[Output] = []

        async def work() -> None:
            outputs.append(await step.node.run(cast("Scope", None), prepared))

        await in_thread(Scope(self._holder, writes=True), work())
        return outputs[0]

    def _extent(self, step: Step) -> Extent:
        nodes = [inner.node for inner in with_inner(step)]
        return Extent(
            self._holder,
            block_of(step),
            tuple(dict.fromkeys(node.database for node in nodes if node.database is not None)),
            tuple(dict.fromkeys(node.model for node in nodes if node.model is not None)),
            any(inner.node.may_write(self._given(inner)) for inner in with_inner(step)),
            self._context(step)[0],
            self._workflow.agreement,
        )

    def _context(self, step: Step) -> tuple[Terms, int]:
        """The terms of a step and how often it may be run again."""
        if step.block is None:
            return self._terms, self._retries
        self._walk.whole = step.id
        terms, retries = cast("Context", self._walk.prepare(step))
        return terms, self._retries if retries is None else retries

    def _given(self, step: Step) -> dict[str, object]:
        return {**step.parameters, **self._parameters.get(step.id, {})}

    async def _again(
        self,
        step: Step,
        attempt: Callable[[], Coroutine[Any, Any, None]],
        retries: int,
        *,
        blocking: bool,
    ) -> int:
        def anew() -> Coroutine[Any, Any, None]:
            self._walk.forget(step)
            return attempt()

        return await run_again(anew, retries, passes, blocking=blocking)

    def _is_alone(self, step: Step) -> bool:
        """Whether it is a function of which each call is for itself."""
        is_function = step.block is None and step.node.database is None
        return is_function and not self._functions and self._terms is USUAL

    def _can_repeat(self, step: Step) -> bool:
        """Whether it does nothing that must not be done twice, and uses up nothing of what other steps gave it."""
        if self._is_alone(step):
            return False
        try:
            fed = {inner.id: self._walk.inputs(inner) for inner in with_inner(step)}
        except DataFlowError:
            return False
        return can_repeat(with_inner(step), fed)
