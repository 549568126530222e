"""The BulkCreateNode: rows of all shapes from all kinds of sources, all or nothing, or all that are good."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import AsyncLocalRuntime, DataFlow, Field, ForeignKey, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    InvalidValue,
    MissingValue,
    UniqueViolation,
    UnknownName,
    WorkflowBuildError,
    WorkflowExecutionError,
)
from dataflow.progress import Progress
from dataflow.testing.examples import FEW

__all__ = ["BulkCreateTests"]


def rows(db: DataFlow, *fields: str) -> list[tuple[Any, ...]]:
    records = db.run_sync(db.nodes.UserListNode(order_by=["id"], fields=list(fields)))["records"]
    return [tuple(record.values()) for record in records]


def names(db: DataFlow) -> list[str]:
    return [name for (name,) in rows(db, "name")]


def numbered(count: int, first: int = 0) -> Iterator[dict[str, Any]]:
    """Rows from a generator."""
    for number in range(first, first + count):
        yield {"name": str(number)}


async def awaited(data: Iterable[Mapping[str, Any]]) -> AsyncIterator[Mapping[str, Any]]:
    """Rows that have to be waited for."""
    from asyncio import sleep

    for row in data:
        await sleep(0)
        yield row


class BulkCreateTests:
    """Many rows are stored at once."""

    @pytest.fixture
    def users(self, db: DataFlow) -> DataFlow:
        """A database with a model of users."""

        @db.model
        class User:
            name: str
            age: int | None
            role: str = "guest"
            token: UUID = Field(default_factory=uuid4)
            __dataflow__: ClassVar = {"timestamps": False}

        return db

    @pytest.fixture
    def unique(self, db: DataFlow) -> DataFlow:
        """A database whose users have names of their own."""

        @db.model
        class User:
            name: str = Field(unique=True)

        return db

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
        assert rows(users, "name", "age", "role") == wanted
        assert [(row["name"], row["age"], row["role"]) for row in output["result"]] == wanted
        ids = [row["id"] for row in output["result"]]
        assert ids == sorted(ids)
        assert ids[4::5] == [1000 + 10 * number for number in range(20)]

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

    # ------------------------------------------------------------------ sources

    @pytest.mark.parametrize(
        "make",
        [
            tuple,
            iter,
            lambda rows: iter(list(rows)),
            lambda rows: dict(enumerate(rows)).values(),
            lambda rows: map(MappingProxyType, rows),
        ],
        ids=["tuple", "generator", "iterator", "values", "mappings"],
    )
    def test_whatever_can_be_iterated_is_stored(
        self, users: DataFlow, make: Callable[[Iterable[dict[str, Any]]], object]
    ) -> None:
        data = make(numbered(25))
        output = users.run_sync(users.nodes.UserBulkCreateNode(data=data, batch_size=10))
        assert output == {"inserted": 25, "failed": [], "batches": 3, "result": 25}
        assert names(users) == [str(number) for number in range(25)]

    def test_an_async_iterable_is_stored_by_a_thread(self, users: DataFlow) -> None:
        call = users.nodes.UserBulkCreateNode(data=awaited(numbered(25)), batch_size=10)
        assert users.run_sync(call)["batches"] == 3
        assert names(users) == [str(number) for number in range(25)]

    def test_an_iterator_at_its_end_is_asked_no_more(self, users: DataFlow) -> None:
        class Once:
            """Knows of one end only."""

            def __init__(self) -> None:
                self._rows: Iterator[dict[str, Any]] | None = numbered(25)

            def __aiter__(self) -> "Once":
                return self

            async def __anext__(self) -> dict[str, Any]:
                assert self._rows is not None, "it ended before"
                for row in self._rows:
                    return row
                self._rows = None
                raise StopAsyncIteration

        output = users.run_sync(users.nodes.UserBulkCreateNode(data=Once(), batch_size=10))
        assert output["batches"] == 3

    def test_an_async_iterable_is_stored_by_a_task(self, users: DataFlow) -> None:
        import asyncio

        async def main() -> None:
            async with users:
                call = users.nodes.UserBulkCreateNode(data=awaited(numbered(25)), batch_size=10)
                assert (await call)["inserted"] == 25
                async with users.transaction():
                    await users.nodes.UserBulkCreateNode(data=awaited(numbered(5, 25)))
                records = (await users.nodes.UserListNode(order_by=["id"]))["records"]
                assert [row["name"] for row in records] == [str(number) for number in range(30)]

        asyncio.run(main())

    def test_an_async_iterable_is_read_on_the_loop_of_its_task(self, users: DataFlow) -> None:
        import asyncio
        import contextvars

        place: contextvars.ContextVar[str] = contextvars.ContextVar("place")
        seen: set[tuple[object, str]] = set()

        async def source() -> AsyncIterator[dict[str, Any]]:
            for row in numbered(25):
                seen.add((asyncio.get_running_loop(), place.get()))
                yield row

        async def main() -> None:
            async with users:
                place.set("here")
                await users.nodes.UserBulkCreateNode(data=source(), batch_size=4)
                assert seen == {(asyncio.get_running_loop(), "here")}

        asyncio.run(main())

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_workflow_takes_sources_as_parameters_of_a_run(
        self, users: DataFlow, asynchronous: bool
    ) -> None:
        import asyncio

        builder = WorkflowBuilder(users)
        builder.add_node("UserBulkCreateNode", "many", {"batch_size": 7})
        workflow = builder.build()
        for number, data in enumerate([numbered(10), awaited(numbered(10))]):
            given: dict[str, dict[str, object]] = {"many": {"data": data, "age": number}}
            if asynchronous:
                results, _ = asyncio.run(AsyncLocalRuntime().execute(workflow, given))
            else:
                results, _ = LocalRuntime().execute(workflow, given)
            assert results["many"]["inserted"] == 10
        assert rows(users, "age") == [(0,)] * 10 + [(1,)] * 10

    def test_a_function_can_hand_on_a_generator(self, users: DataFlow) -> None:
        workflow = WorkflowBuilder(users)
        workflow.add_node(lambda: {"rows": numbered(10)}, "source")
        workflow.add_node("UserBulkCreateNode", "many")
        workflow.add_connection("source", "rows", "many", "data")
        results, _ = LocalRuntime().execute(workflow.build())
        assert results["many"]["inserted"] == 10

    def test_a_generator_that_was_read_is_refused(self, users: DataFlow) -> None:
        generator = numbered(3)
        builder = WorkflowBuilder(users)
        builder.add_node("UserBulkCreateNode", "many", {"data": generator})
        workflow = builder.build()
        assert LocalRuntime().execute(workflow)[0]["many"]["inserted"] == 3
        with pytest.raises(WorkflowExecutionError, match="read before"):
            LocalRuntime().execute(workflow)
        again = WorkflowBuilder(users)
        again.add_node("UserBulkCreateNode", "many", {"data": generator})
        with pytest.raises(WorkflowBuildError, match="read before"):
            again.build()
        assert len(names(users)) == 3

    # ------------------------------------------------------------------ all or nothing

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

    def test_an_error_of_the_source_undoes_the_rows_before(self, users: DataFlow) -> None:
        def source() -> Iterator[dict[str, Any]]:
            yield from numbered(25)
            raise RuntimeError("the file ends here")

        for data in (source(), awaited(source())):
            with pytest.raises(RuntimeError, match="the file ends here"):
                users.run_sync(users.nodes.UserBulkCreateNode(data=data, batch_size=10, on_error="continue"))
        assert names(users) == []

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

    # ------------------------------------------------------------------ progress

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

    def test_progress_that_raises_undoes_everything(self, users: DataFlow) -> None:
        def stop(progress: Progress) -> None:
            if progress.done >= 20:
                raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            users.run_sync(users.nodes.UserBulkCreateNode(data=numbered(25), batch_size=10, progress=stop))
        assert names(users) == []

    # ------------------------------------------------------------------ all that are good

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

    def test_where_all_rows_are_bad_nothing_is_stored(self, unique: DataFlow) -> None:
        data: list[dict[str, Any]] = [{"name": number} for number in range(7)]
        output = unique.run_sync(unique.nodes.UserBulkCreateNode(data=data, on_error="continue"))
        assert (output["inserted"], len(output["failed"]), output["batches"]) == (0, 7, 1)

    def test_what_was_stored_before_in_the_run_stays(self, unique: DataFlow) -> None:
        workflow = WorkflowBuilder(unique)
        workflow.add_node("UserCreateNode", "one", {"name": "2"})
        workflow.add_node("UserBulkCreateNode", "many", {"data": [*numbered(4)], "on_error": "continue"})
        results, _ = LocalRuntime().execute(workflow.build())
        assert [one["index"] for one in results["many"]["failed"]] == [2]
        assert names(unique) == ["2", "0", "1", "3"]

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
