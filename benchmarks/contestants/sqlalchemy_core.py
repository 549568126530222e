"""SQLAlchemy Core: statements built once and kept, inserts and updates of lists of dicts, ``RETURNING`` for the row.

Single statements run in autocommit on an engine for that, as SQLAlchemy advises where there is nothing to roll back.
"""

# pyright: reportMissingImports=false

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    bindparam,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from benchmarks.contestants.contract import InThread, OnLoop, Operation, chunks
from benchmarks.databases.sqlite import SQLiteStore
from benchmarks.subject import Row

__all__ = [
    "AUTOCOMMIT",
    "CHANGED_ON_CONFLICT",
    "IDS_AT_ONCE",
    "ROWS_AT_ONCE",
    "AsyncCore",
    "Core",
    "Moment",
    "async_engine",
    "now",
    "sync_engine",
]

AUTOCOMMIT: Mapping[str, Any] = {"isolation_level": "AUTOCOMMIT", "skip_autocommit_rollback": True}
ROWS_AT_ONCE = 5_000
IDS_AT_ONCE = 30_000
CHANGED_ON_CONFLICT = ("name", "age", "balance", "active", "meta", "updated_at")


class Moment(TypeDecorator[datetime]):
    """A time with its zone: UTC in the database."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value.replace(tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


accounts = Table(
    "accounts",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("email", String, nullable=False, unique=True),
    Column("age", Integer, nullable=False),
    Column("balance", Float, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("meta", JSON, nullable=False),
    Column("created_at", Moment, nullable=False, default=now),
    Column("updated_at", Moment, nullable=False, default=now, onupdate=now),
)
columns = accounts.c

READ = select(accounts).where(columns.id == bindparam("of"))
CREATE = insert(accounts).returning(accounts)
UPDATE = (
    update(accounts).where(columns.id == bindparam("of")).values(balance=bindparam("to")).returning(accounts)
)
DELETE = delete(accounts).where(columns.id == bindparam("of"))
LIST = select(accounts).where(columns.id > bindparam("after")).order_by(columns.id).limit(bindparam("most"))
INSERT = insert(accounts)
ADDED = sqlite_insert(accounts)
UPSERT = ADDED.on_conflict_do_update(
    index_elements=[columns.email], set_={name: ADDED.excluded[name] for name in CHANGED_ON_CONFLICT}
)
UPDATE_EACH = update(accounts).where(columns.id == bindparam("of")).values(balance=bindparam("to"))
INCREMENT = update(accounts).where(columns.id > bindparam("after")).values(age=columns.age + 1)
DELETE_AFTER = delete(accounts).where(columns.id > bindparam("after"))
DELETE_IDS = delete(accounts).where(columns.id.in_(bindparam("ids", expanding=True)))
BY_AGE = (
    select(columns.age, func.count().label("n"), func.sum(columns.balance).label("total"))
    .group_by(columns.age)
    .order_by(columns.age)
)


def sync_engine(store: SQLiteStore, **options: Any) -> Engine:
    """An engine with the settings that all have."""
    return _with_settings(create_engine(f"sqlite:///{store.path.as_posix()}", **options), store)


def async_engine(store: SQLiteStore, **options: Any) -> AsyncEngine:
    """The same by aiosqlite. More connections than one make it slower: SQLite lets one write, Python one run."""
    url = f"sqlite+aiosqlite:///{store.path.as_posix()}"
    engine = create_async_engine(url, pool_size=1, max_overflow=0, **options)
    _with_settings(engine.sync_engine, store)
    return engine


def _with_settings(engine: Engine, store: SQLiteStore) -> Engine:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, record: Any) -> None:
        for setting in ("foreign_keys = ON", "journal_mode = WAL", f"synchronous = {store.synchronous}"):
            connection.execute(f"PRAGMA {setting}")

    return engine


class Core(InThread):
    def __init__(self, store: SQLiteStore) -> None:
        self._engine = sync_engine(store)
        self._single = sync_engine(store, **AUTOCOMMIT)

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": lambda id: self._row(READ, {"of": id}),
            "create": lambda row: self._row(CREATE, row),
            "update": lambda change: self._row(UPDATE, {"of": change[0], "to": change[1]}),
            "delete": lambda id: self._count(DELETE, {"of": id}),
            "list": lambda page: self._rows(LIST, {"after": page[0], "most": page[1]}),
            "transfer": self._transfer,
            "bulk_create": lambda rows: self._many(INSERT, rows),
            "upsert": lambda rows: self._many(UPSERT, rows),
            "bulk_update": self._bulk_update,
            "increment": lambda after: self._count(INCREMENT, {"after": after}),
            "bulk_delete": lambda after: self._count(DELETE_AFTER, {"after": after}),
            "delete_ids": self._delete_ids,
            "aggregate": lambda nothing: self._rows(BY_AGE, {}),
        }

    def close(self) -> None:
        self._engine.dispose()
        self._single.dispose()

    def _row(self, statement: Any, given: Row) -> Row:
        with self._single.connect() as connection:
            return dict(connection.execute(statement, given).mappings().one())

    def _rows(self, statement: Any, given: Row) -> list[Row]:
        with self._single.connect() as connection:
            return [dict(row) for row in connection.execute(statement, given).mappings()]

    def _count(self, statement: Any, given: Row) -> int:
        with self._single.connect() as connection:
            return connection.execute(statement, given).rowcount

    def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row]:
        with self._engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            return [
                dict(connection.execute(statement, given).mappings().one())
                for statement, given in steps(accounts)
            ]

    def _many(self, statement: Any, rows: Iterable[Row]) -> int:
        with self._engine.begin() as connection:
            return sum(connection.execute(statement, some).rowcount for some in chunks(rows, ROWS_AT_ONCE))

    def _bulk_update(self, changes: Iterable[Row]) -> int:
        return self._many(UPDATE_EACH, ({"of": one["id"], "to": one["balance"]} for one in changes))

    def _delete_ids(self, ids: Iterable[int]) -> int:
        with self._engine.begin() as connection:
            return sum(
                connection.execute(DELETE_IDS, {"ids": some}).rowcount for some in chunks(ids, IDS_AT_ONCE)
            )


class AsyncCore(OnLoop):
    def __init__(self, store: SQLiteStore) -> None:
        super().__init__()
        self._engine = async_engine(store)
        self._single = async_engine(store, **AUTOCOMMIT)

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": lambda id: self._row(READ, {"of": id}),
            "create": lambda row: self._row(CREATE, row),
            "update": lambda change: self._row(UPDATE, {"of": change[0], "to": change[1]}),
            "delete": lambda id: self._count(DELETE, {"of": id}),
            "list": lambda page: self._rows(LIST, {"after": page[0], "most": page[1]}),
            "transfer": self._transfer,
            "bulk_create": lambda rows: self._many(INSERT, rows),
            "upsert": lambda rows: self._many(UPSERT, rows),
            "bulk_update": self._bulk_update,
            "increment": lambda after: self._count(INCREMENT, {"after": after}),
            "bulk_delete": lambda after: self._count(DELETE_AFTER, {"after": after}),
            "delete_ids": self._delete_ids,
            "aggregate": lambda nothing: self._rows(BY_AGE, {}),
        }

    async def finish(self) -> None:
        await self._engine.dispose()
        await self._single.dispose()

    async def _row(self, statement: Any, given: Row) -> Row:
        async with self._single.connect() as connection:
            return dict((await connection.execute(statement, given)).mappings().one())

    async def _rows(self, statement: Any, given: Row) -> list[Row]:
        async with self._single.connect() as connection:
            return [dict(row) for row in (await connection.execute(statement, given)).mappings()]

    async def _count(self, statement: Any, given: Row) -> int:
        async with self._single.connect() as connection:
            return (await connection.execute(statement, given)).rowcount

    async def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row]:
        async with self._engine.begin() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            return [
                dict((await connection.execute(statement, given)).mappings().one())
                for statement, given in steps(accounts)
            ]

    async def _many(self, statement: Any, rows: Iterable[Row]) -> int:
        count = 0
        async with self._engine.begin() as connection:
            for some in chunks(rows, ROWS_AT_ONCE):
                count += (await connection.execute(statement, some)).rowcount
        return count

    async def _bulk_update(self, changes: Iterable[Row]) -> int:
        return await self._many(UPDATE_EACH, ({"of": one["id"], "to": one["balance"]} for one in changes))

    async def _delete_ids(self, ids: Iterable[int]) -> int:
        count = 0
        async with self._engine.begin() as connection:
            for some in chunks(ids, IDS_AT_ONCE):
                count += (await connection.execute(DELETE_IDS, {"ids": some})).rowcount
        return count


def steps(accounts: tuple[int, int, Row]) -> Iterable[tuple[Any, Row]]:
    """The five statements of a transfer."""
    first, second, row = accounts
    yield READ, {"of": first}
    yield READ, {"of": second}
    yield UPDATE, {"of": first, "to": 1.0}
    yield UPDATE, {"of": second, "to": 2.0}
    yield CREATE, row
