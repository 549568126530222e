"""SQLAlchemy ORM: a session for each operation, its statements to update and delete, entities to dicts.

Bulk work is what its guide calls ORM-enabled bulk insert, and bulk update by primary key.
"""

# pyright: reportMissingImports=false

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from benchmarks.contestants.contract import InThread, OnLoop, Operation, chunks
from benchmarks.contestants.sqlalchemy_core import IDS_AT_ONCE, ROWS_AT_ONCE, now
from benchmarks.contestants.sqlalchemy_engines import (
    KEY,
    Document,
    Moment,
    async_engine,
    begun,
    sync_engine,
    upsert,
)
from benchmarks.subject import Row

__all__ = ["ORM", "AsyncORM"]


class Base(DeclarativeBase):
    type_annotation_map = {datetime: Moment, int: KEY, dict[str, Any]: Document}  # noqa: RUF012


class Account(Base):
    __tablename__ = "accounts"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)
    age: Mapped[int]
    balance: Mapped[float]
    active: Mapped[bool]
    meta: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    def as_dict(self) -> Row:
        return {
            "id": self.id,
            "name": self.name,
            "email": self.email,
            "age": self.age,
            "balance": self.balance,
            "active": self.active,
            "meta": self.meta,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
        }


BY_AGE = (
    select(Account.age, func.count().label("n"), func.sum(Account.balance).label("total"))
    .group_by(Account.age)
    .order_by(Account.age)
)
WITHOUT_SYNCHRONIZING = {"synchronize_session": False}


def changed(id: int, balance: float) -> Any:
    return update(Account).where(Account.id == id).values(balance=balance)


def page_of(after: int, most: int) -> Any:
    return select(Account).where(Account.id > after).order_by(Account.id).limit(most)


def incremented(after: int) -> Any:
    return update(Account).where(Account.id > after).values(age=Account.age + 1)


class ORM(InThread):
    def __init__(self, store: Any) -> None:
        self._engine = sync_engine(store)
        self._session = sessionmaker(self._engine, expire_on_commit=False)
        self._upsert = upsert(store, Account)

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": self._read,
            "create": self._create,
            "update": self._update,
            "delete": lambda id: self._changed(delete(Account).where(Account.id == id)),
            "list": self._list,
            "transfer": self._transfer,
            "bulk_create": lambda rows: self._many(insert(Account), rows),
            "upsert": lambda rows: self._many(self._upsert, rows),
            "bulk_update": lambda changes: self._many(update(Account), changes),
            "increment": lambda after: self._changed(incremented(after)),
            "bulk_delete": lambda after: self._changed(delete(Account).where(Account.id > after)),
            "delete_ids": self._delete_ids,
            "aggregate": self._aggregate,
        }

    def close(self) -> None:
        self._engine.dispose()

    def _read(self, id: int) -> Row | None:
        with self._session() as session:
            found = session.get(Account, id)
            return found and found.as_dict()

    def _create(self, row: Row) -> Row:
        with self._session.begin() as session:
            account = Account(**row)
            session.add(account)
        return account.as_dict()

    def _update(self, change: tuple[int, float]) -> Row:
        with self._session.begin() as session:
            statement = changed(*change).returning(Account)
            account: Account = session.scalars(statement, execution_options=WITHOUT_SYNCHRONIZING).one()
            return account.as_dict()

    def _list(self, page: tuple[int, int]) -> list[Row]:
        with self._session() as session:
            return [account.as_dict() for account in session.scalars(page_of(*page))]

    def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row]:
        first, second, row = accounts
        with self._session.begin() as session:
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            one, other = session.get_one(Account, first), session.get_one(Account, second)
            before = [one.as_dict(), other.as_dict()]
            one.balance, other.balance = 1.0, 2.0
            new = Account(**row)
            session.add(new)
            session.flush()
            return [*before, one.as_dict(), other.as_dict(), new.as_dict()]

    def _changed(self, statement: Any) -> int:
        with self._session.begin() as session:
            result: Any = session.execute(statement, execution_options=WITHOUT_SYNCHRONIZING)
            return int(result.rowcount)

    def _many(self, statement: Any, rows: Iterable[Row]) -> int:
        count = 0
        with self._session.begin() as session:
            for some in chunks(rows, ROWS_AT_ONCE):
                session.execute(statement, some)
                count += len(some)
        return count

    def _delete_ids(self, ids: Iterable[int]) -> int:
        count = 0
        with self._session.begin() as session:
            for some in chunks(ids, IDS_AT_ONCE):
                statement = delete(Account).where(Account.id.in_(some))
                result: Any = session.execute(statement, execution_options=WITHOUT_SYNCHRONIZING)
                count += result.rowcount
        return count

    def _aggregate(self, nothing: None) -> list[Row]:
        with self._session() as session:
            return [dict(row) for row in session.execute(BY_AGE).mappings()]


