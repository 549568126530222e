"""Aggregations on SQLite: the SQL that stages become, and that SQLite works on it as on SQL by hand."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from decimal import ROUND_HALF_UP, Decimal, localcontext
from math import inf
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, DataFlowConfig
from dataflow.errors import OutOfRange
from dataflow.filters.pipelines import read_pipeline
from dataflow.model.declare import declare
from dataflow.sql.compiler import compile_shape
from dataflow.sqlite.aggregates import DecimalAverage, DecimalSum
from dataflow.sqlite.dialect import SQLiteDialect
from dataflow.statements import EVERYTHING, Aggregate, compare
from dataflow.url import DatabaseURL


class Item:
    product: int
    quantity: int
    price: Decimal | None
    __dataflow__: ClassVar = {"timestamps": False}


MODEL = declare(Item, implied=True)
DIALECT = SQLiteDialect(DatabaseURL("sqlite"), DataFlowConfig("sqlite:///:memory:"))
SOLD = {"$group": {"_id": "$product", "sold": {"$sum": "$quantity"}}}


def sql_of(*stages: Mapping[str, Any]) -> str:
    statement = Aggregate(MODEL, compare("price", "$gt", Decimal(1)), read_pipeline(MODEL, stages, "here"))
    return compile_shape(DIALECT, statement.shape).sql


def test_stages_that_fit_into_one_select_are_one_select() -> None:
    assert sql_of(
        {"$sort": {"price": 1}},
        {"$match": {"quantity": {"$lt": 9}}},
        {"$project": {"p": "$product", "q": "$quantity"}},
        {"$group": {"_id": "$p", "sold": {"$sum": "$q"}, "n": {"$sum": 1}}},
        {"$sort": {"sold": -1}},
        {"$skip": 5},
        {"$limit": 10},
        {"$project": {"n": 1}},
    ) == (
        'SELECT "items"."product", COUNT(*) FROM "items" '
        'WHERE DATAFLOW_DECIMAL("items"."price") > DATAFLOW_DECIMAL(?) AND "items"."quantity" < ? '
        'GROUP BY "items"."product" '
        'ORDER BY COALESCE(SUM("items"."quantity"), 0) DESC, "items"."product" ASC LIMIT ? OFFSET ?'
    )


def test_a_stage_that_comes_too_late_for_its_select_reads_from_it() -> None:
    assert sql_of(SOLD, {"$sort": {"_id": 1}}, {"$match": {"sold": {"$gt": 5}}}) == (
        'WITH "q1" AS (SELECT "items"."product" AS "c0", COALESCE(SUM("items"."quantity"), 0) AS "c1" FROM "items" '
        'WHERE DATAFLOW_DECIMAL("items"."price") > DATAFLOW_DECIMAL(?) GROUP BY "items"."product") '
        'SELECT "q1"."c0", "q1"."c1" FROM "q1" WHERE "q1"."c1" > ? ORDER BY "q1"."c0" ASC'
    )


def test_an_order_ends_where_documents_are_grouped() -> None:
    assert sql_of({"$sort": {"price": 1}}, SOLD).endswith('GROUP BY "items"."product"')


def test_a_query_never_has_the_name_of_the_table(db: DataFlow) -> None:
    @db.model
    class Odd:
        n: int
        __dataflow__: ClassVar = {"table": "Q1", "timestamps": False}

    db.run_sync(db.nodes.OddBulkCreateNode(data=[{"n": n} for n in range(5)]))
    stages = [{"$limit": 4}, {"$match": {"n": {"$gt": 0}}}, {"$limit": 2}, {"$count": "n"}]
    assert db.run_sync(db.nodes.OddListNode(aggregate=stages))["result"] == [{"n": 2}]


def test_the_same_pipeline_with_other_values_is_compiled_once(db: DataFlow) -> None:
    db.model(Item)
    compiled = db.databases()["primary"].executor.compiled
    for number in (1, 2, 3):
        stages = [{"$match": {"quantity": number}}, SOLD, {"$limit": number}]
        db.run_sync(db.nodes.ItemListNode(aggregate=stages))
    assert compiled.cache_info().misses == 1
    db.run_sync(db.nodes.ItemListNode(aggregate=[{"$match": {"quantity": 1}}, SOLD, {"$skip": 1}]))
    assert compiled.cache_info().misses == 2


def test_sqlite_works_on_groups_as_it_does_for_sql_by_hand(file: Path) -> None:
    with DataFlow(f"sqlite:///{file}") as db:
        db.model(Item)
        data = [{"product": number % 7, "quantity": number, "price": None} for number in range(50)]
        db.run_sync(db.nodes.ItemBulkCreateNode(data=data))
        ten = [SOLD, {"$sort": {"sold": -1}}, {"$limit": 10}]
        ours = db.run_sync(db.nodes.ItemListNode(aggregate=ten))["result"]
    order = "ORDER BY sold DESC, product LIMIT ?"
    by_hand = f"SELECT product, SUM(quantity) AS sold FROM items GROUP BY product {order}"
    shape = Aggregate(MODEL, EVERYTHING, read_pipeline(MODEL, ten, "here")).shape
    with closing(sqlite3.connect(file)) as raw:
        assert [tuple(row.values()) for row in ours] == raw.execute(by_hand, (10,)).fetchall()
        assert _plan(raw, compile_shape(DIALECT, shape).sql) == _plan(raw, by_hand)


def _plan(raw: sqlite3.Connection, sql: str) -> list[str]:
    return [detail for *_, detail in raw.execute(f"EXPLAIN QUERY PLAN {sql}", (10,))]


def test_a_sum_of_an_existing_column_beyond_64_bits_has_its_own_error(db: DataFlow) -> None:
    with pytest.raises(OutOfRange, match="does not fit its type"):
        db.run_sync(
            db.nodes.SQLNode(sql="SELECT SUM(n) FROM (SELECT 9223372036854775807 AS n UNION ALL SELECT 1)")
        )


def test_a_sum_that_is_no_number_is_null_as_sqlite_has_no_nan(db: DataFlow) -> None:
    @db.model
    class Reading:
        value: float | None

    db.run_sync(db.nodes.ReadingBulkCreateNode(data=[{"value": inf}, {"value": -inf}]))
    group = {"$group": {"_id": None, "sum": {"$sum": "$value"}, "avg": {"$avg": "$value"}}}
    assert db.run_sync(db.nodes.ReadingListNode(aggregate=[group, {"$match": {"sum": None}}]))["result"] == [
        {"_id": None, "sum": None, "avg": None}
    ]


def test_decimals_that_somebody_else_stored_as_numbers_are_added_up(file: Path) -> None:
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute(
            "CREATE TABLE items (id INTEGER PRIMARY KEY, product INT NOT NULL, quantity INT NOT NULL, price NUMERIC)"
        )
        raw.execute(
            "INSERT INTO items VALUES (1, 1, 1, 0.1), (2, 1, 1, 0.2), (3, 1, 1, '1.10'), (4, 1, 1, 2)"
        )
    with DataFlow(f"sqlite:///{file}") as db:
        db.model(Item)
        group = {"_id": None, **{name: {f"${name}": "$price"} for name in ("sum", "min", "max")}}
        assert db.run_sync(db.nodes.ItemListNode(aggregate=[{"$group": group}]))["result"] == [
            {"_id": None, "sum": Decimal("3.4"), "min": Decimal("0.1"), "max": Decimal(2)}
        ]


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=6), min_size=1))
def test_the_sum_and_the_average_of_decimals_are_exact(numbers: list[Decimal]) -> None:
    total, average = DecimalSum(), DecimalAverage()
    for number in numbers:
        total.step(str(number))
        average.step(str(number), 3)
    with localcontext(prec=500):
        exact = sum(numbers, Decimal(0))
        mean = (exact / len(numbers)).quantize(Decimal("0.001"), ROUND_HALF_UP)
    assert Decimal(total.finalize() or "") == exact
    assert Decimal(average.finalize() or "") == mean
