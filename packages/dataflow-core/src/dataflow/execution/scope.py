"""A unit of work: one connection per database, one transaction on each, all or nothing."""

import logging
from contextvars import ContextVar
from dataclasses import dataclass

from dataflow.abc import Connection
from dataflow.errors import ScopeLost, TransactionClosed, WorkflowError
from dataflow.execution.database import Database

__all__ = ["Savepoint", "Scope", "current_scope"]

log = logging.getLogger("dataflow.connections")

current_scope: ContextVar["Scope | None"] = ContextVar("dataflow_scope", default=None)
"""The unit of work that database calls of this task or thread belong to."""


class _Held:
    __slots__ = ("begun", "connection")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.begun = False


@dataclass(frozen=True, slots=True, eq=False)
class Savepoint:
    """A point of a scope to which it can return.

    :param databases: those whose transaction had begun by then.
    """

    name: str
    databases: frozenset[Database]


class Scope:
    """Takes connections as they are needed, begins their transactions, and ends them together.

    Coroutines that touch a database in the process are always stepped by a thread that may block; the event loop
    hands them over with ``Connection.offload``. So only :meth:`reserve` and the ends of a scope ask where they are.

    :param holder: the name under which others see it hold connections.
    :param writes: whether it may write.
    :param autocommit: begin no transaction: the scope is one statement that nothing can refuse afterwards.
    """

    def __init__(self, holder: str, *, writes: bool, autocommit: bool = False) -> None:
        self.holder = holder
        self.closed = False
        self._writes = writes
        self._autocommit = autocommit
        self._held: dict[Database, _Held] = {}
        self._broken = False
        self._count = 0
        self._points: list[Savepoint] = []

    async def reserve(self, database: Database, *, blocking: bool) -> Connection:
        """The connection of this scope to a database, borrowed at the first call; no transaction begins yet."""
        held = self._held.get(database) or self._take(database)
        if held is None:
            connection = await database.borrow(self.holder, writes=self._writes, blocking=blocking)
            held = self._held[database] = _Held(connection)
        return held.connection

    async def connection(self, database: Database) -> Connection:
        """The connection of this scope to a database, in its transaction."""
        held = self._held.get(database) or self._take(database)
        if held is None:
            await self.reserve(database, blocking=database.in_process)
            held = self._held[database]
        connection = held.connection
        if held.begun:
            # What followed would otherwise be committed statement by statement.
            if not connection.in_transaction:
                raise ScopeLost("the database has ended the transaction; nothing of it was kept")
        elif not self._autocommit:
            await connection.execute(database.dialect.begin(writes=self._writes))
            held.begun = True
        return connection

    def _take(self, database: Database) -> _Held | None:
        """Borrow a connection if one is at hand."""
        if self.closed:
            raise TransactionClosed("the transaction is over; its connection serves others")
        connection = database.take(self.holder, writes=self._writes)
        if connection is None:
            return None
        held = self._held[database] = _Held(connection)
        return held

    def holds(self, database: Database) -> bool:
        """Whether a connection to a database was borrowed."""
        return database in self._held

    @property
    def in_process(self) -> bool:
        """Whether every connection that it holds is to a database in the process."""
        return all(database.in_process for database in self._held)

    async def savepoint(self, *, blocking: bool) -> Savepoint:
        """Mark a point to return to."""
        self._count += 1
        begun = frozenset(database for database, held in self._held.items() if held.begun)
        point = Savepoint(f"dataflow_{self._count}", begun)
        self._points.append(point)
        for database in begun:
            await _settle(database, self._held[database].connection, f"SAVEPOINT {point.name}", blocking)
        return point

    async def keep(self, point: Savepoint, *, blocking: bool) -> None:
        """Go on: what came after the point belongs to the scope."""
        self._leave(point)
        for database in point.databases:
            await _settle(
                database, self._held[database].connection, f"RELEASE SAVEPOINT {point.name}", blocking
            )

    async def undo(self, point: Savepoint, *, blocking: bool) -> None:
        """Return to the point: what came after it is gone.

        :raises ScopeLost: where the database has ended the transaction by itself; nothing of it can be committed.
        """
        try:
            await self._undo(point, blocking=blocking)
        except BaseException:
            self._broken = True
            raise

    async def _undo(self, point: Savepoint, *, blocking: bool) -> None:
        self._leave(point)
        for database, held in self._held.items():
            if not held.begun:
                continue
            if not held.connection.in_transaction:
                raise ScopeLost("the database has ended the transaction; nothing of it can be kept")
            if database in point.databases:
                await _settle(
                    database, self._held[database].connection, f"ROLLBACK TO SAVEPOINT {point.name}", blocking
                )
                await _settle(
                    database, self._held[database].connection, f"RELEASE SAVEPOINT {point.name}", blocking
                )
            else:
                await _settle(database, self._held[database].connection, "ROLLBACK", blocking)
                held.begun = False

    def _leave(self, point: Savepoint) -> None:
        if not self._points or self._points.pop() is not point:
            self._broken = True
            raise WorkflowError(
                "parts of one transaction ran at the same time; await one before the next begins, "
                "or give them transactions of their own"
            )

    async def commit(self, *, blocking: bool) -> None:
        """Make everything last.

        :raises ScopeLost: where a part that failed could not be undone.
        """
        if self._broken:
            raise ScopeLost("a part of the transaction could not be undone; nothing of it was kept")
        for database, held in self._held.items():
            if held.begun:
                await _settle(database, held.connection, "COMMIT", blocking)
                held.begun = False

    async def close(self, *, blocking: bool) -> None:
        """Undo what was not committed and return the connections; one that cannot even do that is thrown away."""
        self.closed = True
        held_by_database, self._held = self._held, {}
        for database, held in held_by_database.items():
            connection = held.connection
            kept = False
            try:
                if held.begun and connection.in_transaction:
                    await _settle(database, connection, "ROLLBACK", blocking)
            except Exception as error:
                log.warning(
                    "%s: a connection could not be rolled back and was closed: %s", database.name, error
                )
                await connection.close()
            except BaseException:
                await connection.close()
                raise
            finally:
                kept = database.give_back(connection, writes=self._writes)
            if not kept:
                await connection.close()


async def _settle(database: Database, connection: Connection, statement: str, blocking: bool) -> None:
    """Send a statement of the transaction itself, from wherever this is."""
    work = connection.execute(statement)
    if database.in_process and not blocking:
        await connection.offload(work)
    else:
        await work
