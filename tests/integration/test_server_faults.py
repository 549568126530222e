"""Sessions that are ended, networks that stall, servers that are full: what was lost is said, the rest goes on."""

import asyncio
from collections.abc import Callable
from select import select
from typing import Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder
from dataflow.errors import (
    CommitUnknown,
    ConnectionLost,
    PoolTimeout,
    StatementTimeout,
    WorkflowExecutionError,
)
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Provision, Suite

from .faults import OnMySQL, OnPostgres, ProxiedSuite, define_item, end_others, names, two_nodes
from .proxy import Proxy

PATIENCE = 60


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


def pool_of(db: DataFlow) -> Any:
    return db.databases()["primary"].pool


async def unanswered_commit(db: DataFlow, proxy: Proxy) -> "asyncio.Future[None]":
    """A transaction that has asked for its commit, on a network that brings no answer."""

    async def write() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="perhaps")
            proxy.stall(answers_only=True)

    run = asyncio.ensure_future(write())
    await asyncio.to_thread(proxy.holds.wait, PATIENCE)
    return run


class FaultTests(ProxiedSuite):
    """What must hold on a server, whoever made it."""

    sleep: ClassVar[str]
    """SQL that takes half a minute."""
    others: ClassVar[str]
    """SQL that brings what ends the other sessions of the database, as ``statement``."""

    def transport_of(self, connection: Any) -> Any:
        client = getattr(connection, "_client", None)
        return connection._raw._transport if client is None else client.transport(connection._raw)

    # ------------------------------------------------------------------ sessions that are ended

    def test_connections_that_were_ended_while_idle_are_replaced_without_an_error(self, url: str) -> None:
        async def main(db: DataFlow) -> None:
            await asyncio.gather(*(db.nodes.ItemCreateNode(name="a") for _ in range(8)))
            assert pool_of(db).idle > 1
            assert await end_others(url, self.others) >= pool_of(db).idle
            (home,) = pool_of(db)._homes.values()
            while any(connection.usable for connection in home.pool._idle):
                await asyncio.sleep(0)
            await asyncio.gather(*(db.nodes.ItemCreateNode(name="b") for _ in range(8)))
            assert sorted(await names(db)) == ["a"] * 8 + ["b"] * 8

        with DataFlow(url, pool_size=4) as db:
            asyncio.run(main(define_item(db)))

    def test_one_that_was_ended_while_idle_is_replaced_in_a_program_without_a_loop(self, url: str) -> None:
        with DataFlow(url, pool_size=4) as db:
            define_item(db)
            db.run_sync(db.nodes.ItemCreateNode(name="a"))
            assert asyncio.run(end_others(url, self.others)) >= pool_of(db).idle == 1
            (home,) = pool_of(db)._homes.values()
            (connection,) = home.pool._idle
            # The end has come, and no loop has run since that could have noticed.
            assert select([self.transport_of(connection).get_extra_info("socket")], [], [], PATIENCE)[0]
            assert connection.usable
            # Written by a single statement, of which nobody could know whether it happened.
            db.run_sync(db.nodes.ItemCreateNode(name="b"))
            assert [row["name"] for row in db.run_sync(db.nodes.ItemListNode())["records"]] == ["a", "b"]

    def test_a_connection_that_is_ended_while_busy_fails_its_run_alone(self, url: str) -> None:
        async def main(db: DataFlow) -> None:
            await db.nodes.ItemCreateNode(name="before")
            slow = WorkflowBuilder(db)
            slow.add_node("ItemCreateNode", "made", {"name": "lost"})
            slow.add_node("SQLNode", "slow", {"sql": self.sleep})
            run = asyncio.ensure_future(AsyncLocalRuntime().execute(slow.build()))
            while pool_of(db).in_use == 0:
                await asyncio.sleep(0)
            while not run.done():
                await end_others(url, self.others)
            with pytest.raises(WorkflowExecutionError) as caught:
                await run
            assert isinstance(caught.value.cause, ConnectionLost)
            assert not isinstance(caught.value.cause, CommitUnknown)
            await db.nodes.ItemCreateNode(name="after")
            assert await names(db) == ["before", "after"]
            assert pool_of(db).in_use == 0

        with DataFlow(url, pool_size=2) as db:
            asyncio.run(main(define_item(db)))

    # ------------------------------------------------------------------ a network that stalls

    def test_a_server_that_does_not_answer_at_the_connect_is_given_up(
        self, stalling: Callable[..., DataFlow], proxy: Proxy
    ) -> None:
        async def main() -> None:
            db = stalling(connect_timeout="0.3")
            proxy.stall()
            with pytest.raises(ConnectionLost, match="connect_timeout"):
                await asyncio.wait_for(db.nodes.ItemCreateNode(name="a"), PATIENCE)
            proxy.go_on()
            await db.nodes.ItemCreateNode(name="b")
            assert await names(db) == ["b"]

        asyncio.run(main())

    @pytest.mark.parametrize("how", ["call", "transaction", "run"])
    def test_a_statement_that_is_not_answered_times_out(
        self, stalling: Callable[..., DataFlow], proxy: Proxy, how: str
    ) -> None:
        async def main() -> None:
            db = stalling(timeout="0.5", connect_timeout="0.5")
            await db.nodes.ItemCreateNode(name="a")

            async def use() -> None:
                match how:
                    case "call":
                        await db.nodes.ItemListNode()
                    case "transaction":
                        async with db.transaction():
                            await db.nodes.ItemCreateNode(name="b")
                    case _:
                        await AsyncLocalRuntime().execute(two_nodes(db, "b"))

            proxy.stall()
            with pytest.raises((StatementTimeout, ConnectionLost, WorkflowExecutionError)) as caught:
                await asyncio.wait_for(use(), PATIENCE)
            cause = getattr(caught.value, "cause", caught.value)
            assert isinstance(cause, StatementTimeout | ConnectionLost)
            assert pool_of(db).in_use == 0
            proxy.go_on()
            await db.nodes.ItemCreateNode(name="after")
            assert set(await names(db)) == {"a", "after"}

        asyncio.run(main())

    def test_a_cancellation_does_not_wait_for_a_stalled_network(
        self, stalling: Callable[..., DataFlow], proxy: Proxy
    ) -> None:
        async def main() -> None:
            db = stalling()
            await db.nodes.ItemCreateNode(name="a")

            async def hold() -> None:
                async with db.transaction():
                    await db.nodes.ItemCreateNode(name="lost")
                    proxy.stall()
                    await db.nodes.ItemCreateNode(name="lost too")

            held = asyncio.ensure_future(hold())
            alone = asyncio.ensure_future(db.nodes.ItemListNode(limit=1))
            await asyncio.to_thread(proxy.holds.wait, PATIENCE)
            for task in (held, alone):
                task.cancel()
            done, waiting = await asyncio.wait([held, alone], timeout=PATIENCE)
            assert len(done) == 2
            assert not waiting
            assert held.cancelled()
            assert pool_of(db).in_use == 0
            proxy.go_on()
            await db.nodes.ItemCreateNode(name="after")
            assert await names(db) == ["a", "after"]

        asyncio.run(main())

    def test_a_cancellation_arrives_while_the_tables_are_made_on_a_stalled_network(
        self, stalling: Callable[..., DataFlow], proxy: Proxy
    ) -> None:
        async def main() -> None:
            db = stalling()
            proxy.stall(after=1600)
            first = asyncio.ensure_future(db.nodes.ItemCreateNode(name="cancelled"))
            await asyncio.to_thread(proxy.holds.wait, PATIENCE)
            first.cancel()
            await asyncio.wait([first], timeout=PATIENCE)
            assert first.cancelled()
            assert pool_of(db).in_use == 0
            proxy.go_on()
            await db.nodes.ItemCreateNode(name="after")
            assert await names(db) == ["after"]

        asyncio.run(main())

    def test_a_commit_whose_answer_is_lost_is_told_apart(
        self, stalling: Callable[..., DataFlow], proxy: Proxy
    ) -> None:
        async def main() -> None:
            db = stalling()
            await db.nodes.ItemCreateNode(name="a")
            run = await unanswered_commit(db, proxy)
            assert not run.done()
            await asyncio.to_thread(proxy.cut)
            with pytest.raises(CommitUnknown, match="not known"):
                await run
            assert pool_of(db).in_use == 0
            proxy.go_on()
            assert await names(db) in (["a"], ["a", "perhaps"])

        asyncio.run(main())

    def test_a_commit_that_is_cancelled_closes_its_connection_and_says_so(
        self, stalling: Callable[..., DataFlow], proxy: Proxy
    ) -> None:
        async def main() -> None:
            db = stalling()
            await db.nodes.ItemCreateNode(name="a")
            run = await unanswered_commit(db, proxy)
            idle = pool_of(db).idle
            run.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await run
            assert "not known" in "".join(caught.value.__notes__)
            assert (pool_of(db).in_use, pool_of(db).idle) == (0, idle)
            proxy.go_on()
            await db.nodes.ItemCreateNode(name="after")
            assert set(await names(db)) - {"perhaps"} == {"a", "after"}

        asyncio.run(main())


