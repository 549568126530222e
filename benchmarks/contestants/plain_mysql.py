"""asyncmy and aiomysql by hand: with one connection, and with the least of a pool."""

# pyright: reportMissingImports=false

from collections.abc import Mapping
from typing import Any

from benchmarks.contestants.connections import FreeList, OneConnection
from benchmarks.contestants.contract import OnLoop, Operation
from benchmarks.contestants.mysql_by_hand import Work, single
from benchmarks.contestants.mysql_in_bulk import Texts, by_loading, by_texts
from benchmarks.databases.addresses import CONNECTIONS
from benchmarks.databases.mysql import MySQLStore

__all__ = ["HeldAsyncmy", "LoadingAiomysql", "PooledAiomysql", "PooledAsyncmy"]


class PooledAsyncmy(OnLoop):
    """A few connections, taken and given back. In bulk, texts with the values of many rows."""

    count = CONNECTIONS

    def __init__(self, store: MySQLStore) -> None:
        super().__init__()
        self._connections = [self._runner.run(self.connected(store)) for _ in range(self.count)]
        doing = self.held(self._connections).doing
        ways = self.ways("MariaDB" in self._connections[0].get_server_info())
        self._operations = {name: doing(work) for name, work in ways.items()}

    def operations(self) -> Mapping[str, Operation]:
        return self._operations

    async def finish(self) -> None:
        for connection in self._connections:
            await connection.ensure_closed()

    async def connected(self, store: MySQLStore) -> Any:
        import asyncmy

        return await asyncmy.connect(**_settings(store))

    def held(self, connections: list[Any]) -> Any:
        return FreeList(connections)

    def ways(self, mariadb: bool) -> Mapping[str, Work]:
        return {**single(mariadb), **by_texts(Texts(mariadb, self._connections[0].escape_string))}


class HeldAsyncmy(PooledAsyncmy):
    """One connection for all."""

    count = 1

    def held(self, connections: list[Any]) -> Any:
        return OneConnection(connections[0])

    def ways(self, mariadb: bool) -> Mapping[str, Work]:
        return single(mariadb)


class PooledAiomysql(PooledAsyncmy):
    """The same with the other driver."""

    async def connected(self, store: MySQLStore) -> Any:
        import aiomysql

        return await aiomysql.connect(**_settings(store), local_infile=True)


class LoadingAiomysql(PooledAiomysql):
    """The other way to work in bulk."""

    count = 1

    def ways(self, mariadb: bool) -> Mapping[str, Work]:
        return by_loading()


def _settings(store: MySQLStore) -> Mapping[str, Any]:
    host, port, user, password, database = store.address
    return {
        "host": host,
        "port": port,
        "user": user,
        "password": password,
        "db": database,
        "charset": "utf8mb4",
        "autocommit": True,
    }
