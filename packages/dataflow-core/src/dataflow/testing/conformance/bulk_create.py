"""The BulkCreateNode: rows of all shapes are stored at once."""

from collections.abc import Mapping
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest

from dataflow import DataFlow, Field, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import InvalidValue, MissingValue, UnknownName
from dataflow.progress import Progress
from dataflow.testing.conformance.users import UserTests, numbered, rows
from dataflow.testing.suite import requires

__all__ = ["BulkCreateTests"]


class BulkCreateTests(UserTests):
    """Many rows are stored at once."""

    def test_rows_are_stored_and_counted(self, users: DataFlow) -> None:
        output = users.run_sync(users.nodes.UserBulkCreateNode(data=[{"name": "a"}, {"name": "b"}]))
        assert output == {"inserted": 2, "failed": [], "batches": 1, "result": 2}
        assert rows(users, "id", "name") == [(1, "a"), (2, "b")]

    def test_rows_that_give_different_fields_are_stored_in_their_order(self, users: DataFlow) -> None:
        data: list[dict[str, object]] = [
            {"name": "a"},
            {"age": 1, "name": "b"},
            {"name": "c", "age": 2},
            {"name": "d"},
            {"name": "e", "role": "admin", "age": None},
        ]
        output = users.run_sync(users.nodes.UserBulkCreateNode(data=data, return_rows=True))
        assert output["inserted"] == 5
        assert [row["name"] for row in output["result"]] == list("abcde")
        assert rows(users, "id", "name", "age", "role") == [
            (1, "a", None, "guest"),
            (2, "b", 1, "guest"),
            (3, "c", 2, "guest"),
            (4, "d", None, "guest"),
            (5, "e", None, "admin"),
        ]

    @pytest.mark.parametrize("listed", [True, False])
    @pytest.mark.parametrize("batch_size", [2, 5, 1000, 2**64])
    def test_rows_that_change_from_one_to_the_next_are_stored_as_they_are(
        self, users: DataFlow, listed: bool, batch_size: int
    ) -> None:
        data: list[dict[str, object]] = []
        for number in range(20):
            data += [
                {"name": "a", "age": number},
                {"name": "b"},
                {"role": "x", "name": "c"},
                {"age": None, "name": "d", "role": "y"},
                {"id": 1000 + 10 * number, "name": "e"},
            ]
        output = users.run_sync(
            users.nodes.UserBulkCreateNode(
                data=data if listed else iter(data), batch_size=batch_size, return_rows=True
            )
        )
        wanted = [(row["name"], row.get("age"), row.get("role", "guest")) for row in data]
        assert [(row["name"], row["age"], row["role"]) for row in output["result"]] == wanted
        listed_rows = users.run_sync(users.nodes.UserListNode())["records"]
        assert sorted(listed_rows, key=by_id) == sorted(output["result"], key=by_id)
        ids = [row["id"] for row in output["result"]]
        assert ids[4::5] == [1000 + 10 * number for number in range(20)]
        # Whether a key that was given moves those that are made is a matter of the database.
        made = [id for position, id in enumerate(ids) if position % 5 != 4]
        assert made == sorted(made)

    def test_an_empty_list_is_fine_and_stores_nothing(self, users: DataFlow) -> None:
        assert users.run_sync(users.nodes.UserBulkCreateNode(data=[])) == {
            "inserted": 0,
            "failed": [],
            "batches": 0,
            "result": 0,
        }
        assert users.run_sync(users.nodes.UserBulkCreateNode(data=[], return_rows=True))["result"] == []

    @pytest.mark.parametrize(("size", "batches"), [(1, 7), (3, 3), (7, 1), (100, 1), (None, 1)])
    def test_the_size_of_a_batch_decides_how_many_there_are(
        self, users: DataFlow, size: int | None, batches: int
    ) -> None:
        data = [{"name": str(number)} for number in range(7)]
        output = users.run_sync(users.nodes.UserBulkCreateNode(data=data, batch_size=size, return_rows=True))
        assert (output["inserted"], output["batches"]) == (7, batches)
        assert [row["name"] for row in output["result"]] == [str(number) for number in range(7)]

    def test_default_factories_are_asked_for_every_row(self, users: DataFlow) -> None:
        data = [{"name": str(number)} for number in range(300)]
        result = users.run_sync(users.nodes.UserBulkCreateNode(data=data, return_rows=True))["result"]
        tokens = {row["token"] for row in result}
        assert len(tokens) == 300
        assert all(type(token) is UUID for token in tokens)

    def test_a_row_that_lacks_what_others_give_has_the_default_though_it_may_be_null(
        self, db: DataFlow
    ) -> None:
        @db.model
        class User:
            name: str
            age: int | None = 18
            token: UUID | None = Field(default_factory=uuid4)
            __dataflow__: ClassVar = {"timestamps": False}

        given: list[dict[str, object]] = [{"name": "a"}, {"name": "b", "age": None, "token": None}]
        data = [*given, {"name": "c"}, {"name": "d", "age": 5}]
        db.run_sync(db.nodes.UserBulkCreateNode(data=data))
        stored = rows(db, "name", "age", "token")
        assert [(name, age) for name, age, _ in stored] == [("a", 18), ("b", None), ("c", 18), ("d", 5)]
        assert [token is None for *_, token in stored] == [False, True, False, False]

    def test_a_parameter_named_like_a_field_fills_the_rows_that_lack_it(self, users: DataFlow) -> None:
        users.run_sync(
            users.nodes.UserBulkCreateNode(
                data=[{"name": "a"}, {"name": "b", "role": "boss"}], role="staff", age=3
            )
        )
        assert rows(users, "name", "age", "role") == [("a", 3, "staff"), ("b", 3, "boss")]

    def test_a_connection_fills_the_rows_that_lack_the_field(self, users: DataFlow) -> None:
        workflow = WorkflowBuilder(users)
        workflow.add_node("UserCreateNode", "first", {"name": "Ann", "age": 44})
        workflow.add_node("UserBulkCreateNode", "more", {"data": [{"name": "a"}, {"name": "b", "age": 1}]})
        workflow.add_connection("first", "age", "more", "age")
        LocalRuntime().execute(workflow.build())
        assert rows(users, "name", "age") == [("Ann", 44), ("a", 44), ("b", 1)]

    def test_rows_of_nothing_but_defaults_are_stored(self, db: DataFlow) -> None:
        @db.model
        class Ticket:
            note: str | None
            __dataflow__: ClassVar = {"timestamps": False}

        output = db.run_sync(db.nodes.TicketBulkCreateNode(data=[{}, {}, {"note": "x"}], return_rows=True))
        assert [row["id"] for row in output["result"]] == [1, 2, 3]
        assert db.run_sync(db.nodes.TicketBulkCreateNode(data=[{}, {}]))["inserted"] == 2

    def test_times_of_creation_are_filled(self, db: DataFlow) -> None:
        @db.model
        class Note:
            text: str

        result = db.run_sync(db.nodes.NoteBulkCreateNode(data=[{"text": "a"}], return_rows=True))["result"]
        assert result[0]["created_at"] == result[0]["updated_at"] is not None

    @pytest.mark.parametrize(
        ("parameters", "error", "message"),
        [
            ({}, MissingValue, "needs data, a list of rows"),
            ({"data": None}, MissingValue, "needs data"),
            ({"data": {"name": "x"}}, InvalidValue, "expected a list of dicts, got dict"),
            ({"data": "canary"}, InvalidValue, "expected a list of dicts, got str"),
            ({"data": [{"name": "a"}, "canary"]}, InvalidValue, "row 1: expected a dict, got str"),
            ({"data": [{"name": "a"}, {}]}, MissingValue, "row 1: .*'name'"),
            (
                {"data": [{"name": "a"}, {"name": 5}]},
                InvalidValue,
                r"row 1: User\.name: expected str, got int",
            ),
            ({"data": [{"name": "a"}, {"nme": "canary"}]}, UnknownName, "did you mean 'name'"),
            ({"data": [{"name": "a", 1: 2}]}, UnknownName, "no field '1'"),
            ({"data": [], "batch_sise": 1}, UnknownName, "did you mean 'batch_size'"),
            ({"data": [], "batch_size": 0}, InvalidValue, "at least 1"),
            ({"data": [], "on_error": "ignore"}, InvalidValue, "expected 'abort' or 'continue'"),
            ({"data": [], "batch_size": True}, InvalidValue, "at least 1"),
            ({"data": [], "return_rows": 1}, InvalidValue, "expected a bool"),
            ({"data": [{"name": "a"}], "age": "canary"}, InvalidValue, r"User\.age"),
        ],
    )
    def test_what_makes_no_sense_is_refused_before_anything_is_stored(
        self, users: DataFlow, parameters: Mapping[str, Any], error: type[Exception], message: str
    ) -> None:
        with pytest.raises(error, match=message) as caught:
            users.run_sync(users.nodes.UserBulkCreateNode(**parameters))
        assert "canary" not in str(caught.value)
        assert rows(users, "id") == []

    def test_the_data_of_the_caller_is_left_as_it_is(self, users: DataFlow) -> None:
        data = [{"name": "a"}]
        users.run_sync(users.nodes.UserBulkCreateNode(data=data, role="x"))
        assert data == [{"name": "a"}]

    @requires(Capability.SAVEPOINTS)
    def test_progress_is_told_after_each_batch(self, unique: DataFlow) -> None:
        told: list[Progress] = []
        data = [*numbered(25), {"name": "3"}]
        for source, total in ((data, 26), (iter(data), None)):
            told.clear()
            unique.run_sync(
                unique.nodes.UserBulkCreateNode(
                    data=source, batch_size=10, progress=told.append, on_error="continue"
                )
            )
            assert told == [Progress(10, total), Progress(20, total), Progress(26, total)]


def by_id(row: Mapping[str, Any]) -> Any:
    return row["id"]
