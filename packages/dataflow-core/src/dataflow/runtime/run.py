"""One run of a workflow: what runs, in which order, and what becomes of its results and its transaction."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from os import urandom
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from dataflow.errors import (
    DataFlowError,
    MissingValue,
    PoolTimeout,
    RecordNotFound,
    ScopeLost,
    TransactionClosed,
    UnknownName,
    ValidationError,
    WorkflowExecutionError,
)
from dataflow.execution.scope import Savepoint, Scope, current_scope
from dataflow.execution.stepping import step as step_to_end
from dataflow.runtime.preparation import prepare_database
from dataflow.workflow.graph import FAILED, SUCCESS, Segment, Step, Workflow
from dataflow.workflow.paths import MissingOutput
from dataflow.workflow.results import Results

if TYPE_CHECKING:
    from asyncio import Task

__all__ = ["Run"]

Parameters = Mapping[str, Mapping[str, object]]
# No edge takes these up: the transaction itself is over.
NEVER_HANDLED = (ScopeLost, TransactionClosed, PoolTimeout)


class Run:
    """A run: it belongs to one call of a runtime and is used once.

    Within an open scope, such as in a function of another run, it becomes a part of that scope.

    :param parameters: for the id of a node, values by name; they replace those given when it was added.
    :raises UnknownName: for an id that is not in the workflow.
    :raises WorkflowExecutionError: where parameters are wrong or missing, before anything else happens.
    """

    def __init__(self, workflow: Workflow, parameters: Parameters | None) -> None:
        self.id = urandom(16).hex()
        self.results = Results()
        self._workflow = workflow
        self._parameters: Parameters = parameters or {}
        self._outcomes: dict[str, str] = {}
        self._prepared: dict[str, Any] = {}
        self._failed: str | None = None
        self._started = perf_counter()
        if parameters or workflow.lacking:
            self._check_parameters()
        outer = current_scope.get()
        self._outer = outer if outer is not None and not outer.closed else None
        self._point: Savepoint | None = None
        self._scope = self._outer or Scope(
            f"run {self.id}", writes=workflow.writes, autocommit=self._is_one_statement()
        )

    async def here(self) -> None:
        """Run everything in the calling thread, which may block; no step waits for anything."""
        try:
            for database in self._workflow.databases:
                if database.unprepared:
                    await prepare_database(database, self._scope, blocking=True)
            if self._outer is not None:
                self._point = await self._outer.savepoint(blocking=True)
            await self._take(self._workflow.steps, blocking=True)
            await self._end(blocking=True)
        except Exception as error:
            raise self._failure(error) from error
        finally:
            await self._close(blocking=True)
        self.results.execution_time = perf_counter() - self._started

    async def on_loop(self, concurrency: int) -> None:
        """Run on an event loop, which stays free while a database of the process works.

        :param concurrency: how many asynchronous functions may overlap.
        """
        try:
            for database in self._workflow.databases:
                if database.unprepared:
                    await prepare_database(database, self._scope, blocking=False)
            if self._outer is not None:
                self._point = await self._outer.savepoint(blocking=False)
            if concurrency > 1 and self._workflow.waits:
                await self._overlapping(concurrency)
                await self._end(blocking=False)
            else:
                await self._in_segments()
        except Exception as error:
            raise self._failure(error) from error
        finally:
            await self._close(blocking=False)
        self.results.execution_time = perf_counter() - self._started

    def _check_parameters(self) -> None:
        steps = self._workflow.by_id
        for id, given in self._parameters.items():
            step = steps.get(id)
            if step is None:
                raise UnknownName("node", id, "the workflow", steps)
            if type(given) is not dict and not isinstance(cast("object", given), Mapping):
                raise ValidationError(f"the parameters of {id!r} are a dict, not {type(given).__name__}")
            self._check_step(step, given)
        for id in self._workflow.lacking:
            if id not in self._parameters:
                self._check_step(steps[id], {})

    def _check_step(self, step: Step, given: Mapping[str, object]) -> None:
        """Prepare a step that is given values, or check it as far as its inputs let it be known."""
        parameters = {**step.parameters, **given} if step.parameters else given
        try:
            if not step.inputs:
                self._prepared[step.id] = step.node.prepare(parameters)
                return
            for name in given:
                if name in step.inputs:
                    raise ValidationError(
                        f"{name!r} is fed by a connection and cannot be a parameter of the run"
                    )
            names = [*parameters, *step.inputs]
            step.node.check(parameters, names)
            lacking = step.node.missing(names)
            if lacking is not None:
                raise MissingValue(lacking)
        except DataFlowError as error:
            raise WorkflowExecutionError(step.id, error, self.results, ()) from error

    def _is_one_statement(self) -> bool:
        steps = self._workflow.steps
        if len(steps) > 1:
            return False
        step = steps[0]
        if step.id in self._prepared:
            return step.node.alone(self._prepared[step.id])
        return step.alone

    async def _end(self, *, blocking: bool) -> None:
        if self._outer is None:
            await self._scope.commit(blocking=blocking)
        elif self._point is not None:
            point, self._point = self._point, None
            await self._outer.keep(point, blocking=blocking)

    async def _close(self, *, blocking: bool) -> None:
        """Return the connections; of a part of another scope that did not end well, undo what it did."""
        if self._outer is None:
            await self._scope.close(blocking=blocking)
        elif self._point is not None:
            point, self._point = self._point, None
            # Where even that fails, the scope knows that it must not be committed.
            with suppress(ScopeLost):
                await self._outer.undo(point, blocking=blocking)

    def _failure(self, error: Exception) -> WorkflowExecutionError:
        undone = [
            step.id
            for step in self._workflow.steps
            if self._outcomes.get(step.id) == SUCCESS
            and step.node.database is not None
            and step.node.may_write(step.parameters)
        ]
        return WorkflowExecutionError(self._failed, error, self.results, undone)

    async def _in_segments(self) -> None:
        """Each segment in its place; the last one ends the scope where it can, which spares a hop."""
        *_, last = self._workflow.segments
        ended = False
        for segment in self._workflow.segments:
            ends = segment is last and self._scope_ends_beside(segment)
            await self._in_place(segment, self._taken(segment, ends=ends))
            ended = ends
        if not ended:
            await self._end(blocking=False)

    def _scope_ends_beside(self, segment: Segment) -> bool:
        return segment.database is not None and all(
            database.in_process for database in self._workflow.databases
        )

    async def _taken(self, segment: Segment, *, ends: bool) -> None:
        await self._take(segment.steps, blocking=segment.blocking)
        if ends:
            await self._end(blocking=True)

    async def _in_place(self, segment: Segment, work: Any) -> None:
        if segment.database is not None:
            try:
                connection = await self._scope.reserve(segment.database, blocking=False)
            except BaseException:
                work.close()
                raise
            await connection.offload(work)
        elif segment.blocking:
            import asyncio

            await asyncio.to_thread(step_to_end, work)
        else:
            await work

    async def _overlapping(self, concurrency: int) -> None:
        """Asynchronous functions as tasks; everything else, in order, as soon as what it depends on has ended."""
        import asyncio

        tasks: dict[str, Task[None]] = {}
        try:
            for segment in self._workflow.segments:
                for step in segment.steps:
                    sources = {edge.source for edges in (*step.inputs.values(), step.gates) for edge in edges}
                    wanted = list(tasks) if step.handled else [id for id in tasks if id in sources]
                    for id in wanted:
                        await tasks.pop(id)
                    if not step.node.waits or step.handled:
                        single = Segment((step,), segment.database, segment.blocking)
                        await self._in_place(single, self._taken(single, ends=False))
                        continue
                    while len(tasks) >= concurrency:
                        await asyncio.wait(tasks.values(), return_when=asyncio.FIRST_COMPLETED)
                        for id in [id for id, task in tasks.items() if task.done()]:
                            await tasks.pop(id)
                    tasks[step.id] = asyncio.create_task(self._take((step,), blocking=False))
            for task in tasks.values():
                await task
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _take(self, steps: Sequence[Step], *, blocking: bool) -> None:
        for step in steps:
            if not (step.inputs or step.gates) or self._is_due(step):
                if step.handled:
                    await self._attempt(step, blocking=blocking)
                else:
                    await self._perform(step)

    async def _perform(self, step: Step) -> None:
        try:
            settled = step.prepared
            prepared = self._prepare(step) if settled is None or self._parameters else settled.value
            self.results[step.id] = await step.node.run(self._scope, prepared)
        except BaseException:
            self._failed = self._failed or step.id
            raise
        self._outcomes[step.id] = SUCCESS

    def _prepare(self, step: Step) -> Any:
        if step.id in self._prepared:
            return self._prepared[step.id]
        if step.prepared is not None:
            return step.prepared.value
        if step.inputs:
            return step.node.prepare({**step.parameters, **self._inputs(step)})
        return step.node.prepare(step.parameters)

    async def _attempt(self, step: Step, *, blocking: bool) -> None:
        """Perform a step in a savepoint; its failure is an outcome if an edge takes it up."""
        point = await self._scope.savepoint(blocking=blocking)
        try:
            await self._perform(step)
        except NEVER_HANDLED:
            raise
        except Exception as error:
            try:
                await self._scope.undo(point, blocking=blocking)
            except ScopeLost:
                raise error from None
            self._outcomes[step.id] = FAILED
            self.results[step.id] = {"error": str(error), "error_type": type(error).__name__}
            edges = [edge for edge in self._workflow.edges if edge.source == step.id]
            if not any(edge.live(self._outcomes, self.results) for edge in edges):
                del self.results[step.id]
                raise
            self._failed = None
        else:
            await self._scope.keep(point, blocking=blocking)

    def _is_due(self, step: Step) -> bool:
        outcomes, results = self._outcomes, self.results
        for edges in step.inputs.values():
            if not any(edge.live(outcomes, results) for edge in edges):
                return False
        return not step.gates or any(edge.live(outcomes, results) for edge in step.gates)

    def _inputs(self, step: Step) -> dict[str, object]:
        values = {**self._parameters.get(step.id, {})}
        for name, edges in step.inputs.items():
            for edge in reversed(edges):
                if edge.live(self._outcomes, self.results):
                    values[name] = self._read(edge.source, edge.output)
                    break
        return values

    def _read(self, source: str, path: Any) -> object:
        output = self.results[source]
        try:
            return path.read(output)
        except MissingOutput:
            if output.get("found") is False:
                raise RecordNotFound(
                    f"node {source!r} found no row, so that it has no {str(path)!r}"
                ) from None
            raise
