"""The SQL of the query builder, sent as it is, finds what the List node finds."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest

from dataflow import DataFlow, create_query_builder
from dataflow.query_builder import QueryBuilder

__all__ = ["QueryBuilderTests"]

ROWS: Sequence[Mapping[str, Any]] = [
    {
        "name": "Ann",
        "age": 30,
        "rate": 1.5,
        "price": Decimal("9.50"),
        "active": True,
        "born": date(1990, 1, 1),
        "seen_at": datetime(2024, 1, 1, tzinfo=UTC),
        "key": UUID(int=1),
        "home": {"zip": 7},
    },
    {
        "name": "Änn",
        "age": 17,
        "rate": 2.5,
        "price": Decimal(-1),
        "active": False,
        "born": date(2007, 2, 3),
        "seen_at": datetime(2024, 1, 2, tzinfo=UTC),
        "key": UUID(int=2),
        "home": {"zip": "7"},
    },
    {
        "name": '100% "_\\',
        "age": 40,
        "rate": -0.5,
        "price": Decimal("0.1"),
        "active": False,
        "born": date.max,
        "seen_at": datetime(1970, 1, 1, tzinfo=UTC),
        "key": UUID(int=3),
        "home": {"tags": ["a", 1]},
    },
    {"name": "ann"},
]

CONDITIONS: Sequence[tuple[str, str, Any]] = [
    ("age", "$eq", 30),
    ("age", "$eq", None),
    ("age", "$ne", 30),
    ("age", "$gt", 17),
    ("age", "$gte", 17),
    ("age", "$lt", 40),
    ("age", "$lte", 30),
    ("age", "$in", [17, None]),
    ("age", "$nin", [17, 40]),
    ("age", "$in", []),
    ("age", "$between", [17, 30]),
    ("age", "$exists", True),
    ("age", "$exists", False),
    ("rate", "$gte", 1.5),
    ("price", "$lt", Decimal("0.2")),
    ("active", "$eq", False),
    ("born", "$gt", date(2000, 1, 1)),
    ("seen_at", "$lte", datetime(2024, 1, 1, tzinfo=UTC)),
    ("key", "$in", [UUID(int=1), UUID(int=3)]),
    ("name", "$eq", '100% "_\\'),
    ("name", "$gt", "a"),
    ("name", "$like", "_nn"),
    ("name", "$like", "100\\%%"),
    ("name", "$ilike", "ANN"),
    ("name", "$contains", '% "'),
    ("name", "$regex", "^[Aa]n+$"),
    ("home.zip", "$eq", 7),
    ("home.zip", "$eq", "7"),
    ("home.zip", "$exists", False),
    ("home.tags", "$contains", "a"),
    ("home.tags.1", "$gte", 1),
]


class QueryBuilderTests:
    """``create_query_builder`` speaks this dialect."""

    @pytest.mark.parametrize("condition", CONDITIONS, ids=range(len(CONDITIONS)))
    def test_built_sql_finds_what_the_list_node_finds(
        self, db: DataFlow, condition: tuple[str, str, Any]
    ) -> None:
        people(db)
        field, operator, value = condition
        filter = {field: {operator: value}}
        expected = [row["name"] for row in db.run_sync(db.nodes.PersonListNode(filter=filter))["records"]]
        builder = QueryBuilder(db.databases()["primary"].dialect).table("people")
        sql, parameters = builder.where(field, operator, value).build_select(["name"])
        assert sorted(name for (name,) in fetched(db, sql, parameters)) == sorted(expected)

    def test_a_builder_is_made_by_the_name_that_begins_urls(self, db: DataFlow, url: str) -> None:
        people(db)
        builder = create_query_builder(url.partition(":")[0]).table("people")
        builder.where("age", "$in", [17, 30]).where("price", "$gt", 0).where("name", "$like", "%n")
        sql, parameters = builder.build_select(["name", "age"])
        assert fetched(db, sql, parameters) == [("Ann", 30)]


def people(db: DataFlow) -> None:
    @db.model
    class Person:
        name: str
        age: int | None
        rate: float | None
        price: Decimal | None
        active: bool | None
        born: date | None
        seen_at: datetime | None
        key: UUID | None
        home: dict[str, Any] | None
        __dataflow__: ClassVar = {"timestamps": False, "table": "people"}

    db.run_sync(db.nodes.PersonBulkCreateNode(data=ROWS))


def fetched(db: DataFlow, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement as the driver brings them."""
    database = db.databases()["primary"]

    async def main() -> list[tuple[Any, ...]]:
        connection = await database.borrow("a test of the query builder", writes=False, blocking=False)
        try:
            return [tuple(row) for row in await connection.fetch(sql, parameters)]
        finally:
            if not database.give_back(connection, writes=False):
                await database.discard(connection)

    return asyncio.run(main())
