"""Piccolo: rows by ``select()``, ``RETURNING`` for the row, ``insert`` of many in chunks.

On SQLite it opens a connection for each statement or transaction, which is why writes take turns there. It has no bulk
update with different values, and tells no number of rows.
"""

# pyright: reportMissingImports=false, reportGeneralTypeIssues=false, reportCallIssue=false

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime
from functools import partial
from typing import Any

from piccolo.columns import JSON, JSONB, BigInt, BigSerial, Boolean, DoublePrecision, Text, Timestamptz
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.engine.postgres import PostgresEngine
from piccolo.engine.sqlite import SQLiteEngine, TransactionType, convert_timestamptz_out
from piccolo.query.functions import Count, Sum
from piccolo.table import Table
from piccolo.utils.encoding import load_json

from benchmarks.contestants.contract import OnLoop, Operation, chunks
from benchmarks.databases.addresses import CONNECTIONS
from benchmarks.subject import Row

__all__ = ["Piccolo"]

ROWS_AT_ONCE = 100
CHANGED_ON_CONFLICT = ("name", "age", "balance", "active", "meta", "updated_at")

# Its own tables call such a column TIMESTAMPTZ; this is what it does for them.
sqlite3.register_converter("DATETIME", convert_timestamptz_out)


class Piccolo(OnLoop):
    def __init__(self, store: Any) -> None:
        super().__init__()
        on_sqlite = store.database == "sqlite"
        engine: Any = _sqlite(store) if on_sqlite else _postgres(store)

        class Account(Table, tablename="accounts", db=engine):
            id = BigSerial(primary_key=True)
            name = Text()
            email = Text(unique=True)
            age = BigInt()
            balance = DoublePrecision()
            active = Boolean()
            meta = JSON() if on_sqlite else JSONB()
            created_at = Timestamptz(default=TimestamptzNow())
            updated_at = Timestamptz(default=TimestamptzNow(), auto_update=_now)

        self._accounts = Account
        self._engine = engine
        self._transaction: Callable[[], Any] = engine.transaction
        self._writing: AbstractAsyncContextManager[Any] = nullcontext()
        if on_sqlite:
            self._transaction = partial(engine.transaction, transaction_type=TransactionType.immediate)
            # So many connections at once would wait for each other in SQLite, which sleeps for longer and longer.
            self._writing = asyncio.Lock()
        else:
            starting = engine.start_connection_pool(min_size=CONNECTIONS, max_size=CONNECTIONS)
            self._runner.run(starting)

    def operations(self) -> Mapping[str, Operation]:
        accounts = self._accounts
        return {
            "read": self._read,
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
            "list": lambda page: (
                accounts.select()
                .where(accounts.id > page[0])
                .order_by(accounts.id)
                .limit(page[1])
                .output(load_json=True)
            ),
            "transfer": self._transfer,
            "bulk_create": self._bulk_create,
            "upsert": self._upsert,
            "increment": lambda after: accounts.update({accounts.age: accounts.age + 1}).where(
                accounts.id > after
            ),
            "bulk_delete": lambda after: accounts.delete().where(accounts.id > after),
            "delete_ids": lambda ids: accounts.delete().where(accounts.id.is_in(ids)),
            "aggregate": lambda nothing: (
                accounts.select(
                    accounts.age, Count(accounts.id, alias="n"), Sum(accounts.balance, alias="total")
                )
                .group_by(accounts.age)
                .order_by(accounts.age)
            ),
        }

    def plain(self, outcome: Any) -> Any:
        return None if outcome == [] else outcome

    async def finish(self) -> None:
        if isinstance(self._engine, PostgresEngine):
            await self._engine.close_connection_pool()

    async def _read(self, id: int) -> Any:
        return await self._accounts.select().where(self._accounts.id == id).first().output(load_json=True)

    async def _create(self, row: Row) -> Row:
        async with self._writing:
            return await self._created(row)

    async def _update(self, change: tuple[int, float]) -> Row:
        async with self._writing:
            return await self._updated(*change)

    async def _delete(self, id: int) -> int:
        accounts = self._accounts
        async with self._writing:
            return len(await accounts.delete().where(accounts.id == id).returning(accounts.id))

    async def _created(self, row: Row) -> Row:
        accounts = self._accounts
        (found,) = await accounts.insert(accounts(**row)).returning(*accounts.all_columns())
        return _loaded(found)

    async def _updated(self, id: int, balance: float) -> Row:
        accounts = self._accounts
        changing = accounts.update({accounts.balance: balance}).where(accounts.id == id)
        (found,) = await changing.returning(*accounts.all_columns())
        return _loaded(found)

    async def _transfer(self, accounts: tuple[int, int, Row]) -> list[Any]:
        first, second, row = accounts
        async with self._writing, self._transaction():
            return [
                await self._read(first),
                await self._read(second),
                await self._updated(first, 1.0),
                await self._updated(second, 2.0),
                await self._created(row),
            ]

    async def _bulk_create(self, rows: Iterable[Row]) -> int:
        count = 0
        async with self._transaction():
            for some in chunks(rows, ROWS_AT_ONCE):
                await self._accounts.insert(*[self._accounts(**row) for row in some])
                count += len(some)
        return count

    async def _upsert(self, rows: Iterable[Row]) -> int:
        count = 0
        accounts = self._accounts
        changed = [getattr(accounts, name) for name in CHANGED_ON_CONFLICT]
        async with self._transaction():
            for some in chunks(rows, ROWS_AT_ONCE):
                inserting = accounts.insert(*[accounts(**row) for row in some])
                await inserting.on_conflict(target=accounts.email, action="DO UPDATE", values=changed)
                count += len(some)
        return count


def _sqlite(store: Any) -> SQLiteEngine:
    class Connection(sqlite3.Connection):
        """With the setting that all have; foreign keys are on anyway, and the file stays in its journal mode."""

        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            self.execute(f"PRAGMA synchronous = {store.synchronous}")

    return SQLiteEngine(str(store.path), factory=Connection)


def _postgres(store: Any) -> PostgresEngine:
    return PostgresEngine(config={"dsn": store.url}, log_queries=False)


def _loaded(row: Row) -> Row:
    """What ``RETURNING`` gives comes without its JSON read."""
    return {**row, "meta": load_json(row["meta"])}


def _now() -> datetime:
    return datetime.now(UTC)
