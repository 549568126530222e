"""PostgreSQL: a database for each contestant, all of them copies of one that DataFlow made and filled."""

import os
from asyncio import Runner
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import asyncpg

from benchmarks.databases.addresses import CONNECTIONS, Address
from benchmarks.databases.contract import StoreOptions
from benchmarks.databases.servers import postgres_server
from benchmarks.subject import SEEDED

__all__ = ["PostgresStore", "PostgresStores"]

FEW = 1000
MOMENT = "2026-01-01 00:00:00.000001+00"
# The rows of benchmarks.subject.row, made by PostgreSQL, which is much faster.
FILLED = f"""
INSERT INTO accounts (name, email, age, balance, active, meta, created_at, updated_at)
SELECT 'Name ' || n, 'person' || n || '@example.org', 18 + n % 60, n * 0.25, n % 3 > 0,
  jsonb_build_object('plan', 'basic', 'visits', n % 100), '{MOMENT}', '{MOMENT}'
FROM (SELECT $1 + $2 * i AS n FROM generate_series(0::bigint, $3 - 1) i) numbers
"""
# What is made anew in each round is not to be cleaned up by the server in the middle of a batch.
UNDISTURBED = "ALTER TABLE accounts SET (autovacuum_enabled = false)"
KEPT = "CREATE TABLE seeded AS TABLE accounts"
RENEW = "TRUNCATE accounts; INSERT INTO accounts OVERRIDING SYSTEM VALUE TABLE seeded"
NUMBER_ON = "SELECT setval(pg_get_serial_sequence('accounts', 'id'), $1)"


class _Connection:
    """A connection for what is not measured, on a loop of its own."""

    def __init__(self, address: Address) -> None:
        self._runner = Runner()
        connecting = asyncpg.connect(address.url("postgresql"))
        self._raw: Any = self._runner.run(connecting)

    def execute(self, sql: str, *values: Any) -> None:
        self._runner.run(self._raw.execute(sql, *values))

    def fetch(self, sql: str, *values: Any) -> Sequence[asyncpg.Record]:
        return self._runner.run(self._raw.fetch(sql, *values))

    def one(self, sql: str, *values: Any) -> Any:
        return self._runner.run(self._raw.fetchval(sql, *values))

    def close(self) -> None:
        self._runner.run(self._raw.close())
        self._runner.close()


class PostgresStore:
    """The database of one contestant, and a connection beside it that puts it back in order."""

    database = "postgres"

    def __init__(self, address: Address) -> None:
        self.address = address
        self.url = address.url("postgresql")
        self._raw = _Connection(address)

    def fill(self, count: int, step: int = 1) -> Sequence[int]:
        last = self._raw.one("SELECT max(id) FROM accounts")
        self._raw.execute(FILLED, SEEDED + 1, step, count)
        return range(last + 1, last + 1 + count)

    def restore(self) -> None:
        last = self._raw.one("SELECT max(id) FROM accounts")
        if last > SEEDED + FEW:
            self._raw.execute(RENEW)
        else:
            self._raw.execute("DELETE FROM accounts WHERE id > $1", SEEDED)
            self._raw.execute("VACUUM accounts")
        self._raw.execute(NUMBER_ON, SEEDED)

    def content(self) -> Set[tuple[Any, ...]]:
        text = "SELECT name, email, age, balance, active, meta::text FROM accounts"
        return {tuple(row) for row in self._raw.fetch(text)}

    def close(self) -> None:
        self._raw.close()


class PostgresStores:
    """Makes the stores, on the server that the user names or on one that is started for it."""

    def __init__(self, folder: Path, options: StoreOptions) -> None:
        self._folder = folder
        self._url = options.url
        self._opened = ExitStack()
        self._made: list[str] = []
        self._prefix = f"dataflow_bench_{os.getpid()}"

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._server = opened.enter_context(postgres_server(self._folder, self._url))
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
        make(original.url("postgresql"))
        connection = _Connection(original)
        for statement in (UNDISTURBED, KEPT, "ANALYZE"):
            connection.execute(statement)
        connection.close()

    def _drop(self) -> None:
        for name in self._made:
            self._maintenance.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def new(self, name: str) -> Callable[[], PostgresStore]:
        return partial(PostgresStore, self._new(name, f'TEMPLATE "{self._made[0]}"'))

    def describe(self) -> Mapping[str, str]:
        settings = ("fsync", "synchronous_commit", "full_page_writes", "shared_buffers")
        shown = [f"{one}={self._maintenance.one(f'SHOW {one}')}" for one in settings]
        return {
            "database": f"PostgreSQL {self._maintenance.one('SHOW server_version')}, {self._server.said}",
            "settings": ", ".join([*shown, f"pools of {CONNECTIONS} connections"]),
        }

    def _new(self, name: str, how: str = "") -> Address:
        name = f"{self._prefix}_{name}"
        self._made.append(name)
        self._maintenance.execute(f'CREATE DATABASE "{name}" {how}')
        return self._server.address._replace(database=name)
