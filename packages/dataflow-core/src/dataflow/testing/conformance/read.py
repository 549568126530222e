"""The ReadNode: how a row is selected, and what its output is."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    InvalidValue,
    MissingValue,
    RecordNotFound,
    UnknownName,
    ValidationError,
    WorkflowExecutionError,
)

__all__ = ["ReadTests"]


def define_people(db: DataFlow) -> None:
    @db.model
    class User:
        name: str
        age: int | None
        email: str
        __dataflow__: ClassVar = {"timestamps": False}

    rows = [("Ann", 30, "a@x"), ("Bob", None, "b@x"), ("Ann", 40, "c@x"), ("Zoë", 30, "z@x")]
    data = [{"name": name, "age": age, "email": email} for name, age, email in rows]
    db.run_sync(db.nodes.UserBulkCreateNode(data=data))


class ReadTests:
    """Rows are read one by one."""

    def test_the_output_has_the_row_and_tells_that_it_was_found(self, db: DataFlow) -> None:
        define_people(db)
        row = {"id": 2, "name": "Bob", "age": None, "email": "b@x"}
        output = db.run_sync(db.nodes.UserReadNode(id=2))
        assert output == {**row, "user_id": 2, "record": row, "result": row, "found": True}

    @pytest.mark.parametrize(
        ("selector", "expected"),
        [
            ({"id": 3}, 3),
            ({"user_id": 3}, 3),
            ({"id": 3, "user_id": 3}, 3),
            ({"id": 3, "conditions": {"name": "Ann"}}, 3),
            ({"id": 2, "conditions": {"name": "Ann"}}, None),
            ({"id": 3, "user_id": 2}, None),
            ({"email": "c@x"}, 3),
            ({"name": "Ann", "age": 40}, 3),
            ({"age": None}, 2),
            ({"name": "Ann"}, 1),
            ({"conditions": {"name": "Ann", "age": {"$gt": 30}}}, 3),
            ({"conditions": {"$or": [{"id": 4}, {"name": "nobody"}]}}, 4),
            ({"conditions": {"age": {"$ne": 30}}}, 2),
            ({"conditions": "id = :product_id", "product_id": 3}, 3),
            ({"conditions": "name = :name AND age > :least", "name": "Ann", "least": 30}, 3),
            ({"conditions": "age != :age", "age": 30}, 2),
            ({"conditions": "age = :age", "age": None}, 2),
            ({"conditions": "user_id = :x", "x": 4}, 4),
            ({"conditions": "id = :id", "id": 99}, None),
        ],
    )
    def test_a_row_is_selected(self, db: DataFlow, selector: Mapping[str, Any], expected: int | None) -> None:
        define_people(db)
        output = db.run_sync(db.nodes.UserReadNode(**selector))
        if expected is None:
            assert output == {"found": False}
        else:
            assert output["id"] == expected

    @pytest.mark.parametrize(
        "selector",
        [{}, {"conditions": {}}, {"conditions": None}, {"conditions": {"$and": [{}]}}, {"conditions": " "}],
    )
    def test_no_selector_is_an_error_and_never_a_row(self, db: DataFlow, selector: Mapping[str, Any]) -> None:
        define_people(db)
        with pytest.raises(MissingValue):
            db.run_sync(db.nodes.UserReadNode(**selector))

    def test_what_a_node_without_selector_needs_is_said(self, db: DataFlow) -> None:
        define_people(db)
        with pytest.raises(MissingValue, match="which row: give id or user_id, or conditions"):
            db.run_sync(db.nodes.UserReadNode())

    @pytest.mark.parametrize(
        ("selector", "error", "message"),
        [
            ({"id": "1"}, InvalidValue, r"User\.id: expected int, got str"),
            ({"id": None}, InvalidValue, "None"),
            ({"id": True}, InvalidValue, "got bool"),
            ({"id": 2**63}, InvalidValue, "out of range"),
            ({"usr_id": 1}, UnknownName, "did you mean 'user_id'"),
            ({"conditions": {"nme": 1}}, UnknownName, "did you mean 'name'"),
            ({"conditions": "nme = :x", "x": 1}, UnknownName, "did you mean 'name'"),
            ({"conditions": ["id"]}, InvalidValue, "expected a dict"),
            ({"conditions": "id = :x"}, MissingValue, ":x"),
            ({"conditions": "id = 1"}, InvalidValue, "bound by name"),
            ({"conditions": "id = :x OR 1=1", "x": 1}, InvalidValue, "OR is not possible"),
            ({"id": 1, "name": "Ann"}, ValidationError, "beside a selector"),
        ],
    )
    def test_a_selector_that_makes_no_sense_is_refused(
        self, db: DataFlow, selector: Mapping[str, Any], error: type[Exception], message: str
    ) -> None:
        define_people(db)
        with pytest.raises(error, match=message):
            db.run_sync(db.nodes.UserReadNode(**selector))

    def test_no_selector_compares_a_whole_document(self, db: DataFlow) -> None:
        @db.model
        class Page:
            data: dict[str, int] | None

        nodes = db.nodes
        db.run_sync(nodes.PageCreateNode(data={"a": 1, "b": 2}))
        document = {"b": 2, "a": 1}
        for node in (
            nodes.PageReadNode(data=document),
            nodes.PageReadNode(conditions="data = :x", x=document),
            nodes.PageReadNode(conditions="data != :x", x=document),
            nodes.PageReadNode(conditions="data > :x", x=document),
            nodes.PageUpdateNode(data=document, updates={"data": None}),
            nodes.PageDeleteNode(data=document),
            nodes.PageListNode(data=document),
        ):
            with pytest.raises(InvalidValue, match="does not compare whole JSON documents"):
                db.run_sync(node)
        assert db.run_sync(nodes.PageReadNode(conditions="data != :x", x=None))["id"] == 1
        assert db.run_sync(nodes.PageReadNode(data=None))["found"] is False
        assert db.run_sync(nodes.PageListNode(data=None))["count"] == 0

    def test_the_name_of_the_key_is_no_selector_where_it_is_a_field_of_its_own(self, db: DataFlow) -> None:
        @db.model
        class User:
            user_id: int
            name: str

        db.run_sync(
            db.nodes.UserBulkCreateNode(data=[{"user_id": 7, "name": "a"}, {"user_id": 1, "name": "b"}])
        )
        output = db.run_sync(db.nodes.UserReadNode(user_id=7))
        assert (output["id"], output["user_id"]) == (1, 7)
        assert db.run_sync(db.nodes.UserReadNode(user_id=1))["id"] == 2

    def test_id_stands_for_a_key_of_another_name(self, db: DataFlow) -> None:
        @db.model
        class Country:
            code: str = Field(primary_key=True)

        db.run_sync(db.nodes.CountryCreateNode(code="de"))
        for selector in ("id", "code", "country_id"):
            assert db.run_sync(db.nodes.CountryReadNode(**{selector: "de"}))["code"] == "de"

    def test_a_composite_key_selects_by_its_parts(self, db: DataFlow) -> None:
        @db.model
        class Seat:
            row: int = Field(primary_key=True)
            letter: str = Field(primary_key=True)

        data = [{"row": row, "letter": letter} for row in (2, 1) for letter in "BA"]
        db.run_sync(db.nodes.SeatBulkCreateNode(data=data))
        assert db.run_sync(db.nodes.SeatReadNode(row=2, letter="B"))["found"] is True
        first = db.run_sync(db.nodes.SeatReadNode(row=2))
        assert (first["row"], first["letter"]) == (2, "A")
        with pytest.raises(UnknownName):
            db.run_sync(db.nodes.SeatReadNode(id=1))
        with pytest.raises(UnknownName):
            db.run_sync(db.nodes.SeatReadNode(seat_id=1))

    def test_an_output_of_a_row_that_was_not_found_names_the_node(self, db: DataFlow) -> None:
        define_people(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("UserReadNode", "look", {"id": 99})
        workflow.add_node("UserUpdateNode", "change", {"id": 1})
        workflow.add_connection("look", "name", "change", "name")
        with pytest.raises(WorkflowExecutionError) as caught:
            LocalRuntime().execute(workflow.build())
        assert isinstance(caught.value.cause, RecordNotFound)
        assert "'look'" in str(caught.value.cause)
        assert db.run_sync(db.nodes.UserReadNode(id=1))["name"] == "Ann"

    @pytest.mark.parametrize(
        ("node", "parameters", "output"),
        [
            ("UserUpdateNode", {"id": 99, "updates": {"age": 1}, "required": False}, "name"),
            ("UserDeleteNode", {"id": 99}, "id"),
            ("UserListNode", {"filter": {"id": 99}}, "result.0.name"),
        ],
    )
    def test_an_output_that_no_row_gives_names_the_node(
        self, db: DataFlow, node: str, parameters: Mapping[str, Any], output: str
    ) -> None:
        define_people(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node(node, "look", parameters)
        workflow.add_node("UserListNode", "others")
        workflow.add_connection("look", output, "others", "id" if output == "id" else "name")
        with pytest.raises(WorkflowExecutionError, match=f"node 'look'.* no (output )?'{output}'"):
            LocalRuntime().execute(workflow.build())
