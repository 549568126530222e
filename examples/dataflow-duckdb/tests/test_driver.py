"""What is special about DuckDB's connections, and no topic of the suite."""

from pathlib import Path
from typing import ClassVar

import pytest
from dataflow import DataFlow, Field
from dataflow.errors import QueryError, UniqueViolation
from dataflow.execution.stepping import step

from dataflow_duckdb.driver import BEGIN


def test_a_commit_that_comes_too_late_tells_no_value(tmp_path: Path) -> None:
    with DataFlow(f"duckdb:///{tmp_path}/shop.db") as db:

        @db.model
        class User:
            email: str = Field(unique=True)
            __dataflow__: ClassVar = {"timestamps": False}

        db.run_sync(db.nodes.UserListNode())
        late = db.databases()["primary"].dialect.connection()
        step(late.open())
        step(late.execute(BEGIN))
        step(late.run("INSERT INTO users (id, email) VALUES (7, 'canary@example.org')", ()))
        db.run_sync(db.nodes.UserCreateNode(email="canary@example.org"))
        with pytest.raises(UniqueViolation, match="a row with this value exists") as caught:
            step(late.execute("COMMIT"))
        step(late.close())
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("column", ["rowid", "RowId"])
def test_a_column_may_have_the_name_of_the_numbers_of_rows(column: str) -> None:
    numbers = [number % 7 for number in range(2500)]

    with DataFlow("duckdb:///:memory:") as db:

        @db.model
        class Line:
            number: int = Field(column=column)
            __dataflow__: ClassVar = {"timestamps": False}

        db.run_sync(db.nodes.LineBulkCreateNode(data=[{"number": number} for number in numbers]))
        read = [row["number"] for row in db.stream("LineListNode", order_by=["id"])]
    assert read == numbers


@pytest.mark.parametrize("sql", ["SELECT 1; SELECT 2", "-- nothing"])
def test_a_connection_runs_one_statement_at_a_time(sql: str) -> None:
    with DataFlow("duckdb:///:memory:") as db:
        connection = db.databases()["primary"].dialect.connection()
        step(connection.open())
        with pytest.raises(QueryError, match="one statement at a time"):
            step(connection.run(sql, ()))
        step(connection.close())


def test_texts_that_a_column_takes_for_the_same_are_the_same_to_bulk_nodes() -> None:
    with DataFlow("duckdb:///:memory:", auto_migrate=False) as db:
        table = (
            "CREATE TABLE members (id INTEGER PRIMARY KEY, name VARCHAR COLLATE NOCASE NOT NULL, age INTEGER)"
        )
        db.run_sync(db.nodes.SQLNode(sql=table))

        @db.model
        class Member:
            id: int
            name: str
            age: int
            __dataflow__: ClassVar = {"timestamps": False}

        data = [{"id": 1, "name": "Ann", "age": 1}, {"id": 2, "name": "ANN", "age": 2}]
        done = db.run_sync(
            db.nodes.MemberBulkUpsertNode(data=data, match_fields=["name"], update_fields=["age"])
        )
        assert (done["inserted"], done["updated"]) == (1, 1)
        [member] = db.run_sync(db.nodes.MemberListNode())["records"]
        assert (member["id"], member["age"]) == (1, 2)
