"""A replica that dies, breaks off what it does, was promoted or never was one."""

import asyncio
from collections.abc import Callable

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder
from dataflow.errors import ConnectionLost
from dataflow.execution import replica as replicas
from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of

from ..suite import define_item, names, until
from .streaming import WHERE, Pair, catch_up, is_there, pair_of, value, with_views


@pytest.mark.usefixtures("quick")
def test_no_read_fails_or_is_stale_while_the_replica_dies_again_and_again(
    request: pytest.FixtureRequest,
) -> None:
    """One that was started anew has replayed less than it had before."""
    sql = "SELECT amount, pg_is_in_recovery() AS there FROM items WHERE name = :name"
    stale = reads = there = 0

    async def main(pair: Pair) -> None:
        is_over = False

        async def write_and_read(db: DataFlow, name: str) -> None:
            nonlocal stale, reads, there
            number = 0
            while not is_over:
                number += 1
                await db.nodes.ItemUpdateNode(conditions={"name": name}, updates={"amount": number})
                for _ in range(3):
                    row = (await db.nodes.SQLNode(sql=sql, name=name))["records"][0]
                    stale += row["amount"] != number
                    reads += 1
                    there += row["there"]

        async with DataFlow(pair.primary, read_replica=pair.replica) as db:
            define_item(db)
            await db.nodes.ItemBulkCreateNode(data=[{"name": str(n)} for n in range(4)])
            writers = [asyncio.ensure_future(write_and_read(db, str(n))) for n in range(4)]

            async def some_more(count: Callable[[], int]) -> None:
                enough = count() + 20
                while count() < enough:
                    await asyncio.sleep(0.01)
                    assert not any(writer.done() for writer in writers)

            for _ in range(3):
                await some_more(lambda: there)
                await asyncio.to_thread(pair.follower.kill)
                await some_more(lambda: reads)
                await asyncio.to_thread(pair.follower.restart)
            is_over = True
            await asyncio.gather(*writers)

    with pair_of(request, "recovery_min_apply_delay=20ms") as pair:
        asyncio.run(main(pair))
    print(f"stale reads: {stale} of {reads}, {there} of them from the replica")
    assert stale == 0


