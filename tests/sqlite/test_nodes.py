"""What the nodes do with SQLite's own: generated columns, tables without a key, plans of queries."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

from dataflow import DataFlow, Field, ForeignKey, Index, WorkflowBuilder
from dataflow.errors import InvalidValue

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


@pytest.mark.parametrize(
    "updates", [{"shout": "BOB"}, {"name": "bob", "shout": "BOB"}, {"shout": "BOB", "name": "bob"}]
)
def test_a_column_that_the_database_computes_is_changed_by_no_update(
    updates: dict[str, Any], file: Path, query: Query
) -> None:
    query("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, shout TEXT AS (upper(name)) STORED)")
    query("INSERT INTO people (name) VALUES ('ann')")
    with DataFlow(f"sqlite:///{file}", existing_schema_mode=True) as db:
        db.register_schema_as_models()
        with pytest.raises(InvalidValue, match="shout cannot be written, as the database computes it"):
            db.run_sync(db.nodes.PersonUpdateNode(id=1, updates=updates))
        assert db.run_sync(db.nodes.PersonUpdateNode(id=1, updates={"name": "eve"}))["shout"] == "EVE"


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


def explained(db: DataFlow, type: str, parameters: dict[str, Any]) -> list[str]:
    """The statements of a node, as a workflow tells them."""
    workflow = WorkflowBuilder(db)
    workflow.add_node(type, "it", parameters)
    sql = workflow.build().explain().nodes[0].sql
    assert sql is not None
    return sql.split("; ")


def test_a_row_that_is_read_by_its_whole_key_is_not_looked_for_among_others(db: DataFlow) -> None:
    @db.model
    class Seat:
        row: int = Field(primary_key=True)
        number: int = Field(primary_key=True)
        __dataflow__: ClassVar = {"timestamps": False}

    [whole] = explained(db, "SeatReadNode", {"row": 1, "number": 2})
    assert whole.endswith('WHERE ("seats"."row" = ? AND "seats"."number" = ?)')
    [part] = explained(db, "SeatReadNode", {"row": 1})
    assert part.endswith('WHERE "seats"."row" = ? ORDER BY "seats"."row" ASC, "seats"."number" ASC LIMIT ?')


def test_only_rows_of_which_several_belong_to_one_are_put_in_order(db: DataFlow) -> None:
    @db.model
    class Author:
        name: str
        __dataflow__: ClassVar = {"timestamps": False}

    @db.model
    class Book:
        author_id: Annotated[int, ForeignKey("Author")]
        __dataflow__: ClassVar = {"timestamps": False}

    [_, books] = explained(db, "AuthorListNode", {"include": ["books"]})
    assert books.endswith('ORDER BY "books"."id" ASC')
    [_, authors] = explained(db, "BookListNode", {"include": ["author"]})
    assert "ORDER BY" not in authors
