"""A unit of work: one connection per database, one transaction on each, all or nothing."""

from collections.abc import Coroutine, Sequence
from contextvars import ContextVar
from threading import Lock
from typing import Any, Protocol

from dataflow.abc import Connection
from dataflow.errors import ScopeLost, TransactionClosed, WorkflowError
from dataflow.execution.database import Database
from dataflow.execution.semaphore import FairSemaphore
from dataflow.logs import logger

__all__ = ["Scope", "current_scope"]


current_scope: ContextVar["Scope | None"] = ContextVar("dataflow_scope", default=None)
"""The unit of work that database calls of this task or thread belong to."""

TURN_TIMEOUT = 60.0
LAST_TURN_TIMEOUT = 5.0


class _Held:
    __slots__ = ("begun", "connection")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.begun = False


class _Cursor(Protocol):
    async def close(self) -> None: ...


class _Transaction:
    """What a scope and its parts share: connections, and whether what happened on them may still be committed."""

    __slots__ = ("broken", "committed", "cursors", "guard", "held", "savepoints")

    def __init__(self) -> None:
        self.guard = Lock()
        self.held: dict[Database, _Held] = {}
        self.cursors: dict[_Cursor, Database] = {}
        self.broken = False
        self.committed: list[Database] = []
        self.savepoints = 0


