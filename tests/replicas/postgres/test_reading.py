"""What is read from a replica, and what is not."""

import asyncio

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder

from .streaming import is_there, with_views


@pytest.mark.usefixtures("patient")
def test_what_only_reads_is_read_from_the_replica(db: DataFlow) -> None:
    async def main() -> None:
        await with_views(db)
        assert await is_there(db)
        assert await asyncio.to_thread(db.run_sync, db.nodes.SpotListNode())
        assert (await db.nodes.SpotListNode())["records"][0]["there"]
        assert [row["there"] async for row in db.stream("SpotListNode")] == [True]
        async with db.transaction(read_only=True, isolation_level="REPEATABLE_READ"):
            assert await is_there(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("SpotListNode", "first")
        workflow.add_node("SpotListNode", "second")
        built = workflow.build()
        for results, _ in (
            await AsyncLocalRuntime().execute(built),
            await AsyncLocalRuntime(transaction="node").execute(built),
            await asyncio.to_thread(LocalRuntime().execute, built),
        ):
            assert [results[id]["records"][0]["there"] for id in ("first", "second")] == [True, True]

    asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_what_may_write_or_lock_is_for_the_primary(db: DataFlow) -> None:
    async def main() -> None:
        await db.nodes.ItemCreateNode(name="one")
        for sql in (
            "SELECT pg_is_in_recovery() AS there FROM items FOR UPDATE",
            "SELECT pg_is_in_recovery() AS there FROM items FOR KEY SHARE",
            "SELECT pg_is_in_recovery() AS there, pg_advisory_xact_lock(1)::text AS void",
        ):
            assert not await is_there(db, sql)
        async with db.transaction():
            assert not await is_there(db)
        async with db.transaction(read_only=True, isolation_level="SERIALIZABLE"):
            assert not await is_there(db)
        assert await is_there(db)

    asyncio.run(main())


def test_what_a_replica_refuses_is_answered_by_the_primary(db: DataFlow) -> None:
    async def main() -> None:
        await db.nodes.SQLNode(sql="CREATE SEQUENCE numbers")
        answer = await db.nodes.SQLNode(sql="SELECT nextval('numbers') AS number")
        assert answer["records"] == [{"number": 1}]

    asyncio.run(main())
