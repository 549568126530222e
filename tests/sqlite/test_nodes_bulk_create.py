"""The BulkCreateNode: rows of all shapes, many of them, all or nothing."""

import sqlite3
from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from dataflow import DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.errors import InvalidValue, MissingValue, UniqueViolation, UnknownName


@pytest.fixture
def users(db: DataFlow) -> DataFlow:
    @db.model
    class User:
        name: str
        age: int | None
        role: str = "guest"
        token: UUID = Field(default_factory=uuid4)
        __dataflow__: ClassVar = {"timestamps": False}

    return db


def rows(db: DataFlow, *fields: str) -> list[tuple[Any, ...]]:
    records = db.run_sync(db.nodes.UserListNode(order_by=["id"], fields=list(fields)))["records"]
    return [tuple(record.values()) for record in records]


def test_rows_are_stored_and_counted(users: DataFlow) -> None:
    output = users.run_sync(users.nodes.UserBulkCreateNode(data=[{"name": "a"}, {"name": "b"}]))
    assert output == {"inserted": 2, "failed": [], "batches": 1, "result": 2}
    assert rows(users, "id", "name") == [(1, "a"), (2, "b")]


def test_rows_that_give_different_fields_are_stored_in_their_order(users: DataFlow) -> None:
    data: list[dict[str, object]] = [
        {"name": "a"},
        {"age": 1, "name": "b"},
        {"name": "c", "age": 2},
        {"name": "d"},
        {"name": "e", "role": "admin", "age": None},
    ]
    output = users.run_sync(users.nodes.UserBulkCreateNode(data=data, return_rows=True))
    assert output["inserted"] == 5
    assert [row["name"] for row in output["result"]] == list("abcde")
    assert rows(users, "id", "name", "age", "role") == [
        (1, "a", None, "guest"),
        (2, "b", 1, "guest"),
        (3, "c", 2, "guest"),
        (4, "d", None, "guest"),
        (5, "e", None, "admin"),
    ]


def test_an_empty_list_is_fine_and_stores_nothing(users: DataFlow) -> None:
    assert users.run_sync(users.nodes.UserBulkCreateNode(data=[])) == {
        "inserted": 0,
        "failed": [],
        "batches": 0,
        "result": 0,
    }
    assert users.run_sync(users.nodes.UserBulkCreateNode(data=[], return_rows=True))["result"] == []


@pytest.mark.parametrize(("size", "batches"), [(1, 7), (3, 3), (7, 1), (100, 1), (None, 1)])
def test_the_size_of_a_batch_decides_how_many_there_are(
    users: DataFlow, size: int | None, batches: int
) -> None:
    data = [{"name": str(number)} for number in range(7)]
    output = users.run_sync(users.nodes.UserBulkCreateNode(data=data, batch_size=size, return_rows=True))
    assert (output["inserted"], output["batches"]) == (7, batches)
    assert [row["name"] for row in output["result"]] == [str(number) for number in range(7)]


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


def test_rows_wider_than_a_statement_has_variables_are_refused_by_none(db: DataFlow) -> None:
    """A batch of 50 rows with 1000 columns has more variables than SQLite binds at once (32766)."""
    names = [f"c{number}" for number in range(1000)]
    namespace: dict[str, Any] = {"__annotations__": dict.fromkeys(names, int), "__module__": __name__}
    db.model(type("Wide", (), namespace))
    data = [{name: number for name in names} for number in range(120)]
    output = db.run_sync(db.nodes.WideBulkCreateNode(data=data, return_rows=True))
    assert output["inserted"] == 120
    assert all({row[name] for name in names} == {number} for number, row in enumerate(output["result"]))


def test_default_factories_are_asked_for_every_row(users: DataFlow) -> None:
    data = [{"name": str(number)} for number in range(300)]
    result = users.run_sync(users.nodes.UserBulkCreateNode(data=data, return_rows=True))["result"]
    tokens = {row["token"] for row in result}
    assert len(tokens) == 300
    assert all(type(token) is UUID for token in tokens)