class Scope:
    """Takes connections as they are needed, begins their transactions, and ends them together.

    Coroutines that touch a database in the process are always stepped by a thread that may block; the event loop
    hands them over with ``Connection.offload`` or ``Dialect.offload``. So whatever may wait is told whether it may
    block the thread.

    Of several threads or tasks that share a scope one works at a time, in turns; a part of it keeps the turn until it
    has ended, so that nothing of others is undone with it.

    :param holder: the name under which others see it hold connections.
    :param writes: whether it may write.
    :param within: the scope of which it is a part.
    """

    __slots__ = ("_begun", "_ended", "_point", "_transaction", "_turn", "_within", "_writes", "holder")

    def __init__(self, holder: str, *, writes: bool, within: "Scope | None" = None) -> None:
        self.holder = holder
        self._ended = False
        self._writes = writes
        self._within = within
        self._transaction: _Transaction = _Transaction() if within is None else within._transaction
        self._turn = FairSemaphore(1)
        self._point: str | None = None
        self._begun: tuple[Database, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether it has ended, or that of which it is a part."""
        return self._ended or (self._within is not None and self._within.closed)

    @property
    def committed(self) -> Sequence[Database]:
        """The databases on which it was made to last: all of them, unless a later one refused."""
        return tuple(self._transaction.committed)

    def spoil(self) -> None:
        """Refuse to be committed, as nobody knows what became of a part of it."""
        self._transaction.broken = True

    # ------------------------------------------------------------------ turns

    async def take_turn(self, *, blocking: bool) -> None:
        """Wait until nobody else works in this scope.

        :raises TransactionClosed: where it has ended.
        """
        if not self._turn.take() and not await self._turn.acquire(TURN_TIMEOUT, blocking=blocking):
            raise WorkflowError(
                f"another part of the same transaction has been at work for {TURN_TIMEOUT:g} s; "
                f"inside a part, do not wait for what runs beside it"
            )
        if self.closed:
            self._turn.give_back()
            raise TransactionClosed("the transaction is over; its connection serves others")

    def end_turn(self) -> None:
        """Let the next one work."""
        self._turn.give_back()

    def inner(self) -> "Scope":
        """The same unit of work for those to whom the holder of the turn hands it on."""
        return Scope(self.holder, writes=self._writes, within=self)

    # ------------------------------------------------------------------ connections

    async def reserve(self, database: Database, *, blocking: bool) -> Connection:
        """The connection of this scope to a database, borrowed at the first call; no transaction begins yet."""
        held = self._transaction.held.get(database) or self._take(database)
        if held is None:
            connection = await database.borrow(self.holder, writes=self._writes, blocking=blocking)
            held = self._transaction.held[database] = _Held(connection)
        return held.connection

    async def reserve_shortly(self, database: Database) -> bool:
        """Borrow a connection in a thread that others need too; false where that takes longer than a moment."""
        connection = await database.borrow_shortly(self.holder, writes=self._writes)
        if connection is None:
            return False
        self._transaction.held[database] = _Held(connection)
        return True

    async def connection(self, database: Database) -> Connection:
        """The connection of this scope to a database, in its transaction."""
        if self.closed:
            raise TransactionClosed("the transaction is over; its connection serves others")
        held = self._transaction.held.get(database) or self._take(database)
        if held is None:
            await self.reserve(database, blocking=database.in_process)
            held = self._transaction.held[database]
        connection = held.connection
        if held.begun:
            # What followed would otherwise be committed statement by statement.
            if not connection.in_transaction:
                raise ScopeLost("the database has ended the transaction; nothing of it was kept")
        else:
            await connection.execute(database.dialect.begin(writes=self._writes))
            held.begun = True
        return connection

    def holds(self, database: Database) -> bool:
        """Whether a connection to a database was borrowed."""
        return database in self._transaction.held

    def add_cursor(self, database: Database, cursor: _Cursor) -> None:
        """Take up a cursor on the connection to a database, which must not outlast the transaction."""
        self._transaction.cursors[cursor] = database

    async def close_cursor(self, cursor: _Cursor) -> None:
        """Close one before that."""
        self._transaction.cursors.pop(cursor, None)
        await cursor.close()

    def _take(self, database: Database) -> _Held | None:
        """Borrow a connection if one is at hand."""
        connection = database.take(self.holder, writes=self._writes)
        if connection is None:
            return None
        held = self._transaction.held[database] = _Held(connection)
        return held

    # ------------------------------------------------------------------ parts

    async def part(self, *, blocking: bool) -> "Scope":
        """Begin a part that can be undone alone; it ends with :meth:`keep` or :meth:`undo`."""
        await self.take_turn(blocking=blocking)
        try:
            part = self.inner()
            await part._mark(blocking)
        except BaseException:
            self.end_turn()
            raise
        return part

    async def keep(self, *, blocking: bool) -> None:
        """End this part; what it did belongs to the whole."""
        try:
            for database in self._begun:
                await self._send(database, f"RELEASE SAVEPOINT {self._point}", blocking)
        except BaseException:
            self._transaction.broken = True
            raise
        finally:
            self._end_part()

    async def undo(self, *, blocking: bool) -> None:
        """End this part; what it did is gone.

        :raises ScopeLost: where the database has ended the transaction by itself; then nothing can be committed.
        """
        try:
            for database, held in self._transaction.held.items():
                if held.begun:
                    await self._undo_on(database, held, blocking)
        except BaseException:
            self._transaction.broken = True
            raise
        finally:
            self._end_part()

    async def _mark(self, blocking: bool) -> None:
        self._transaction.savepoints += 1
        self._point = f"dataflow_{self._transaction.savepoints}"
        self._begun = tuple(database for database, held in self._transaction.held.items() if held.begun)
        for database in self._begun:
            await self._send(database, f"SAVEPOINT {self._point}", blocking)

    async def _undo_on(self, database: Database, held: _Held, blocking: bool) -> None:
        if not held.connection.in_transaction:
            raise ScopeLost("the database has ended the transaction; nothing of it can be kept")
        if database in self._begun:
            await self._send(database, f"ROLLBACK TO SAVEPOINT {self._point}", blocking)
            await self._send(database, f"RELEASE SAVEPOINT {self._point}", blocking)
        else:
            await _run(database, held.connection, held.connection.rollback(), blocking)
            held.begun = False

    def _end_part(self) -> None:
        self._ended = True
        if self._within is not None:
            self._within.end_turn()

    # ------------------------------------------------------------------ the end

    async def commit(self, *, blocking: bool) -> None:
        """Make everything last.

        :raises ScopeLost: where a part that failed could not be undone.
        """
        if self._transaction.broken:
            raise ScopeLost(
                "a part of the transaction was cancelled or could not be undone; nothing of it was kept"
            )
        if self._ended:
            raise ScopeLost("the run was cancelled; nothing of it was kept")
        await self._close_cursors(blocking)
        for database, held in self._transaction.held.items():
            if held.begun:
                await self._send(database, "COMMIT", blocking)
                held.begun = False
                self._transaction.committed.append(database)

    def cancel(self) -> None:
        """From another thread: interrupt what runs, and refuse whatever would follow."""
        self._ended = True
        # Connections that have been returned may already serve somebody else.
        with self._transaction.guard:
            for held in tuple(self._transaction.held.values()):
                held.connection.interrupt()

    async def close(self, *, blocking: bool, has_turn: bool = False) -> None:
        """Undo what was not committed and return the connections; one that cannot even do that is thrown away.

        :param has_turn: whether the caller has the turn, which ends here.
        """
        self._ended = True
        interruption = None if has_turn else await self._last_turn(blocking)
        try:
            await self._close_cursors(blocking)
        except BaseException as error:
            interruption = interruption or error
        with self._transaction.guard:
            held_by_database, self._transaction.held = self._transaction.held, {}
        for database, held in held_by_database.items():
            connection = held.connection
            try:
                if held.begun:
                    await _run(database, connection, connection.rollback(), blocking)
            except Exception as error:
                logger("dataflow.connections").warning(
                    "%s: a connection that could not be rolled back was closed: %s", database.name, error
                )
                await connection.close()
            except BaseException as error:
                # A cancellation that comes now keeps no rollback from its end, and no connection from its pool.
                interruption = error
            finally:
                if not database.give_back(connection, writes=self._writes):
                    await connection.close()
        self.end_turn()
        if interruption is not None:
            raise interruption

    async def _close_cursors(self, blocking: bool) -> None:
        cursors = self._transaction.cursors
        while cursors:
            cursor, database = cursors.popitem()
            await _run(database, self._transaction.held[database].connection, cursor.close(), blocking)

    async def _last_turn(self, blocking: bool) -> BaseException | None:
        """Wait until whoever is at work has noticed that this is the end; what interrupted the waiting, if anything."""
        interruption: BaseException | None = None
        while not self._turn.take():
            try:
                if not await self._turn.acquire(LAST_TURN_TIMEOUT, blocking=blocking):
                    self.cancel()
                    # Whoever holds it now is not in a statement, and can begin no other.
                    self.end_turn()
                else:
                    break
            except BaseException as error:
                interruption = error
                self.cancel()
        return interruption

    async def _send(self, database: Database, statement: str, blocking: bool) -> None:
        connection = self._transaction.held[database].connection
        await _run(database, connection, connection.execute(statement), blocking)


async def _run(
    database: Database, connection: Connection, work: Coroutine[Any, Any, Any], blocking: bool
) -> None:
    """Do something of the transaction itself, from wherever this is."""
    await (connection.offload(work) if database.in_process and not blocking and _is_on_loop() else work)


def _is_on_loop() -> bool:
    """Whether an event loop runs here: one that was closed under its tasks cannot wait for their ends any more."""
    from asyncio import _get_running_loop

    return _get_running_loop() is not None
