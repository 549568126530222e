"""asyncpg by hand: with one connection, with the least of a pool, with its own pool; and other ways in bulk."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from benchmarks.contestants.connections import FreeList, OneConnection
from benchmarks.contestants.contract import OnLoop, Operation
from benchmarks.contestants.postgres_by_hand import SINGLE, Work, connect, set_codecs
from benchmarks.contestants.postgres_in_bulk import BY_ARRAYS, BY_COPY, merge_copied
from benchmarks.databases.addresses import CONNECTIONS
from benchmarks.databases.postgres import PostgresStore

__all__ = ["HeldPostgres", "OtherWaysPostgres", "OwnPoolPostgres", "PooledPostgres"]


class _Plain(OnLoop):
    """
    :param count: how many connections.
    """

    def __init__(self, store: PostgresStore, count: int) -> None:
        super().__init__()
        self.connections = [self._runner.run(connect(store)) for _ in range(count)]

    async def finish(self) -> None:
        for connection in self.connections:
            await connection.close()


class HeldPostgres(_Plain):
    """One connection for all."""

    def __init__(self, store: PostgresStore) -> None:
        super().__init__(store, 1)
        held = OneConnection(self.connections[0])
        self._operations = {name: held.doing(work) for name, work in SINGLE.items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations


class PooledPostgres(_Plain):
    """A few connections, taken and given back. In bulk, ``COPY``."""

    ways: Mapping[str, Work] = {**SINGLE, **BY_COPY}

    def __init__(self, store: PostgresStore) -> None:
        super().__init__(store, CONNECTIONS)
        pool = FreeList(self.connections)
        self._operations = {name: pool.doing(work) for name, work in self.ways.items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations


class OtherWaysPostgres(PooledPostgres):
    """The other ways to work in bulk; servers before PostgreSQL 15 know no ``MERGE``."""

    ways = BY_ARRAYS

    def __init__(self, store: PostgresStore) -> None:
        super().__init__(store)
        if self.connections[0].get_server_version() < (15,):
            ways = self.ways.items()
            known = {name for name, work in ways if work is not merge_copied}
            self._operations = {name: work for name, work in self._operations.items() if name in known}


class OwnPoolPostgres(OnLoop):
    """asyncpg's own pool as it comes: what was set on a connection is reset when it is given back."""

    def __init__(self, store: PostgresStore) -> None:
        super().__init__()
        creating = asyncpg.create_pool(store.url, min_size=CONNECTIONS, max_size=CONNECTIONS, init=set_codecs)
        self._pool: Any = self._runner.run(_entered(creating))
        self._operations = {name: self._doing(work) for name, work in SINGLE.items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def finish(self) -> None:
        await self._pool.close()

    def _doing(self, work: Work) -> Operation:
        acquire = self._pool.acquire

        async def operation(item: Any) -> Any:
            async with acquire() as connection:
                return await work(connection, item)

        return operation


async def _entered(pool: Any) -> Any:
    return await pool
