"""SQLAlchemy Core: statements built once and kept, inserts and updates of lists of dicts, ``RETURNING`` for the row.

Single statements run in autocommit on an engine for that, as SQLAlchemy advises where there is nothing to roll back.
Where a database does not return the row, it is read in the same transaction.
"""

# pyright: reportMissingImports=false

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from benchmarks.contestants.contract import InThread, OnLoop, Operation, chunks
from benchmarks.contestants.sqlalchemy_engines import (
    AUTOCOMMIT,
    KEY,
    Document,
    Moment,
    async_engine,
    begun,
    sync_engine,
    upsert,
)
from benchmarks.subject import Row

__all__ = ["IDS_AT_ONCE", "ROWS_AT_ONCE", "AsyncCore", "Core", "now"]

ROWS_AT_ONCE = 5_000
IDS_AT_ONCE = 30_000


def now() -> datetime:
    return datetime.now(UTC)


accounts = Table(
    "accounts",
    MetaData(),
    Column("id", KEY, primary_key=True),
    Column("name", String, nullable=False),
    Column("email", String, nullable=False, unique=True),
    Column("age", KEY, nullable=False),
    Column("balance", Double, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("meta", Document, nullable=False),
    Column("created_at", Moment, nullable=False, default=now),
    Column("updated_at", Moment, nullable=False, default=now, onupdate=now),
)
columns = accounts.c

READ = select(accounts).where(columns.id == bindparam("of"))
INSERT = insert(accounts)
CREATE = INSERT.returning(accounts)
CHANGE = update(accounts).where(columns.id == bindparam("of")).values(balance=bindparam("to"))
UPDATE = CHANGE.returning(accounts)
DELETE = delete(accounts).where(columns.id == bindparam("of"))
LIST = select(accounts).where(columns.id > bindparam("after")).order_by(columns.id).limit(bindparam("most"))
INCREMENT = update(accounts).where(columns.id > bindparam("after")).values(age=columns.age + 1)
DELETE_AFTER = delete(accounts).where(columns.id > bindparam("after"))
DELETE_IDS = delete(accounts).where(columns.id.in_(bindparam("ids", expanding=True)))
BY_AGE = (
    select(columns.age, func.count().label("n"), func.sum(columns.balance).label("total"))
    .group_by(columns.age)
    .order_by(columns.age)
)


class Core(InThread):
    def __init__(self, store: Any) -> None:
        self._engine = sync_engine(store)
        self._single = sync_engine(store, **AUTOCOMMIT)
        self._upsert = upsert(store, accounts)

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": lambda id: self._row(READ, {"of": id}),
            "create": lambda row: self._row(CREATE, row),
            "update": lambda change: self._row(UPDATE, {"of": change[0], "to": change[1]}),
            "delete": lambda id: self._count(DELETE, {"of": id}),
            "list": lambda page: self._rows(LIST, {"after": page[0], "most": page[1]}),
            "transfer": self._transfer,
            "bulk_create": lambda rows: self._many(INSERT, rows),
            "upsert": lambda rows: self._many(self._upsert, rows),
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
        return self._many(CHANGE, ({"of": one["id"], "to": one["balance"]} for one in changes))

    def _delete_ids(self, ids: Iterable[int]) -> int:
        with self._engine.begin() as connection:
            return sum(
                connection.execute(DELETE_IDS, {"ids": some}).rowcount for some in chunks(ids, IDS_AT_ONCE)
            )


class AsyncCore(OnLoop):
    def __init__(self, store: Any) -> None:
        super().__init__()
        self._engine = async_engine(store)
        self._single = async_engine(store, **AUTOCOMMIT)
        self._upsert = upsert(store, accounts)
        self._begin = begun(store)
        self._runner.run(self._look())

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": lambda id: self._row(READ, {"of": id}),
            "create": self._create,
            "update": self._update,
            "delete": lambda id: self._count(DELETE, {"of": id}),
            "list": lambda page: self._rows(LIST, {"after": page[0], "most": page[1]}),
            "transfer": self._transfer,
            "bulk_create": lambda rows: self._many(INSERT, rows),
            "upsert": lambda rows: self._many(self._upsert, rows),
            "bulk_update": self._bulk_update,
            "increment": lambda after: self._count(INCREMENT, {"after": after}),
            "bulk_delete": lambda after: self._count(DELETE_AFTER, {"after": after}),
            "delete_ids": self._delete_ids,
            "aggregate": lambda nothing: self._rows(BY_AGE, {}),
        }

    async def finish(self) -> None:
        await self._engine.dispose()
        await self._single.dispose()

    async def _look(self) -> None:
        """See what the server can do."""
        async with self._single.connect() as connection:
            dialect = connection.dialect
        self._inserts_return, self._updates_return = dialect.insert_returning, dialect.update_returning
        self._inserting = self._single.connect if self._inserts_return else self._engine.begin
        self._updating = self._single.connect if self._updates_return else self._engine.begin

    async def _row(self, statement: Any, given: Row) -> Row:
        async with self._single.connect() as connection:
            return await _one(connection, statement, given)

    async def _rows(self, statement: Any, given: Row) -> list[Row]:
        async with self._single.connect() as connection:
            return [dict(row) for row in (await connection.execute(statement, given)).mappings()]

    async def _count(self, statement: Any, given: Row) -> int:
        async with self._single.connect() as connection:
            return (await connection.execute(statement, given)).rowcount

    async def _create(self, row: Row) -> Row:
        async with self._inserting() as connection:
            return await self._created(connection, row)

    async def _update(self, change: tuple[int, float]) -> Row:
        async with self._updating() as connection:
            return await self._updated(connection, *change)

    async def _created(self, connection: Any, row: Row) -> Row:
        if self._inserts_return:
            return await _one(connection, CREATE, row)
        (id,) = (await connection.execute(INSERT, row)).inserted_primary_key
        return await _one(connection, READ, {"of": id})

    async def _updated(self, connection: Any, id: int, balance: float) -> Row:
        if self._updates_return:
            return await _one(connection, UPDATE, {"of": id, "to": balance})
        await connection.execute(CHANGE, {"of": id, "to": balance})
        return await _one(connection, READ, {"of": id})

    async def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row]:
        first, second, row = accounts
        async with self._engine.begin() as connection:
            if self._begin:
                await connection.exec_driver_sql(self._begin)
            return [
                await _one(connection, READ, {"of": first}),
                await _one(connection, READ, {"of": second}),
                await self._updated(connection, first, 1.0),
                await self._updated(connection, second, 2.0),
                await self._created(connection, row),
            ]

    async def _many(self, statement: Any, rows: Iterable[Row]) -> int:
        count = 0
        async with self._engine.begin() as connection:
            for some in chunks(rows, ROWS_AT_ONCE):
                await connection.execute(statement, some)
                count += len(some)
        return count

    async def _bulk_update(self, changes: Iterable[Row]) -> int:
        return await self._many(CHANGE, ({"of": one["id"], "to": one["balance"]} for one in changes))

    async def _delete_ids(self, ids: Iterable[int]) -> int:
        count = 0
        async with self._engine.begin() as connection:
            for some in chunks(ids, IDS_AT_ONCE):
                count += (await connection.execute(DELETE_IDS, {"ids": some})).rowcount
        return count


async def _one(connection: Any, statement: Any, given: Row) -> Row:
    return dict((await connection.execute(statement, given)).mappings().one())


def steps(accounts: tuple[int, int, Row]) -> Iterable[tuple[Any, Row]]:
    """The five statements of a transfer."""
    first, second, row = accounts
    yield READ, {"of": first}
    yield READ, {"of": second}
    yield UPDATE, {"of": first, "to": 1.0}
    yield UPDATE, {"of": second, "to": 2.0}
    yield CREATE, row
