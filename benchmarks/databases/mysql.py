"""MySQL and MariaDB: a database for each contestant, each with the table that DataFlow made."""

import json
import os
from asyncio import Runner
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiomysql  # pyright: ignore[reportMissingImports]

from benchmarks.databases.addresses import CONNECTIONS, Address
from benchmarks.databases.contract import StoreOptions
from benchmarks.databases.servers import mysql_server
from benchmarks.subject import SEEDED

__all__ = ["MySQLStore", "MySQLStores"]

MOMENT = "2026-01-01 00:00:00.000001"
DIGITS = " UNION ALL ".join(f"SELECT {digit} d" for digit in range(10))
# As many numbers as are ever filled in at once.
NUMBERS = f"""
CREATE TABLE numbers AS WITH digits AS ({DIGITS})
SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d AS i
FROM digits a, digits b, digits c, digits d, digits e ORDER BY i
"""
# The rows of benchmarks.subject.row, made by the server, which is much faster.
FILLED = f"""
INSERT INTO accounts (name, email, age, balance, active, meta, created_at, updated_at)
SELECT concat('Name ', n), concat('person', n, '@example.org'), 18 + n %% 60, n * 0.25, n %% 3 > 0,
  concat('{{"plan":"basic","visits":', n %% 100, '}}'), '{MOMENT}', '{MOMENT}'
FROM (SELECT %s + %s * i AS n FROM ORIGINAL.numbers WHERE i < %s ORDER BY i) numbers
"""


# With these, what goes into an empty table goes there at once.
UNCHECKED = ("SET unique_checks = 0", "SET foreign_key_checks = 0")


class _Connection:
    """A connection for what is not measured, on a loop of its own."""

    def __init__(self, address: Address) -> None:
        self._runner = Runner()
        self._raw = self._runner.run(
            aiomysql.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password,
                db=address.database,
                charset="utf8mb4",
                autocommit=True,
            )
        )

    def fetch(self, sql: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        rows, _ = self._runner.run(self._executed(sql, values))
        return rows

    def one(self, sql: str, *values: Any) -> Any:
        return self.fetch(sql, *values)[0][0]

    def insert(self, sql: str, *values: Any) -> int:
        """The first id that an insert has given out."""
        _, first = self._runner.run(self._executed(sql, values))
        return first

    def close(self) -> None:
        self._runner.run(self._raw.ensure_closed())
        self._runner.close()

    async def _executed(self, sql: str, values: tuple[Any, ...]) -> tuple[Sequence[tuple[Any, ...]], int]:
        async with self._raw.cursor() as cursor:
            await cursor.execute(sql, values or None)
            return await cursor.fetchall(), cursor.lastrowid


class MySQLStore:
    """The database of one contestant, and a connection beside it that puts it back in order.

    :param original: the name of the database with the rows of the beginning.
    """

    database = "mysql"

    def __init__(self, address: Address, original: str) -> None:
        self.address = address
        self.url = address.url("mysql")
        self._original = original
        self._raw = _Connection(address)

    def fill(self, count: int, step: int = 1) -> Sequence[int]:
        first = self._raw.insert(FILLED.replace("ORIGINAL", self._original), SEEDED + 1, step, count)
        return range(first, first + count)

    def restore(self) -> None:
        if self._raw.one("SELECT max(id) FROM accounts") > SEEDED:
            # What is deleted stays until it is purged in the background. Who inserts the same emails again meanwhile
            # locks what is around them, and then tasks that do so at once run into deadlocks.
            self._raw.fetch("TRUNCATE accounts")
            for statement in (*UNCHECKED, f"INSERT INTO accounts SELECT * FROM {self._original}.accounts"):
                self._raw.fetch(statement)

    def content(self) -> Set[tuple[Any, ...]]:
        rows = self._raw.fetch("SELECT meta, name, email, age, balance, active FROM accounts")
        # MariaDB keeps a document as it was written.
        return {(*row, json.dumps(json.loads(meta), sort_keys=True)) for meta, *row in rows}

    def close(self) -> None:
        self._raw.close()


class MySQLStores:
    """Makes the stores, on the server that the user names or on one that is started for it."""

    def __init__(self, folder: Path, options: StoreOptions) -> None:
        self._folder = folder
        self._url = options.url
        self._opened = ExitStack()
        self._made: list[str] = []
        self._prefix = f"dataflow_bench_{os.getpid()}"

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._server = opened.enter_context(mysql_server(self._folder, self._url))
            self._maintenance = _Connection(self._server.address)
            opened.callback(self._maintenance.close)
            opened.callback(self._drop)
            self._make_original()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def _make_original(self) -> None:
        # Only who makes the first database needs DataFlow; a rival's process does without it.
        from benchmarks.contestants.dataflow import make

        original = self._new("original")
        make(original.url("mysql"))
        connection = _Connection(original)
        connection.fetch(NUMBERS)
        connection.close()

    def _drop(self) -> None:
        for name in self._made:
            self._maintenance.fetch(f"DROP DATABASE IF EXISTS {name}")

    def new(self, name: str) -> Callable[[], MySQLStore]:
        address = self._new(name.replace("-", "_"))
        original = self._made[0]
        self._maintenance.fetch(f"CREATE TABLE {address.database}.accounts LIKE {original}.accounts")
        self._maintenance.fetch(f"INSERT INTO {address.database}.accounts SELECT * FROM {original}.accounts")
        return partial(MySQLStore, address, original)

    def describe(self) -> Mapping[str, str]:
        settings = ("innodb_flush_log_at_trx_commit", "log_bin", "innodb_buffer_pool_size")
        shown = [f"{one}={self._maintenance.one(f'SELECT @@{one}')}" for one in settings]
        return {
            "database": f"{self._maintenance.one('SELECT version()')}, {self._server.said}",
            "settings": ", ".join([*shown, f"pools of {CONNECTIONS} connections"]),
        }

    def _new(self, name: str) -> Address:
        name = f"{self._prefix}_{name}"
        self._made.append(name)
        self._maintenance.fetch(f"CREATE DATABASE {name}")
        return self._server.address._replace(database=name)