def test_a_parameter_named_like_a_field_fills_the_rows_that_lack_it(users: DataFlow) -> None:
    users.run_sync(
        users.nodes.UserBulkCreateNode(
            data=[{"name": "a"}, {"name": "b", "role": "boss"}], role="staff", age=3
        )
    )
    assert rows(users, "name", "age", "role") == [("a", 3, "staff"), ("b", 3, "boss")]


def test_a_connection_fills_the_rows_that_lack_the_field(users: DataFlow) -> None:
    workflow = WorkflowBuilder(users)
    workflow.add_node("UserCreateNode", "first", {"name": "Ann", "age": 44})
    workflow.add_node("UserBulkCreateNode", "more", {"data": [{"name": "a"}, {"name": "b", "age": 1}]})
    workflow.add_connection("first", "age", "more", "age")
    LocalRuntime().execute(workflow.build())
    assert rows(users, "name", "age") == [("Ann", 44), ("a", 44), ("b", 1)]


def test_rows_of_nothing_but_defaults_are_stored(db: DataFlow) -> None:
    @db.model
    class Ticket:
        note: str | None
        __dataflow__: ClassVar = {"timestamps": False}

    output = db.run_sync(db.nodes.TicketBulkCreateNode(data=[{}, {}, {"note": "x"}], return_rows=True))
    assert [row["id"] for row in output["result"]] == [1, 2, 3]
    assert db.run_sync(db.nodes.TicketBulkCreateNode(data=[{}, {}]))["inserted"] == 2


def test_times_of_creation_are_filled(db: DataFlow) -> None:
    @db.model
    class Note:
        text: str

    result = db.run_sync(db.nodes.NoteBulkCreateNode(data=[{"text": "a"}], return_rows=True))["result"]
    assert result[0]["created_at"] == result[0]["updated_at"] is not None


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({}, MissingValue, "needs data, a list of rows"),
        ({"data": None}, MissingValue, "needs data"),
        ({"data": {"name": "x"}}, InvalidValue, "expected a list of dicts, got dict"),
        ({"data": "canary"}, InvalidValue, "expected a list of dicts, got str"),
        ({"data": [{"name": "a"}, "canary"]}, InvalidValue, "row 1: expected a dict, got str"),
        ({"data": [{"name": "a"}, {}]}, MissingValue, "row 1: .*'name'"),
        ({"data": [{"name": "a"}, {"name": 5}]}, InvalidValue, r"row 1: User\.name: expected str, got int"),
        ({"data": [{"name": "a"}, {"nme": "canary"}]}, UnknownName, "did you mean 'name'"),
        ({"data": [{"name": "a", 1: 2}]}, UnknownName, "no field '1'"),
        ({"data": [], "batch_sise": 1}, UnknownName, "did you mean 'batch_size'"),
        ({"data": [], "batch_size": 0}, InvalidValue, "at least 1"),
        ({"data": [], "batch_size": True}, InvalidValue, "at least 1"),
        ({"data": [], "return_rows": 1}, InvalidValue, "expected a bool"),
        ({"data": [{"name": "a"}], "age": "canary"}, InvalidValue, r"User\.age"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_stored(
    users: DataFlow, parameters: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        users.run_sync(users.nodes.UserBulkCreateNode(**parameters))
    assert "canary" not in str(caught.value)
    assert rows(users, "id") == []


def test_all_rows_are_undone_where_one_violates_a_constraint(db: DataFlow) -> None:
    @db.model
    class User:
        name: str = Field(unique=True)

    data = [{"name": f"canary-{number}"} for number in range(5000)]
    with pytest.raises(UniqueViolation) as caught:
        db.run_sync(db.nodes.UserBulkCreateNode(data=[*data, data[17]]))
    assert caught.value.columns == ("name",)
    assert "canary" not in f"{caught.value}{caught.value.__cause__}"
    assert isinstance(caught.value.__cause__, sqlite3.IntegrityError)
    assert rows(db, "id") == []


def test_the_data_of_the_caller_is_left_as_it_is(users: DataFlow) -> None:
    data = [{"name": "a"}]
    users.run_sync(users.nodes.UserBulkCreateNode(data=data, role="x"))
    assert data == [{"name": "a"}]
