"""The query builder: MongoDB's operators without a model, as the SQL of a dialect."""

import sqlite3
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest

from dataflow import create_query_builder
from dataflow.errors import DataFlowError, InvalidValue, MissingPlugin, MissingValue, UnknownName
from dataflow.query_builder import QueryBuilder

ROWS = [
    ("Ann", 30, "active", 1.5, '{"city": "Bern"}'),
    ("Bob", None, "active", None, '{"city": "Rome"}'),
    ("Cid", 17, "gone", 2.5, None),
    ("Änn", 40, None, 9.0, "{}"),
]


class Status(Enum):
    ACTIVE = "active"


def people() -> QueryBuilder:
    return create_query_builder("sqlite").table("users")


def found(builder: QueryBuilder) -> list[str]:
    """The names that the query finds, run by the driver alone."""
    sql, parameters = builder.build_select(["name"])
    connection = sqlite3.connect(":memory:")
    try:
        connection.execute("CREATE TABLE users (name TEXT, age INTEGER, status TEXT, rate REAL, home TEXT)")
        connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?, ?)", ROWS)
        return [name for (name,) in connection.execute(sql, parameters)]
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        (
            "sqlite",
            'SELECT "users"."name", "users"."email" FROM "users" '
            'WHERE "users"."age" > ? AND "users"."status" = ?',
        ),
        (
            "postgresql",
            'SELECT "users"."name", "users"."email" FROM "users" '
            'WHERE "users"."age" > CAST($1 AS BIGINT) AND "users"."status" = $2',
        ),
        (
            "mysql",
            "SELECT `users`.`name`, `users`.`email` FROM `users` "
            "WHERE `users`.`age` > %s AND `users`.`status` = %s",
        ),
    ],
)
def test_each_dialect_has_its_own_quotes_and_placeholders(dialect: str, sql: str) -> None:
    builder = create_query_builder(dialect)
    builder.table("users").where("age", "$gt", 18).where("status", "$eq", "active")
    assert builder.build_select(["name", "email"]) == (sql, [18, "active"])


@pytest.mark.parametrize(
    ("operator", "value", "names"),
    [
        ("$eq", 30, ["Ann"]),
        ("$eq", None, ["Bob"]),
        ("$ne", 30, ["Bob", "Cid", "Änn"]),
        ("$gte", 30, ["Ann", "Änn"]),
        ("$lt", 30, ["Cid"]),
        ("$in", [17, 30, None], ["Ann", "Bob", "Cid"]),
        ("$in", (17, 40), ["Cid", "Änn"]),
        ("$in", [], []),
        ("$nin", [17, 30], ["Bob", "Änn"]),
        ("$between", [17, 30], ["Ann", "Cid"]),
        ("$exists", False, ["Bob"]),
    ],
)
def test_an_operator_finds_what_it_finds_in_a_filter(operator: str, value: object, names: list[str]) -> None:
    assert found(people().where("age", operator, value)) == names


def test_conditions_add_up_whether_the_calls_are_chained_or_not() -> None:
    builder = people()
    builder.where("status", "$eq", Status.ACTIVE)
    builder.where("rate", "$in", [1, 1.5])
    assert found(builder) == ["Ann"]
    assert found(builder) == ["Ann"], "to build changes nothing"


def test_patterns_are_read_as_filters_read_them() -> None:
    assert found(people().where("name", "$like", "A%")) == ["Ann"]
    assert found(people().where("name", "$contains", "nn")) == ["Ann", "Änn"]


def test_values_travel_as_the_dialect_stores_them() -> None:
    moment, number, key = datetime(2024, 1, 2, tzinfo=UTC), Decimal("1.50"), UUID(int=7)
    builder = people().where("at", "$gt", moment).where("price", "$eq", number).where("key", "$in", [key])
    _, parameters = builder.build_select(["name"])
    assert parameters == ["2024-01-02 00:00:00", "1.5", '["00000000-0000-0000-0000-000000000007"]']
    _, parameters = (
        create_query_builder("postgresql").table("t").where("at", "$gt", moment).build_select(["a"])
    )
    assert parameters == [moment]


def test_a_path_leads_into_a_column_of_json() -> None:
    sql, parameters = people().where("home.city", "$eq", "Bern").build_select(["name"])
    assert parameters == ["Bern"]
    assert '"users"."home"' in sql


def test_a_name_cannot_be_anything_but_a_name() -> None:
    builder = create_query_builder("sqlite").table('a"b; --').where('c"d', "$eq", 1)
    sql, _ = builder.build_select(["e--"])
    assert sql == 'SELECT "a""b; --"."e--" FROM "a""b; --" WHERE "a""b; --"."c""d" = ?'


@pytest.mark.parametrize(
    ("field", "operator", "value", "error", "message"),
    [
        ("age", "$gtt", 1, UnknownName, r"did you mean '\$gt'"),
        ("age", "gt", 1, InvalidValue, r"an operator is a text such as '\$gt'"),
        ("age", None, 1, InvalidValue, "an operator is a text"),
        ("age", "$gt", None, InvalidValue, "needs a value"),
        ("age", "$gt", object(), InvalidValue, "cannot be a object"),
        ("age", "$in", [1, "canary"], InvalidValue, "expected int, got str"),
        ("age", "$in", 1, InvalidValue, "list"),
        ("age", "$eq", {"a": 1}, InvalidValue, "whole JSON"),
        ("at", "$gt", datetime(2024, 1, 2), InvalidValue, "time zone"),
        ("", "$eq", 1, InvalidValue, "not empty"),
        ("a\0", "$eq", 1, InvalidValue, "not empty"),
        (1, "$eq", 1, InvalidValue, "not empty"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(
    field: Any, operator: Any, value: object, error: type[DataFlowError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        people().where(field, operator, value)
    assert "canary" not in str(caught.value)


def test_a_table_and_columns_are_needed() -> None:
    with pytest.raises(MissingValue, match="needs a table"):
        create_query_builder("sqlite").build_select(["name"])
    nothing: list[str] = []
    for fields in (nothing, "name"):
        with pytest.raises(MissingValue, match="needs a list of columns"):
            people().build_select(fields)
    unnamed: list[Any] = ["", 1]
    for name in unnamed:
        with pytest.raises(InvalidValue, match="not empty"):
            people().build_select([name])
    with pytest.raises(InvalidValue, match="name of a table"):
        create_query_builder("sqlite").table("")


def test_an_unknown_dialect_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataflow.plugins import Plugins

    with pytest.raises(MissingPlugin, match="did you mean 'postgresql'"):
        create_query_builder("postgresq")
    nothing = Plugins(found=[])
    monkeypatch.setattr("dataflow.plugins.plugins", lambda: nothing)
    with pytest.raises(MissingPlugin, match="pip install dataflow-postgres"):
        create_query_builder("postgresql")
