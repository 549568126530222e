"""The SQL where databases differ by what they can do: the same statements for MySQL and for PostgreSQL.

No server is asked; that these understand it is shown by the conformance suite.
"""

from dataclasses import replace
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from dataflow import DataFlowConfig
from dataflow.abc import BatchInsert, Dialect
from dataflow.filters.mongo import read_filter
from dataflow.filters.pipelines import read_pipeline
from dataflow.model.declare import declare
from dataflow.model.schema import Model
from dataflow.mysql.dialect import MySQLDialect
from dataflow.postgres.dialect import PostgresDialect
from dataflow.sql.codecs import codec_of
from dataflow.sql.compiler import compile_shape
from dataflow.sql.conditions import table
from dataflow.sql.parameters import COUNT, Parameters
from dataflow.statements import (
    EVERYTHING,
    Aggregate,
    Change,
    Delete,
    Insert,
    InsertMany,
    Order,
    Raw,
    Select,
    Statement,
    Update,
    UpdateMany,
    UpsertMany,
)
from dataflow.url import DatabaseURL


class User:
    """Its table has a name in which a placeholder of MySQL's drivers could be seen."""

    name: str
    age: int | None
    __dataflow__: ClassVar = {"timestamps": False, "table": "all%"}


MODEL = declare(User, implied=True)
ANN = read_filter(MODEL, {"name": "Ann"}, "filter")


def read_as_text(function: str) -> Model:
    """The model, with names of a type that no logical type stands for."""
    name = replace(MODEL.fields["name"], as_text=function)
    return replace(MODEL, fields=MappingProxyType({**MODEL.fields, "name": name}))


UPDATE_MANY = UpdateMany(MODEL, ("id",), ("name",), [], (Change("age"),), (1,), ANN)


def dialect_of(kind: type[MySQLDialect] | type[PostgresDialect], url: str) -> Dialect:
    return kind(DatabaseURL.parse(url), DataFlowConfig(url))


MYSQL = dialect_of(MySQLDialect, "mysql://ann:secret@localhost/shop")
POSTGRES = dialect_of(PostgresDialect, "postgresql://ann:secret@localhost/shop")

