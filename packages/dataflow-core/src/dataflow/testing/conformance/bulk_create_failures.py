"""What a BulkCreateNode leaves behind where a row is bad: nothing, or all that are good."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import DataFlow, Field, ForeignKey, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import InvalidValue, MissingValue, UniqueViolation, UnknownName, WorkflowExecutionError
from dataflow.progress import Progress
from dataflow.testing.conformance.users import UserTests, awaited, names, numbered, rows
from dataflow.testing.examples import FEW
from dataflow.testing.suite import requires

__all__ = ["BulkCreateFailureTests"]


class BulkCreateFailureTests(UserTests):
    """All or nothing, or all that are good."""

    def test_a_list_is_checked_before_anything_is_sent(self, users: DataFlow) -> None:
        told: list[Progress] = []
        data = [*numbered(25), {"name": 5}]
        with pytest.raises(InvalidValue, match="row 25:"):
            users.run_sync(users.nodes.UserBulkCreateNode(data=data, batch_size=5, progress=told.append))
        assert told == []

    @pytest.mark.parametrize(
        ("last", "message"),
        [
            ({"name": 5}, r"row 25: User\.name: expected str, got int"),
            ({"nme": "canary"}, "did you mean 'name'"),
            ({}, "row 25: .*'name'"),
            ("canary", "row 25: expected a dict, got str"),
        ],
    )
    def test_a_bad_row_of_a_generator_undoes_the_rows_before(
        self, users: DataFlow, last: Any, message: str
    ) -> None:
        told: list[Progress] = []
        data = (row for row in (*numbered(25), last))
        call = users.nodes.UserBulkCreateNode(data=data, batch_size=10, progress=told.append)
        with pytest.raises((InvalidValue, MissingValue, UnknownName), match=message) as caught:
            users.run_sync(call)
        assert "canary" not in str(caught.value)
        assert told == [Progress(10, None), Progress(20, None)]
        assert names(users) == []

    def test_all_rows_are_undone_where_one_violates_a_constraint(self, unique: DataFlow) -> None:
        data = [{"name": f"canary-{number}"} for number in range(1500)]
        with pytest.raises(UniqueViolation) as caught:
            unique.run_sync(unique.nodes.UserBulkCreateNode(data=[*data, data[17]]))
        assert caught.value.columns == ("name",)
        assert "canary" not in str(caught.value)
        assert names(unique) == []

    def test_a_failure_undoes_the_whole_run(self, unique: DataFlow) -> None:
        workflow = WorkflowBuilder(unique)
        workflow.add_node("UserCreateNode", "one", {"name": "before"})
        workflow.add_node(
            "UserBulkCreateNode", "many", {"data": [*numbered(30), {"name": "3"}], "batch_size": 10}
        )
        with pytest.raises(WorkflowExecutionError) as caught:
            LocalRuntime().execute(workflow.build())
        assert isinstance(caught.value.cause, UniqueViolation)
        assert names(unique) == []

    @requires(Capability.SAVEPOINTS)
    def test_an_error_of_the_source_undoes_the_rows_before(self, users: DataFlow) -> None:
        def source() -> Iterator[dict[str, Any]]:
            yield from numbered(25)
            raise RuntimeError("the file ends here")

        for data in (source(), awaited(source())):
            with pytest.raises(RuntimeError, match="the file ends here"):
                users.run_sync(users.nodes.UserBulkCreateNode(data=data, batch_size=10, on_error="continue"))
        assert names(users) == []

    @requires(Capability.SAVEPOINTS)
    def test_an_error_of_a_default_factory_undoes_the_rows_before(self, db: DataFlow) -> None:
        made = iter([1, 2, 3])

        def make() -> int:
            try:
                return next(made)
            except StopIteration:
                raise KeyError("name") from None

        @db.model
        class User:
            name: str
            number: int = Field(default_factory=make)

        with pytest.raises(KeyError):
            db.run_sync(db.nodes.UserBulkCreateNode(data=numbered(5), on_error="continue"))
        assert names(db) == []

    def test_progress_that_raises_undoes_everything(self, users: DataFlow) -> None:
        def stop(progress: Progress) -> None:
            if progress.done >= 20:
                raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            users.run_sync(users.nodes.UserBulkCreateNode(data=numbered(25), batch_size=10, progress=stop))
        assert names(users) == []

    @requires(Capability.SAVEPOINTS)
    @pytest.mark.parametrize("batch_size", [1, 3, 1000])
    @pytest.mark.parametrize("listed", [True, False])
    def test_bad_rows_are_told_and_good_rows_stored(
        self, db: DataFlow, listed: bool, batch_size: int
    ) -> None:
        @db.model
        class Team:
            name: str

        @db.model
        class User:
            name: str = Field(unique=True)
            age: int = 0
            team: Annotated[int, ForeignKey("Team")] | None

        db.run_sync(db.nodes.TeamCreateNode(name="red"))
        data: list[Any] = [
            {"name": "a"},
            {"name": "b", "age": "canary"},
            {"name": "c", "team": 99},
            {"name": "a"},
            {"nme": "canary"},
            {},
            "canary",
            {"name": "d", "team": 1},
            {"name": None},
            {"name": "e"},
        ]
        output = db.run_sync(
            db.nodes.UserBulkCreateNode(
                data=data if listed else iter(data),
                on_error="continue",
                batch_size=batch_size,
                return_rows=True,
            )
        )
        assert names(db) == ["a", "d", "e"]
        assert [row["name"] for row in output["result"]] == ["a", "d", "e"]
        assert output["inserted"] == 3
        assert output["batches"] == -(-len(data) // batch_size)
        failed = output["failed"]
        assert [(one["index"], one["error_type"]) for one in failed] == [
            (1, "InvalidValue"),
            (2, "ForeignKeyViolation"),
            (3, "UniqueViolation"),
            (4, "UnknownName"),
            (5, "MissingValue"),
            (6, "InvalidValue"),
            (8, "InvalidValue"),
        ]
        assert "canary" not in str(failed)
        assert failed[0]["error"] == "User.age: expected int, got str"

    @requires(Capability.SAVEPOINTS)
    def test_a_bad_row_is_told_once_though_rows_with_other_names_follow(self, users: DataFlow) -> None:
        data: list[dict[str, Any]] = [
            {"name": "a", "age": 1},
            {"name": 5, "age": 1},
            {"name": "b", "role": "x"},
            {"name": "c", "age": 2},
        ]
        output = users.run_sync(users.nodes.UserBulkCreateNode(data=data, on_error="continue"))
        assert [one["index"] for one in output["failed"]] == [1]
        assert output["inserted"] == 3
        assert rows(users, "name", "age", "role") == [("a", 1, "guest"), ("b", None, "x"), ("c", 2, "guest")]

    @requires(Capability.SAVEPOINTS)
    def test_where_all_rows_are_bad_nothing_is_stored(self, unique: DataFlow) -> None:
        data: list[dict[str, Any]] = [{"name": number} for number in range(7)]
        output = unique.run_sync(unique.nodes.UserBulkCreateNode(data=data, on_error="continue"))
        assert (output["inserted"], len(output["failed"]), output["batches"]) == (0, 7, 1)

    @requires(Capability.SAVEPOINTS)
    def test_what_was_stored_before_in_the_run_stays(self, unique: DataFlow) -> None:
        workflow = WorkflowBuilder(unique)
        workflow.add_node("UserCreateNode", "one", {"name": "2"})
        workflow.add_node("UserBulkCreateNode", "many", {"data": [*numbered(4)], "on_error": "continue"})
        results, _ = LocalRuntime().execute(workflow.build())
        assert [one["index"] for one in results["many"]["failed"]] == [2]
        assert names(unique) == ["2", "0", "1", "3"]

    @requires(Capability.SAVEPOINTS)
    def test_rows_are_stored_as_if_one_by_one(self, db: DataFlow) -> None:
        """Generated rows against a plain loop, for all sizes of batches and mixtures of fields."""

        @db.model
        class User:
            name: str = Field(unique=True)
            age: int | None
            role: str = "guest"
            __dataflow__: ClassVar = {"timestamps": False}

        name = st.sampled_from("abcdefgh") | st.integers(0, 3)
        row = st.fixed_dictionaries(
            {"name": name}, optional={"age": st.none() | st.integers(0, 9), "role": st.text("xy", max_size=2)}
        )

        @FEW
        @given(st.lists(row, max_size=30), st.integers(1, 12), st.booleans())
        def check(data: list[dict[str, Any]], batch_size: int, listed: bool) -> None:
            for record in db.run_sync(db.nodes.UserListNode())["records"]:
                db.run_sync(db.nodes.UserDeleteNode(id=record["id"]))
            output = db.run_sync(
                db.nodes.UserBulkCreateNode(
                    data=data if listed else iter(data), batch_size=batch_size, on_error="continue"
                )
            )
            stored, failed = stored_one_by_one(data)
            assert rows(db, "name", "age", "role") == stored
            assert [one["index"] for one in output["failed"]] == failed
            assert output["inserted"] == len(stored)

        check()


def stored_one_by_one(data: Iterable[Mapping[str, Any]]) -> tuple[list[tuple[Any, ...]], list[int]]:
    """The rows that a table with unique names takes, and the indices of the others."""
    stored: dict[str, tuple[Any, ...]] = {}
    failed: list[int] = []
    for index, row in enumerate(data):
        name = row["name"]
        if not isinstance(name, str) or name in stored:
            failed.append(index)
        else:
            stored[name] = (name, row.get("age"), row.get("role", "guest"))
    return list(stored.values()), failed
