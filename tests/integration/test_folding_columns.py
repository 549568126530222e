"""Tables of others, in which texts that differ are the same: no count is wrong, and no row is there twice."""

from collections.abc import Iterator
from typing import Any

import pytest

from dataflow import DataFlow, Field
from dataflow.errors import IntegrityError, InvalidValue, MultipleRecords, QueryError
from dataflow.url import DatabaseURL

from .conftest import ON_MYSQL, ON_POSTGRES, on

FOLDING = {
    "sqlite": "VARCHAR(50) COLLATE NOCASE",
    "postgresql": "VARCHAR(50) COLLATE folding",
    "mysql": "VARCHAR(50) COLLATE utf8mb4_general_ci",
}
MADE_FIRST = {
    "postgresql": "CREATE COLLATION folding (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
}

TWICE = [{"id": "Ann", "age": 1}, {"id": "ANN", "age": 2}]


@pytest.fixture
def db(url: str) -> Iterator[DataFlow]:
    """A database whose tables somebody else has made: by the key, by a unique column, and by neither."""
    scheme = DatabaseURL.parse(url).scheme
    text = FOLDING[scheme]
    with DataFlow(url) as db:
        for sql in (
            *([MADE_FIRST[scheme]] if scheme in MADE_FIRST else []),
            f"CREATE TABLE people (id {text} NOT NULL PRIMARY KEY, age INTEGER NOT NULL)",
            f"CREATE TABLE members (id INTEGER NOT NULL PRIMARY KEY, name {text} NOT NULL, age INTEGER NOT NULL)",
            f"CREATE TABLE places (host {text} NOT NULL, number INTEGER NOT NULL, age INTEGER NOT NULL, "
            "PRIMARY KEY (host, number))",
        ):
            db.run_sync(db.nodes.SQLNode(sql=sql))
        define(db)
        yield db


def define(db: DataFlow) -> None:
    plain = {"timestamps": False}

    @db.model
    class Person:
        id: str
        age: int
        __dataflow__ = {**plain, "table": "people"}  # noqa: RUF012

    @db.model
    class Member:
        id: int
        name: str
        age: int
        __dataflow__ = plain

    @db.model
    class Place:
        host: str = Field(primary_key=True)
        number: int = Field(primary_key=True)
        age: int
        __dataflow__ = plain


def run(db: DataFlow, node: str, **parameters: Any) -> dict[str, Any]:
    result: dict[str, Any] = db.run_sync(getattr(db.nodes, node)(**parameters))
    return result


def people(db: DataFlow) -> dict[str, int]:
    return {row["id"]: row["age"] for row in run(db, "PersonListNode")["records"]}


def members(db: DataFlow) -> list[tuple[str, int]]:
    return [(row["name"], row["age"]) for row in run(db, "MemberListNode", order_by=["id"])["records"]]


# Updates of rows by their keys


def test_a_row_is_updated_by_any_key_that_is_the_same_to_its_column(db: DataFlow) -> None:
    run(db, "PersonBulkCreateNode", data=[{"id": "ann", "age": 1}, {"id": "Bob", "age": 1}])
    data = [{"id": "ANN", "age": 2}, {"id": "Bob", "age": 3}, {"id": "cid", "age": 4}]
    assert run(db, "PersonBulkUpdateNode", data=data)["updated"] == 2
    assert people(db) == {"ann": 2, "Bob": 3}


def test_two_rows_that_mean_the_same_one_are_refused(db: DataFlow) -> None:
    run(db, "PersonBulkCreateNode", data=[{"id": "ann", "age": 1}])
    for keys in (["Ann", "ANN"], ["ann", "Ann"]):
        with pytest.raises(
            InvalidValue, match="two rows of the data have keys that the database takes for the"
        ):
            run(db, "PersonBulkUpdateNode", data=[{"id": key, "age": 5} for key in keys])
    assert people(db) == {"ann": 1}


