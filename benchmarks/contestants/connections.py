"""How a program on an event loop may hold its connections: one, or a few that its tasks take and give back."""

from asyncio import Lock, Semaphore
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from benchmarks.contestants.contract import Operation

__all__ = ["FreeList", "OneConnection"]

Work = Callable[[Any, Any], Awaitable[Any]]


class OneConnection:
    """A connection for which many tasks take turns."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._turn = Lock()

    def doing(self, work: Work) -> Operation:
        turn, connection = self._turn, self._connection

        async def operation(item: Any) -> Any:
            async with turn:
                return await work(connection, item)

        return operation


class FreeList:
    """The least that a pool can do: a connection is taken and given back, and nothing is said to the server."""

    def __init__(self, connections: Sequence[Any]) -> None:
        self._free = list(connections)
        self._places = Semaphore(len(connections))

    def doing(self, work: Work) -> Operation:
        places, take, give_back = self._places, self._free.pop, self._free.append

        async def operation(item: Any) -> Any:
            async with places:
                connection = take()
                try:
                    return await work(connection, item)
                finally:
                    give_back(connection)

        return operation
