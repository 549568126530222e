"""SQLAlchemy ORM as it is often used: an entity for each row, a statement for each entity, in one transaction."""

# pyright: reportMissingImports=false

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select

from benchmarks.contestants.contract import Operation
from benchmarks.contestants.sqlalchemy_orm import Account, AsyncORM
from benchmarks.subject import Row

__all__ = ["EachORM"]


class EachORM(AsyncORM):
    def operations(self) -> Mapping[str, Operation]:
        return {
            "bulk_create": self._create_each,
            "upsert": self._upsert_each,
            "bulk_update": self._update_each,
            "delete_ids": self._delete_each,
        }

    async def _create_each(self, rows: Iterable[Row]) -> int:
        count = 0
        async with self._session.begin() as session:
            for row in rows:
                session.add(Account(**row))
                await session.flush()
                count += 1
        return count

    async def _upsert_each(self, rows: Iterable[Row]) -> int:
        count = 0
        async with self._session.begin() as session:
            for row in rows:
                found = await session.scalar(select(Account).where(Account.email == row["email"]))
                if found is None:
                    session.add(Account(**row))
                else:
                    _set(found, row)
                await session.flush()
                count += 1
        return count

    async def _update_each(self, changes: Iterable[Row]) -> int:
        count = 0
        async with self._session.begin() as session:
            for change in changes:
                _set(await session.get_one(Account, change["id"]), change)
                await session.flush()
                count += 1
        return count

    async def _delete_each(self, ids: Iterable[int]) -> int:
        count = 0
        async with self._session.begin() as session:
            for id in ids:
                await session.delete(await session.get_one(Account, id))
                await session.flush()
                count += 1
        return count


def _set(account: Any, row: Row) -> None:
    for name, value in row.items():
        setattr(account, name, value)
