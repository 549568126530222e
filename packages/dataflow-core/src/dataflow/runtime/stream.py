"""Reading the rows of a List node one by one, however many there are."""

from collections.abc import AsyncGenerator, Coroutine, Generator, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from dataflow.errors import DatabaseError, ScopeLost, ValidationError
from dataflow.execution.background import background_loop
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database
from dataflow.execution.errands import Errand
from dataflow.execution.executor import RecordCursor, Records
from dataflow.execution.scope import Scope, open_scope
from dataflow.execution.stepping import step
from dataflow.model.schema import Model
from dataflow.nodes.contract import Node
from dataflow.nodes.listing import ListNode
from dataflow.runtime.preparation import prepare_database
from dataflow.statements import Select

__all__ = ["Stream"]

T = TypeVar("T")

ROWS_AT_ONCE = 500


class Stream:
    """The rows of a List node: ``async for row in stream``, or ``for row in stream`` in a thread that may wait.

    Each loop reads them anew. Outside a transaction a loop has a connection of its own and sees the rows as they were
    when it began; inside one it belongs to that. The connection is free again when the loop has ended, however it ends.

    :raises ValidationError: for a node that is no List node, or parameters that bring no rows.
    """

    def __init__(self, node: Node, parameters: Mapping[str, object]) -> None:
        if not isinstance(node, ListNode):
            raise ValidationError(f"{node.name} cannot be streamed; a List node can")
        if parameters.get("include"):
            raise ValidationError(
                f"{node.name}: a stream does not include other rows; leave include out, or read page by page"
            )
        statement: Any = node.prepare(parameters)
        if type(statement) is not Select or statement.counting:
            raise ValidationError(
                f"{node.name}: with these parameters it brings no rows to stream; run it instead"
            )
        self._database: Database = node.database
        self._model: Model = node.model
        self._statement = statement

    async def __aiter__(self) -> AsyncGenerator[dict[str, Any], None]:
        reading = self._begin(blocking=False)
        try:
            while records := await reading.next():
                for record in records:
                    yield record
        finally:
            await reading.close()

    def __iter__(self) -> Generator[dict[str, Any], None, None]:
        if self._database.in_process:
            yield from _each(self._begin(blocking=True), step, step)
            return
        with background_loop() as background:
            outer = open_scope()
            errand = Errand((None if outer is None else outer.loop) or background)
            yield from _each(
                self._begin(blocking=False), lambda work: errand.ask(work, last=True), errand.leave
            )

    def _begin(self, *, blocking: bool) -> "_Reading":
        return _Reading(self._database, self._model, self._statement, open_scope(), blocking=blocking)


def _each(reading: "_Reading", wait: Any, leave: Any) -> Iterator[dict[str, Any]]:
    try:
        while records := wait(reading.next()):
            yield from records
    finally:
        leave(reading.close())


class _Reading:
    """One loop over the rows.

    :param outer: the scope to which it belongs; None where it has its own.
    :param blocking: whether this thread may block.
    """

    def __init__(
        self, database: Database, model: Model, statement: Select, outer: Scope | None, *, blocking: bool
    ) -> None:
        self._database = database
        self._model = model
        self._statement = statement
        self._blocking = blocking
        self._scope = self._new_scope() if outer is None else outer
        self._is_own = outer is None
        self._has_begun = False
        """Whether somebody has rows of it."""
        self._cursor: RecordCursor | None = None

    def _new_scope(self, *, primary: bool = False) -> Scope:
        loop = None if self._blocking else running_loop()
        return Scope("a stream", writes=False, loop=loop, primary=primary)

    async def next(self) -> Records:
        """Some more rows; none at the end."""
        try:
            records = await self._next()
        except DatabaseError as error:
            if self._has_begun or not self._is_own or not self._scope.is_passed_over(error):
                raise
            # What a replica does not do, the primary does.
            await self._scope.close(blocking=self._blocking)
            self._scope, self._cursor = self._new_scope(primary=True), None
            records = await self._next()
        self._has_begun = True
        return records

    async def _next(self) -> Records:
        if not self._is_own and not self._database.statements_are_atomic:
            return await self._next_apart()
        await self._scope.take_turn(blocking=self._blocking)
        try:
            await self._prepare(self._scope)
            return await self._beside(self._fetch(self._scope))
        finally:
            self._scope.end_turn()

    async def _next_apart(self) -> Records:
        """Some more rows where an error must not take the transaction with it."""
        part = await self._scope.part(blocking=self._blocking)
        try:
            await self._prepare(part)
            records = await self._beside(self._fetch(part))
        except BaseException:
            # Where it cannot be undone the whole knows that it must not be committed; this error is the one to see.
            with suppress(ScopeLost):
                await part.undo(blocking=self._blocking)
            raise
        await part.keep(blocking=self._blocking)
        return records

    async def _prepare(self, scope: Scope) -> None:
        if self._cursor is None and self._database.unsettled:
            await prepare_database(self._database, (self._model,), scope, blocking=self._blocking)

    async def close(self) -> None:
        """Give back what was taken."""
        if self._is_own:
            await self._scope.close(blocking=self._blocking)
        elif self._cursor is not None and not self._scope.closed:
            await self._scope.take_turn(blocking=self._blocking)
            try:
                await self._beside(self._scope.close_cursor(self._cursor))
            finally:
                self._scope.end_turn()

    async def _fetch(self, scope: Scope) -> Records:
        if self._cursor is None:
            connection = await scope.connection(self._database)
            self._cursor = await self._database.executor.open_cursor(connection, self._statement)
            scope.add_cursor(self._database, self._cursor)
        return await self._cursor.next(ROWS_AT_ONCE)

    async def _beside(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work where its database is."""
        if self._blocking or not self._database.in_process:
            return await work
        try:
            connection = await self._scope.reserve(self._database, blocking=False)
        except BaseException:
            work.close()
            raise
        return await connection.offload(work)
