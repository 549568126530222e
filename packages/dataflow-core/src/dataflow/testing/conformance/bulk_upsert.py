"""The BulkUpsertNode: new rows are stored, those that are there get what is given, by either way of finding them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dataflow import DataFlow, Field, Index, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import (
    InvalidValue,
    MissingValue,
    MultipleRecords,
    UniqueViolation,
    UnknownName,
    ValidationError,
    WorkflowBuildError,
    WorkflowExecutionError,
)
from dataflow.progress import Progress
from dataflow.testing.examples import FEW, MANY
from dataflow.testing.oracle.upserts import Refused, upserted

__all__ = ["BulkUpsertTests"]

Define = Callable[[DataFlow], None]


def define_with_key(db: DataFlow) -> None:
    @db.model
    class Product:
        sku: str | None = Field(unique=True)
        name: str
        price: int = 5
        note: str | None
        __dataflow__: ClassVar = {"timestamps": False}


def define_without_key(db: DataFlow) -> None:
    @db.model
    class Product:
        sku: str | None
        name: str
        price: int = 5
        note: str | None
        __dataflow__: ClassVar = {"timestamps": False}


def define_with_partial_key(db: DataFlow) -> None:
    if Capability.PARTIAL_INDEXES not in db.databases()["primary"].dialect.capabilities:
        define_without_key(db)  # nor does the database find the rows then
        return

    @db.model
    class Product:
        sku: str | None
        name: str
        price: int = 5
        note: str | None
        __dataflow__: ClassVar = {
            "timestamps": False,
            "indexes": [Index("sku", unique=True, where={"price": 77})],
        }


BOTH_WAYS = pytest.mark.parametrize(
    "define",
    [define_with_key, define_without_key, define_with_partial_key],
    ids=["key", "no key", "partial key"],
)


def upsert(db: DataFlow, data: object, *match: str, **more: object) -> tuple[int, int]:
    """How many rows were inserted, and how many updated."""
    if match:
        more["match_fields"] = list(match)
    output = db.run_sync(db.nodes.ProductBulkUpsertNode(data=data, **more))
    assert output.keys() == {"inserted", "updated", "result"}
    assert output["result"] == output["inserted"] + output["updated"]
    return output["inserted"], output["updated"]


def products(db: DataFlow, *fields: str) -> list[tuple[Any, ...]]:
    found = db.run_sync(db.nodes.ProductListNode(order_by=["id"], fields=list(fields)))["records"]
    return [tuple(record.values()) for record in found]


class BulkUpsertTests:
    """Many rows are stored, whether they are there or not."""

    @BOTH_WAYS
    def test_new_rows_are_inserted_and_others_updated(self, db: DataFlow, define: Define) -> None:
        define(db)
        assert upsert(db, [{"sku": "a", "name": "x"}, {"sku": "b", "name": "y", "price": 9}], "sku") == (2, 0)
        again = [{"sku": "b", "name": "z"}, {"sku": "c", "name": "w"}]
        assert upsert(db, again, "sku") == (1, 1)
        assert products(db, "id", "sku", "name", "price") == [
            (1, "a", "x", 5),
            (2, "b", "z", 9),
            (db.run_sync(db.nodes.ProductReadNode(sku="c"))["id"], "c", "w", 5),
        ]

    @BOTH_WAYS
    def test_defaults_fill_inserts_only(self, db: DataFlow, define: Define) -> None:
        define(db)
        upsert(db, [{"sku": "a", "name": "x", "price": 1, "note": "n"}], "sku")
        assert upsert(db, [{"sku": "a", "name": "y"}], "sku") == (0, 1)
        assert products(db, "name", "price", "note") == [("y", 1, "n")]
        assert upsert(db, [{"sku": "a", "name": "y", "note": None}], "sku") == (0, 1)
        assert products(db, "name", "price", "note") == [("y", 1, None)]

    @BOTH_WAYS
    def test_update_fields_bound_what_changes(self, db: DataFlow, define: Define) -> None:
        define(db)
        upsert(db, [{"sku": "a", "name": "x", "price": 1}], "sku")
        data = [{"sku": "a", "name": "y", "price": 2}, {"sku": "b", "name": "y", "price": 2}]
        assert upsert(db, data, "sku", update_fields=["price", "note"]) == (1, 1)
        assert products(db, "sku", "name", "price") == [("a", "x", 2), ("b", "y", 2)]
        assert upsert(db, [{"sku": "a", "name": "z"}], "sku", update_fields=[]) == (0, 1)
        assert products(db, "name") == [("x",), ("y",)]

    @BOTH_WAYS
    def test_the_last_of_the_same_rows_wins_and_counts_once(self, db: DataFlow, define: Define) -> None:
        define(db)
        data: list[dict[str, Any]] = [
            {"sku": "a", "name": "1", "note": "lost"},
            {"sku": "b", "name": "2"},
            {"sku": "a", "name": "3"},
        ]
        assert upsert(db, data, "sku") == (2, 0)
        assert upsert(db, data, "sku", batch_size=1) == (0, 2)
        assert products(db, "sku", "name", "note") == [("b", "2", None), ("a", "3", None)]

    @BOTH_WAYS
    def test_null_is_never_the_same(self, db: DataFlow, define: Define) -> None:
        define(db)
        data = [{"sku": None, "name": "x"}, {"sku": None, "name": "x"}, {"sku": "a", "name": "x"}]
        assert upsert(db, data, "sku") == (3, 0)
        assert upsert(db, data, "sku") == (2, 1)
        assert len(products(db, "sku")) == 5

    @BOTH_WAYS
    def test_a_field_beside_the_data_fills_the_rows_that_lack_it(self, db: DataFlow, define: Define) -> None:
        define(db)
        assert upsert(db, [{"sku": "a"}, {"sku": "b", "name": "own"}], "sku", name="all") == (2, 0)
        assert products(db, "name") == [("all",), ("own",)]

    @BOTH_WAYS
    def test_a_generator_is_read_batch_by_batch(self, db: DataFlow, define: Define) -> None:
        define(db)
        told: list[Progress] = []
        data = ({"sku": str(number % 20), "name": str(number)} for number in range(25))
        assert upsert(db, data, "sku", batch_size=10, progress=told.append) == (20, 5)
        assert told == [Progress(10, None), Progress(20, None), Progress(25, None)]

        async def source() -> Any:
            for number in range(15, 25):
                yield {"sku": str(number), "name": "z"}

        assert upsert(db, source(), "sku", batch_size=3) == (5, 5)

    def test_without_match_fields_rows_are_the_same_by_their_key(self, db: DataFlow) -> None:
        define_without_key(db)
        assert upsert(db, [{"id": 7, "name": "x"}, {"id": 8, "name": "y"}]) == (2, 0)
        assert upsert(db, [{"id": 8, "name": "z", "price": 1}, {"id": 9, "name": "w"}]) == (1, 1)
        assert products(db, "id", "name", "price") == [(7, "x", 5), (8, "z", 1), (9, "w", 5)]

    def test_a_key_of_two_fields_and_of_other_types(self, db: DataFlow) -> None:
        @db.model
        class Product:
            shop: UUID = Field(primary_key=True)
            day: datetime = Field(primary_key=True)
            sold: int
            __dataflow__: ClassVar = {"timestamps": False, "naive_datetimes": "utc"}

        shop = uuid4()
        day = datetime(2024, 1, 31, 12, 0, 0, 1)
        data: list[dict[str, Any]] = [
            {"shop": shop, "day": day, "sold": 1},
            {"shop": str(shop), "day": day.isoformat(), "sold": 2},
        ]
        assert upsert(db, data) == (1, 0)
        assert upsert(db, [{"day": day, "shop": shop, "sold": 3}]) == (0, 1)
        assert db.run_sync(db.nodes.ProductListNode())["records"][0]["sold"] == 3

    def test_times_of_change_are_kept(self, db: DataFlow) -> None:
        @db.model
        class Product:
            sku: str = Field(unique=True)
            name: str

        upsert(db, [{"sku": "a", "name": "x"}], "sku")
        [first] = db.run_sync(db.nodes.ProductListNode())["records"]
        assert upsert(db, [{"sku": "a", "name": "y"}], "sku") == (0, 1)
        [second] = db.run_sync(db.nodes.ProductListNode())["records"]
        assert second["created_at"] == first["created_at"]
        assert second["updated_at"] > first["updated_at"]
        assert upsert(db, [{"sku": "a", "name": "z"}], "sku", update_fields=[]) == (0, 1)
        [third] = db.run_sync(db.nodes.ProductListNode())["records"]
        assert (third["name"], third["updated_at"] > second["updated_at"]) == ("y", True)

    def test_a_conflict_with_another_key_is_an_error_and_nothing_is_stored(self, db: DataFlow) -> None:
        @db.model
        class Product:
            sku: str = Field(unique=True)
            name: str = Field(unique=True)

        upsert(db, [{"sku": "a", "name": "x"}, {"sku": "b", "name": "y"}], "sku")
        for data in (
            [{"sku": "c", "name": "z"}, {"sku": "d", "name": "y"}],
            [{"sku": "c", "name": "z"}, {"sku": "a", "name": "y"}],
        ):
            with pytest.raises(UniqueViolation) as caught:
                upsert(db, data, "sku")
            assert caught.value.columns == ("name",)
            assert products(db, "sku", "name") == [("a", "x"), ("b", "y")]

    def test_several_rows_that_match_are_an_error_and_nothing_changes(self, db: DataFlow) -> None:
        define_without_key(db)
        db.run_sync(db.nodes.ProductBulkCreateNode(data=[{"sku": "a", "name": "x"}] * 2))
        with pytest.raises(MultipleRecords, match="match by fields that tell rows apart"):
            upsert(db, [{"sku": "b", "name": "y"}, {"sku": "a", "name": "y"}], "sku")
        assert products(db, "sku", "name") == [("a", "x")] * 2

    def test_an_upsert_is_checked_when_its_workflow_is_built(self, db: DataFlow) -> None:
        define_with_key(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("ProductBulkUpsertNode", "a", {"data": [{"id": 1, "price": "x"}]})
        workflow.add_node("ProductBulkUpsertNode", "b", {"data": [], "batch_size": 0})
        workflow.add_node("ProductBulkUpsertNode", "c", {"data": [], "match_fields": []})
        workflow.add_node("ProductBulkUpsertNode", "d", {"data": [], "matching": ["sku"]})
        workflow.add_node("ProductBulkUpsertNode", "e", {"data": [], "update_fields": ["id"]})
        with pytest.raises(WorkflowBuildError) as caught:
            workflow.build()
        assert len(caught.value.problems) == 5

    def test_an_upsert_that_fails_undoes_the_whole_run(self, db: DataFlow) -> None:
        define_with_key(db)
        workflow = WorkflowBuilder(db)
        data = [{"sku": str(number), "name": "x"} for number in range(30)]
        workflow.add_node(
            "ProductBulkUpsertNode", "many", {"data": data, "match_fields": ["sku"], "batch_size": 7}
        )
        workflow.add_node("ProductCreateNode", "one", {"sku": "1", "name": "y"})
        with pytest.raises(WorkflowExecutionError):
            LocalRuntime().execute(workflow.build())
        assert products(db, "id") == []

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({}, MissingValue, "needs data"),
            ({"data": [], "match_fields": ["skuu"]}, UnknownName, "did you mean 'sku'"),
            ({"data": [], "match_fields": []}, InvalidValue, "the list is empty"),
            ({"data": [], "match_fields": "sku"}, InvalidValue, "expected a list of names"),
            ({"data": [], "match_fields": ["about"]}, InvalidValue, "holds JSON"),
            ({"data": [], "update_fields": ["nme"]}, UnknownName, "did you mean 'name'"),
            ({"data": [], "update_fields": ["id"]}, InvalidValue, "id is part of match_fields"),
            ({"data": [], "match_fields": ["sku"], "update_fields": ["id"]}, InvalidValue, "part of the key"),
            ({"data": [{"name": "canary"}]}, MissingValue, "row 0: .* 'id' in each row"),
            ({"data": [{"id": 1}]}, MissingValue, "row 0: .*'name'"),
            (
                {"data": [{"id": 1, "name": "a"}, {"id": "canary", "name": "b"}]},
                InvalidValue,
                r"row 1: .*\.id",
            ),
            ({"data": [], "return_rows": True}, UnknownName, "no parameter 'return_rows'"),
        ],
    )
    def test_an_upsert_that_makes_no_sense_is_refused_before_anything_is_stored(
        self, db: DataFlow, parameters: Mapping[str, Any], error: type[ValidationError], message: str
    ) -> None:
        @db.model
        class Product:
            sku: str | None
            name: str
            about: dict[str, Any] | None

        with pytest.raises(error, match=message) as caught:
            db.run_sync(db.nodes.ProductBulkUpsertNode(**parameters))
        assert "canary" not in str(caught.value)
        assert db.run_sync(db.nodes.ProductListNode(count_only=True))["count"] == 0

    @pytest.mark.parametrize("covered", [True, False])
    def test_what_is_kept_of_a_row_is_not_taken_from_the_data(self, db: DataFlow, covered: bool) -> None:
        @db.model
        class Product:
            sku: str = Field(unique=covered)
            name: str
            __dataflow__: ClassVar = {"versioned": True}

        upsert(db, [{"sku": "a", "name": "x"}], "sku")
        [first] = db.run_sync(db.nodes.ProductListNode())["records"]
        old = datetime(2001, 1, 1, tzinfo=UTC)
        row = {"id": 99, "sku": "a", "name": "y", "created_at": old, "updated_at": old, "version": 7}
        assert upsert(db, [row], "sku") == (0, 1)
        [second] = db.run_sync(db.nodes.ProductListNode())["records"]
        assert second == {**first, "name": "y", "updated_at": old, "version": 2}

    @pytest.mark.parametrize("covered", [True, False])
    def test_versions_count_updates(self, db: DataFlow, covered: bool) -> None:
        @db.model
        class Product:
            sku: str = Field(unique=covered)
            name: str
            __dataflow__: ClassVar = {"versioned": True}

        data = [{"sku": "a", "name": "x"}]
        assert [upsert(db, data, "sku") for _ in range(3)] == [(1, 0), (0, 1), (0, 1)]
        assert upsert(db, [{"sku": "a", "name": "y"}], "sku", update_fields=[]) == (0, 1)
        assert products(db, "name", "version") == [("x", 4)]
        with pytest.raises(InvalidValue, match="counts the changes by itself"):
            upsert(db, [], "sku", update_fields=["version"])

    @pytest.mark.parametrize("covered", [True, False])
    def test_deleted_rows_are_not_there(self, db: DataFlow, covered: bool) -> None:
        @db.model
        class Product:
            sku: str = Field(unique=covered)
            name: str
            __dataflow__: ClassVar = {"soft_delete": True}

        assert upsert(db, [{"sku": "a", "name": "x"}, {"sku": "b", "name": "x"}], "sku") == (2, 0)
        db.run_sync(db.nodes.ProductDeleteNode(id=1))
        assert upsert(db, [{"sku": "b", "name": "y"}, {"sku": "c", "name": "y"}], "sku") == (1, 1)
        if covered:
            with pytest.raises(UniqueViolation):
                upsert(db, [{"sku": "a", "name": "y"}], "sku")
        else:
            assert upsert(db, [{"sku": "a", "name": "y"}], "sku") == (1, 0)
        records = db.run_sync(db.nodes.ProductListNode(include_deleted=True, order_by=["id"]))["records"]
        assert [row["name"] for row in records] == ["x", "y", "y", "y"][: len(records)]

    @BOTH_WAYS
    def test_generated_upserts_do_what_a_plain_loop_does(self, db: DataFlow, define: Define) -> None:
        define(db)
        row = st.fixed_dictionaries(
            {"sku": st.sampled_from([None, "a", "b", "c", "d"]), "name": st.sampled_from("xyz")},
            optional={"price": st.integers(0, 3), "note": st.none() | st.just("n")},
        )
        updates = st.none() | st.lists(st.sampled_from(["name", "price", "note"]), unique=True)

        @FEW
        @given(st.lists(st.lists(row, max_size=8), min_size=1, max_size=4), updates, st.integers(1, 5))
        def check(
            loads: list[list[dict[str, Any]]], update_fields: list[str] | None, batch_size: int
        ) -> None:
            clear(db)
            stored: Any = []
            defaults = {"price": 5, "note": None}
            for data in loads:
                expected = upserted(stored, data, ["sku"], defaults, update_fields=update_fields)
                stored, *counts = expected
                made = upsert(db, data, "sku", update_fields=update_fields, batch_size=batch_size)
                assert [*made] == counts
                wanted = [(row["sku"], row["name"], row["price"], row["note"]) for row in stored]
                assert products(db, "sku", "name", "price", "note") == wanted

        check()

    @pytest.mark.parametrize("covered", [True, False])
    def test_generated_conflicts_with_another_key_leave_everything_as_it_was(
        self, db: DataFlow, covered: bool
    ) -> None:
        @db.model
        class Product:
            shop: int
            sku: str
            name: str | None = Field(unique=True)
            price: int = 0
            __dataflow__: ClassVar = {
                "timestamps": False,
                "indexes": [Index("sku", "shop", unique=True)] if covered else [],
            }

        row = st.fixed_dictionaries(
            {"shop": st.integers(1, 2), "sku": st.sampled_from("ab")},
            optional={"name": st.sampled_from(["x", "y", None]), "price": st.integers(0, 3)},
        )
        refusals = 0

        taken = [{"shop": 1, "sku": sku, "name": "x"} for sku in "ab"]

        @MANY
        @example([taken])
        @given(st.lists(st.lists(row, max_size=4), min_size=1, max_size=4))
        def check(loads: list[list[dict[str, Any]]]) -> None:
            nonlocal refusals
            clear(db)
            stored: Any = []
            for data in loads:
                try:
                    stored, *counts = upserted(
                        stored, data, ["shop", "sku"], {"name": None, "price": 0}, unique=["name"]
                    )
                except Refused:
                    refusals += 1
                    with pytest.raises(UniqueViolation):
                        upsert(db, data, "shop", "sku")
                else:
                    assert [*upsert(db, data, "shop", "sku")] == counts
                wanted = [(row["shop"], row["sku"], row["name"], row["price"]) for row in stored]
                assert products(db, "shop", "sku", "name", "price") == wanted

        check()
        assert refusals


def clear(db: DataFlow) -> None:
    for record in db.run_sync(db.nodes.ProductListNode(fields=["id"]))["records"]:
        db.run_sync(db.nodes.ProductDeleteNode(id=record["id"]))
