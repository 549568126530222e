"""What holds for the replicas of every database that has them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Protocol

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import InvalidValue
from dataflow.execution import replica as replicas

__all__ = ["Pair", "ReplicaTests", "define_item", "is_well", "names", "until"]


class Pair(Protocol):
    """A database and its copy on a replica, which has caught up."""

    @property
    def primary(self) -> str:
        """The URL of the database."""
        ...

    @property
    def replica(self) -> str:
        """The URL of the copy."""
        ...

    @property
    def follower(self) -> Any:
        """The server of the copy."""

    async def hold_back(self) -> None:
        """Keep the replica from doing anything more, though it hears of it."""

    async def let_go(self) -> None:
        """Have it go on."""


def define_item(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        amount: int = 0
        __dataflow__ = {"timestamps": False}  # noqa: RUF012 - as every model writes it


async def until(is_so: Callable[[], Awaitable[object]]) -> None:
    """Ask again and again, for a minute."""
    async with asyncio.timeout(60):
        while not await is_so():
            await asyncio.sleep(0.01)


async def is_well(db: DataFlow) -> bool:
    return bool((await db.health())["read_replica"]["ok"])


async def names(db: DataFlow) -> list[str]:
    return [row["name"] for row in (await db.nodes.ItemListNode(order_by=["id"]))["records"]]


class ReplicaTests:
    """Tests that use the fixtures ``pair``, of a database with its copy, and ``db``, which reads from both."""

    where: ClassVar[str]
    """A query without FROM for ``there``: whether the replica has answered."""

    async def is_there(self, db: DataFlow, sql: str = "") -> bool:
        answer = (await db.nodes.SQLNode(sql=sql or self.where))["records"][0]["there"]
        return bool(answer)

    @pytest.mark.parametrize("writes_first", [True, False])
    def test_a_run_that_writes_reads_from_the_primary(self, db: DataFlow, writes_first: bool) -> None:
        workflow = WorkflowBuilder(db)
        steps: list[tuple[str, str, dict[str, Any]]] = [
            ("ItemCreateNode", "write", {"name": "one"}),
            ("SQLNode", "read", {"sql": self.where}),
        ]
        for step in steps if writes_first else reversed(steps):
            workflow.add_node(*step)
        results, _ = LocalRuntime().execute(workflow.build())
        assert results["read"]["records"] == [{"there": False}]

    def test_a_workflow_tells_where_it_is_read(self, db: DataFlow) -> None:
        reading = WorkflowBuilder(db)
        reading.add_node("ItemListNode", "all")
        assert str(reading.build().explain()).startswith("one statement on read_replica or primary, which")
        reading.add_node("ItemListNode", "again")
        assert "COMMIT on read_replica or primary" in str(reading.build().explain())
        reading.add_node("ItemCreateNode", "new", {"name": "one"})
        assert "read_replica" not in str(reading.build().explain())

    def test_what_was_written_is_seen_though_the_replica_is_behind(self, pair: Pair, db: DataFlow) -> None:
        async def main() -> None:
            assert await names(db) == []
            await pair.hold_back()
            for number in range(3):
                await db.nodes.ItemCreateNode(name=str(number))
                assert await names(db) == [str(n) for n in range(number + 1)]
                assert not await self.is_there(db)

        asyncio.run(main())

    def test_what_was_written_elsewhere_in_the_process_is_seen(self, pair: Pair, db: DataFlow) -> None:
        async def main() -> None:
            assert await names(db) == []
            await pair.hold_back()
            await asyncio.gather(*(db.nodes.ItemCreateNode(name="one") for _ in range(5)))
            assert len(await names(db)) == 5
            await asyncio.to_thread(db.run_sync, db.nodes.ItemCreateNode(name="two"))
            assert len(await names(db)) == 6
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="three")
            assert len([row async for row in db.stream("ItemListNode")]) == 7

        asyncio.run(main())

    def test_what_was_read_on_the_primary_is_not_unread(self, pair: Pair, db: DataFlow) -> None:
        async def main() -> None:
            assert await names(db) == []
            await until(lambda: self.is_there(db))
            await pair.hold_back()
            async with DataFlow(pair.primary) as stranger:
                define_item(stranger)
                await stranger.nodes.ItemCreateNode(name="one")
            assert await names(db) == []  # nobody has told it
            async with db.transaction():
                assert await names(db) == ["one"]
            assert await names(db) == ["one"]

        asyncio.run(main())

    def test_what_was_committed_before_the_first_read_is_seen(self, pair: Pair, db: DataFlow) -> None:
        async def main() -> None:
            await db.start()
            await pair.hold_back()
            await db.nodes.ItemCreateNode(name="one")
            new = DataFlow(
                pair.primary, read_replica=pair.replica
            )  # which has not even said hello to the primary
            try:
                assert not await self.is_there(new, f"{self.where} FROM items")
            finally:
                await new.close()

        asyncio.run(main())

    @pytest.mark.usefixtures("quick")
    def test_a_replica_that_stays_behind_is_passed_over_until_it_is_not(
        self, pair: Pair, db: DataFlow, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def main() -> None:
            await db.start()
            await pair.hold_back()
            await db.nodes.ItemCreateNode(name="one")
            assert not await self.is_there(db)
            assert "read_replica: the primary is read instead: it was still behind" in caplog.text
            await pair.let_go()
            await until(lambda: self.is_there(db))

        asyncio.run(main())

    def test_the_position_of_a_write_has_other_processes_see_it(self, pair: Pair, db: DataFlow) -> None:
        async def main() -> None:
            await db.start()
            async with DataFlow(pair.primary, read_replica=pair.replica) as other:
                define_item(other)
                assert await names(other) == []
                await until(lambda: self.is_there(other))
                await pair.hold_back()
                await db.nodes.ItemCreateNode(name="one")
                position = await db.position()
                assert position == await asyncio.to_thread(db.run_sync, db.position())
                assert await names(other) == []  # it is another process, as far as this one knows
                with other.after(position):
                    assert await names(other) == ["one"]
                    assert list(await asyncio.gather(names(other), names(other))) == [["one"], ["one"]]
                    listed = await asyncio.to_thread(other.run_sync, other.nodes.ItemListNode())
                    assert listed["count"] == 1

        asyncio.run(main())

    @pytest.mark.usefixtures("patient")
    def test_a_position_that_the_replica_has_is_read_there(self, db: DataFlow) -> None:
        async def main() -> None:
            await db.nodes.ItemCreateNode(name="one")
            with db.after(await db.position()):
                assert await self.is_there(db)

        asyncio.run(main())

    @pytest.mark.parametrize("text", ["1", "1:2/", "'; DROP TABLE items; --:0/0", "x" * 5000])
    def test_a_text_that_is_no_position_is_refused(self, db: DataFlow, text: str) -> None:
        with pytest.raises(InvalidValue, match=r"no position .* db.position\(\) tells one"), db.after(text):
            pass

    @pytest.mark.usefixtures("quick")
    def test_reads_survive_the_death_of_the_replica_and_come_back_to_it(
        self, pair: Pair, db: DataFlow
    ) -> None:
        async def main() -> None:
            await db.nodes.ItemCreateNode(name="one")
            await until(lambda: self.is_there(db))
            workflow = WorkflowBuilder(db)
            workflow.add_node("ItemListNode", "first")
            workflow.add_node("ItemListNode", "second")
            reading = workflow.build()
            is_over = False
            served = 0

            async def read_on() -> None:
                nonlocal served
                while not is_over:
                    assert await names(db) == ["one"]
                    results, _ = await AsyncLocalRuntime().execute(reading)
                    assert results["first"]["count"] == results["second"]["count"] == 1
                    served += 1

            readers = [asyncio.ensure_future(read_on()) for _ in range(5)]
            try:
                await asyncio.to_thread(pair.follower.kill)
                assert not await self.is_there(db)
                before = served
                while served < before + 50:
                    await asyncio.sleep(0)
                    assert not any(reader.done() for reader in readers)
            finally:
                await asyncio.to_thread(pair.follower.restart)
            await until(lambda: self.is_there(db))
            is_over = True
            await asyncio.gather(*readers)

        asyncio.run(main())

    def test_a_dead_replica_is_not_asked_by_every_read(
        self, pair: Pair, db: DataFlow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replicas, "WHILE_DEAD", 600.0)

        async def main() -> None:
            await db.start()
            replica = db.databases()["primary"].replica
            assert replica is not None
            attempts = 0
            connect = replica.replication.connection

            def counted(url: Any) -> Any:
                nonlocal attempts
                attempts += 1
                return connect(url)

            monkeypatch.setattr(type(replica.replication), "connection", lambda _, url: counted(url))
            await asyncio.to_thread(pair.follower.kill)
            try:
                for _ in range(20):
                    assert not await self.is_there(db)
                assert attempts == 1
            finally:
                await asyncio.to_thread(pair.follower.restart)
            await until(lambda: is_well(db))
            assert await self.is_there(db)

        asyncio.run(main())

    def test_health_tells_of_each_database(self, pair: Pair, db: DataFlow) -> None:
        health = db.run_sync(db.health())
        assert {name: one["ok"] for name, one in health.items()} == {"primary": True, "read_replica": True}
        assert health["primary"]["problem"] is None
        assert health["primary"]["idle"] == 1
        pair.follower.kill()
        try:
            health = db.run_sync(db.health())
        finally:
            pair.follower.restart()
        assert health["primary"]["ok"]
        assert not health["read_replica"]["ok"]
        assert health["read_replica"]["seconds"] is None
        assert "cannot be reached" in health["read_replica"]["problem"]
        asyncio.run(until(lambda: is_well(db)))

    def test_health_tells_that_a_replica_is_behind(self, pair: Pair, db: DataFlow) -> None:
        async def main() -> None:
            await db.start()
            await pair.hold_back()
            async with DataFlow(pair.primary) as stranger:
                define_item(stranger)
                await stranger.nodes.ItemCreateNode(name="one")
            assert "still behind" in (await db.health())["read_replica"]["problem"]

        asyncio.run(main())