ON_MYSQL: list[tuple[Statement, str]] = [
    (
        Select(MODEL, ANN, (Order("name"), Order("age", True)), 1, 2, ("id",)),
        "SELECT `all%%`.`id` FROM `all%%` WHERE `all%%`.`name` = %s "
        "ORDER BY `all%%`.`name` ASC, `all%%`.`age` DESC LIMIT %s OFFSET %s",
    ),
    (
        Select(MODEL, offset=1, fields=("id",)),
        "SELECT `all%%`.`id` FROM `all%%` LIMIT 18446744073709551615 OFFSET %s",
    ),
    (Select(MODEL, limit=1, fields=("id",)), "SELECT `all%%`.`id` FROM `all%%` LIMIT %s"),
    (Select(MODEL, fields=("id",)), "SELECT `all%%`.`id` FROM `all%%`"),
    (Select(MODEL, fields=("id",), locking=True), "SELECT `all%%`.`id` FROM `all%%` FOR UPDATE"),
    (
        Aggregate(MODEL, EVERYTHING, read_pipeline(MODEL, [{"$project": {"age": 1}}, {"$skip": 1}], "")),
        "SELECT `all%%`.`age` FROM `all%%` ORDER BY `all%%`.`id` ASC LIMIT 18446744073709551615 OFFSET %s",
    ),
    (
        Aggregate(MODEL, EVERYTHING, read_pipeline(MODEL, [{"$project": {"age": 1}}, {"$limit": 1}], "")),
        "SELECT `all%%`.`age` FROM `all%%` ORDER BY `all%%`.`id` ASC LIMIT %s",
    ),
    (Insert(MODEL, (), ()), "INSERT INTO `all%%` VALUES ()"),
    (Insert(MODEL, ("name",), ("a",)), "INSERT INTO `all%%` (`name`) VALUES (%s)"),
    (Update(MODEL, (Change("age"),), (1,), ANN), "UPDATE `all%%` SET `age` = %s WHERE `all%%`.`name` = %s"),
    (
        Update(MODEL, (Change("age"),), (1,), ANN, limit=2),
        "UPDATE `all%%` SET `age` = %s WHERE `all%%`.`name` = %s LIMIT %s",
    ),
    (Delete(MODEL, ANN), "DELETE FROM `all%%` WHERE `all%%`.`name` = %s"),
    (Delete(MODEL, ANN, limit=2), "DELETE FROM `all%%` WHERE `all%%`.`name` = %s LIMIT %s"),
    (Raw("SELECT '%', :a, '%%', :b", {}), "SELECT '%%', %s, '%%%%', %s"),
]
ON_POSTGRES: list[tuple[Statement, str]] = [
    (
        Select(MODEL, ANN, (Order("age"), Order("id", True)), 1, 2, ("id",)),
        'SELECT "all%"."id" FROM "all%" WHERE "all%"."name" = $1 '
        'ORDER BY "all%"."age" ASC NULLS FIRST, "all%"."id" DESC '
        "LIMIT CAST($2 AS BIGINT) OFFSET CAST($3 AS BIGINT)",
    ),
    (
        Select(MODEL, order=(Order("age", True), Order("id")), fields=("id",)),
        'SELECT "all%"."id" FROM "all%" ORDER BY "all%"."age" DESC NULLS LAST, "all%"."id" ASC',
    ),
    (
        Select(MODEL, offset=1, fields=("id",)),
        'SELECT "all%"."id" FROM "all%" OFFSET CAST($1 AS BIGINT)',
    ),
    (
        Aggregate(MODEL, EVERYTHING, read_pipeline(MODEL, [{"$project": {"age": 1}}, {"$skip": 1}], "")),
        'SELECT "all%"."age" FROM "all%" ORDER BY "all%"."id" ASC OFFSET CAST($1 AS BIGINT)',
    ),
    (Select(MODEL, fields=("id",), locking=True), 'SELECT "all%"."id" FROM "all%" FOR UPDATE'),
    (Select(read_as_text(""), fields=("name",)), 'SELECT CAST("all%"."name" AS TEXT) FROM "all%"'),
    (Select(read_as_text("st_astext"), fields=("name",)), 'SELECT ST_ASTEXT("all%"."name") FROM "all%"'),
    (
        Insert(MODEL, (), ()),
        'INSERT INTO "all%" DEFAULT VALUES RETURNING "all%"."id", "all%"."name", "all%"."age"',
    ),
    (
        Update(MODEL, (Change("name"),), ("Bob",), ANN, limit=2, returning=("age",)),
        'UPDATE "all%" SET "name" = $1 WHERE "all%"."id" IN '
        '(SELECT "all%"."id" FROM "all%" WHERE "all%"."name" = $2 LIMIT CAST($3 AS BIGINT)) '
        'RETURNING "all%"."age"',
    ),
    (
        Update(MODEL, (Change("name"),), ("Bob",), ANN, returning=()),
        'UPDATE "all%" SET "name" = $1 WHERE "all%"."name" = $2',
    ),
    (
        Delete(MODEL, ANN, limit=2),
        'DELETE FROM "all%" WHERE "all%"."id" IN '
        '(SELECT "all%"."id" FROM "all%" WHERE "all%"."name" = $1 LIMIT CAST($2 AS BIGINT)) '
        'RETURNING "all%"."id"',
    ),
    (Delete(MODEL, ANN, returning=False), 'DELETE FROM "all%" WHERE "all%"."name" = $1'),
    (Raw("SELECT '%', :a, :b, :a", {}), "SELECT '%', $1, $2, $3"),
]
GOLDEN = [
    *(pytest.param(MYSQL, *case, id=f"mysql-{number}") for number, case in enumerate(ON_MYSQL)),
    *(pytest.param(POSTGRES, *case, id=f"postgres-{number}") for number, case in enumerate(ON_POSTGRES)),
]

