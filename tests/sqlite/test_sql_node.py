"""The SQLNode: one statement, values bound to names, no way out of the transaction."""

import logging
import math
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    InvalidValue,
    MissingValue,
    QueryError,
    UniqueViolation,
    UnknownName,
    ValidationError,
    WorkflowExecutionError,
)

Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def users(db: DataFlow) -> DataFlow:
    @db.model
    class User:
        name: str
        __dataflow__: ClassVar = {"timestamps": False}

    db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": "Ann"}, {"name": "Bob"}]))
    return db


def sql(db: DataFlow, text: object, **parameters: Any) -> dict[str, Any]:
    return db.run_sync(db.nodes.SQLNode(sql=text, **parameters))


def test_a_query_brings_rows_as_dicts(users: DataFlow) -> None:
    output = sql(users, "SELECT id, upper(name) AS shout FROM users ORDER BY id")
    records = [{"id": 1, "shout": "ANN"}, {"id": 2, "shout": "BOB"}]
    assert output == {"records": records, "count": 2, "affected": 0, "result": records}
    nothing = sql(users, "SELECT id FROM users WHERE id > 99")
    assert nothing == {"records": [], "count": 0, "affected": 0, "result": []}


def test_a_number_that_is_none_is_refused_and_one_without_end_is_bound(db: DataFlow) -> None:
    with pytest.raises(InvalidValue, match="SQLite cannot store NaN; give None instead"):
        sql(db, "SELECT :number AS number", number=math.nan)
    assert sql(db, "SELECT :number AS number", number=math.inf)["records"] == [{"number": math.inf}]


def test_a_change_tells_how_many_rows_it_touched(users: DataFlow) -> None:
    output = sql(users, "UPDATE users SET name = name || :tail", tail="!")
    assert output == {"records": [], "count": 0, "affected": 2, "result": 2}
    assert sql(users, "DELETE FROM users WHERE id = :id", id=7)["affected"] == 0


def test_a_change_can_bring_its_rows(users: DataFlow) -> None:
    output = sql(users, "DELETE FROM users WHERE name = :name RETURNING id", name="Bob")
    assert output["records"] == [{"id": 2}]
    assert users.run_sync(users.nodes.UserListNode(count_only=True))["count"] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"parameters": {"low": 1, "name": "Bob"}},
        {"low": 1, "name": "Bob"},
        {"low": 1, "parameters": {"name": "Bob"}},
    ],
)
def test_values_come_as_parameters_or_beside_them(users: DataFlow, given: Mapping[str, Any]) -> None:
    output = sql(users, "SELECT id FROM users WHERE id > :low AND name = :name AND :low < 5", **given)
    assert output["result"] == [{"id": 2}]


def test_a_name_within_quotes_or_a_comment_is_no_parameter(users: DataFlow) -> None:
    text = "SELECT ':a' AS \":b\", :c AS c -- :d\n/* :e */ FROM users WHERE id = 1;"
    assert sql(users, text, c="x")["records"] == [{":b": ":a", "c": "x"}]


class Color(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (None, None),
        (True, 1),
        (-(2**63), -(2**63)),
        (1.5, 1.5),
        ("x'; DROP TABLE users; --", "x'; DROP TABLE users; --"),
        (b"\x00\xff", b"\x00\xff"),
        (Decimal("1.50"), "1.5"),
        (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02 00:00:00"),
        (date(2024, 1, 2), "2024-01-02"),
        (time(1, 2), "01:02:00"),
        (timedelta(seconds=1), 1_000_000),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({"a": [1]}, '{"a":[1]}'),
        (Color.RED, "red"),
    ],
)
def test_every_type_can_be_bound(users: DataFlow, value: object, stored: object) -> None:
    assert sql(users, "SELECT :value AS value", value=value)["records"] == [{"value": stored}]


