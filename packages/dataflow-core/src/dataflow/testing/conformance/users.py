"""Users, whom the tests of the BulkCreateNode make many of."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from dataflow import DataFlow, Field

__all__ = ["UserTests", "awaited", "names", "numbered", "rows"]


def rows(db: DataFlow, *fields: str) -> list[tuple[Any, ...]]:
    records = db.run_sync(db.nodes.UserListNode(order_by=["id"], fields=list(fields)))["records"]
    return [tuple(record.values()) for record in records]


def names(db: DataFlow) -> list[str]:
    return [name for (name,) in rows(db, "name")]


def numbered(count: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Rows from a generator."""
    for number in range(first, first + count):
        yield {"name": str(number)}


async def awaited(data: Iterable[Mapping[str, Any]]) -> AsyncIterator[Mapping[str, Any]]:
    """Rows that have to be waited for."""
    from asyncio import sleep

    for row in data:
        await sleep(0)
        yield row


class UserTests:
    """Tests of databases with a model of users."""

    @pytest.fixture
    def users(self, db: DataFlow) -> DataFlow:
        """A database with a model of users."""

        @db.model
        class User:
            name: str
            age: int | None
            role: str = "guest"
            token: UUID = Field(default_factory=uuid4)
            __dataflow__: ClassVar = {"timestamps": False}

        return db

    @pytest.fixture
    def unique(self, db: DataFlow) -> DataFlow:
        """A database whose users have names of their own."""

        @db.model
        class User:
            name: str = Field(unique=True)

        return db
