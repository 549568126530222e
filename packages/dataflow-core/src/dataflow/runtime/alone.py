"""A single statement after which nothing can fail: it needs no transaction, and so no scope."""

from collections.abc import Mapping
from threading import Lock
from typing import Any

from dataflow.abc import Connection
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node, Output

__all__ = ["run_alone"]


async def run_alone(
    node: Node, parameters: Mapping[str, object], prepared: Any, holder: str, *, blocking: bool
) -> Output:
    """Run the statement of a node.

    :param prepared: what the parameters prepared to.
    :param holder: who borrows the connection, as others will read if they wait for one in vain.
    :param blocking: whether this thread may block and does the work itself.
    """
    database = node.database
    assert database is not None
    if database.unsettled:
        await database.prepare(() if node.model is None else (node.model,), blocking=blocking)
    alone = _Alone(node, prepared, database, holder, node.may_write(parameters))
    if blocking or not database.in_process:
        return await alone.run(blocking=blocking)
    output = await database.dialect.offload(alone.run_at_hand(), alone.interrupt)
    return output if output is not None else await alone.run(blocking=False)


class _Alone:
    """Stands where a scope would: it has the connection, and leaves the database to commit by itself."""

    __slots__ = ("_connection", "_database", "_guard", "_holder", "_node", "_prepared", "_writes")

    def __init__(self, node: Node, prepared: Any, database: Database, holder: str, writes: bool) -> None:
        self._node = node
        self._prepared = prepared
        self._database = database
        self._holder = holder
        self._writes = writes
        self._connection: Connection | None = None
        self._guard = Lock()

    async def connection(self, database: Database) -> Connection:
        assert self._connection is not None
        return self._connection

    async def run(self, *, blocking: bool) -> Output:
        """Run it on a connection that is waited for, if need be."""
        database = self._database
        connection = database.take(self._holder, writes=self._writes)
        if connection is None:
            connection = await database.borrow(self._holder, writes=self._writes, blocking=blocking)
        self._connection = connection
        try:
            work = self._node.run(self, self._prepared)
            return await (work if blocking or not database.in_process else connection.offload(work))
        finally:
            if not database.give_back(connection, writes=self._writes):
                await connection.close()

    async def run_at_hand(self) -> Output | None:
        """Run it in a thread that others need too, and so only if a connection is at hand; else None."""
        connection = await self._database.borrow_shortly(self._holder, writes=self._writes)
        if connection is None:
            return None
        self._connection = connection
        try:
            return await self._node.run(self, self._prepared)
        finally:
            with self._guard:
                self._connection = None
            if not self._database.give_back(connection, writes=self._writes):
                await connection.close()

    def interrupt(self) -> None:
        """From another thread: end the statement, if it runs. The connection may already serve somebody else."""
        with self._guard:
            if self._connection is not None:
                self._connection.interrupt()