@pytest.mark.parametrize(
    ("text", "parameters", "error", "message"),
    [
        (None, {}, MissingValue, "needs sql"),
        (5, {}, InvalidValue, "expected str, got int"),
        ("", {}, ValidationError, "empty"),
        (" ; ", {}, ValidationError, "empty"),
        ("-- nothing", {}, ValidationError, "empty"),
        ("SELECT 1; SELECT 2", {}, ValidationError, "one statement per node"),
        ("SELECT 'open", {}, ValidationError, "unclosed quote"),
        ("SELECT :a", {}, MissingValue, ":a has no value"),
        ("SELECT :name", {"nmae": "canary"}, UnknownName, "did you mean 'name'"),
        ("SELECT :a", {"parameters": ["canary"]}, InvalidValue, "expected a dict"),
        ("SELECT :a", {"a": object()}, InvalidValue, ":a cannot be a object"),
        ("SELECT :a", {"a": 2**63}, InvalidValue, "out of range"),
        ("SELECT :a", {"a": "canary\0"}, InvalidValue, "NUL"),
        ("SELECT :a", {"a": "canary\ud800"}, InvalidValue, "surrogate"),
        ("SELECT :a", {"a": datetime(2024, 1, 1)}, InvalidValue, "time zone"),
        ("SELECT * FROM users WHERE id = ?", {}, ValidationError, "such as :name"),
        ("SELECT ?, 1", {}, ValidationError, "such as :name"),
        ("SELECT ?1 AS a", {}, ValidationError, "such as :name"),
        ("SELECT @a AS a", {}, ValidationError, "such as :name"),
        ("SELECT $a AS a", {}, ValidationError, "such as :name"),
        ("SELECT '\ud800' AS a", {}, ValidationError, "SQLNode"),
        ("SELECT 'a\0b' AS a", {}, ValidationError, "SQLNode"),
        ("BEGIN", {}, ValidationError, "BEGIN is not allowed"),
        ("  -- first\n COMMIT", {}, ValidationError, "COMMIT is not allowed"),
        ("RollBack", {}, ValidationError, "not allowed"),
        ("END", {}, ValidationError, "not allowed"),
        ("SAVEPOINT x", {}, ValidationError, "not allowed"),
        ("RELEASE x", {}, ValidationError, "not allowed"),
        ("ATTACH '/tmp/x' AS y", {}, ValidationError, "not allowed"),
        ("DETACH y", {}, ValidationError, "not allowed"),
        ("PRAGMA foreign_keys = OFF", {}, ValidationError, "not allowed"),
        ("VACUUM", {}, ValidationError, "not allowed"),
        *(
            (f"{word} x", {}, ValidationError, f"{word.upper()} is not allowed")
            for word in ("abort", "copy", "lock", "prepare", "reset", "set", "start", "unlock", "use")
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_any_sql(
    users: DataFlow, text: object, parameters: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    given = parameters if text is None else {"sql": text, **parameters}
    with pytest.raises(error, match=message) as caught:
        users.run_sync(users.nodes.SQLNode(**given))
    assert "canary" not in str(caught.value)
    assert users.run_sync(users.nodes.UserListNode(count_only=True))["count"] == 2


def test_a_statement_that_the_database_does_not_understand_is_a_query_error(users: DataFlow) -> None:
    with pytest.raises(QueryError, match="no such table: nowhere") as caught:
        sql(users, "SELECT * FROM nowhere WHERE a = :a", a="canary")
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    with pytest.raises(QueryError, match="syntax error"):
        sql(users, "SELEC 1")


def test_two_columns_of_one_name_are_an_error_that_asks_for_an_alias(users: DataFlow) -> None:
    with pytest.raises(QueryError, match="alias with AS"):
        sql(users, "SELECT a.id, b.id FROM users AS a, users AS b")


def test_a_violation_in_it_is_mapped_like_everywhere(users: DataFlow) -> None:
    with pytest.raises(UniqueViolation) as caught:
        sql(users, "INSERT INTO users (id, name) VALUES (1, :name)", name="canary")
    assert (caught.value.table, caught.value.columns) == ("users", ("id",))
    assert "canary" not in f"{caught.value}{caught.value.__cause__}"


def test_it_belongs_to_the_transaction_of_the_run(users: DataFlow) -> None:
    workflow = WorkflowBuilder(users)
    workflow.add_node("SQLNode", "wipe", {"sql": "DELETE FROM users"})
    workflow.add_node("SQLNode", "table", {"sql": "CREATE TABLE extra (a)"})
    workflow.add_node("SQLNode", "fail", {"sql": "SELECT * FROM nowhere"})
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(workflow.build())
    assert caught.value.node == "fail"
    assert set(caught.value.rolled_back) == {"wipe", "table"}
    assert users.run_sync(users.nodes.UserListNode(count_only=True))["count"] == 2
    assert sql(users, "SELECT name FROM sqlite_master WHERE name = 'extra'")["records"] == []


def test_inputs_bind_to_its_names(users: DataFlow) -> None:
    workflow = WorkflowBuilder(users)
    workflow.add_node("UserCreateNode", "new", {"name": "Zoe"})
    workflow.add_node("SQLNode", "same", {"sql": "SELECT count(*) AS n FROM users WHERE name = :name"})
    workflow.add_connection("new", "name", "same", "name")
    results, _ = LocalRuntime().execute(workflow.build())
    assert results["same"]["result"] == [{"n": 1}]


def test_a_query_takes_no_lock_that_keeps_writers_out(file: Path, query: Query) -> None:
    query("CREATE TABLE t (a)")
    with DataFlow(f"sqlite:///{file}?timeout=0.1") as db, closing(sqlite3.connect(file)) as other:
        sql(db, "SELECT 1 AS a")
        other.execute("BEGIN IMMEDIATE")
        assert sql(db, "SELECT count(*) AS n FROM t")["result"] == [{"n": 0}]
        assert sql(db, "WITH x AS (SELECT 1 AS a) SELECT a FROM x")["result"] == [{"a": 1}]
        assert sql(db, "VALUES (1)")["count"] == 1
        other.rollback()


def test_what_cannot_be_parsed_still_runs_and_is_told_to_nobody(
    users: DataFlow, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert sql(users, "EXPLAIN QUERY PLAN SELECT * FROM users WHERE name = 'canary'")["count"] == 1
    assert "canary" not in caplog.text
