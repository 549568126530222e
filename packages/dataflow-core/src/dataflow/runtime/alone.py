"""A node that makes up a unit of work by itself: one connection, and a transaction if it needs one."""

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from threading import Lock
from typing import Any

from dataflow.abc import Connection
from dataflow.errors import CommitUnknown, ConnectionLost, DatabaseError, ScopeLost
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database
from dataflow.execution.held import commit
from dataflow.execution.replica import is_of_a_replica
from dataflow.nodes.contract import Node, Output

__all__ = ["run_alone"]


def run_alone(
    node: Node, parameters: Mapping[str, object], prepared: Any, holder: str, *, blocking: bool
) -> Coroutine[Any, Any, Output]:
    """Run a node on its database, all or nothing.

    :param prepared: what the parameters prepared to.
    :param holder: who borrows the connection, as others will read if they wait for one in vain.
    :param blocking: whether this thread may block and does the work itself.
    """
    database = node.database
    assert database is not None
    kind = _InProcess if database.in_process else _AcrossNetwork
    alone = kind(node, prepared, database, holder, writes=node.may_write(parameters))
    return (
        alone.run_after_preparation(blocking=blocking) if database.unsettled else alone.run(blocking=blocking)
    )


class _Alone(ABC):
    """Stands where a scope would for a single node, which shares its connection with nobody."""

    __slots__ = ("_begins", "_begun", "_connection", "_database", "_holder", "_node", "_prepared", "_writes")

    def __init__(self, node: Node, prepared: Any, database: Database, holder: str, *, writes: bool) -> None:
        self._node = node
        self._prepared = prepared
        self._database = database
        self._holder = holder
        self._writes = writes
        # The database commits a single statement by itself.
        self._begins = not node.alone(prepared)
        self._begun = False
        self._connection: Connection | None = None

    async def connection(self, database: Database) -> Connection:
        connection = self._connection
        assert connection is not None
        # What followed would otherwise be committed statement by statement.
        if self._begins and not connection.in_transaction:
            raise ScopeLost("the database has ended the transaction; nothing of it was kept")
        return connection

    async def run_after_preparation(self, *, blocking: bool) -> Output:
        """Look at the table first, and at others that are new."""
        model = self._node.model
        await self._database.prepare(() if model is None else (model,), blocking=blocking)
        return await self.run(blocking=blocking)

    @abstractmethod
    def run(self, *, blocking: bool) -> Coroutine[Any, Any, Output]:
        """Run it on a connection that is waited for, if need be."""

    async def _in_transaction(self, connection: Connection) -> Output:
        await connection.execute(self._database.dialect.begin(writes=self._writes))
        self._begun = True
        try:
            output = await self._node.run(self, self._prepared)
            await self._commit(connection)
        except BaseException:
            await self._undo(connection)
            raise
        return output

    @abstractmethod
    async def _commit(self, connection: Connection) -> None: ...

    @abstractmethod
    async def _undo(self, connection: Connection) -> None: ...


class _AcrossNetwork(_Alone):
    """Runs it on an event loop, which goes on with other things while the server works."""

    __slots__ = ()

    async def run(self, *, blocking: bool) -> Output:
        """Run it; on another connection where the first one was dead before anything happened.

        What a replica does not do, the primary does.
        """
        database, writes = self._database, self._writes
        is_last = primary = False
        while True:
            connection = database.take(self._holder, writes=writes, primary=primary)
            if connection is None:
                connection = await database.borrow(
                    self._holder, writes=writes, blocking=False, primary=primary
                )
            self._connection = connection
            try:
                if self._begins:
                    return await self._in_transaction(connection)
                return await self._node.run(self, self._prepared)
            except DatabaseError as error:
                if database.leads_to_replica(connection) and is_of_a_replica(error):
                    primary, self._begun = True, False
                    continue
                if not isinstance(error, ConnectionLost):
                    raise
                if is_last or not self._has_done_nothing(error):
                    raise self._told(error) from error
                is_last = True
            finally:
                if not database.give_back(connection, writes=writes):
                    await database.discard(connection)

    def _has_done_nothing(self, error: ConnectionLost) -> bool:
        """Whether it can be run again, now that its connection is lost."""
        if not self._writes and self._node.model is not None:
            return True
        return not self._begun and (self._begins or not error.may_have_run)

    def _told(self, error: ConnectionLost) -> ConnectionLost:
        if self._begins or not self._writes:
            return error
        return CommitUnknown(f"{error}; whether it was written before is not known")

    async def _commit(self, connection: Connection) -> None:
        await commit(connection)

    async def _undo(self, connection: Connection) -> None:
        # Where its event loop was closed, nobody can wait any more.
        if running_loop() is not None:
            await self._database.undo(connection)


class _InProcess(_Alone):
    """Runs it in a thread that may block: this one, or one of the database beside an event loop."""

    __slots__ = ("_cancelled", "_guard")

    def __init__(self, node: Node, prepared: Any, database: Database, holder: str, *, writes: bool) -> None:
        super().__init__(node, prepared, database, holder, writes=writes)
        self._cancelled = False
        self._guard = Lock()

    def run(self, *, blocking: bool) -> Coroutine[Any, Any, Output]:
        return self._run(blocking=True) if blocking else self._run_beside()

    async def _run_beside(self) -> Output:
        """Run it beside an event loop, in a thread of the database."""
        output = await self._database.dialect.offload(self._run_at_hand(), self._cancel)
        return output if output is not None else await self._run(blocking=False)

    async def _run(self, *, blocking: bool) -> Output:
        database = self._database
        connection = database.take(self._holder, writes=self._writes)
        if connection is None:
            connection = await database.borrow(self._holder, writes=self._writes, blocking=blocking)
        try:
            work = self._run_on(connection)
            return await (work if blocking else connection.offload(work))
        finally:
            if not database.give_back(connection, writes=self._writes):
                await database.discard(connection)

    async def _run_at_hand(self) -> Output | None:
        """Run it in a thread that others need too, and so only if a connection is at hand; else None."""
        connection = await self._database.borrow_shortly(self._holder, writes=self._writes)
        if connection is None:
            return None
        try:
            return await self._run_on(connection)
        finally:
            # From here on the connection may serve somebody else, who must not be interrupted.
            with self._guard:
                self._connection = None
            if not self._database.give_back(connection, writes=self._writes):
                await connection.close()

    def _cancel(self) -> None:
        """From another thread: end what runs, and let nothing follow."""
        with self._guard:
            self._cancelled = True
            if self._connection is not None:
                self._connection.interrupt()

    def _run_on(self, connection: Connection) -> Coroutine[Any, Any, Output]:
        self._connection = connection
        self._check_wanted()
        return self._in_transaction(connection) if self._begins else self._node.run(self, self._prepared)

    async def _commit(self, connection: Connection) -> None:
        self._check_wanted()
        await connection.execute("COMMIT")

    async def _undo(self, connection: Connection) -> None:
        await self._database.undo(connection)

    def _check_wanted(self) -> None:
        if self._cancelled:
            raise ScopeLost("the run was cancelled; nothing of it was kept")
