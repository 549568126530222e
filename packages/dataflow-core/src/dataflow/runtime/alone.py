"""A single statement after which nothing can fail: it needs no transaction, and so no scope."""

from collections.abc import Mapping
from typing import Any

from dataflow.abc import Connection
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node, Output

__all__ = ["run_alone"]


class _Alone:
    """Stands where a scope would: it has the connection, and leaves the database to commit by itself."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def connection(self, database: Database) -> Connection:
        return self._connection


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
    writes = node.may_write(parameters)
    connection = database.take(holder, writes=writes)
    if connection is None:
        connection = await database.borrow(holder, writes=writes, blocking=blocking)
    try:
        work = node.run(_Alone(connection), prepared)
        return await (work if blocking or not database.in_process else connection.offload(work))
    finally:
        if not database.give_back(connection, writes=writes):
            await connection.close()
