"""What versions promise: every change counts, and no change is lost unseen."""

import asyncio
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import (
    InvalidValue,
    MultipleRecords,
    RecordNotFound,
    StaleRecord,
    WorkflowExecutionError,
)
from dataflow.testing.suite import requires

__all__ = ["VersionTests", "define_accounts"]

Row = dict[str, Any]


def define_accounts(db: DataFlow, **options: bool) -> None:
    @db.model
    class Account:
        owner: str
        balance: int = 0
        __dataflow__: ClassVar = {"versioned": True, **options}

    db.run_sync(db.nodes.AccountBulkCreateNode(data=[{"owner": owner} for owner in "abc"]))


def accounts(db: DataFlow) -> list[tuple[str, int, int]]:
    records = db.run_sync(db.nodes.AccountListNode(order_by=["id"]))["records"]
    return [(record["owner"], record["balance"], record["version"]) for record in records]


UNTOUCHED = [("a", 0, 1), ("b", 0, 1), ("c", 0, 1)]


class VersionTests:
    """A model that is ``versioned``."""

    def test_every_change_counts(self, db: DataFlow) -> None:
        define_accounts(db)
        assert accounts(db) == UNTOUCHED
        assert db.run_sync(db.nodes.AccountUpdateNode(id=1, balance=5))["version"] == 2
        db.run_sync(db.nodes.AccountUpdateNode(owner="a", updates={"$inc": {"balance": 1}}))
        db.run_sync(db.nodes.AccountBulkUpdateNode(filter={"id": {"$lte": 2}}, balance=7))
        db.run_sync(db.nodes.AccountBulkUpdateNode(data=[{"id": 2, "balance": 8}, {"id": 3, "owner": "d"}]))
        assert accounts(db) == [("a", 7, 4), ("b", 8, 3), ("d", 0, 2)]

    def test_a_row_of_the_expected_version_changes(self, db: DataFlow) -> None:
        define_accounts(db)
        changed = db.run_sync(db.nodes.AccountUpdateNode(id=1, version=1, balance=5))
        assert (changed["balance"], changed["version"]) == (5, 2)
        update = db.nodes.AccountUpdateNode(
            conditions={"owner": "a"}, version=2, updates={"$inc": {"balance": 1}}
        )
        assert db.run_sync(update)["version"] == 3
        assert (
            db.run_sync(db.nodes.AccountUpdateNode(owner="b", version=1, updates={"balance": 2}))["id"] == 2
        )
        assert accounts(db) == [("a", 6, 3), ("b", 2, 2), ("c", 0, 1)]

    def test_a_row_of_another_version_is_stale_and_one_that_is_missing_is_not(self, db: DataFlow) -> None:
        define_accounts(db)
        for selector in ({"id": 1}, {"conditions": {"owner": "a"}}, {"owner": "a"}):
            with pytest.raises(StaleRecord, match="read it again"):
                db.run_sync(db.nodes.AccountUpdateNode(**selector, version=2, updates={"balance": 5}))
            with pytest.raises(StaleRecord, match="read it again"):
                db.run_sync(db.nodes.AccountDeleteNode(**selector, version=2))
        stale = db.nodes.AccountUpdateNode(id=1, version=2, balance=5, required=False)
        with pytest.raises(StaleRecord):
            db.run_sync(stale)
        with pytest.raises(RecordNotFound):
            db.run_sync(db.nodes.AccountUpdateNode(id=9, version=1, balance=5))
        missing = db.nodes.AccountUpdateNode(id=9, version=1, balance=5, required=False)
        assert db.run_sync(missing)["found"] is False
        assert db.run_sync(db.nodes.AccountDeleteNode(id=9, version=1))["deleted"] == 0
        assert accounts(db) == UNTOUCHED

    def test_a_row_of_the_expected_version_is_deleted(self, db: DataFlow) -> None:
        define_accounts(db)
        assert db.run_sync(db.nodes.AccountDeleteNode(id=2, version=1))["deleted"] == 1
        assert db.run_sync(db.nodes.AccountDeleteNode(owner="a"))["deleted"] == 1
        assert accounts(db) == [("c", 0, 1)]

    def test_each_row_of_a_list_may_expect_its_version(self, db: DataFlow) -> None:
        define_accounts(db)
        data = [
            {"id": 1, "version": 1, "balance": 5},
            {"id": 2, "balance": 6},
            {"id": 9, "version": 1, "balance": 7},
        ]
        assert db.run_sync(db.nodes.AccountBulkUpdateNode(data=data))["updated"] == 2
        assert accounts(db) == [("a", 5, 2), ("b", 6, 2), ("c", 0, 1)]
        data = [
            {"id": 3, "balance": 5},
            {"id": 2, "version": 2, "balance": 7},
            {"id": 1, "version": 1, "balance": 7},
        ]
        with pytest.raises(StaleRecord, match="1 of the rows"):
            db.run_sync(db.nodes.AccountBulkUpdateNode(data=data))
        assert accounts(db) == [("a", 5, 2), ("b", 6, 2), ("c", 0, 1)]

    def test_a_stale_row_is_noticed_among_very_many(self, db: DataFlow) -> None:
        define_accounts(db)
        many = [{"owner": f"o{number}"} for number in range(450)]
        db.run_sync(db.nodes.AccountBulkCreateNode(data=many))
        stored = db.run_sync(db.nodes.AccountListNode(order_by=["id"]))["records"]
        data = [{"id": row["id"], "version": 1, "balance": 7} for row in stored]
        for place in (0, 300, len(data) - 1):
            stale = [*data[:place], {**data[place], "version": 5}, *data[place + 1 :]]
            with pytest.raises(StaleRecord, match="1 of the rows"):
                db.run_sync(db.nodes.AccountBulkUpdateNode(data=stale))
        missing = [*data, {"id": data[-1]["id"] + 1, "version": 1, "balance": 7}]
        assert db.run_sync(db.nodes.AccountBulkUpdateNode(data=missing))["updated"] == len(data)

    def test_stale_rows_of_a_composite_key_are_noticed(self, db: DataFlow) -> None:
        @db.model
        class Seat:
            row: int = Field(primary_key=True)
            letter: str = Field(primary_key=True)
            taken: bool = False
            __dataflow__: ClassVar = {"versioned": True}

        keys: list[Row] = [{"row": row, "letter": letter} for row in (1, 2) for letter in "AB"]
        db.run_sync(db.nodes.SeatBulkCreateNode(data=keys))
        wanted: list[Row] = [*keys, {"row": 3, "letter": "A"}]
        data = [{**key, "version": 1, "taken": True} for key in wanted]
        assert db.run_sync(db.nodes.SeatBulkUpdateNode(data=data))["updated"] == 4
        with pytest.raises(StaleRecord, match="4 of the rows"):
            db.run_sync(db.nodes.SeatBulkUpdateNode(data=data))
        with pytest.raises(StaleRecord):
            db.run_sync(db.nodes.SeatUpdateNode(row=1, letter="A", version=1, taken=False))

    @pytest.mark.parametrize(
        ("node", "parameters", "message"),
        [
            ("AccountUpdateNode", {"id": 1, "updates": {"version": 5}}, "counts by itself"),
            ("AccountUpdateNode", {"id": 1, "updates": {"$inc": {"version": 1}}}, "counts by itself"),
            ("AccountUpdateNode", {"id": 1, "version": None, "balance": 1}, "must not be None"),
            ("AccountDeleteNode", {"id": 1, "version": "1"}, "expected int"),
            ("AccountBulkUpdateNode", {"filter": {"id": 1}, "update": {"version": 5}}, "counts by itself"),
            ("AccountBulkUpdateNode", {"filter": {"id": 1}, "balance": 1, "version": 1}, "counts by itself"),
            (
                "AccountBulkUpdateNode",
                {"data": [{"id": 1, "balance": 1, "version": 1}, {"id": 1, "balance": 2}]},
                "two rows have one key",
            ),
            (
                "AccountBulkUpdateNode",
                {"data": [{"id": 1, "balance": 1, "version": None}]},
                "must not be None",
            ),
        ],
    )
    def test_a_version_that_makes_no_sense_is_refused(
        self, db: DataFlow, node: str, parameters: Row, message: str
    ) -> None:
        define_accounts(db)
        with pytest.raises(InvalidValue, match=message):
            db.run_sync(getattr(db.nodes, node)(**parameters))
        assert accounts(db) == UNTOUCHED

    def test_a_version_alone_selects_no_row_to_change(self, db: DataFlow) -> None:
        define_accounts(db)
        with pytest.raises(Exception, match="which row"):
            db.run_sync(db.nodes.AccountUpdateNode(version=1, updates={"balance": 1}))
        with pytest.raises(Exception, match="which row"):
            db.run_sync(db.nodes.AccountDeleteNode(version=1))
        assert db.run_sync(db.nodes.AccountListNode(version=1))["count"] == 3
        assert accounts(db) == UNTOUCHED

    def test_several_rows_of_the_expected_version_are_still_several(self, db: DataFlow) -> None:
        define_accounts(db)
        with pytest.raises(MultipleRecords):
            db.run_sync(
                db.nodes.AccountUpdateNode(conditions={"balance": 0}, version=1, updates={"balance": 1})
            )
        assert accounts(db) == UNTOUCHED

    def test_a_stale_row_undoes_the_run(self, db: DataFlow) -> None:
        define_accounts(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("AccountReadNode", "read", {"id": 1})
        workflow.add_node("AccountUpdateNode", "first", {"id": 1, "balance": 1})
        workflow.add_node("AccountUpdateNode", "second", {"id": 1, "balance": 2})
        workflow.add_connection("read", "first")
        workflow.add_connection("first", "second")
        workflow.add_connection("read", "version", "second", "version")
        with pytest.raises(WorkflowExecutionError) as caught:
            LocalRuntime().execute(workflow.build())
        assert isinstance(caught.value.cause, StaleRecord)
        assert accounts(db) == UNTOUCHED

    @requires(Capability.SAVEPOINTS)
    def test_in_a_transaction_a_stale_list_changes_nothing(self, db: DataFlow) -> None:
        define_accounts(db)

        async def work() -> None:
            async with db.transaction():
                await db.nodes.AccountUpdateNode(id=3, balance=1)
                data = [{"id": 1, "version": 1, "balance": 5}, {"id": 2, "version": 2, "balance": 5}]
                with pytest.raises(StaleRecord):
                    await db.nodes.AccountBulkUpdateNode(data=data)

        asyncio.run(work())
        assert accounts(db) == [("a", 0, 1), ("b", 0, 1), ("c", 1, 2)]

    def test_a_soft_deletion_counts_and_a_deleted_row_is_missing_not_stale(self, db: DataFlow) -> None:
        define_accounts(db, soft_delete=True)
        assert db.run_sync(db.nodes.AccountDeleteNode(id=1, version=1))["deleted"] == 1
        gone = db.run_sync(db.nodes.AccountListNode(include_deleted=True, filter={"id": 1}))["records"][0]
        assert gone["version"] == 2
        with pytest.raises(RecordNotFound):
            db.run_sync(db.nodes.AccountUpdateNode(id=1, version=1, balance=5))
        data = [{"id": 1, "version": 1, "balance": 5}]
        assert db.run_sync(db.nodes.AccountBulkUpdateNode(data=data))["updated"] == 0
        with pytest.raises(StaleRecord):
            db.run_sync(db.nodes.AccountDeleteNode(id=2, version=7))
