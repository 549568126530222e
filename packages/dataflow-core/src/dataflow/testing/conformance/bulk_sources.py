"""The sources of a BulkCreateNode: whatever can be iterated."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import WorkflowBuildError, WorkflowExecutionError
from dataflow.testing.conformance.users import UserTests, awaited, names, numbered, rows

__all__ = ["BulkSourceTests"]


class BulkSourceTests(UserTests):
    """Rows come from lists, iterators and async iterators."""

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

    def test_what_cannot_begin_says_why(self, users: DataFlow) -> None:
        class Refuses:
            def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
                raise LookupError("there is nothing")

        with pytest.raises(LookupError, match="there is nothing"):
            users.run_sync(users.nodes.UserBulkCreateNode(data=Refuses()))
        assert names(users) == []

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
