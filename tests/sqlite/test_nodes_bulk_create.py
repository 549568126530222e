"""Bulk creation as far as SQLite matters: its limits, and its own errors."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, DataFlowConfig, Field
from dataflow.abc import BatchInsert
from dataflow.errors import UniqueViolation
from dataflow.model.declare import declare
from dataflow.sql.compiler import compile_shape
from dataflow.sqlite.bulk.multi_values import insert_rows
from dataflow.sqlite.dialect import SQLiteDialect
from dataflow.statements import InsertMany
from dataflow.url import DatabaseURL

Query = Callable[..., list[tuple[Any, ...]]]


class Point:
    x: int
    __dataflow__: ClassVar = {"timestamps": False}


POINT = declare(Point, implied=True)
DIALECT = SQLiteDialect(DatabaseURL("sqlite"), DataFlowConfig("sqlite:///:memory:"))


def test_rows_wider_than_a_statement_has_variables_are_refused_by_none(db: DataFlow) -> None:
    """A batch of 50 rows with 1000 columns has more variables than SQLite binds at once (32766)."""
    names = [f"c{number}" for number in range(1000)]
    namespace: dict[str, Any] = {"__annotations__": dict.fromkeys(names, int), "__module__": __name__}
    db.model(type("Wide", (), namespace))
    data = [{name: number for name in names} for number in range(120)]
    output = db.run_sync(db.nodes.WideBulkCreateNode(data=data, return_rows=True))
    assert output["inserted"] == 120
    assert all({row[name] for name in names} == {number} for number, row in enumerate(output["result"]))


@pytest.mark.parametrize("limit", [2, 3, 4, 7, 100])
def test_no_statement_has_more_values_than_its_connection_binds(limit: int) -> None:
    compiled = compile_shape(DIALECT, InsertMany(POINT, ("id", "x"), []).shape)
    assert isinstance(compiled.batch, BatchInsert)
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("CREATE TABLE points (id INTEGER, x INTEGER)")
        raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, limit)
        rows = [(number, -number) for number in range(5)]
        assert insert_rows(raw, compiled.batch, rows) == 5
        assert raw.execute("SELECT * FROM points").fetchall() == rows


def test_the_error_of_the_driver_is_the_cause_and_shows_no_value(db: DataFlow) -> None:
    @db.model
    class User:
        name: str = Field(unique=True)

    with pytest.raises(UniqueViolation) as caught:
        db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "canary"}, {"name": "canary"}]))
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    assert "canary" not in f"{caught.value}{caught.value.__cause__}"


def test_thirty_thousand_rows_come_back_in_order(db: DataFlow) -> None:
    @db.model
    class Point:
        x: int
        y: str
        __dataflow__: ClassVar = {"timestamps": False}

    data = [{"x": x, "y": str(-x)} for x in range(30_000)]
    output = db.run_sync(db.nodes.PointBulkCreateNode(data=data, return_rows=True))
    assert output["inserted"] == 30_000
    assert [row["x"] for row in output["result"]] == list(range(30_000))
    assert [row["id"] for row in output["result"]] == list(range(1, 30_001))
    total = db.run_sync(db.nodes.SQLNode(sql="SELECT sum(x) AS x, count(DISTINCT y) AS y FROM points"))
    assert total["records"] == [{"x": sum(range(30_000)), "y": 30_000}]


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("listed", [True, False])
def test_a_default_that_only_the_table_knows_is_left_to_the_table(
    file: Path, query: Query, existing: bool, listed: bool
) -> None:
    query(
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT DEFAULT 'made', extra TEXT)"
    )
    with DataFlow(f"sqlite:///{file}", existing_schema_mode=existing) as db:

        @db.model
        class User:
            id: int
            name: str
            note: str | None
            extra: str | None
            __dataflow__: ClassVar = {"timestamps": False}

        data: list[dict[str, object]] = [
            {"name": "a"},
            {"name": "b", "note": None},
            {"name": "c", "extra": "x"},
            {"name": "d", "note": "own", "extra": "y"},
            {"name": "e"},
        ]
        db.run_sync(db.nodes.UserBulkCreateNode(data=data if listed else iter(data)))
    assert query("SELECT name, note, extra FROM users ORDER BY id") == [
        ("a", "made", None),
        ("b", None, None),
        ("c", "made", "x"),
        ("d", "own", "y"),
        ("e", "made", None),
    ]
