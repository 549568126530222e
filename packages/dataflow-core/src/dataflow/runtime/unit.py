"""A unit of work: steps that happen together or not at all, each in the place where it belongs."""

from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

from dataflow.errors import ScopeLost
from dataflow.execution.agreement import Agreement
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database
from dataflow.execution.scope import Scope
from dataflow.model.schema import Model
from dataflow.runtime.deadline import in_time
from dataflow.runtime.preparation import prepare_database
from dataflow.runtime.retries import can_repeat
from dataflow.runtime.threads import in_thread
from dataflow.runtime.walk import Walk
from dataflow.terms import Terms
from dataflow.workflow.graph import Block, Segment, Step

__all__ = ["Extent", "UnitOfWork"]


class Extent(NamedTuple):
    """What belongs to a unit of work, and on which terms.

    :param holder: the name under which others see it hold connections.
    :param databases: those that its nodes work on.
    :param models: those of its nodes.
    :param writes: whether a node may write.
    :param agreement: has its transactions on several databases end as one.
    :param primary: whether it must not read from a replica.
    """

    holder: str
    block: Block
    databases: tuple[Database, ...]
    models: tuple[Model, ...]
    writes: bool
    terms: Terms
    agreement: Agreement | None = None
    primary: bool = False


class UnitOfWork:
    """Opens a scope, runs the steps of a block in it, and ends it.

    :param outer: the scope that is open already, of which this is a part then.
    """

    def __init__(self, walk: Walk, extent: Extent, outer: Scope | None) -> None:
        self._walk = walk
        self._extent = extent
        self._outer = outer
        self._concurrency = 1

    async def here(self) -> None:
        """Run everything in the calling thread, which may block; no step waits for anything."""
        await self._within(await self._open(blocking=True))

    async def on_loop(self, concurrency: int) -> None:
        """Run on an event loop, which stays free while a database of the process works.

        :param concurrency: how many asynchronous functions may overlap.
        """
        if self._fits_in_a_thread and await self._is_done_in_one_go():
            return
        self._concurrency = concurrency
        if not await self._attempt():
            # What a replica does not do, the primary does.
            self._extent = self._extent._replace(primary=True)
            for step in self._extent.block.steps:
                self._walk.forget(step)
            await self._attempt()

    async def _attempt(self) -> bool:
        """Run everything on the event loop; false where a replica has failed it, and nothing is lost."""
        scope = await self._open(blocking=False)
        try:
            await self._prepare_databases(scope, blocking=False)
            overlaps = self._overlaps(self._extent.block)
            work = self._overlapping_to_its_end(scope) if overlaps else self._to_its_end(scope)
            await self._in_time(scope, work, blocking=False)
        except Exception as error:
            if self._passes_over(scope, error):
                return False
            raise self._walk.failure(scope.committed, error) from error
        finally:
            await self._leave(scope, blocking=False)
        return True

    def _passes_over(self, scope: Scope, error: Exception) -> bool:
        """Whether the primary may do what a replica did not: all of it, as it has only read."""
        steps = self._extent.block.steps
        return self._outer is None and scope.is_passed_over(error) and can_repeat(steps, {})

    @property
    def _fits_in_a_thread(self) -> bool:
        """Whether everything belongs to the thread of one database."""
        segments = self._extent.block.segments
        if segments[0].database is None or len(segments) > 1 or self._outer is not None:
            return False
        if self._extent.terms.timeout is not None:
            return False  # a loop can watch the clock without a thread for that
        return not any(database.unsettled for database in self._extent.databases)

    async def _is_done_in_one_go(self) -> bool:
        """Hand everything to the thread of its database, and say whether it was done."""
        database = self._extent.block.segments[0].database
        assert database is not None
        scope = await self._open(blocking=False)
        return await database.dialect.offload(self._at_hand(scope, database), scope.cancel)

    async def _at_hand(self, scope: Scope, database: Database) -> bool:
        """Run everything in a thread that others need too, and so only if a connection is at hand."""
        is_at_hand = await scope.reserve_shortly(database)
        if is_at_hand:
            await self._within(scope)
        return is_at_hand

    async def _within(self, scope: Scope) -> None:
        try:
            await self._prepare_databases(scope, blocking=True)
            await scope.take_turn(blocking=True)
            try:
                await self._in_time(
                    scope, self._taken_and_ended(scope, self._extent.block.steps), blocking=True
                )
            finally:
                scope.end_turn()
        except Exception as error:
            raise self._walk.failure(scope.committed, error) from error
        finally:
            await self._leave(scope, blocking=True)

    def _in_time(
        self, scope: Scope, work: Coroutine[Any, Any, None], *, blocking: bool
    ) -> Coroutine[Any, Any, None]:
        timeout = self._extent.terms.timeout
        return work if timeout is None else in_time(scope, timeout, work, blocking=blocking)

    # ------------------------------------------------------------------ the scope

    async def _open(self, *, blocking: bool) -> Scope:
        """A scope of its own, or a part of the one that is open."""
        extent = self._extent
        if self._outer is not None:
            part = await self._outer.part(blocking=blocking)
            part.read_only = part.read_only or extent.terms.read_only
            return part
        loop = None if blocking else running_loop()
        return Scope(
            extent.holder, writes=extent.writes, loop=loop, terms=extent.terms, primary=extent.primary
        )

    async def _prepare_databases(self, scope: Scope, *, blocking: bool) -> None:
        for database in self._extent.databases:
            if database.unsettled:
                await prepare_database(database, self._extent.models, scope, blocking=blocking)
        agreement = self._extent.agreement
        if agreement is not None:
            await scope.agree(agreement, self._extent.databases, blocking=blocking)

    def _end(self, scope: Scope, *, blocking: bool) -> Coroutine[Any, Any, None]:
        return scope.commit(blocking=blocking) if self._outer is None else scope.keep(blocking=blocking)

    async def _end_in_turn(self, scope: Scope) -> None:
        await scope.take_turn(blocking=False)
        try:
            await self._end(scope, blocking=False)
        finally:
            scope.end_turn()

    def _leave(self, scope: Scope, *, blocking: bool) -> Coroutine[Any, Any, None]:
        """Return the connections; of a part of another scope that did not end well, undo what it did."""
        if self._outer is None:
            return scope.close(blocking=blocking)
        return self._leave_part(scope, blocking=blocking)

    async def _leave_part(self, scope: Scope, *, blocking: bool) -> None:
        if not scope.left:
            # Where even that fails, the whole knows that it must not be committed.
            with suppress(ScopeLost):
                await scope.undo(blocking=blocking)

    # ------------------------------------------------------------------ places

    async def _to_its_end(self, scope: Scope) -> None:
        """Each segment in its place; the last one ends the scope where it can, which spares a hop."""
        *others, last = self._extent.block.segments
        for segment in others:
            await self._in_place(scope, segment, self._taken(scope, segment))
        if last.database is not None and all(database.in_process for database in self._extent.databases):
            await self._in_place(scope, last, self._taken_and_ended(scope, last.steps))
        else:
            await self._in_place(scope, last, self._taken(scope, last))
            await self._end_in_turn(scope)

    async def _inner(self, block: Block, scope: Scope) -> None:
        """The steps of an inner scope, each segment in its place."""
        if self._overlaps(block):
            await self._overlapping(block, scope)
            return
        for segment in block.segments:
            await self._in_place(scope, segment, self._taken(scope, segment))

    def _taken(self, scope: Scope, segment: Segment) -> Coroutine[Any, Any, None]:
        has_turn = segment.database is not None
        return self._walk.take(
            segment.steps, scope, self._inner, blocking=segment.blocking, has_turn=has_turn
        )

    async def _taken_and_ended(self, scope: Scope, steps: tuple[Step, ...]) -> None:
        """In a thread that may block, and has the turn."""
        await self._walk.take(steps, scope, self._inner, blocking=True, has_turn=True)
        await self._end(scope, blocking=True)

    def _in_place(
        self, scope: Scope, segment: Segment, work: Coroutine[Any, Any, None]
    ) -> Coroutine[Any, Any, None]:
        if segment.database is not None:
            return self._in_thread_of(segment.database, scope, work)
        return in_thread(scope, work) if segment.blocking else work

    async def _in_thread_of(self, database: Database, scope: Scope, work: Coroutine[Any, Any, None]) -> None:
        try:
            await scope.take_turn(blocking=False)
        except BaseException:
            work.close()
            raise
        try:
            await self._beside(scope, database, work)
        finally:
            scope.end_turn()

    async def _beside(self, scope: Scope, database: Database, work: Coroutine[Any, Any, None]) -> None:
        try:
            connection = await scope.reserve(database, blocking=False)
        except BaseException:
            work.close()
            raise
        await connection.offload(work)

    def _overlaps(self, block: Block) -> bool:
        return self._concurrency > 1 and any(step.node.waits for step in block.steps)

    async def _overlapping(self, block: Block, scope: Scope) -> None:
        from dataflow.runtime.overlap import overlap

        await overlap(
            block,
            self._concurrency,
            lambda segment: self._in_place(scope, segment, self._taken(scope, segment)),
            lambda step: self._walk.take((step,), scope, self._inner, blocking=False, has_turn=False),
        )

    async def _overlapping_to_its_end(self, scope: Scope) -> None:
        await self._overlapping(self._extent.block, scope)
        await self._end_in_turn(scope)
