"""Streams: the rows of a list, one by one, and a connection that is free again however that ends."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import QueryError, TransactionClosed, UnknownName, UnknownNode, ValidationError
from dataflow.testing.suite import requires

__all__ = ["StreamTests"]

COUNT = 1203


def define(db: DataFlow) -> None:
    """A table with some rows, more than are fetched at once."""

    @db.model
    class Event:
        name: str
        value: float
        about: dict[str, Any] | None
        __dataflow__: ClassVar = {"timestamps": False}

    rows = ({"name": str(number % 7), "value": number / 2, "about": {"n": number}} for number in range(COUNT))
    db.run_sync(db.nodes.EventBulkCreateNode(data=rows))


def lent(db: DataFlow) -> int:
    """How many connections are in use."""
    return db.databases()["primary"].pool.in_use


async def taken(rows: AsyncIterator[Any], count: int) -> list[Any]:
    return [await anext(rows) for _ in range(count)]


PARAMETERS: list[dict[str, Any]] = [
    {},
    {"filter": {"value": {"$gt": 100}}, "order_by": ["-name", "id"]},
    {"name": "3", "fields": ["id", "about"]},
    {"order_by": ["value"], "limit": 600, "offset": 100},
    {"filter": {"id": {"$in": list(range(0, 3000, 2))}}},
    {"name": "none"},
]


class StreamTests:
    """Rows come one by one."""

    @pytest.mark.parametrize("parameters", PARAMETERS, ids=range(len(PARAMETERS)))
    def test_a_stream_brings_what_the_node_brings(self, db: DataFlow, parameters: dict[str, Any]) -> None:
        define(db)
        expected = db.run_sync(db.nodes.EventListNode(**parameters))["records"]
        stream = db.stream("EventListNode", **parameters)
        assert list(stream) == expected
        assert list(stream) == expected

        async def main() -> None:
            assert [row async for row in db.stream(db.nodes.EventListNode, **parameters)] == expected

        asyncio.run(main())
        assert lent(db) == 0

    def test_tables_are_made_before_the_first_row_is_read(self, db: DataFlow) -> None:
        @db.model
        class Event:
            name: str

        assert list(db.stream("EventListNode")) == []

    @pytest.mark.parametrize(
        ("node", "parameters", "error", "message"),
        [
            ("EventReadNode", {"id": 1}, ValidationError, "a List node can"),
            ("EvntListNode", {}, UnknownNode, "did you mean 'EventListNode'"),
            ("EventListNode", {"nme": 1}, UnknownName, "did you mean 'name'"),
            ("EventListNode", {"count_only": True}, ValidationError, "no rows to stream"),
        ],
    )
    def test_what_cannot_be_streamed_is_refused_at_once(
        self, db: DataFlow, node: str, parameters: dict[str, Any], error: type[Exception], message: str
    ) -> None:
        define(db)
        with pytest.raises(error, match=message):
            db.stream(node, **parameters)
        assert lent(db) == 0

    def test_a_loop_that_is_left_returns_its_connection(self, db: DataFlow) -> None:
        define(db)
        for row in db.stream("EventListNode"):
            if row["id"] > 600:
                break
        gc.collect()
        assert lent(db) == 0

        def fail() -> None:
            for _ in db.stream("EventListNode"):
                raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            fail()
        gc.collect()
        assert lent(db) == 0

    def test_a_loop_of_a_task_that_is_left_returns_its_connection(self, db: DataFlow) -> None:
        define(db)

        async def fail() -> None:
            async with aclosing(aiter(db.stream("EventListNode"))) as rows:
                async for _ in rows:
                    raise RuntimeError("enough")

        async def main() -> None:
            async with aclosing(aiter(db.stream("EventListNode"))) as rows:
                async for row in rows:
                    if row["id"] > 600:
                        break
                assert lent(db) == 1
            assert lent(db) == 0
            with pytest.raises(RuntimeError, match="enough"):
                await fail()
            assert lent(db) == 0
            async for _ in db.stream("EventListNode"):
                break
            # It is closed as soon as nobody refers to it; waiting for it in vain would be a PoolTimeout.
            while lent(db):
                gc.collect()
                await asyncio.sleep(0)

        asyncio.run(asyncio.wait_for(main(), 30))

    def test_a_loop_that_nobody_goes_on_with_is_closed_with_its_loop(self, db: DataFlow) -> None:
        define(db)
        kept = []

        async def main() -> None:
            rows = aiter(db.stream("EventListNode"))
            kept.append(rows)
            await anext(rows)
            assert lent(db) == 1

        asyncio.run(main())
        assert lent(db) == 0

    def test_a_cancelled_task_returns_the_connection_of_its_loop(self, db: DataFlow) -> None:
        define(db)

        async def main() -> None:
            for steps in range(40):
                read = 0

                async def go() -> None:
                    nonlocal read
                    async for _ in db.stream("EventListNode"):
                        read += 1

                task = asyncio.create_task(go())
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                while lent(db):
                    gc.collect()
                    await asyncio.sleep(0)
            assert len([row async for row in db.stream("EventListNode")]) == COUNT

        asyncio.run(asyncio.wait_for(main(), 30))

    def test_within_a_transaction_a_stream_belongs_to_it(self, db: DataFlow) -> None:
        define(db)

        async def main() -> None:
            async with db.transaction():
                await db.nodes.EventCreateNode(name="new", value=0)
                assert len([row async for row in db.stream("EventListNode")]) == COUNT + 1
                assert lent(db) == 1
                seen = 0
                async for row in db.stream("EventListNode", order_by=["id"]):
                    seen += 1
                    if row["id"] % 100 == 0:
                        found = await db.nodes.EventReadNode(id=row["id"] + 1)
                        assert found["value"] == row["value"] + 0.5
                assert seen == COUNT + 1
            assert lent(db) == 0

        asyncio.run(main())

    def test_a_stream_ends_with_its_transaction(self, db: DataFlow) -> None:
        define(db)

        async def undo(rows: AsyncIterator[Any]) -> None:
            async with db.transaction():
                await anext(rows)
                await db.nodes.EventCreateNode(name="undone", value=0)
                raise RuntimeError("undone")

        async def main() -> None:
            async with db.transaction():
                rows = aiter(db.stream("EventListNode"))
                assert len(await taken(rows, 10)) == 10
                await db.nodes.EventCreateNode(name="kept", value=0)
            assert lent(db) == 0
            with pytest.raises(TransactionClosed):
                await taken(rows, COUNT)
            rows = aiter(db.stream("EventListNode"))
            with pytest.raises(RuntimeError, match="undone"):
                await undo(rows)
            await rows.aclose()
            assert lent(db) == 0
            names = {row["name"] async for row in db.stream("EventListNode")}
            assert "kept" in names
            assert "undone" not in names

        asyncio.run(main())

    @requires(Capability.SAVEPOINTS)
    def test_a_stream_that_fails_in_a_transaction_undoes_nothing_else(self, db: DataFlow) -> None:
        define(db)
        db.run_sync(db.nodes.SQLNode(sql="ALTER TABLE events RENAME TO elsewhere"))

        async def main() -> None:
            async with db.transaction():
                await db.nodes.SQLNode(sql="DELETE FROM elsewhere")
                with pytest.raises(QueryError):
                    await taken(aiter(db.stream("EventListNode")), 1)
                found = await db.nodes.SQLNode(sql="SELECT COUNT(*) AS number FROM elsewhere")
                assert found["records"] == [{"number": 0}]
            assert lent(db) == 0

        asyncio.run(main())
        assert db.run_sync(db.nodes.SQLNode(sql="SELECT id FROM elsewhere"))["records"] == []

    @requires(Capability.SAVEPOINTS)
    def test_a_stream_that_began_in_a_part_ends_with_it(self, db: DataFlow) -> None:
        define(db)

        async def undo(rows: AsyncIterator[Any]) -> None:
            async with db.transaction():
                assert len(await taken(rows, 10)) == 10
                raise RuntimeError("undone")

        async def main() -> None:
            async with db.transaction():
                await db.nodes.EventCreateNode(name="kept", value=0)
                async with aclosing(aiter(db.stream("EventListNode"))) as rows:
                    with pytest.raises(RuntimeError, match="undone"):
                        await undo(rows)
                await db.nodes.EventCreateNode(name="kept too", value=0)
            assert lent(db) == 0

        asyncio.run(main())
        kept = [row["name"] for row in db.stream("EventListNode", filter={"name": {"$like": "kept%"}})]
        assert sorted(kept) == ["kept", "kept too"]

    def test_a_function_of_a_run_streams_what_the_run_has_written(self, db: DataFlow) -> None:
        define(db)

        def total() -> Any:
            return sum(row["value"] for row in db.stream("EventListNode", name="new"))

        workflow = WorkflowBuilder(db)
        workflow.add_node("EventCreateNode", "new", {"name": "new", "value": 2.5})
        workflow.add_node(total, "total")
        workflow.add_connection("new", "total")
        results, _ = LocalRuntime().execute(workflow.build())
        assert results["total"]["result"] == 2.5
        assert lent(db) == 0

    def test_a_stream_that_meets_an_error_returns_its_connection(self, db: DataFlow) -> None:
        define(db)
        db.run_sync(db.nodes.SQLNode(sql="DROP TABLE events"))
        with pytest.raises(Exception, match="events"):
            list(db.stream("EventListNode"))
        assert lent(db) == 0
