"""The SQL of each shape of a statement, for SQLite, and the cache that keeps it."""

import sqlite3
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, DataFlowConfig
from dataflow.execution.executor import SHAPES_KEPT, Executor
from dataflow.filters.mongo import read_filter
from dataflow.model.declare import declare
from dataflow.sql.compiler import compile_shape
from dataflow.sqlite.dialect import SQLiteDialect
from dataflow.statements import (
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
    Where,
)
from dataflow.url import DatabaseURL


class User:
    name: str
    age: int | None
    price: Decimal | None
    blob: bytes | None
    __dataflow__: ClassVar = {"timestamps": False}


MODEL = declare(User, implied=True)
DIALECT = SQLiteDialect(DatabaseURL("sqlite"), DataFlowConfig("sqlite:///:memory:"))
ALL = ", ".join(f'"users"."{name}"' for name in ("id", "name", "age", "price", "blob"))
FIND = f'SELECT {ALL} FROM "users"'


def filtered(document: Mapping[str, Any]) -> Where:
    return read_filter(MODEL, document, "filter")


GOLDEN: list[tuple[Statement, str]] = [
    (Select(MODEL), FIND),
    (Select(MODEL, filtered({"id": 1})), f'{FIND} WHERE "users"."id" = ?'),
    (Select(MODEL, filtered({"age": None})), f'{FIND} WHERE "users"."age" IS NULL'),
    (Select(MODEL, filtered({"name": {"$ne": "a"}})), f'{FIND} WHERE "users"."name" <> ?'),
    (
        Select(MODEL, filtered({"age": {"$ne": 1}})),
        f'{FIND} WHERE ("users"."age" <> ? OR "users"."age" IS NULL)',
    ),
    (
        Select(MODEL, filtered({"age": {"$in": [1, 2]}})),
        f'{FIND} WHERE "users"."age" IN (SELECT value FROM JSON_EACH(?))',
    ),
    (
        Select(MODEL, filtered({"price": {"$gte": 1}})),
        f'{FIND} WHERE DATAFLOW_DECIMAL("users"."price") >= DATAFLOW_DECIMAL(?)',
    ),
    (Select(MODEL, limit=1), f"{FIND} LIMIT ?"),
    (Select(MODEL, offset=1), f"{FIND} LIMIT -1 OFFSET ?"),
    (
        Select(
            MODEL,
            order=(Order("age", True), Order("price"), Order("id")),
            limit=1,
            offset=2,
            fields=("name",),
        ),
        'SELECT "users"."name" FROM "users" ORDER BY "users"."age" DESC, '
        'DATAFLOW_DECIMAL("users"."price") ASC, "users"."id" ASC LIMIT ? OFFSET ?',
    ),
    (Select(MODEL, counting=True), 'SELECT COUNT(*) FROM "users"'),
    (
        Insert(MODEL, ("name", "age"), ("a", 1)),
        f'INSERT INTO "users" ("name", "age") VALUES (?, ?) RETURNING {ALL}',
    ),
    (Insert(MODEL, (), ()), f'INSERT INTO "users" DEFAULT VALUES RETURNING {ALL}'),
    (InsertMany(MODEL, ("name",), []), 'INSERT INTO "users" ("name") VALUES (?)'),
    (
        Update(MODEL, (Change("name"),), ("a",), filtered({"id": 1})),
        f'UPDATE "users" SET "name" = ? WHERE "users"."id" = ? RETURNING {ALL}',
    ),
    (
        Update(MODEL, (Change("name"),), ("a",), filtered({"name": "b"}), 2),
        'UPDATE "users" SET "name" = ? WHERE "users"."id" IN '
        f'(SELECT "users"."id" FROM "users" WHERE "users"."name" = ? LIMIT ?) RETURNING {ALL}',
    ),
    (
        Update(MODEL, (Change("name"),), ("a",), filtered({"id": 1}), returning=()),
        'UPDATE "users" SET "name" = ? WHERE "users"."id" = ?',
    ),
    (
        Update(MODEL, (Change("id", "$inc"),), (1,), filtered({}), returning=("name",)),
        """UPDATE "users" SET "id" = CASE WHEN TYPEOF("users"."id" + ?) = 'integer' THEN "users"."id" + ? """
        'ELSE ABS(-9223372036854775808) END WHERE TRUE RETURNING "users"."name"',
    ),
    (
        Update(MODEL, (Change("price", "$mul"),), (Decimal(2),), filtered({}), returning=()),
        'UPDATE "users" SET "price" = COALESCE(DATAFLOW_DECIMAL_PRODUCT('
        """COALESCE("users"."price", '0'), ?), ABS(-9223372036854775808)) WHERE TRUE""",
    ),
    (
        Update(MODEL, (Change("age", "$max"),), (1,), filtered({}), returning=()),
        'UPDATE "users" SET "age" = CASE WHEN "users"."age" IS NULL OR ? > "users"."age" THEN ? '
        'ELSE "users"."age" END WHERE TRUE',
    ),
    (
        UpdateMany(MODEL, ("id",), ("name",), [], (Change("age"),), (1,), filtered({"age": 2})),
        'UPDATE "users" SET "name" = "dataflow_rows"."column2", "age" = ? '
        'FROM (VALUES (?, ?)) AS "dataflow_rows" '
        'WHERE "users"."id" = "dataflow_rows"."column1" AND "users"."age" = ?',
    ),
    (
        Delete(MODEL, filtered({"id": 1}), returning=False),
        'DELETE FROM "users" WHERE "users"."id" = ?',
    ),
    (Delete(MODEL, filtered({"id": 1})), 'DELETE FROM "users" WHERE "users"."id" = ? RETURNING "users"."id"'),
    (
        Delete(MODEL, filtered({"name": "b"}), 2),
        'DELETE FROM "users" WHERE "users"."id" IN '
        '(SELECT "users"."id" FROM "users" WHERE "users"."name" = ? LIMIT ?) RETURNING "users"."id"',
    ),
    (Raw("SELECT :a, ':b', :a -- :c", {}), "SELECT ?, ':b', ?"),
]


