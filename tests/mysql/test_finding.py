"""How MySQL and MariaDB find rows, where the words that they understand are not the same."""

from typing import Any, ClassVar

import pytest

from dataflow import DataFlow
from dataflow.errors import MultipleRecords

DOCUMENTS: list[dict[str, Any]] = [
    {"a": True},
    {"a": False},
    {"a": 1},
    {"a": "true"},
    {},
    {"a": None},
    {"a": [True]},
    {"b": {"a": True}},
]


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ({"data.a": True}, [1]),
        ({"data.a": False}, [2]),
        ({"data.a": {"$ne": True}}, [2, 3, 4, 5, 6, 7, 8]),
        ({"data.a": {"$in": [True, "x"]}}, [1]),
        ({"data.a": {"$nin": [True]}}, [2, 3, 4, 5, 6, 7, 8]),
        ({"data.a": {"$gt": False}}, [1]),
        ({"data.a": {"$contains": True}}, [7]),
        ({"data.b.a": True}, [8]),
    ],
)
def test_a_boolean_in_json_is_found_by_its_path(
    db: DataFlow, filter: dict[str, Any], found: list[int]
) -> None:
    @db.model
    class Document:
        data: dict[str, Any]
        __dataflow__: ClassVar = {"timestamps": False}

    db.run_sync(db.nodes.DocumentBulkCreateNode(data=[{"data": data} for data in DOCUMENTS]))
    rows = db.run_sync(db.nodes.DocumentListNode(filter=filter, order_by=["id"]))["records"]
    assert [row["id"] for row in rows] == found


def test_a_condition_that_several_rows_meet_deletes_none(db: DataFlow) -> None:
    @db.model
    class Thing:
        name: str
        __dataflow__: ClassVar = {"timestamps": False}

    db.run_sync(db.nodes.ThingBulkCreateNode(data=[{"name": name} for name in "aab"]))
    with pytest.raises(MultipleRecords, match="ThingBulkDeleteNode"):
        db.run_sync(db.nodes.ThingDeleteNode(conditions={"name": "a"}))
    assert db.run_sync(db.nodes.ThingDeleteNode(conditions={"name": "b"}))["deleted"] == 1
    assert db.run_sync(db.nodes.ThingDeleteNode(conditions={"name": "b"}))["deleted"] == 0
    rows = db.run_sync(db.nodes.ThingListNode(order_by=["id"]))["records"]
    assert [row["name"] for row in rows] == ["a", "a"]