ON_CONFLICT = ' ON CONFLICT("name") DO UPDATE SET '
ON_DUPLICATE = " ON DUPLICATE KEY UPDATE "
BATCHES: list[tuple[Dialect, InsertMany | UpsertMany, tuple[str, str, str]]] = [
    (
        MYSQL,
        InsertMany(MODEL, ("name", "age"), []),
        ("INSERT INTO `all%%` (`name`, `age`) VALUES ", "(%s, %s)", ""),
    ),
    (MYSQL, InsertMany(MODEL, (), []), ("INSERT INTO `all%%` VALUES ()", "", "")),
    (
        MYSQL,
        UpsertMany(MODEL, ("name", "age"), [], (), ("name",), ("age",)),
        ("INSERT INTO `all%%` (`name`, `age`) VALUES ", "(%s, %s)", f"{ON_DUPLICATE}`age` = VALUES(`age`)"),
    ),
    (
        MYSQL,
        UpsertMany(MODEL, ("name",), [], (), ("name",), (), ("age",)),
        (
            "INSERT INTO `all%%` (`name`) VALUES ",
            "(%s)",
            f"{ON_DUPLICATE}`name` = VALUES(`name`), `age` = `all%%`.`age` + 1",
        ),
    ),
    (
        POSTGRES,
        InsertMany(MODEL, ("name",), [], returning=True),
        (
            'INSERT INTO "all%" ("name") VALUES ',
            "($1)",
            ' RETURNING "all%"."id", "all%"."name", "all%"."age"',
        ),
    ),
    (POSTGRES, InsertMany(MODEL, (), []), ('INSERT INTO "all%" DEFAULT VALUES', "", "")),
    (
        POSTGRES,
        UpsertMany(MODEL, ("age", "name"), [], (), ("name",), ("age",)),
        (
            'INSERT INTO "all%" ("age", "name") VALUES ',
            "(CAST($1 AS BIGINT), $2)",
            f'{ON_CONFLICT}"age" = excluded."age"',
        ),
    ),
    (
        POSTGRES,
        UpsertMany(MODEL, ("name",), [], (), ("name",), (), ("age",)),
        (
            'INSERT INTO "all%" ("name") VALUES ',
            "($1)",
            f'{ON_CONFLICT}"name" = excluded."name", "age" = "all%"."age" + 1',
        ),
    ),
]


@pytest.mark.parametrize(("dialect", "statement", "sql"), GOLDEN)
def test_a_statement_becomes_the_sql_of_its_database(
    dialect: Dialect, statement: Statement, sql: str
) -> None:
    assert compile_shape(dialect, statement.shape).sql == sql


@pytest.mark.parametrize(("dialect", "statement", "pieces"), BATCHES)
def test_a_batch_is_cut_before_and_after_its_rows(
    dialect: Dialect, statement: InsertMany | UpsertMany, pieces: tuple[str, str, str]
) -> None:
    found = compile_shape(dialect, statement.shape)
    assert isinstance(found.batch, BatchInsert)
    assert (found.batch.head, found.batch.row, found.batch.tail) == pieces
    assert found.sql == "".join(pieces)
    assert (found.batch.table, [field.name for field in found.batch.fields]) == (
        "all%",
        list(statement.fields),
    )


@pytest.mark.parametrize("dialect", [MYSQL, POSTGRES])
def test_a_batch_says_what_an_upsert_does_with_which_fields(dialect: Dialect) -> None:
    batch = compile_shape(
        dialect, UpsertMany(MODEL, ("name", "age"), [], (), ("name",), (), ("age",)).shape
    ).batch
    assert batch is not None
    told = [[field.name for field in fields] for fields in (batch.match, batch.changed, batch.counted)]
    assert told == [["name"], ["name"], ["age"]]


