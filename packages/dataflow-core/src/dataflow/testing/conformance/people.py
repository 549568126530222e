"""The people that tests of changes and deletions begin with."""

from typing import Any, ClassVar

from dataflow import DataFlow, Field

__all__ = ["ROWS", "Row", "Rows", "define_people", "people"]

Row = dict[str, Any]
Rows = list[Row]
ROWS: Rows = [
    {"id": 1, "name": "Ann", "age": 30, "email": "a"},
    {"id": 2, "name": "Bob", "age": None, "email": "b"},
    {"id": 3, "name": "Ann", "age": 40, "email": "c"},
]


def define_people(db: DataFlow) -> None:
    @db.model
    class User:
        name: str
        age: int | None
        email: str = Field(unique=True)
        __dataflow__: ClassVar = {"timestamps": False}

    # Not every database goes on counting where a key was given, so that these get theirs.
    data = [{name: value for name, value in row.items() if name != "id"} for row in ROWS]
    db.run_sync(db.nodes.UserBulkCreateNode(data=data))


def people(db: DataFlow) -> Rows:
    records: Rows = db.run_sync(db.nodes.UserListNode(order_by=["id"]))["records"]
    return records
