"""The UpdateNode: one row at most, or nothing changes."""

from collections.abc import Mapping
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import (
    InvalidValue,
    MissingValue,
    MultipleRecords,
    RecordNotFound,
    UniqueViolation,
    UnknownName,
)
from dataflow.testing.conformance.people import ROWS, Rows, define_people, people

__all__ = ["UpdateTests"]


def changed(number: int, **values: object) -> Rows:
    return [{**row, **values} if row["id"] == number else row for row in ROWS]


class UpdateTests:
    """Rows are changed one by one."""

    @pytest.mark.parametrize(
        ("parameters", "number", "values"),
        [
            ({"id": 1, "updates": {"age": 31}}, 1, {"age": 31}),
            ({"user_id": 1, "age": 31}, 1, {"age": 31}),
            ({"id": 1, "name": "Eve", "updates": {"age": 5}}, 1, {"age": 5, "name": "Eve"}),
            ({"id": 1, "updates": {"age": None}}, 1, {"age": None}),
            ({"conditions": {"age": None}, "updates": {"age": 5}}, 2, {"age": 5}),
            ({"conditions": {"name": "Bob"}, "name": "Rob"}, 2, {"name": "Rob"}),
            ({"conditions": "age > :least", "least": 35, "updates": {"name": "Old"}}, 3, {"name": "Old"}),
            ({"name": "Bob", "updates": {"name": "Rob"}}, 2, {"name": "Rob"}),
            ({"email": "c", "updates": {"email": "d"}}, 3, {"email": "d"}),
            ({"id": 1, "updates": {"name": "Ann"}}, 1, {}),
        ],
    )
    def test_one_row_is_changed_and_comes_back_as_it_is_then(
        self, db: DataFlow, parameters: Mapping[str, Any], number: int, values: Mapping[str, Any]
    ) -> None:
        define_people(db)
        expected = changed(number, **values)
        row = expected[number - 1]
        output = db.run_sync(db.nodes.UserUpdateNode(**parameters))
        assert output == {**row, "user_id": number, "record": row, "result": row, "found": True}
        assert people(db) == expected

    def test_the_key_itself_can_be_changed(self, db: DataFlow) -> None:
        define_people(db)
        assert db.run_sync(db.nodes.UserUpdateNode(id=1, updates={"id": 9}))["id"] == 9
        assert [row["id"] for row in people(db)] == [2, 3, 9]

    @pytest.mark.parametrize("conditions", [{"name": "Ann"}, {"id": {"$nin": [99]}}, {"age": {"$ne": 7}}])
    def test_an_update_that_meets_several_rows_names_the_bulk_node_and_changes_nothing(
        self, db: DataFlow, conditions: Mapping[str, Any]
    ) -> None:
        define_people(db)
        with pytest.raises(MultipleRecords, match="UserBulkUpdateNode"):
            db.run_sync(db.nodes.UserUpdateNode(conditions=conditions, updates={"age": 1}))
        assert people(db) == ROWS

    def test_an_update_without_its_row_is_an_error_unless_that_is_accepted(self, db: DataFlow) -> None:
        define_people(db)
        with pytest.raises(RecordNotFound, match="required=False"):
            db.run_sync(db.nodes.UserUpdateNode(id=99, age=1))
        output = db.run_sync(db.nodes.UserUpdateNode(id=99, age=1, required=False))
        assert output == {"found": False}
        assert people(db) == ROWS

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({}, MissingValue, "which row"),
            ({"updates": {"age": 1}}, MissingValue, "which row"),
            ({"conditions": {}, "updates": {"age": 1}}, MissingValue, "which row"),
            ({"id": 1}, MissingValue, "nothing to change"),
            ({"id": 1, "updates": {}}, MissingValue, "nothing to change"),
            ({"id": 1, "updates": {"agee": 1}}, UnknownName, "did you mean 'age'"),
            ({"id": 1, "agee": 1}, UnknownName, "did you mean 'age'"),
            ({"id": 1, "updates": [1]}, InvalidValue, "expected a dict"),
            ({"id": 1, "updates": {"age": "1"}}, InvalidValue, r"User\.age: expected int, got str"),
            ({"id": 1, "updates": {"name": None}}, InvalidValue, "must not be None"),
            ({"id": 1, "age": 1, "required": "no"}, InvalidValue, "expected a bool"),
            ({"id": "1", "age": 1}, InvalidValue, r"User\.id: expected int"),
        ],
    )
    def test_an_update_that_makes_no_sense_is_refused_and_changes_nothing(
        self, db: DataFlow, parameters: Mapping[str, Any], error: type[Exception], message: str
    ) -> None:
        define_people(db)
        with pytest.raises(error, match=message):
            db.run_sync(db.nodes.UserUpdateNode(**parameters))
        assert people(db) == ROWS

    def test_an_update_that_violates_a_constraint_changes_nothing(self, db: DataFlow) -> None:
        define_people(db)
        with pytest.raises(UniqueViolation):
            db.run_sync(db.nodes.UserUpdateNode(id=1, email="b"))
        assert people(db) == ROWS