def test_rows_that_differ_are_joined_on_mysql() -> None:
    update = compile_shape(MYSQL, UPDATE_MANY.shape).update
    assert update is not None
    assert update.head == "UPDATE `all%%`, (VALUES ROW"
    assert update.row == "(%s, %s)"
    assert update.tail == (
        ") AS `dataflow_rows` (`column1`, `column2`) SET `all%%`.`name` = `dataflow_rows`.`column2`, "
        "`all%%`.`age` = %s WHERE `all%%`.`id` = `dataflow_rows`.`column1` AND `all%%`.`name` = %s"
    )
    assert update.before == 0


def test_rows_that_differ_stand_in_the_from_on_postgres_and_are_numbered_last() -> None:
    update = compile_shape(POSTGRES, UPDATE_MANY.shape).update
    assert update is not None
    assert update.head == (
        'UPDATE "all%" SET "name" = "dataflow_rows"."column2", "age" = CAST($1 AS BIGINT) FROM (VALUES '
    )
    assert update.row == "(CAST($3 AS BIGINT), $4)"
    assert update.tail == (
        ') AS "dataflow_rows" WHERE "all%"."id" = "dataflow_rows"."column1" AND "all%"."name" = $2'
    )
    assert (update.before, update.width) == (1, 2)


def test_the_row_whose_key_was_made_is_found_where_no_row_comes_back() -> None:
    found = compile_shape(MYSQL, ("inserted", MODEL))
    assert found.sql == (
        "SELECT `all%%`.`id`, `all%%`.`name`, `all%%`.`age` FROM `all%%` WHERE `all%%`.`id` = LAST_INSERT_ID()"
    )
    assert found.map_row is not None
    assert found.map_row((1, "Ann", None)) == {"id": 1, "name": "Ann", "age": None}


def test_a_statement_without_returning_brings_no_rows() -> None:
    for statement in (
        Insert(MODEL, ("name",), ("a",)),
        Update(MODEL, (Change("age"),), (1,), ANN),
        Delete(MODEL, ANN),
    ):
        assert compile_shape(MYSQL, statement.shape).map_row is None
        assert compile_shape(POSTGRES, statement.shape).map_row is not None


def test_a_table_is_named_with_its_schema_where_it_has_one() -> None:
    located = replace(MODEL, schema="crm")
    assert (table(MODEL).sql("postgres"), table(located).sql("postgres")) == ('"all%"', '"crm"."all%"')
    found = compile_shape(MYSQL, Select(located, fields=("id",)).shape)
    assert found.sql == "SELECT `all%%`.`id` FROM `crm`.`all%%`"


def test_a_value_is_cast_but_for_lists_and_patterns_which_their_operators_cast() -> None:
    parameters = Parameters(POSTGRES)
    assert parameters.next(COUNT).sql("postgres").startswith("CAST(")
    assert "CAST" not in parameters.next(COUNT, many=True).sql("postgres")
    assert "CAST" not in parameters.next(COUNT, pattern_of="$like").sql("postgres")


class Series:
    days: list[date]
    extra: dict[str, Any]


SERIES = declare(Series, implied=True)


@pytest.mark.parametrize(
    ("dialect", "field", "is_array"),
    [(POSTGRES, "days", True), (POSTGRES, "extra", False), (MYSQL, "days", False), (MYSQL, "extra", False)],
)
def test_a_list_of_one_type_is_searched_like_a_document_where_it_is_an_array(
    dialect: Dialect, field: str, is_array: bool
) -> None:
    found = Select(SERIES, read_filter(SERIES, {f"{field}.0": "2024-05-06"}, "filter"))
    assert ("TO_JSONB" in compile_shape(dialect, found.shape).sql) is is_array


def test_a_list_of_one_type_travels_as_it_is_where_it_is_an_array_and_else_as_json() -> None:
    days = [date(2024, 5, 6)]
    for dialect, stored in ((POSTGRES, days), (MYSQL, '["2024-05-06"]')):
        codec = codec_of(dialect, SERIES.fields["days"].type)
        assert codec.encode is not None
        assert codec.encode(days) == stored
        assert days == (stored if codec.decode is None else codec.decode(stored))