def test_keys_of_several_columns_are_the_same_together(db: DataFlow) -> None:
    first = [{"host": "a", "number": 1, "age": 1}, {"host": "a", "number": 2, "age": 1}]
    run(db, "PlaceBulkCreateNode", data=first)
    data = [{"host": "A", "number": 1, "age": 2}, {"host": "a", "number": 2, "age": 3}]
    assert run(db, "PlaceBulkUpdateNode", data=data)["updated"] == 2
    stored = run(db, "PlaceListNode", order_by=["number"])["records"]
    assert [(row["host"], row["age"]) for row in stored] == [("a", 2), ("a", 3)]
    with pytest.raises(InvalidValue, match="two rows of the data"):
        run(db, "PlaceBulkUpdateNode", data=[{**data[0], "host": host} for host in "aA"])


# Upserts


def test_an_upsert_without_a_unique_key_meets_the_row_that_is_the_same(db: DataFlow) -> None:
    run(db, "MemberCreateNode", id=1, name="ann", age=1)
    data = [{"id": 2, "name": "Ann", "age": 2}, {"id": 3, "name": "Bob", "age": 3}]
    done = run(db, "MemberBulkUpsertNode", data=data, match_fields=["name"])
    assert (done["inserted"], done["updated"]) == (1, 1)
    assert members(db) == [("ann", 2), ("Bob", 3)]


def test_an_upsert_meets_what_it_has_just_inserted(db: DataFlow) -> None:
    data = [{"id": number, "name": name, "age": number} for number, name in enumerate(("Ann", "ANN", "bob"))]
    done = run(db, "MemberBulkUpsertNode", data=data, match_fields=["name"])
    assert (done["inserted"], done["updated"]) == (2, 1)
    assert members(db) == [("Ann", 1), ("bob", 2)]


def test_an_upsert_that_could_mean_several_rows_is_refused(db: DataFlow) -> None:
    run(db, "MemberBulkCreateNode", data=[{"id": n, "name": name, "age": 1} for n, name in enumerate("aA")])
    with pytest.raises(MultipleRecords):
        run(db, "MemberBulkUpsertNode", data=[{"id": 7, "name": "a", "age": 2}], match_fields=["name"])
    assert members(db) == [("a", 1), ("A", 1)]


def test_an_upsert_by_the_key_meets_the_row_that_is_the_same(db: DataFlow) -> None:
    run(db, "PersonCreateNode", id="ann", age=1)
    done = run(db, "PersonBulkUpsertNode", data=[{"id": "Ann", "age": 2}, {"id": "bob", "age": 3}])
    assert (done["inserted"], done["updated"]) == (1, 1)
    assert people(db) == {"ann": 2, "bob": 3}


@on("file", ON_MYSQL)
def test_of_two_rows_that_are_the_same_the_second_meets_the_first(db: DataFlow) -> None:
    done = run(db, "PersonBulkUpsertNode", data=TWICE)
    assert (done["inserted"], done["updated"]) == (1, 1)
    assert people(db) == {"Ann": 2}


@on(ON_POSTGRES)
def test_two_rows_that_are_the_same_are_refused_where_one_statement_takes_a_row_once(db: DataFlow) -> None:
    with pytest.raises(QueryError, match="two rows of the data mean the same row"):
        run(db, "PersonBulkUpsertNode", data=TWICE)
    assert people(db) == {}


def test_rows_that_come_back_are_those_that_were_stored(db: DataFlow) -> None:
    data = [{"id": name, "age": age} for age, name in enumerate(("b", "A", "c"))]
    stored = run(db, "PersonBulkCreateNode", data=data, return_rows=True)["result"]
    assert [row["id"] for row in stored] == ["b", "A", "c"]
    with pytest.raises(IntegrityError):
        run(db, "PersonBulkCreateNode", data=[{"id": "B", "age": 1}], return_rows=True)
