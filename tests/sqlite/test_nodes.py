"""What the nodes do with SQLite's own: generated columns, tables without a key, plans of queries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from dataflow import DataFlow, Index, WorkflowBuilder

Query = Callable[..., list[tuple[Any, ...]]]


def test_the_output_comes_from_the_database_and_is_no_echo(file: Path, query: Query) -> None:
    query("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, shout TEXT AS (upper(name)))")
    with DataFlow(f"sqlite:///{file}", existing_schema_mode=True) as db:

        @db.model
        class Person:
            id: int
            name: str
            shout: str | None

        assert db.run_sync(db.nodes.PersonCreateNode(name="ann"))["shout"] == "ANN"


def test_a_model_without_key_can_be_read_but_not_changed(tmp_path: Path) -> None:
    file = tmp_path / "logs.db"
    with DataFlow(f"sqlite:///{file}") as db:
        db.run_sync(db.nodes.SQLNode(sql="CREATE TABLE logs (line TEXT)"))
        db.run_sync(db.nodes.SQLNode(sql="INSERT INTO logs VALUES ('b'), ('a')"))
    with DataFlow(f"sqlite:///{file}", existing_schema_mode=True) as other:

        @other.model
        class Log:
            line: str

        names = {name for name in other.node_names() if name.startswith("Log")}
        assert names == {"LogReadNode", "LogListNode"}
        assert other.run_sync(other.nodes.LogReadNode(line="a"))["record"] == {"line": "a"}
        rows = other.run_sync(other.nodes.LogListNode(order_by=["line"], limit=1))["records"]
        assert rows == [{"line": "a"}]


def test_an_order_that_an_index_has_is_read_from_it(db: DataFlow) -> None:
    @db.model
    class Event:
        at: int
        __dataflow__: ClassVar = {"timestamps": False, "indexes": [Index("-at", "id", name="newest_first")]}

    db.run_sync(db.nodes.EventBulkCreateNode(data=[{"at": number % 7} for number in range(50)]))
    workflow = WorkflowBuilder(db)
    workflow.add_node("EventListNode", "list", {"order_by": ["-at"], "limit": 3})
    sql = workflow.build().explain().nodes[0].sql
    assert sql is not None
    assert "NULLS" not in sql, "a column that is never null needs no clause for nulls"
    literal = sql.replace("LIMIT ?", "LIMIT 3")
    plan = db.run_sync(db.nodes.SQLNode(sql=f"EXPLAIN QUERY PLAN {literal}"))["records"]
    assert "newest_first" in plan[0]["detail"]
