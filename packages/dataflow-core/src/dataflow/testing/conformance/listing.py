"""The ListNode: order, pages, fields and counts."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.errors import InvalidValue, UnknownName, WorkflowBuildError

__all__ = ["ListingTests"]


def define_letters(db: DataFlow) -> None:
    @db.model
    class User:
        name: str
        age: int | None
        tags: list[str] = []  # noqa: RUF012 - a model copies it
        __dataflow__: ClassVar = {"timestamps": False}

    rows = [("c", 2), ("a", None), ("b", 1), ("a", 2), ("B", None), ("ä", 1)]
    db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": name, "age": age} for name, age in rows]))


def ids(db: DataFlow, **parameters: Any) -> list[Any]:
    return [row["id"] for row in db.run_sync(db.nodes.UserListNode(**parameters))["records"]]


class ListingTests:
    """Rows are listed in order, in pages, in part."""

    def test_every_row_is_listed_where_nothing_is_asked(self, db: DataFlow) -> None:
        define_letters(db)
        output = db.run_sync(db.nodes.UserListNode())
        assert output == {"records": output["result"], "count": 6, "result": output["records"]}
        assert output["records"][1] == {"id": 2, "name": "a", "age": None, "tags": []}

    def test_there_is_no_limit_that_nobody_asked_for(self, db: DataFlow) -> None:
        @db.model
        class Point:
            x: int

        db.run_sync(db.nodes.PointBulkCreateNode(data=[{"x": x} for x in range(12_345)]))
        output = db.run_sync(db.nodes.PointListNode())
        assert output["count"] == len(output["records"]) == 12_345

    @pytest.mark.parametrize(
        ("order_by", "expected"),
        [
            (["name"], [5, 2, 4, 3, 1, 6]),
            (["-name"], [6, 1, 3, 2, 4, 5]),
            (["age"], [2, 5, 3, 6, 1, 4]),
            (["-age"], [1, 4, 3, 6, 2, 5]),
            (["age", "-name"], [2, 5, 6, 3, 1, 4]),
            (["-age", "-id"], [4, 1, 6, 3, 5, 2]),
            (("name", "-name"), [5, 2, 4, 3, 1, 6]),
            (["-id"], [6, 5, 4, 3, 2, 1]),
        ],
    )
    def test_rows_come_in_order_nulls_smallest_and_ties_by_key(
        self, db: DataFlow, order_by: Sequence[str], expected: list[int]
    ) -> None:
        define_letters(db)
        assert ids(db, order_by=order_by) == expected

    @pytest.mark.parametrize(
        ("page", "expected"),
        [
            ({"limit": 2}, [2, 5]),
            ({"limit": 2, "offset": 1}, [5, 3]),
            ({"offset": 4}, [1, 4]),
            ({"limit": 0}, []),
            ({"offset": 6}, []),
            ({"limit": 100, "offset": 5}, [4]),
            ({"limit": 2**63 - 1}, [2, 5, 3, 6, 1, 4]),
            ({"limit": None, "offset": None}, [2, 5, 3, 6, 1, 4]),
        ],
    )
    def test_a_page_is_cut_from_the_order(
        self, db: DataFlow, page: Mapping[str, Any], expected: list[int]
    ) -> None:
        define_letters(db)
        assert ids(db, order_by=["age"], **page) == expected

    def test_a_page_without_an_order_is_ordered_by_key(self, db: DataFlow) -> None:
        @db.model
        class User:
            id: str = Field(max_length=9)  # a key in whose order no table happens to lie
            name: str
            __dataflow__: ClassVar = {"timestamps": False}

        data = [{"id": id, "name": "x"} for id in ("5", "3", "9", "1")]
        db.run_sync(db.nodes.UserBulkCreateNode(data=data))
        assert ids(db, limit=3) == ["1", "3", "5"]
        assert ids(db, offset=2) == ["5", "9"]
        assert ids(db, limit=2, offset=1) == ["3", "5"]

    def test_pages_of_ties_neither_overlap_nor_leave_out(self, db: DataFlow) -> None:
        define_letters(db)
        pages = [ids(db, order_by=["age"], limit=1, offset=offset) for offset in range(6)]
        assert [id for page in pages for id in page] == [2, 5, 3, 6, 1, 4]

    @pytest.mark.parametrize("name", ["limit", "offset"])
    @pytest.mark.parametrize("value", [-1, 2**63, 1.0, "1", True])
    def test_a_page_that_makes_no_sense_is_refused(self, db: DataFlow, name: str, value: object) -> None:
        define_letters(db)
        with pytest.raises(InvalidValue, match=f"UserListNode {name}"):
            db.run_sync(db.nodes.UserListNode(**{name: value}))

    def test_only_the_fields_asked_for_come_back_in_their_order(self, db: DataFlow) -> None:
        define_letters(db)
        output = db.run_sync(db.nodes.UserListNode(fields=["name", "id", "name"], filter={"id": 1}))
        assert [list(row.items()) for row in output["records"]] == [[("name", "c"), ("id", 1)]]

    def test_a_row_can_be_ordered_and_filtered_by_a_field_that_does_not_come_back(self, db: DataFlow) -> None:
        define_letters(db)
        rows = db.run_sync(
            db.nodes.UserListNode(fields=["name"], filter={"age": {"$gte": 1}}, order_by=["-age", "name"])
        )["records"]
        assert [row["name"] for row in rows] == ["a", "c", "b", "ä"]

    def test_counting_brings_the_number_that_match_whatever_the_page(self, db: DataFlow) -> None:
        define_letters(db)
        output = db.run_sync(db.nodes.UserListNode(filter={"age": 1}, count_only=True))
        assert output == {"records": [], "count": 2, "result": 2}
        output = db.run_sync(db.nodes.UserListNode(count_only=True, limit=1, offset=3))
        assert output["count"] == 6

    def test_a_parameter_named_like_a_field_filters_too(self, db: DataFlow) -> None:
        define_letters(db)
        assert ids(db, age=2) == [1, 4]
        assert ids(db, age=2, filter={"name": "a"}) == [4]
        assert ids(db, age=None, order_by=["id"]) == [2, 5]

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({"filtr": {}}, UnknownName, "UserListNode has no parameter 'filtr'; did you mean 'filter'"),
            ({"agee": 1}, UnknownName, "did you mean 'age'"),
            ({"filter": {"agee": 1}}, UnknownName, "User has no field 'agee'; did you mean 'age'"),
            ({"filter": {"age": {"$gtt": 1}}}, UnknownName, r"no operator '\$gtt'; did you mean '\$gt'"),
            ({"filter": {"$orr": []}}, UnknownName, r"did you mean '\$or'"),
            ({"filter": "age > 1"}, InvalidValue, "expected a dict"),
            ({"filter": {1: 1}}, InvalidValue, "a name must be a str"),
            ({"order_by": ["-nme"]}, UnknownName, "did you mean 'name'"),
            ({"order_by": "name"}, InvalidValue, "expected a list of names"),
            ({"order_by": [1]}, InvalidValue, "expected a list of names"),
            ({"order_by": ["tags"]}, InvalidValue, "JSON"),
            ({"order_by": ["--age"]}, UnknownName, "no field '-age'"),
            ({"fields": ["nme"]}, UnknownName, "did you mean 'name'"),
            ({"fields": []}, InvalidValue, "empty"),
            ({"fields": "name"}, InvalidValue, "expected a list"),
            ({"count_only": 1}, InvalidValue, "expected bool"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, db: DataFlow, parameters: Mapping[str, Any], error: type[Exception], message: str
    ) -> None:
        define_letters(db)
        with pytest.raises(error, match=message):
            db.run_sync(db.nodes.UserListNode(**parameters))
        workflow = WorkflowBuilder(db)
        workflow.add_node("UserListNode", "list", parameters)
        with pytest.raises(WorkflowBuildError, match=message):
            workflow.build()

    def test_a_list_feeds_the_nodes_that_follow(self, db: DataFlow) -> None:
        define_letters(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("UserListNode", "all", {"order_by": ["-age"], "limit": 1})
        workflow.add_node("UserReadNode", "best")
        workflow.add_connection("all", "result.0.id", "best", "id")
        results, _ = LocalRuntime().execute(workflow.build())
        assert results["best"]["id"] == 1
