"""What of updates belongs to SQLite alone: infinities, its plans, and columns that others made."""

import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import OutOfRange, QueryError
from dataflow.execution.stepping import step
from dataflow.statements import Change, UpdateMany
from dataflow.types import DECIMAL_DIGITS


@pytest.mark.parametrize(
    ("value", "operator", "operand", "expected"),
    [
        (math.inf, "$inc", -1e308, math.inf),
        (1.0, "$inc", -math.inf, -math.inf),
        (-math.inf, "$mul", -2.0, math.inf),
        (math.inf, "$inc", -math.inf, None),
        (math.inf, "$mul", 0.0, None),
        (None, "$mul", math.inf, None),
        (1e308, "$mul", 10.0, None),
        (math.inf, "$min", 5.0, 5.0),
    ],
)
def test_what_is_infinite_may_stay_so_but_nothing_becomes_no_number(
    db: DataFlow, value: float | None, operator: str, operand: float, expected: float | None
) -> None:
    @db.model
    class Reading:
        value: float | None

    db.run_sync(db.nodes.ReadingCreateNode(value=value))
    update = db.nodes.ReadingUpdateNode(id=1, updates={operator: {"value": operand}})
    if expected is None:
        with pytest.raises(OutOfRange):
            db.run_sync(update)
        expected = value
    else:
        db.run_sync(update)
    assert db.run_sync(db.nodes.ReadingReadNode(id=1))["value"] == expected


def test_a_product_with_more_digits_than_any_column_holds_is_out_of_range(db: DataFlow) -> None:
    @db.model
    class Reading:
        value: Decimal

    before, after = DECIMAL_DIGITS
    widest = Decimal(f"{'9' * before}.{'9' * after}")
    db.run_sync(db.nodes.ReadingCreateNode(value=widest))
    with pytest.raises(OutOfRange):
        db.run_sync(db.nodes.ReadingUpdateNode(id=1, updates={"$mul": {"value": widest}}))
    assert db.run_sync(db.nodes.ReadingReadNode(id=1))["value"] == widest


def test_what_is_the_same_for_all_rows_of_a_list_is_stored_as_it_is_everywhere(db: DataFlow) -> None:
    @db.model
    class Item:
        number: int

    db.run_sync(db.nodes.ItemCreateNode(number=1))
    db.run_sync(db.nodes.ItemBulkUpdateNode(data=[{"id": 1, "number": 2}]))
    [row] = db.run_sync(db.nodes.SQLNode(sql="SELECT number, created_at, updated_at FROM items"))["records"]
    assert row["number"] == 2
    assert len(row["updated_at"]) == len(row["created_at"]) == len("2024-01-02 03:04:05.000006")


def test_the_rows_of_a_list_are_found_by_their_key(db: DataFlow) -> None:
    @db.model
    class Item:
        number: int

    database = db.databases()["primary"]
    db.run_sync(db.nodes.ItemCreateNode(number=1))
    model = Item.__dataflow_model__  # type: ignore[attr-defined]
    statement = UpdateMany(model, ("id",), ("number",), [], (Change("updated_at"),))
    batch = database.executor.compiled(statement.shape).update
    assert batch is not None
    text = f"EXPLAIN QUERY PLAN {batch.head}{batch.row}{batch.tail}"
    connection = step(database.borrow("the test", writes=False, blocking=True))
    plan = step(connection.fetch(text, [None, 1, 2]))
    database.give_back(connection, writes=False)
    assert any("SEARCH items USING INTEGER PRIMARY KEY" in row[-1] for row in plan)


def test_decimals_in_a_column_of_numbers_are_calculated_as_they_are_read(
    file: Path, query: Callable[..., list[tuple[Any, ...]]]
) -> None:
    query("CREATE TABLE prices (id INTEGER PRIMARY KEY, amount NUMERIC)")
    query("INSERT INTO prices VALUES (1, 0.1), (2, 3)")
    with DataFlow(f"sqlite:///{file}", existing_schema_mode=True) as db:

        @db.model
        class Price:
            id: int
            amount: Decimal
            __dataflow__: ClassVar = {"timestamps": False}

        db.run_sync(
            db.nodes.PriceBulkUpdateNode(
                filter={}, confirmed=True, update={"$inc": {"amount": Decimal("0.2")}}
            )
        )
        records = db.run_sync(db.nodes.PriceListNode(order_by=["id"]))["records"]
        assert [record["amount"] for record in records] == [Decimal("0.3"), Decimal("3.2")]
        query("UPDATE prices SET amount = 'canary' WHERE id = 1")
        with pytest.raises(QueryError) as caught:
            db.run_sync(db.nodes.PriceUpdateNode(id=1, updates={"$inc": {"amount": 1}}))
        assert "canary" not in str(caught.value)


def test_a_result_that_does_not_fit_undoes_the_run(db: DataFlow) -> None:
    @db.model
    class Item:
        number: int

    db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"number": 1}, {"number": 2**63 - 1}]))
    workflow = WorkflowBuilder(db)
    workflow.add_node("ItemCreateNode", "new", {"number": 5})
    workflow.add_node(
        "ItemBulkUpdateNode", "all", {"filter": {}, "confirmed": True, "update": {"$inc": {"number": 1}}}
    )
    with pytest.raises(Exception, match="OutOfRange"):
        LocalRuntime().execute(workflow.build())
    records = db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]
    assert [record["number"] for record in records] == [1, 2**63 - 1]
