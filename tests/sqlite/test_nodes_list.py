"""The ListNode: order, pages, fields and counts. What filters find is tested in tests/unit/test_filters.py."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Index, LocalRuntime, WorkflowBuilder
from dataflow.errors import InvalidValue, UnknownName, WorkflowBuildError


@pytest.fixture
def users(db: DataFlow) -> DataFlow:
    @db.model
    class User:
        name: str
        age: int | None
        tags: list[str] = []  # noqa: RUF012 - a model copies it
        __dataflow__: ClassVar = {"timestamps": False}

    rows = [("c", 2), ("a", None), ("b", 1), ("a", 2), ("B", None), ("ä", 1)]
    db.run_sync(db.nodes.UserBulkCreateNode(data=[{"name": name, "age": age} for name, age in rows]))
    return db


def ids(db: DataFlow, **parameters: Any) -> list[int]:
    return [row["id"] for row in db.run_sync(db.nodes.UserListNode(**parameters))["records"]]


def test_every_row_is_listed_where_nothing_is_asked(users: DataFlow) -> None:
    output = users.run_sync(users.nodes.UserListNode())
    assert output == {"records": output["result"], "count": 6, "result": output["records"]}
    assert output["records"][1] == {"id": 2, "name": "a", "age": None, "tags": []}


def test_there_is_no_limit_that_nobody_asked_for(db: DataFlow) -> None:
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
    users: DataFlow, order_by: Sequence[str], expected: list[int]
) -> None:
    assert ids(users, order_by=order_by) == expected


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
def test_a_page_is_cut_from_the_order(users: DataFlow, page: Mapping[str, Any], expected: list[int]) -> None:
    assert ids(users, order_by=["age"], **page) == expected


def test_a_page_without_an_order_is_ordered_by_key(db: DataFlow) -> None:
    @db.model
    class User:
        name: str
        __dataflow__: ClassVar = {"timestamps": False}

    data = [{"id": id, "name": "x"} for id in (5, 3, 9, 1)]
    db.run_sync(db.nodes.UserBulkCreateNode(data=data))
    assert ids(db, limit=3) == [1, 3, 5]
    assert ids(db, offset=2) == [5, 9]


def test_pages_of_ties_neither_overlap_nor_leave_out(users: DataFlow) -> None:
    pages = [ids(users, order_by=["age"], limit=1, offset=offset) for offset in range(6)]
    assert [id for page in pages for id in page] == [2, 5, 3, 6, 1, 4]


@pytest.mark.parametrize("name", ["limit", "offset"])
@pytest.mark.parametrize("value", [-1, 2**63, 1.0, "1", True])
def test_a_page_that_makes_no_sense_is_refused(users: DataFlow, name: str, value: object) -> None:
    with pytest.raises(InvalidValue, match=f"UserListNode {name}"):
        users.run_sync(users.nodes.UserListNode(**{name: value}))


def test_only_the_fields_asked_for_come_back_in_their_order(users: DataFlow) -> None:
    output = users.run_sync(users.nodes.UserListNode(fields=["name", "id", "name"], filter={"id": 1}))
    assert [list(row.items()) for row in output["records"]] == [[("name", "c"), ("id", 1)]]


def test_a_row_can_be_ordered_and_filtered_by_a_field_that_does_not_come_back(users: DataFlow) -> None:
    rows = users.run_sync(
        users.nodes.UserListNode(fields=["name"], filter={"age": {"$gte": 1}}, order_by=["-age", "name"])
    )["records"]
    assert [row["name"] for row in rows] == ["a", "c", "b", "ä"]


def test_counting_brings_the_number_that_match_whatever_the_page(users: DataFlow) -> None:
    output = users.run_sync(users.nodes.UserListNode(filter={"age": 1}, count_only=True))
    assert output == {"records": [], "count": 2, "result": 2}
    output = users.run_sync(users.nodes.UserListNode(count_only=True, limit=1, offset=3))
    assert output["count"] == 6


def test_a_parameter_named_like_a_field_filters_too(users: DataFlow) -> None:
    assert ids(users, age=2) == [1, 4]
    assert ids(users, age=2, filter={"name": "a"}) == [4]
    assert ids(users, age=None, order_by=["id"]) == [2, 5]


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
    users: DataFlow, parameters: Mapping[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        users.run_sync(users.nodes.UserListNode(**parameters))
    workflow = WorkflowBuilder(users)
    workflow.add_node("UserListNode", "list", parameters)
    with pytest.raises(WorkflowBuildError, match=message):
        workflow.build()


def test_an_order_that_an_index_has_is_read_from_it(db: DataFlow) -> None:
    @db.model
    class Event:
        at: int
        __dataflow__: ClassVar = {"timestamps": False, "indexes": [Index("-at", "id", name="newest_first")]}

    db.run_sync(db.nodes.EventBulkCreateNode(data=[{"at": number % 7} for number in range(50)]))
    workflow = WorkflowBuilder(db)
    workflow.add_node("EventListNode", "list", {"order_by": ["-at"], "limit": 3})
    sql = workflow.build().explain().nodes[0].sql
    assert sql is not None
    assert "NULLS" not in sql, "a column that is never null needs no clause for nulls"
    literal = sql.replace("LIMIT ?", "LIMIT 3")
    plan = db.run_sync(db.nodes.SQLNode(sql=f"EXPLAIN QUERY PLAN {literal}"))["records"]
    assert "newest_first" in plan[0]["detail"]


def test_a_list_feeds_the_nodes_that_follow(users: DataFlow) -> None:
    workflow = WorkflowBuilder(users)
    workflow.add_node("UserListNode", "all", {"order_by": ["-age"], "limit": 1})
    workflow.add_node("UserReadNode", "best")
    workflow.add_connection("all", "result.0.id", "best", "id")
    results, _ = LocalRuntime().execute(workflow.build())
    assert results["best"]["id"] == 1
