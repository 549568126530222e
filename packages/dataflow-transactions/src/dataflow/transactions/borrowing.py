"""Connections that are borrowed for a moment, beside those of a unit of work."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from dataflow.abc import Connection
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database

__all__ = ["on_a_connection"]

T = TypeVar("T")


async def on_a_connection(database: Database, holder: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do something on a connection that is borrowed for it, from an event loop or a thread without one.

    :param holder: who borrows it, as others will read if they wait for one in vain.
    """

    async def run() -> T:
        return await work(connection)

    beside = running_loop() is not None
    connection = await database.borrow(holder, writes=True, blocking=not beside)
    try:
        return await (connection.offload(run()) if beside else run())
    finally:
        if not database.give_back(connection, writes=True):
            await database.discard(connection)
