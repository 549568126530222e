"""One run of a workflow: its transaction, the place where each step runs, and what becomes of its results."""

from collections.abc import Coroutine
from contextlib import suppress
from time import perf_counter
from typing import Any

from dataflow.errors import ScopeLost, WorkflowExecutionError
from dataflow.execution.database import Database
from dataflow.execution.scope import Scope, current_scope
from dataflow.execution.stepping import step
from dataflow.runtime.alone import run_alone
from dataflow.runtime.ids import new_run_id
from dataflow.runtime.parameters import Parameters, prepare_given
from dataflow.runtime.preparation import prepare_database
from dataflow.runtime.threads import in_thread
from dataflow.runtime.walk import Walk
from dataflow.workflow.graph import Segment, Workflow
from dataflow.workflow.results import Results

__all__ = ["Run"]

NOTHING: dict[str, Any] = {}


class Run:
    """A run: it belongs to one call of a runtime and is used once.

    Within an open scope, such as in a function of another run, it becomes a part of that scope.

    :param parameters: for the id of a node, values by name; they replace those given when it was added.
    :raises UnknownName: for an id that is not in the workflow.
    :raises WorkflowExecutionError: where parameters are wrong or missing, before anything else happens.
    """

    __slots__ = ("_outer", "_parameters", "_prepared", "_workflow", "id", "results")

    def __init__(self, workflow: Workflow, parameters: Parameters | None) -> None:
        self.id = new_run_id()
        self.results = Results()
        self._workflow = workflow
        self._parameters = NOTHING if parameters is None else parameters
        self._prepared = (
            prepare_given(workflow, self._parameters) if parameters or workflow.lacking else NOTHING
        )
        outer = current_scope.get()
        self._outer = outer if outer is not None and not outer.closed else None

    def here(self) -> None:
        """Run everything in the calling thread, which may block; no step waits for anything."""
        started = perf_counter()
        step(self._run_single(blocking=True) if self._is_single else self._run_here())
        self.results.execution_time = perf_counter() - started

    async def on_loop(self, concurrency: int) -> None:
        """Run on an event loop, which stays free while a database of the process works.

        :param concurrency: how many asynchronous functions may overlap.
        """
        started = perf_counter()
        await (self._run_single(blocking=False) if self._is_single else self._run_on_loop(concurrency))
        self.results.execution_time = perf_counter() - started

    async def _run_here(self) -> None:
        await self._run_within(await self._open(blocking=True))

    async def _is_run_in_one_go(self) -> bool:
        """Hand everything to a thread of the database if it all belongs there, and say whether it was done."""
        workflow = self._workflow
        database = workflow.segments[0].database
        if database is None or len(workflow.segments) > 1 or self._outer is not None:
            return False
        if any(database.unsettled for database in workflow.databases):
            return False
        scope = await self._open(blocking=False)
        return await database.dialect.offload(self._run_at_hand(scope, database), scope.cancel)

    async def _run_at_hand(self, scope: Scope, database: Database) -> bool:
        """Run everything in a thread that others need too, and so only if a connection is at hand."""
        is_at_hand = await scope.reserve_shortly(database)
        if is_at_hand:
            await self._run_within(scope)
        return is_at_hand

    async def _run_within(self, scope: Scope) -> None:
        walk = Walk(self._workflow, scope, self.results, self._parameters, self._prepared)
        try:
            await self._prepare_databases(scope, blocking=True)
            await scope.take_turn(blocking=True)
            try:
                await walk.take(self._workflow.steps, blocking=True, has_turn=True)
                await self._end(scope, blocking=True)
            finally:
                scope.end_turn()
        except Exception as error:
            raise self._failure(walk, scope, error) from error
        finally:
            await self._leave(scope, blocking=True)

    async def _run_on_loop(self, concurrency: int) -> None:
        if await self._is_run_in_one_go():
            return
        scope = await self._open(blocking=False)
        walk = Walk(self._workflow, scope, self.results, self._parameters, self._prepared)
        try:
            await self._prepare_databases(scope, blocking=False)
            if concurrency > 1 and self._workflow.waits:
                await self._overlapping(scope, walk, concurrency)
            else:
                await self._in_segments(scope, walk)
        except Exception as error:
            raise self._failure(walk, scope, error) from error
        finally:
            await self._leave(scope, blocking=False)

    def _failure(self, walk: Walk, scope: Scope, error: Exception) -> WorkflowExecutionError:
        committed = [database.name for database in scope.committed]
        return WorkflowExecutionError(walk.failed, error, self.results, walk.written(), committed)

    @property
    def _is_single(self) -> bool:
        """Whether a node of a database is all there is, so that it needs no scope to share."""
        steps = self._workflow.steps
        node = steps[0].node
        return len(steps) == 1 and node.database is not None and not node.waits and self._outer is None

    async def _run_single(self, *, blocking: bool) -> None:
        only = self._workflow.steps[0]
        try:
            if only.id in self._prepared:
                prepared = self._prepared[only.id]
            elif only.prepared is not None:
                prepared = only.prepared.value
            else:
                prepared = only.node.prepare(only.parameters)
            self.results[only.id] = await run_alone(
                only.node, only.parameters, prepared, f"run {self.id}", blocking=blocking
            )
        except Exception as error:
            raise WorkflowExecutionError(only.id, error, self.results, ()) from error

    async def _open(self, *, blocking: bool) -> Scope:
        """The scope of this run: its own, or a part of the one that is open."""
        if self._outer is not None:
            return await self._outer.part(blocking=blocking)
        return Scope(f"run {self.id}", writes=self._workflow.writes or self._is_given_writes())

    async def _prepare_databases(self, scope: Scope, *, blocking: bool) -> None:
        for database in self._workflow.databases:
            if database.unsettled:
                await prepare_database(database, self._workflow.models, scope, blocking=blocking)

    def _is_given_writes(self) -> bool:
        """Whether the parameters make a node write that would not by itself."""
        steps = self._workflow.by_id
        return any(
            steps[id].node.may_write({**steps[id].parameters, **given})
            for id, given in self._parameters.items()
        )

    async def _end(self, scope: Scope, *, blocking: bool) -> None:
        await (scope.commit(blocking=blocking) if self._outer is None else scope.keep(blocking=blocking))

    async def _leave(self, scope: Scope, *, blocking: bool) -> None:
        """Return the connections; of a part of another scope that did not end well, undo what it did."""
        if self._outer is None:
            await scope.close(blocking=blocking)
        elif not scope.closed:
            # Where even that fails, the whole knows that it must not be committed.
            with suppress(ScopeLost):
                await scope.undo(blocking=blocking)

    async def _in_segments(self, scope: Scope, walk: Walk) -> None:
        """Each segment in its place; the last one ends the scope where it can, which spares a hop."""
        *others, last = self._workflow.segments
        for segment in others:
            await self._in_place(scope, segment, self._taken(walk, segment))
        if last.database is not None and all(database.in_process for database in self._workflow.databases):
            await self._in_place(scope, last, self._taken_and_ended(scope, walk, last))
        else:
            await self._in_place(scope, last, self._taken(walk, last))
            await self._end_in_turn(scope)

    def _taken(self, walk: Walk, segment: Segment) -> Coroutine[Any, Any, None]:
        return walk.take(segment.steps, blocking=segment.blocking, has_turn=segment.database is not None)

    async def _taken_and_ended(self, scope: Scope, walk: Walk, segment: Segment) -> None:
        await self._taken(walk, segment)
        await self._end(scope, blocking=True)

    async def _end_in_turn(self, scope: Scope) -> None:
        await scope.take_turn(blocking=False)
        try:
            await self._end(scope, blocking=False)
        finally:
            scope.end_turn()

    async def _in_place(self, scope: Scope, segment: Segment, work: Coroutine[Any, Any, None]) -> None:
        if segment.database is None:
            await (in_thread(scope, work) if segment.blocking else work)
            return
        try:
            await scope.take_turn(blocking=False)
        except BaseException:
            work.close()
            raise
        try:
            await self._beside(scope, segment.database, work)
        finally:
            scope.end_turn()

    async def _beside(self, scope: Scope, database: Database, work: Coroutine[Any, Any, None]) -> None:
        try:
            connection = await scope.reserve(database, blocking=False)
        except BaseException:
            work.close()
            raise
        await connection.offload(work)

    async def _overlapping(self, scope: Scope, walk: Walk, concurrency: int) -> None:
        from dataflow.runtime.overlap import overlap

        await overlap(
            self._workflow,
            concurrency,
            lambda segment: self._in_place(scope, segment, self._taken(walk, segment)),
            lambda step: walk.take((step,), blocking=False, has_turn=False),
        )
        await self._end_in_turn(scope)
