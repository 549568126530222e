"""The UpdateNode and the DeleteNode: one row at most, or nothing changes."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    InvalidValue,
    MissingValue,
    MultipleRecords,
    RecordNotFound,
    UniqueViolation,
    UnknownName,
    ValidationError,
    WorkflowExecutionError,
)

Rows = list[dict[str, Any]]
ROWS: Rows = [
    {"id": 1, "name": "Ann", "age": 30, "email": "a"},
    {"id": 2, "name": "Bob", "age": None, "email": "b"},
    {"id": 3, "name": "Ann", "age": 40, "email": "c"},
]


@pytest.fixture
def users(db: DataFlow) -> DataFlow:
    @db.model
    class User:
        name: str
        age: int | None
        email: str = Field(unique=True)
        __dataflow__: ClassVar = {"timestamps": False}

    db.run_sync(db.nodes.UserBulkCreateNode(data=ROWS))
    return db


def rows(db: DataFlow) -> Rows:
    records: Rows = db.run_sync(db.nodes.UserListNode(order_by=["id"]))["records"]
    return records


def changed(number: int, **values: object) -> Rows:
    return [{**row, **values} if row["id"] == number else row for row in ROWS]


@pytest.mark.parametrize(
    ("parameters", "number", "values"),
    [
        ({"id": 1, "updates": {"age": 31}}, 1, {"age": 31}),
        ({"user_id": 1, "age": 31}, 1, {"age": 31}),
        ({"id": 1, "name": "Eve", "updates": {"age": 5}}, 1, {"age": 5, "name": "Eve"}),
        ({"id": 1, "updates": {"age": None}}, 1, {"age": None}),
        ({"conditions": {"age": None}, "updates": {"age": 5}}, 2, {"age": 5}),
        ({"conditions": {"name": "Bob"}, "name": "Rob"}, 2, {"name": "Rob"}),
        ({"conditions": "age > :least", "least": 35, "updates": {"name": "Old"}}, 3, {"name": "Old"}),
        ({"name": "Bob", "updates": {"name": "Rob"}}, 2, {"name": "Rob"}),
        ({"email": "c", "updates": {"email": "d"}}, 3, {"email": "d"}),
        ({"id": 1, "updates": {"name": "Ann"}}, 1, {}),
    ],
)
def test_one_row_is_changed_and_comes_back_as_it_is_then(
    users: DataFlow, parameters: Mapping[str, Any], number: int, values: Mapping[str, Any]
) -> None:
    expected = changed(number, **values)
    row = expected[number - 1]
    output = users.run_sync(users.nodes.UserUpdateNode(**parameters))
    assert output == {**row, "user_id": number, "record": row, "result": row, "found": True}
    assert rows(users) == expected


def test_the_key_itself_can_be_changed(users: DataFlow) -> None:
    assert users.run_sync(users.nodes.UserUpdateNode(id=1, updates={"id": 9}))["id"] == 9
    assert [row["id"] for row in rows(users)] == [2, 3, 9]


@pytest.mark.parametrize("conditions", [{"name": "Ann"}, {"id": {"$nin": []}}, {"age": {"$ne": 7}}])
def test_an_update_that_meets_several_rows_names_the_bulk_node_and_changes_nothing(
    users: DataFlow, conditions: Mapping[str, Any]
) -> None:
    with pytest.raises(MultipleRecords, match="UserBulkUpdateNode"):
        users.run_sync(users.nodes.UserUpdateNode(conditions=conditions, updates={"age": 1}))
    assert rows(users) == ROWS


@pytest.mark.parametrize("conditions", [{"name": "Ann"}, {"id": {"$nin": []}}])
def test_a_deletion_that_meets_several_rows_names_the_bulk_node_and_deletes_nothing(
    users: DataFlow, conditions: Mapping[str, Any]
) -> None:
    with pytest.raises(MultipleRecords, match="UserBulkDeleteNode"):
        users.run_sync(users.nodes.UserDeleteNode(conditions=conditions))
    assert rows(users) == ROWS


async def in_transaction(db: DataFlow, node: str, **parameters: Any) -> None:
    async with db.transaction():
        await db.nodes.UserCreateNode(name="Zoe", email="z")
        with pytest.raises(MultipleRecords):
            await getattr(db.nodes, node)(**parameters)


@pytest.mark.parametrize(
    ("node", "parameters"),
    [("UserUpdateNode", {"name": "Ann", "updates": {"age": 1}}), ("UserDeleteNode", {"name": "Ann"})],
)
def test_in_a_transaction_only_the_node_that_met_several_rows_is_undone(
    users: DataFlow, node: str, parameters: Mapping[str, Any]
) -> None:
    asyncio.run(in_transaction(users, node, **parameters))
    assert rows(users) == [*ROWS, {"id": 4, "name": "Zoe", "age": None, "email": "z"}]


@pytest.mark.parametrize("runtime", ["sync", "async"])
def test_in_a_workflow_everything_is_undone_where_one_node_meets_several_rows(
    users: DataFlow, runtime: str
) -> None:
    workflow = WorkflowBuilder(users)
    workflow.add_node("UserCreateNode", "new", {"name": "Zoe", "email": "z"})
    workflow.add_node("UserDeleteNode", "gone", {"conditions": {"name": "Ann"}})
    built = workflow.build()

    def execute() -> object:
        if runtime == "sync":
            return LocalRuntime().execute(built)
        return asyncio.run(AsyncLocalRuntime().execute(built))

    with pytest.raises(WorkflowExecutionError) as caught:
        execute()
    assert isinstance(caught.value.cause, MultipleRecords)
    assert (caught.value.node, caught.value.rolled_back) == ("gone", ("new",))
    assert rows(users) == ROWS


def test_an_update_without_its_row_is_an_error_unless_that_is_accepted(users: DataFlow) -> None:
    with pytest.raises(RecordNotFound, match="required=False"):
        users.run_sync(users.nodes.UserUpdateNode(id=99, age=1))
    output = users.run_sync(users.nodes.UserUpdateNode(id=99, age=1, required=False))
    assert output == {"record": None, "result": None, "found": False}
    assert rows(users) == ROWS


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({}, MissingValue, "which row"),
        ({"updates": {"age": 1}}, MissingValue, "which row"),
        ({"conditions": {}, "updates": {"age": 1}}, MissingValue, "which row"),
        ({"id": 1}, MissingValue, "nothing to change"),
        ({"id": 1, "updates": {}}, MissingValue, "nothing to change"),
        ({"id": 1, "updates": {"agee": 1}}, UnknownName, "did you mean 'age'"),
        ({"id": 1, "agee": 1}, UnknownName, "did you mean 'age'"),
        ({"id": 1, "updates": [1]}, InvalidValue, "expected a dict"),
        ({"id": 1, "updates": {"age": "1"}}, InvalidValue, r"User\.age: expected int, got str"),
        ({"id": 1, "updates": {"name": None}}, InvalidValue, "must not be None"),
        ({"id": 1, "age": 1, "required": "no"}, InvalidValue, "expected a bool"),
        ({"id": "1", "age": 1}, InvalidValue, r"User\.id: expected int"),
    ],
)
def test_an_update_that_makes_no_sense_is_refused_and_changes_nothing(
    users: DataFlow, parameters: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        users.run_sync(users.nodes.UserUpdateNode(**parameters))
    assert rows(users) == ROWS


def test_an_update_that_violates_a_constraint_changes_nothing(users: DataFlow) -> None:
    with pytest.raises(UniqueViolation):
        users.run_sync(users.nodes.UserUpdateNode(id=1, email="b"))
    assert rows(users) == ROWS


@pytest.mark.parametrize(
    "parameters",
    [
        {"id": 2},
        {"user_id": 2},
        {"name": "Bob"},
        {"conditions": {"age": None}},
        {"conditions": "email = :email", "email": "b"},
    ],
)
def test_one_row_is_deleted_and_its_key_comes_back(users: DataFlow, parameters: Mapping[str, Any]) -> None:
    output = users.run_sync(users.nodes.UserDeleteNode(**parameters))
    assert output.items() >= {"deleted": 1, "id": 2, "result": 1}.items()
    assert rows(users) == [ROWS[0], ROWS[2]]


def test_a_deletion_without_its_row_deletes_nothing(users: DataFlow) -> None:
    assert users.run_sync(users.nodes.UserDeleteNode(id=99)) == {"deleted": 0, "result": 0}
    assert rows(users) == ROWS


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, MissingValue),
        ({"conditions": {}}, MissingValue),
        ({"conditions": {"$and": [{}, {}]}}, MissingValue),
        ({"nme": "Ann"}, UnknownName),
        ({"id": 1, "name": "Ann"}, ValidationError),
    ],
)
def test_a_deletion_without_a_selector_is_an_error(
    users: DataFlow, parameters: Mapping[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        users.run_sync(users.nodes.UserDeleteNode(**parameters))
    assert rows(users) == ROWS


def test_a_key_of_another_name_comes_back_as_id_too(db: DataFlow) -> None:
    @db.model
    class Country:
        code: str = Field(primary_key=True)

    db.run_sync(db.nodes.CountryCreateNode(code="de"))
    output = db.run_sync(db.nodes.CountryDeleteNode(code="de"))
    assert output.items() >= {"deleted": 1, "id": "de", "code": "de"}.items()


def test_a_part_of_a_composite_key_may_meet_several_rows(db: DataFlow) -> None:
    @db.model
    class Seat:
        row: int = Field(primary_key=True)
        letter: str = Field(primary_key=True)
        taken: bool = False

    data = [{"row": row, "letter": letter} for row in (1, 2) for letter in "AB"]
    db.run_sync(db.nodes.SeatBulkCreateNode(data=data))
    changed = db.run_sync(db.nodes.SeatUpdateNode(row=1, letter="A", updates={"taken": True}))
    assert changed["taken"] is True
    with pytest.raises(MultipleRecords):
        db.run_sync(db.nodes.SeatUpdateNode(conditions={"row": 2}, taken=True))
    with pytest.raises(MultipleRecords):
        db.run_sync(db.nodes.SeatDeleteNode(row=2))
    assert db.run_sync(db.nodes.SeatListNode(filter={"taken": True}, count_only=True))["count"] == 1
    gone = db.run_sync(db.nodes.SeatDeleteNode(row=2, letter="B"))
    assert gone.items() >= {"deleted": 1, "row": 2, "letter": "B"}.items()
    assert db.run_sync(db.nodes.SeatListNode(count_only=True))["count"] == 3
