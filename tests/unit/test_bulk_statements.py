"""How few statements store many rows: they are one where nothing but the order or the presence of names differs."""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Field, WorkflowBuilder
from dataflow.statements import InsertMany


@pytest.fixture(scope="module")
def db() -> Iterator[DataFlow]:
    with DataFlow("sqlite:///:memory:") as db:

        @db.model
        class User:
            name: str
            age: int | None
            role: str = "guest"
            number: int = Field(default_factory=lambda: 1)
            __dataflow__: ClassVar = {"timestamps": False}

        yield db


def statements(db: DataFlow, kind: str, data: list[dict[str, Any]], **more: Any) -> list[str]:
    """The SQL for these rows, as far as it is known before a run."""
    builder = WorkflowBuilder(db)
    builder.add_node(f"User{kind}Node", "x", {"data": data, **more})
    sql = builder.build().explain().nodes[0].sql
    return [] if sql is None else sql.split("; ")


@pytest.mark.parametrize(
    ("data", "count"),
    [
        ([{"name": "a"}] * 9, 1),
        ([{"name": "a", "age": 1}, {"age": 1, "name": "a"}] * 9, 1),
        ([{"name": "a"}, {"name": "a", "age": 1}] * 9, 1),
        ([{"name": "a"}, {"name": "a", "role": "x"}] * 9, 1),
        ([{"name": "a"}, {"name": "a", "number": 7}] * 9, 1),
        ([{"name": "a"}, {"name": "a", "age": None}, {"role": "x", "name": "a"}] * 9, 1),
        # A key that is given is another statement than one that the table makes.
        ([{"name": "a"}, {"name": "a"}, {"id": 7, "name": "a"}], 2),
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_new_rows_share_a_statement_where_they_can(
    db: DataFlow, data: list[dict[str, Any]], count: int, listed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = db.databases()["primary"].executor
    insert_many, sent = executor.insert_many, []

    async def noted(connection: Any, statement: InsertMany) -> Any:
        sent.append(statement)
        return await insert_many(connection, statement)

    monkeypatch.setattr(executor, "insert_many", noted)
    for more in ({}, {"role": "y"}, {"on_error": "continue"}):
        sent.clear()
        db.run_sync(db.nodes.UserBulkDeleteNode(filter={}, confirmed=True))
        given: Any = {"data": data if listed else iter(data), **more}
        assert db.run_sync(db.nodes.UserBulkCreateNode(**given))["inserted"] == len(data)
        assert len(sent) == count, more


def test_rows_are_of_one_group_though_some_give_what_others_may_lack(db: DataFlow) -> None:
    data: list[dict[str, Any]] = [{"name": "a"}, {"name": "b", "age": 1}, {"name": "c", "role": "x"}]
    [batch] = db.find_node("UserBulkCreateNode").prepare({"data": data}).input.checked
    assert [group.indices for group in batch.groups] == [[0, 1, 2]]


def test_every_batch_has_a_statement_of_its_own(db: DataFlow) -> None:
    data = [{"name": "a"}] * 9
    assert [len(statements(db, "BulkCreate", data, batch_size=size)) for size in (1, 3, 4, 8, 9, 10)] == [
        9, 3, 3, 2, 1, 1,
    ]  # fmt: skip
    assert len(statements(db, "BulkCreate", [{"name": "a"}] * 1000)) == 1
    assert len(statements(db, "BulkCreate", [{"name": "a"}] * 1001)) == 2


@pytest.mark.parametrize(
    ("data", "count"),
    [
        ([{"id": 1, "name": "a"}, {"name": "b", "id": 2}], 1),
        # A row changes what it gives and nothing else.
        ([{"id": 1, "name": "a"}, {"id": 2, "name": "b", "age": 1}], 2),
    ],
)
def test_rows_that_change_others_share_a_statement_where_they_give_the_same_fields(
    db: DataFlow, data: list[dict[str, Any]], count: int
) -> None:
    assert len(statements(db, "BulkUpsert", data)) == count
    assert len(statements(db, "BulkUpdate", data)) == count


def test_rows_are_sorted_by_their_fields_wherever_they_stand(db: DataFlow) -> None:
    data = [{"id": number, "name": "a", **({"age": 1} if number % 2 else {})} for number in range(10)]
    assert len(statements(db, "BulkUpdate", data)) == 2
    assert len(statements(db, "BulkUpdate", [*data, {"user_id": 99, "name": "a"}])) == 2
