"""The DeleteNode: one row at most, or nothing is gone."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import (
    MissingValue,
    MultipleRecords,
    UnknownName,
    ValidationError,
    WorkflowExecutionError,
)
from dataflow.testing.conformance.people import ROWS, define_people, people
from dataflow.testing.suite import requires

__all__ = ["DeleteTests"]


async def in_transaction(db: DataFlow, node: str, **parameters: Any) -> None:
    async with db.transaction():
        await db.nodes.UserCreateNode(name="Zoe", email="z")
        with pytest.raises(MultipleRecords):
            await getattr(db.nodes, node)(**parameters)


class DeleteTests:
    """Rows are deleted one by one."""

    @pytest.mark.parametrize("conditions", [{"name": "Ann"}, {"id": {"$nin": [99]}}])
    def test_a_deletion_that_meets_several_rows_names_the_bulk_node_and_deletes_nothing(
        self, db: DataFlow, conditions: Mapping[str, Any]
    ) -> None:
        define_people(db)
        with pytest.raises(MultipleRecords, match="UserBulkDeleteNode"):
            db.run_sync(db.nodes.UserDeleteNode(conditions=conditions))
        assert people(db) == ROWS

    @requires(Capability.SAVEPOINTS)
    @pytest.mark.parametrize(
        ("node", "parameters"),
        [("UserUpdateNode", {"name": "Ann", "updates": {"age": 1}}), ("UserDeleteNode", {"name": "Ann"})],
    )
    def test_in_a_transaction_only_the_node_that_met_several_rows_is_undone(
        self, db: DataFlow, node: str, parameters: Mapping[str, Any]
    ) -> None:
        define_people(db)
        asyncio.run(in_transaction(db, node, **parameters))
        assert people(db) == [*ROWS, {"id": 4, "name": "Zoe", "age": None, "email": "z"}]

    @pytest.mark.parametrize("runtime", ["sync", "async"])
    def test_in_a_workflow_everything_is_undone_where_one_node_meets_several_rows(
        self, db: DataFlow, runtime: str
    ) -> None:
        define_people(db)
        workflow = WorkflowBuilder(db)
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
        assert people(db) == ROWS

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
    def test_one_row_is_deleted_and_its_key_comes_back(
        self, db: DataFlow, parameters: Mapping[str, Any]
    ) -> None:
        define_people(db)
        output = db.run_sync(db.nodes.UserDeleteNode(**parameters))
        assert output.items() >= {"deleted": 1, "id": 2, "result": 1}.items()
        assert people(db) == [ROWS[0], ROWS[2]]

    def test_a_deletion_without_its_row_deletes_nothing(self, db: DataFlow) -> None:
        define_people(db)
        assert db.run_sync(db.nodes.UserDeleteNode(id=99)) == {"deleted": 0, "result": 0}
        assert people(db) == ROWS

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
        self, db: DataFlow, parameters: Mapping[str, Any], error: type[Exception]
    ) -> None:
        define_people(db)
        with pytest.raises(error):
            db.run_sync(db.nodes.UserDeleteNode(**parameters))
        assert people(db) == ROWS

    def test_a_key_of_another_name_comes_back_as_id_too(self, db: DataFlow) -> None:
        @db.model
        class Country:
            code: str = Field(primary_key=True)

        db.run_sync(db.nodes.CountryCreateNode(code="de"))
        output = db.run_sync(db.nodes.CountryDeleteNode(code="de"))
        assert output.items() >= {"deleted": 1, "id": "de", "code": "de"}.items()

    def test_a_part_of_a_composite_key_may_meet_several_rows(self, db: DataFlow) -> None:
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