class AsyncORM(OnLoop):
    def __init__(self, store: Any) -> None:
        super().__init__()
        self._engine = async_engine(store)
        self._session = async_sessionmaker(self._engine, expire_on_commit=False)
        self._upsert = upsert(store, Account)
        self._begin = begun(store)

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": self._read,
            "create": self._create,
            "update": self._update,
            "delete": lambda id: self._changed(delete(Account).where(Account.id == id)),
            "list": self._list,
            "transfer": self._transfer,
            "bulk_create": lambda rows: self._many(insert(Account), rows),
            "upsert": lambda rows: self._many(self._upsert, rows),
            "bulk_update": lambda changes: self._many(update(Account), changes),
            "increment": lambda after: self._changed(incremented(after)),
            "bulk_delete": lambda after: self._changed(delete(Account).where(Account.id > after)),
            "delete_ids": self._delete_ids,
            "aggregate": self._aggregate,
        }

    async def finish(self) -> None:
        await self._engine.dispose()

    async def _read(self, id: int) -> Row | None:
        async with self._session() as session:
            found = await session.get(Account, id)
            return found and found.as_dict()

    async def _create(self, row: Row) -> Row:
        async with self._session.begin() as session:
            account = Account(**row)
            session.add(account)
        return account.as_dict()

    async def _update(self, change: tuple[int, float]) -> Row:
        async with self._session.begin() as session:
            statement = changed(*change)
            if self._engine.dialect.update_returning:
                found = await session.scalars(
                    statement.returning(Account), execution_options=WITHOUT_SYNCHRONIZING
                )
                account: Account = found.one()
            else:
                await session.execute(statement, execution_options=WITHOUT_SYNCHRONIZING)
                account = await session.get_one(Account, change[0])
            return account.as_dict()

    async def _list(self, page: tuple[int, int]) -> list[Row]:
        async with self._session() as session:
            return [account.as_dict() for account in await session.scalars(page_of(*page))]

    async def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row]:
        first, second, row = accounts
        async with self._session.begin() as session:
            if self._begin:
                await (await session.connection()).exec_driver_sql(self._begin)
            one, other = await session.get_one(Account, first), await session.get_one(Account, second)
            before = [one.as_dict(), other.as_dict()]
            one.balance, other.balance = 1.0, 2.0
            new = Account(**row)
            session.add(new)
            await session.flush()
            return [*before, one.as_dict(), other.as_dict(), new.as_dict()]

    async def _changed(self, statement: Any) -> int:
        async with self._session.begin() as session:
            result: Any = await session.execute(statement, execution_options=WITHOUT_SYNCHRONIZING)
            return int(result.rowcount)

    async def _many(self, statement: Any, rows: Iterable[Row]) -> int:
        count = 0
        async with self._session.begin() as session:
            for some in chunks(rows, ROWS_AT_ONCE):
                await session.execute(statement, some)
                count += len(some)
        return count

    async def _delete_ids(self, ids: Iterable[int]) -> int:
        count = 0
        async with self._session.begin() as session:
            for some in chunks(ids, IDS_AT_ONCE):
                statement = delete(Account).where(Account.id.in_(some))
                result: Any = await session.execute(statement, execution_options=WITHOUT_SYNCHRONIZING)
                count += result.rowcount
        return count

    async def _aggregate(self, nothing: None) -> list[Row]:
        async with self._session() as session:
            return [dict(row) for row in (await session.execute(BY_AGE)).mappings()]