@pytest.mark.usefixtures("patient")
def test_a_replica_that_has_forgotten_something_is_asked_anew(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash it begins where its last checkpoint was, and answers before it is as far as it had been."""

    async def main(pair: Pair) -> None:
        async with DataFlow(pair.primary, read_replica=pair.replica) as db:
            define_item(db)
            await db.nodes.ItemCreateNode(name="one")
            await value(pair.primary, "CHECKPOINT")
            await catch_up(pair)
            await value(pair.replica, "CHECKPOINT")
            await db.nodes.ItemCreateNode(name="two")
            assert await names(db) == ["one", "two"]
            assert await is_there(db)
            monkeypatch.setattr(replicas, "PATIENCE", 0.1)
            await value(pair.replica, "ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
            await asyncio.to_thread(pair.follower.kill)
            await asyncio.to_thread(pair.follower.restart)
            assert await value(pair.replica, "SELECT count(*) FROM items") == 1
            assert await names(db) == ["one", "two"]

    with pair_of(request, "work_mem=7MB") as pair:
        asyncio.run(main(pair))
        asyncio.run(value(pair.replica, "ALTER SYSTEM RESET recovery_min_apply_delay"))
        pair.follower.kill()
        pair.follower.restart()


@pytest.mark.usefixtures("patient")
def test_a_run_that_the_replica_breaks_off_is_done_by_the_primary(db: DataFlow) -> None:
    async def main() -> None:
        await with_views(db)
        workflow = WorkflowBuilder(db)
        workflow.add_node("SpotListNode", "first")
        workflow.add_node("TrapListNode", "second")
        for mode in ("workflow", "node"):
            results, _ = await AsyncLocalRuntime(transaction=mode).execute(workflow.build())
            assert not results["second"]["records"][0]["there"]
            if mode == "workflow":  # then it is one transaction, in one place
                assert not results["first"]["records"][0]["there"]
        assert not (await db.nodes.TrapListNode())["records"][0]["there"]
        assert [row["there"] async for row in db.stream("TrapListNode")] == [False]
        assert await is_there(db)

    asyncio.run(main())


def test_a_run_that_is_in_the_way_of_the_replica_is_done_by_the_primary(
    request: pytest.FixtureRequest,
) -> None:
    """A replica that cannot replay what the primary has done cancels the queries that keep it from that."""
    waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    sleeps = "SELECT CASE WHEN pg_is_in_recovery() THEN pg_sleep(60)::text END"

    async def main(pair: Pair) -> None:
        async with DataFlow(pair.primary, read_replica=pair.replica) as db:
            define_item(db)
            await db.nodes.ItemCreateNode(name="one")
            await until(lambda: is_there(db, "SELECT pg_is_in_recovery() AS there FROM items"))
            workflow = WorkflowBuilder(db)
            workflow.add_node("ItemListNode", "all")
            workflow.add_node("SQLNode", "slow", {"sql": sleeps})
            workflow.add_node("SQLNode", "where", {"sql": WHERE})
            running = asyncio.ensure_future(AsyncLocalRuntime().execute(workflow.build()))
            await until(lambda: value(pair.replica, waits))
            await value(pair.primary, "ALTER TABLE items ADD COLUMN more int")
            results, _ = await running
            assert results["all"]["count"] == 1
            assert results["where"]["records"] == [{"there": False}]

    with pair_of(request, "max_standby_streaming_delay=10ms") as pair:
        asyncio.run(main(pair))


@pytest.mark.usefixtures("patient")
def test_a_stream_that_the_replica_breaks_off_repeats_no_row(pair: Pair, db: DataFlow) -> None:
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'dataflow'"
    seen: list[int] = []

    async def main() -> None:
        await db.nodes.ItemBulkCreateNode(data=[{"name": str(number)} for number in range(5000)])
        async for row in db.stream("ItemListNode"):
            if not seen:
                assert await value(pair.replica, end)
            seen.append(row["id"])

    with pytest.raises(ConnectionLost):
        asyncio.run(main())
    assert seen == sorted(set(seen))


def test_a_transaction_of_code_that_the_replica_breaks_off_fails(db: DataFlow) -> None:
    async def main() -> None:
        await with_views(db)
        await until(lambda: is_there(db))
        with pytest.raises(ConnectionLost):
            async with db.transaction(read_only=True):
                await db.nodes.TrapListNode()

    asyncio.run(main())


def test_a_replica_that_was_promoted_is_none_any_more(request: pytest.FixtureRequest) -> None:
    async def main(pair: Pair) -> None:
        async with DataFlow(pair.primary, read_replica=pair.replica) as db:
            define_item(db)
            await until(lambda: is_there(db))
            assert await value(pair.replica, "SELECT pg_promote()")
            await db.nodes.ItemCreateNode(name="one")
            assert await names(db) == ["one"]
            assert not await is_there(db)
            assert "no standby" in (await db.health())["read_replica"]["problem"]

    with pair_of(request, "work_mem=6MB") as pair:
        asyncio.run(main(pair))


def test_another_server_is_no_replica(request: pytest.FixtureRequest, pair: Pair) -> None:
    async def main(other: str) -> None:
        async with DataFlow(pair.primary, read_replica=other) as db:
            define_item(db)
            await db.nodes.ItemCreateNode(name="one")
            assert await names(db) == ["one"]
            assert "no replica of this primary" in (await db.health())["read_replica"]["problem"]

    with server_of(Postgres(), request).database() as other:
        asyncio.run(main(other))


def test_who_cannot_log_in_there_reads_from_the_primary(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        wrong = pair.replica.replace("postgres:", "postgres:wrong")
        async with DataFlow(pair.primary, read_replica=wrong) as db:
            assert not await is_there(db)
        assert "refuses the user or the password" in caplog.text

    asyncio.run(main())