class FullTests(Suite):
    """What must hold where a server takes few connections."""

    limit: ClassVar[int]
    """More than it takes."""

    def test_a_server_that_is_full_is_tried_again_and_then_told(self, url: str) -> None:
        async def hold(db: DataFlow, begun: asyncio.Semaphore, end: asyncio.Event) -> None:
            async with db.transaction():
                await db.nodes.ItemListNode(limit=1)
                begun.release()
                await end.wait()

        async def main(greedy: DataFlow, other: DataFlow) -> None:
            await greedy.start()
            begun, end = asyncio.Semaphore(0), asyncio.Event()
            tasks = [asyncio.ensure_future(hold(greedy, begun, end)) for _ in range(self.limit)]
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            with pytest.raises(PoolTimeout, match="pool_size"):
                await done.pop()
            with pytest.raises(PoolTimeout, match="the server has been full"):
                await other.nodes.ItemListNode()
            waiting = asyncio.ensure_future(other.nodes.ItemListNode())
            await asyncio.sleep(0)
            end.set()
            await asyncio.gather(*tasks, return_exceptions=True)
            await greedy.close()
            await waiting

        with (
            DataFlow(url, pool_size=self.limit, pool_timeout=0.5) as greedy,
            DataFlow(url, pool_timeout=0.5) as other,
        ):
            asyncio.run(main(define_item(greedy), define_item(other)))


class TestPostgres(OnPostgres, FaultTests):
    provision: ClassVar[Provision] = Postgres()


class TestFullPostgres(FullTests):
    provision: ClassVar[Provision] = Postgres(own=True, settings=("max_connections=12",))
    limit = 15


class TestMySQL(OnMySQL, FaultTests):
    provision: ClassVar[Provision] = MySQL()


class TestFullMySQL(FullTests):
    provision: ClassVar[Provision] = MySQL(own=True, settings=("max_connections=12",))
    limit = 15