@pytest.mark.parametrize(("statement", "sql"), GOLDEN, ids=map(str, range(len(GOLDEN))))
def test_a_statement_becomes_sql(statement: Statement, sql: str) -> None:
    assert compile_shape(DIALECT, statement.shape).sql == sql


@pytest.mark.parametrize(("statement", "sql"), GOLDEN, ids=map(str, range(len(GOLDEN))))
def test_the_sql_is_what_sqlite_understands(statement: Statement, sql: str) -> None:
    with_function = sqlite3.connect(":memory:")
    with_function.create_function("DATAFLOW_DECIMAL", 1, str)
    with_function.create_function("DATAFLOW_DECIMAL_PRODUCT", 2, str)
    with_function.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name, age, price, blob)")
    with_function.execute(f"EXPLAIN {sql}", [None] * sql.replace("':b'", "").count("?"))
    with_function.close()


def test_values_are_bound_in_the_order_of_the_placeholders_and_encoded() -> None:
    statement = Update(
        MODEL,
        (Change("price"), Change("name")),
        (Decimal("1.50"), "a"),
        filtered({"blob": {"$in": [b"\xff"]}}),
        2,
    )
    compiled = compile_shape(DIALECT, statement.shape)
    assert compiled.bind is not None
    assert list(compiled.bind(statement.values)) == ["1.5", "a", '["FF"]', 2]


def test_values_that_fit_as_they_are_are_not_touched() -> None:
    assert compile_shape(DIALECT, Insert(MODEL, ("name", "age"), ("a", 1)).shape).bind is None


def test_a_row_becomes_a_dict_with_decoded_values() -> None:
    map_row = compile_shape(DIALECT, Select(MODEL).shape).map_row
    assert map_row is not None
    row = map_row((1, "a", None, "1.5", None))
    assert row == {"id": 1, "name": "a", "age": None, "price": Decimal("1.5"), "blob": None}


def test_a_batch_is_cut_where_its_rows_repeat() -> None:
    batch = compile_shape(DIALECT, InsertMany(MODEL, ("name", "age"), [], returning=True).shape).batch
    assert batch is not None
    assert (batch.head, batch.row) == ('INSERT INTO "users" ("name", "age") VALUES ', "(?, ?)")
    assert (batch.tail, batch.width, batch.returning) == (f" RETURNING {ALL}", 2, True)


def test_names_are_quoted_whatever_they_hold() -> None:
    class Odd:
        value: int | None
        __dataflow__: ClassVar = {"timestamps": False, "table": 'a"b; --'}

    sql = compile_shape(DIALECT, Select(declare(Odd, implied=True)).shape).sql
    assert sql == 'SELECT "a""b; --"."id", "a""b; --"."value" FROM "a""b; --"'


def test_a_shape_is_compiled_once_and_found_again(db: DataFlow) -> None:
    compiled = db.databases()["primary"].executor.compiled
    db.run_sync(db.nodes.UserCreateNode(name="warm"))
    db.run_sync(db.nodes.UserListNode(filter={"age": {"$in": [1]}}))
    before = compiled.cache_info()
    for number in range(50):
        db.run_sync(db.nodes.UserCreateNode(name=str(number)))
        db.run_sync(db.nodes.UserListNode(filter={"age": {"$in": list(range(number))}}))
    after = compiled.cache_info()
    # An empty list is a shape of its own: it asks for nothing.
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 99)


def test_the_number_of_shapes_that_are_kept_is_bounded() -> None:
    executor = Executor(DIALECT)
    for number in range(SHAPES_KEPT + 100):
        executor.compiled(Raw(f"SELECT {number}", {}).shape)
    assert executor.compiled.cache_info().currsize == SHAPES_KEPT
    assert executor.compiled.cache_info().maxsize == SHAPES_KEPT


@pytest.fixture
def db() -> Any:
    with DataFlow("sqlite:///:memory:") as db:
        db.model(User)
        yield db
