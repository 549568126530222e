"""What the BulkDeleteNode deletes."""

from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import InvalidValue, MissingValue, UnknownName, WorkflowBuildError
from dataflow.testing.conformance.people import ROWS, define_people, people

__all__ = ["BulkDeleteTests"]


class BulkDeleteTests:
    """Many rows go at once."""

    @pytest.mark.parametrize(
        ("parameters", "left"),
        [
            ({"filter": {"name": "Ann"}}, [2]),
            ({"filter": {"age": None}}, [1, 3]),
            ({"filter": {"id": {"$in": [1, 2, 77]}}}, [3]),
            ({"filter": {"id": 9}}, [1, 2, 3]),
            ({"filter": {}, "confirmed": True}, []),
            ({"filter": {"name": "Ann"}, "confirmed": True, "soft_delete": False}, [2]),
        ],
    )
    def test_the_rows_that_match_are_gone_and_counted(
        self, db: DataFlow, parameters: dict[str, Any], left: list[int]
    ) -> None:
        define_people(db)
        output = db.run_sync(db.nodes.UserBulkDeleteNode(**parameters))
        assert output == {"deleted": 3 - len(left), "result": 3 - len(left)}
        assert [user["id"] for user in people(db)] == left

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({}, MissingValue, "needs a filter"),
            ({"filter": None}, MissingValue, "needs a filter"),
            ({"confirmed": True}, MissingValue, "needs a filter"),
            ({"filter": {}}, MissingValue, "confirmed=True"),
            ({"filter": {"$or": [{}]}}, MissingValue, "confirmed=True"),
            ({"filter": {"id": {"$nin": []}}}, MissingValue, "confirmed=True"),
            ({"filter": {"$nor": [{"$not": {}}]}}, MissingValue, "confirmed=True"),
            ({"filter": {}, "confirmed": "yes"}, InvalidValue, "expected a bool"),
            ({"filter": {"id": 1}, "soft_delete": True}, InvalidValue, "no soft deletion"),
            ({"filter": {"id": 1}, "soft_delete": None}, InvalidValue, "expected a bool"),
            ({"filter": [1]}, InvalidValue, "expected a dict"),
            ({"filter": {"nam": "Ann"}}, UnknownName, "did you mean 'name'"),
            ({"filter": {"id": 1}, "confirm": True}, UnknownName, "did you mean 'confirmed'"),
        ],
    )
    def test_what_makes_no_sense_is_refused_and_deletes_nothing(
        self, db: DataFlow, parameters: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        define_people(db)
        with pytest.raises(error, match=message):
            db.run_sync(db.nodes.UserBulkDeleteNode(**parameters))
        assert people(db) == ROWS

    def test_a_deletion_of_every_row_may_be_confirmed_by_a_connection(self, db: DataFlow) -> None:
        define_people(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node(lambda: {"sure": True}, "ask")
        workflow.add_node("UserBulkDeleteNode", "all", {"filter": {}})
        workflow.add_connection("ask", "sure", "all", "confirmed")
        results, _ = LocalRuntime().execute(workflow.build())
        assert results["all"]["result"] == len(ROWS)

    def test_a_bulk_deletion_is_checked_when_its_workflow_is_built(self, db: DataFlow) -> None:
        define_people(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("UserBulkDeleteNode", "a", {"filter": {"agee": 1}})
        workflow.add_node("UserBulkDeleteNode", "b", {"filter": {"id": 1}, "ids": [1]})
        workflow.add_node("UserBulkDeleteNode", "c", {"filter": {"id": 1}, "soft_delete": True})
        with pytest.raises(WorkflowBuildError) as caught:
            workflow.build()
        assert len(caught.value.problems) == 3

    def test_a_list_of_many_keys_is_deleted(self, db: DataFlow) -> None:
        @db.model
        class Item:
            number: int

        db.run_sync(db.nodes.ItemBulkCreateNode(data=[{"number": number} for number in range(20_010)]))
        rows = db.run_sync(db.nodes.ItemListNode(order_by=["number"], limit=20_000))["records"]
        output = db.run_sync(db.nodes.ItemBulkDeleteNode(filter={"id": {"$in": [row["id"] for row in rows]}}))
        assert output["deleted"] == 20_000
        assert db.run_sync(db.nodes.ItemListNode(count_only=True))["count"] == 10
