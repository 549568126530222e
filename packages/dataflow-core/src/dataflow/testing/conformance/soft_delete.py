"""What soft deletion promises: deleted rows stay, and nobody sees them who does not ask."""

from datetime import datetime
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Field, Index, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import InvalidValue, RecordNotFound, UniqueViolation
from dataflow.testing.suite import requires

__all__ = ["SoftDeleteTests"]

Row = dict[str, Any]


def define_notes(db: DataFlow) -> None:
    @db.model
    class Note:
        text: str = Field(unique=True)
        rank: int = 0
        __dataflow__: ClassVar = {"soft_delete": True}

    data = [{"text": text, "rank": rank} for rank, text in enumerate("abcd", 1)]
    db.run_sync(db.nodes.NoteBulkCreateNode(data=data))


def texts(db: DataFlow, **parameters: Any) -> str:
    records = db.run_sync(db.nodes.NoteListNode(order_by=["id"], **parameters))["records"]
    return "".join(record["text"] for record in records)


class SoftDeleteTests:
    """A model with ``soft_delete``."""

    def test_a_new_row_is_not_deleted(self, db: DataFlow) -> None:
        define_notes(db)
        assert db.run_sync(db.nodes.NoteReadNode(id=1))["deleted_at"] is None

    def test_a_deleted_row_stays_and_is_seen_by_those_who_ask(self, db: DataFlow) -> None:
        define_notes(db)
        before = db.run_sync(db.nodes.NoteReadNode(id=2))["record"]
        output = db.run_sync(db.nodes.NoteDeleteNode(id=2))
        assert output == {"id": 2, "deleted": 1, "result": 1}
        assert texts(db) == "acd"
        assert texts(db, include_deleted=True) == "abcd"
        assert texts(db, include_deleted=True, filter={"deleted_at": {"$ne": None}}) == "b"
        kept = db.run_sync(db.nodes.NoteListNode(include_deleted=True, filter={"id": 2}))["records"][0]
        assert isinstance(kept["deleted_at"], datetime)
        assert kept["updated_at"] == kept["deleted_at"] > before["updated_at"]
        assert {**kept, "deleted_at": None, "updated_at": before["updated_at"]} == before

    def test_an_aggregation_does_not_count_deleted_rows(self, db: DataFlow) -> None:
        define_notes(db)
        db.run_sync(db.nodes.NoteDeleteNode(id=2))
        total = [{"$group": {"_id": None, "rows": {"$sum": 1}, "ranks": {"$sum": "$rank"}}}]
        records = db.run_sync(db.nodes.NoteListNode(aggregate=total))["records"]
        assert records == [{"_id": None, "rows": 3, "ranks": 8}]
        records = db.run_sync(db.nodes.NoteListNode(aggregate=total, include_deleted=True))["records"]
        assert records == [{"_id": None, "rows": 4, "ranks": 10}]

    def test_nodes_do_not_see_a_deleted_row(self, db: DataFlow) -> None:
        define_notes(db)
        db.run_sync(db.nodes.NoteDeleteNode(text="b"))
        assert db.run_sync(db.nodes.NoteReadNode(id=2))["found"] is False
        assert db.run_sync(db.nodes.NoteReadNode(conditions={"rank": {"$gte": 2}}))["text"] == "c"
        with pytest.raises(RecordNotFound):
            db.run_sync(db.nodes.NoteUpdateNode(id=2, rank=9))
        assert db.run_sync(db.nodes.NoteUpdateNode(conditions={"rank": {"$lt": 3}}, rank=9))["text"] == "a"
        assert db.run_sync(db.nodes.NoteDeleteNode(id=2)) == {"deleted": 0, "result": 0}
        assert db.run_sync(db.nodes.NoteBulkUpdateNode(filter={"id": 2}, rank=9))["updated"] == 0
        data = [{"id": 2, "rank": 9}, {"id": 3, "rank": 9}]
        assert db.run_sync(db.nodes.NoteBulkUpdateNode(data=data))["updated"] == 1
        assert db.run_sync(db.nodes.NoteListNode(count_only=True))["count"] == 3
        counted = db.run_sync(db.nodes.NoteListNode(count_only=True, include_deleted=True))
        assert counted["count"] == 4
        summed = [{"$group": {"_id": None, "sum": {"$sum": "$rank"}}}]
        assert db.run_sync(db.nodes.NoteListNode(aggregate=summed))["records"][0]["sum"] == 9 + 9 + 4
        seen = db.run_sync(db.nodes.NoteListNode(aggregate=summed, include_deleted=True))["records"]
        assert seen[0]["sum"] == 9 + 2 + 9 + 4
        kept = db.run_sync(db.nodes.NoteListNode(include_deleted=True, filter={"id": 2}))["records"][0]
        assert kept["rank"] == 2

    @pytest.mark.parametrize("given", [{}, {"soft_delete": True}])
    def test_many_rows_are_deleted_softly(self, db: DataFlow, given: Row) -> None:
        define_notes(db)
        db.run_sync(db.nodes.NoteDeleteNode(id=1))
        output = db.run_sync(db.nodes.NoteBulkDeleteNode(filter={"rank": {"$lte": 3}}, **given))
        assert output == {"deleted": 2, "result": 2}
        assert (texts(db), texts(db, include_deleted=True)) == ("d", "abcd")

    def test_rows_go_for_good_where_that_is_said_and_deleted_ones_too(self, db: DataFlow) -> None:
        define_notes(db)
        db.run_sync(db.nodes.NoteDeleteNode(id=1))
        node = db.nodes.NoteBulkDeleteNode(filter={"rank": {"$lte": 2}}, soft_delete=False)
        assert db.run_sync(node)["deleted"] == 2
        assert texts(db, include_deleted=True) == "cd"

    def test_a_deletion_that_meets_several_rows_deletes_none(self, db: DataFlow) -> None:
        define_notes(db)
        with pytest.raises(Exception, match="NoteBulkDeleteNode"):
            db.run_sync(db.nodes.NoteDeleteNode(conditions={"rank": {"$gt": 1}}))
        assert texts(db) == "abcd"

    def test_a_deleted_row_still_has_its_unique_value(self, db: DataFlow) -> None:
        define_notes(db)
        db.run_sync(db.nodes.NoteDeleteNode(text="b"))
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.NoteCreateNode(text="b"))

    @requires(Capability.PARTIAL_INDEXES)
    def test_a_partial_index_frees_the_unique_value(self, db: DataFlow) -> None:
        @db.model
        class Member:
            email: str
            __dataflow__: ClassVar = {
                "soft_delete": True,
                "indexes": [Index("email", unique=True, where={"deleted_at": None})],
            }

        for _ in range(3):
            db.run_sync(db.nodes.MemberCreateNode(email="a"))
            with pytest.raises(UniqueViolation):
                db.run_sync(db.nodes.MemberCreateNode(email="a"))
            assert db.run_sync(db.nodes.MemberDeleteNode(email="a"))["deleted"] == 1

    def test_a_workflow_deletes_softly(self, db: DataFlow) -> None:
        define_notes(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("NoteReadNode", "read", {"id": 2})
        workflow.add_node("NoteDeleteNode", "gone")
        workflow.add_node("NoteListNode", "left", {"count_only": True})
        workflow.add_connection("read", "id", "gone", "id")
        workflow.add_connection("gone", "left")
        results, _ = LocalRuntime().execute(workflow.build())
        assert (results["gone"]["deleted"], results["left"]["count"]) == (1, 3)
        assert texts(db, include_deleted=True) == "abcd"

    def test_a_field_of_ones_own_is_kept(self, db: DataFlow) -> None:
        @db.model
        class Entry:
            deleted_at: datetime | None = None
            name: str = ""
            __dataflow__: ClassVar = {"soft_delete": True, "timestamps": False}

        db.run_sync(db.nodes.EntryCreateNode(name="a"))
        assert db.run_sync(db.nodes.EntryDeleteNode(name="a"))["deleted"] == 1
        found = db.run_sync(db.nodes.EntryListNode(include_deleted=True))["records"][0]
        assert list(found) == ["id", "deleted_at", "name"]
        assert found["deleted_at"] is not None

    def test_a_model_that_takes_naive_times_takes_them_here_too(self, db: DataFlow) -> None:
        @db.model
        class Entry:
            name: str
            __dataflow__: ClassVar = {"soft_delete": True, "naive_datetimes": "utc"}

        db.run_sync(db.nodes.EntryCreateNode(name="a"))
        db.run_sync(db.nodes.EntryDeleteNode(id=1))
        long_ago = {"deleted_at": {"$lt": datetime(2001, 2, 3)}}
        purge = db.nodes.EntryBulkDeleteNode(filter=long_ago, soft_delete=False)
        assert db.run_sync(purge)["deleted"] == 0

    def test_a_model_without_it_refuses_to_be_asked(self, db: DataFlow) -> None:
        @db.model
        class Plain:
            name: str

        db.run_sync(db.nodes.PlainCreateNode(name="a"))
        with pytest.raises(InvalidValue, match="no soft deletion"):
            db.run_sync(db.nodes.PlainListNode(include_deleted=True))
        with pytest.raises(InvalidValue, match="no soft deletion"):
            db.run_sync(db.nodes.PlainBulkDeleteNode(filter={"id": 1}, soft_delete=True))
        with pytest.raises(InvalidValue, match="expected bool"):
            db.run_sync(db.nodes.PlainListNode(include_deleted="yes"))
        assert db.run_sync(db.nodes.PlainDeleteNode(id=1))["deleted"] == 1
        assert db.run_sync(db.nodes.PlainListNode(count_only=True))["count"] == 0

    def test_a_table_that_exists_gets_the_column(self, db: DataFlow) -> None:
        def define(**options: bool) -> None:
            @db.model
            class Note:
                text: str
                __dataflow__: ClassVar = options

        define()
        db.run_sync(db.nodes.NoteCreateNode(text="a"))
        define(soft_delete=True, versioned=True)
        row = db.run_sync(db.nodes.NoteReadNode(id=1))
        assert (row["deleted_at"], row["version"]) == (None, 1)
        assert db.run_sync(db.nodes.NoteDeleteNode(id=1))["deleted"] == 1
        assert (texts(db), texts(db, include_deleted=True)) == ("", "a")
