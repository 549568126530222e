"""A node that makes up a unit of work by itself: one connection, and a transaction if it needs one."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from dataflow.abc import Connection
from dataflow.errors import ScopeLost
from dataflow.execution.database import Database
from dataflow.logs import logger
from dataflow.nodes.contract import Node, Output

__all__ = ["run_alone"]


async def run_alone(
    node: Node, parameters: Mapping[str, object], prepared: Any, holder: str, *, blocking: bool
) -> Output:
    """Run a node on its database, all or nothing.

    :param prepared: what the parameters prepared to.
    :param holder: who borrows the connection, as others will read if they wait for one in vain.
    :param blocking: whether this thread may block and does the work itself.
    """
    database = node.database
    assert database is not None
    if database.unsettled:
        await database.prepare(() if node.model is None else (node.model,), blocking=blocking)
    alone = _Alone(node, parameters, prepared, database, holder)
    if blocking or not database.in_process:
        return await alone.run(blocking=blocking)
    output = await database.dialect.offload(alone.run_at_hand(), alone.cancel)
    return output if output is not None else await alone.run(blocking=False)


class _Alone:
    """Stands where a scope would for a single node, which shares its connection with nobody."""

    __slots__ = (
        "_begins",
        "_cancelled",
        "_connection",
        "_database",
        "_guard",
        "_holder",
        "_node",
        "_prepared",
        "_writes",
    )

    def __init__(
        self, node: Node, parameters: Mapping[str, object], prepared: Any, database: Database, holder: str
    ) -> None:
        self._node = node
        self._prepared = prepared
        self._database = database
        self._holder = holder
        self._writes = node.may_write(parameters)
        # The database commits a single statement by itself.
        self._begins = not node.alone(prepared)
        self._connection: Connection | None = None
        self._cancelled = False
        self._guard = Lock()

    async def connection(self, database: Database) -> Connection:
        connection = self._connection
        assert connection is not None
        # What followed would otherwise be committed statement by statement.
        if self._begins and not connection.in_transaction:
            raise ScopeLost("the database has ended the transaction; nothing of it was kept")
        return connection

    async def run(self, *, blocking: bool) -> Output:
        """Run it on a connection that is waited for, if need be."""
        database = self._database
        connection = database.take(self._holder, writes=self._writes)
        if connection is None:
            connection = await database.borrow(self._holder, writes=self._writes, blocking=blocking)
        try:
            work = self._run_on(connection)
            return await (work if blocking or not database.in_process else connection.offload(work))
        finally:
            if not database.give_back(connection, writes=self._writes):
                await connection.close()

    async def run_at_hand(self) -> Output | None:
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

    def cancel(self) -> None:
        """From another thread: end what runs, and let nothing follow."""
        with self._guard:
            self._cancelled = True
            if self._connection is not None:
                self._connection.interrupt()

    async def _run_on(self, connection: Connection) -> Output:
        self._connection = connection
        self._check_wanted()
        if not self._begins:
            return await self._node.run(self, self._prepared)
        await connection.execute(self._database.dialect.begin(writes=self._writes))
        try:
            output = await self._node.run(self, self._prepared)
            self._check_wanted()
            await connection.execute("COMMIT")
        except BaseException:
            await self._undo(connection)
            raise
        return output

    def _check_wanted(self) -> None:
        if self._cancelled:
            raise ScopeLost("the run was cancelled; nothing of it was kept")

    async def _undo(self, connection: Connection) -> None:
        """Roll back; a connection that cannot even do that is not kept by whoever gets it back."""
        try:
            await connection.rollback()
        except Exception as error:
            logger("dataflow.connections").warning(
                "%s: a connection that could not be rolled back was closed: %s", self._database.name, error
            )
