"""How SQLite carries filters out: which use an index, and what the functions of a connection answer."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Field, Index
from dataflow.errors import DataFlowError, ModelError
from dataflow.filters.mongo import read_filter
from dataflow.model.declare import declare
from dataflow.sql.compiler import compile_shape
from dataflow.statements import Select

Query = Callable[..., list[tuple[Any, ...]]]


class Person:
    name: str = Field(index=True)
    nick: str | None = Field(index=True)
    age: int | None = Field(index=True)
    data: dict[str, Any] | None
    __dataflow__: ClassVar = {"timestamps": False, "table": "people"}


MODEL = declare(Person, implied=True)


@pytest.fixture
def people(file: Path) -> Iterator[DataFlow]:
    with DataFlow(f"sqlite:///{file}") as db:
        db.model(Person)
        rows = [{"name": name, "nick": None, "age": None, "data": None} for name in ("John", "Joan", "Ann")]
        db.run_sync(db.nodes.PersonBulkCreateNode(data=rows))
        yield db


def plan(db: DataFlow, file: Path, filter: Mapping[str, Any]) -> str:
    """How SQLite goes about a filter, in its own words."""
    statement = Select(MODEL, read_filter(MODEL, filter, "filter"))
    compiled = compile_shape(db.databases()["primary"].dialect, statement.shape)
    values = statement.values if compiled.bind is None else compiled.bind(statement.values)
    with closing(sqlite3.connect(file)) as raw:
        raw.create_function("dataflow_regexp", 2, lambda pattern, text: True, deterministic=True)
        return "; ".join(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", values))


@pytest.mark.parametrize(
    "filter",
    [
        {"name": {"$regex": "^John"}},
        {"name": {"$regex": "^Jo[ah]n$"}},
        {"name": {"$like": "John%"}},
        {"name": {"$like": "Jo_n"}},
        {"name": {"$between": ["A", "B"]}},
        {"age": {"$between": [1, 2]}},
    ],
)
def test_what_begins_with_letters_is_found_by_the_index(
    people: DataFlow, file: Path, filter: dict[str, Any]
) -> None:
    field = next(iter(filter))
    assert f"USING INDEX ix__people__{field} ({field}>? AND {field}<?)" in plan(people, file, filter)


@pytest.mark.parametrize(
    "filter", [{"name": {"$regex": "^John$"}}, {"name": {"$like": "John"}}, {"name": {"$like": "Jo\\%"}}]
)
def test_a_pattern_without_wildcards_is_an_equality(
    people: DataFlow, file: Path, filter: dict[str, Any]
) -> None:
    assert "USING INDEX ix__people__name (name=?)" in plan(people, file, filter)


def test_the_opposite_of_exists_uses_the_index(people: DataFlow, file: Path) -> None:
    assert "(nick=?)" in plan(people, file, {"nick": {"$exists": False}})


@pytest.mark.parametrize(
    "prefix", ["a", "aÿ", "\ud7ff", "\U0010ffff", "a\U0010ffff", "\U0010ffff\U0010ffff", "😀", "z\x7f"]
)
def test_a_prefix_is_found_to_its_very_end(people: DataFlow, prefix: str) -> None:
    last = ord(prefix[-1])
    beyond = prefix[:-1] + chr(0xE000 if last == 0xD7FF else min(last + 1, 0x10FFFF))
    names = [prefix, prefix + "\U0010ffff", prefix + "a", beyond, prefix[:-1] + "!", prefix[:-1]]
    rows = [{"name": name} for name in names]
    people.run_sync(people.nodes.PersonBulkCreateNode(data=rows))
    for condition in ({"$like": prefix + "%"}, {"$regex": "^" + prefix}, {"$like": prefix + "%_%"}):
        found = people.run_sync(people.nodes.PersonListNode(filter={"name": condition}))["records"]
        expected = {name for name in names if name.startswith(prefix)}
        assert {row["name"] for row in found} == (expected - {prefix} if "_" in str(condition) else expected)


def test_a_shape_holds_no_pattern_and_no_value() -> None:
    for one, other in [
        ({"name": {"$regex": "a+"}}, {"name": {"$regex": "b|c", "$options": "i"}}),
        ({"name": {"$like": "%a"}}, {"name": {"$like": "%b_"}}),
        ({"name": {"$like": "a%"}}, {"name": {"$like": "bc%"}}),
        ({"data.x": {"$in": [1, "a"]}}, {"data.x": {"$in": [2, 3, "b", "c"]}}),
        ({"data.x": {"$contains": "a"}}, {"data.x": {"$contains": "b"}}),
    ]:
        first, second = read_filter(MODEL, one, "filter"), read_filter(MODEL, other, "filter")
        assert first.shape == second.shape
        assert first.values != second.values


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"name": {"$ilike": "a%"}}, r"cannot use \$ilike"),
        ({"name": {"$regex": "a+"}}, r"cannot use \$regex"),
        ({"name": {"$contains": "a"}}, r"cannot use \$like"),
        ({"data.x": 1}, "cannot use paths into JSON"),
        ({"$not": {"data": {"$contains": "a"}}}, r"nor \$contains"),
        ({"name": {"$in": ["a"]}}, r"cannot use \$in"),
    ],
)
def test_the_where_of_an_index_refuses_what_depends_on_more_than_columns(
    where: dict[str, Any], told: str
) -> None:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class Note:
            name: str
            data: dict[str, Any] | None
            __dataflow__: ClassVar = {"indexes": [Index("name", where=where)]}

        with pytest.raises(ModelError, match=told):
            db.run_sync(db.nodes.NoteCreateNode(name="a"))


def test_the_where_of_an_index_takes_ranges(file: Path, query: Query) -> None:
    with DataFlow(f"sqlite:///{file}") as db:

        @db.model
        class Note:
            name: str | None
            __dataflow__: ClassVar = {"indexes": [Index("name", where={"name": {"$between": ["a", "b"]}})]}

        db.run_sync(db.nodes.NoteCreateNode(name="a"))
    ((sql,),) = query("SELECT sql FROM sqlite_master WHERE type = 'index'")
    assert sql.endswith(""" WHERE ("notes"."name" >= 'a' AND "notes"."name" <= 'b')""")


def test_json_that_others_wrote_is_read_as_it_stands(file: Path, query: Query, people: DataFlow) -> None:
    documents = [
        '{ "n" : 1e2, "big": 123456789012345678901234567890 }',
        '{"n":100}',
        '{"esc\\u0061ped": "\\u00e4"}',
    ]
    for document in documents:
        query("INSERT INTO people (name, data) VALUES ('x', ?)", document)

    def count(filter: dict[str, Any]) -> int:
        counted: int = people.run_sync(people.nodes.PersonListNode(filter=filter, count_only=True))["count"]
        return counted

    assert count({"data.n": 100}) == 2
    assert count({"data.big": {"$gt": 2**63 - 1}}) == 1
    assert count({"data.escaped": "ä"}) == 1


def test_a_document_that_is_no_json_is_an_error(query: Query, people: DataFlow) -> None:
    query("INSERT INTO people (name, data) VALUES ('x', 'canary')")
    with pytest.raises(DataFlowError) as caught:
        people.run_sync(people.nodes.PersonListNode(filter={"data.n": 1}, count_only=True))
    assert "canary" not in str(caught.value)
    assert "a stored value is no JSON" in str(caught.value)
