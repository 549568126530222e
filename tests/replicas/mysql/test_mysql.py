"""Read replicas of MariaDB and MySQL: followed by GTIDs, so that nothing is missed there."""

import asyncio
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder
from dataflow.errors import DatabaseError
from dataflow.mysql.options import MySQLOptions
from dataflow.mysql.replication import ReadingConnection
from dataflow.mysql.testing import MySQL
from dataflow.testing.suite import server_of
from dataflow.transactions import recover
from dataflow.transactions.abilities import IsReplica
from dataflow.url import DatabaseURL

from ..suite import ReplicaTests, define_item, names
from .following import WHERE, Pair, is_there

WRITES = "BEGIN INSERT INTO items (name) VALUES ('one'); RETURN 1; END"


class TestMySQL(ReplicaTests):
    where = WHERE


@pytest.mark.usefixtures("patient")
def test_what_only_reads_is_read_from_the_replica(db: DataFlow) -> None:
    async def main() -> None:
        await db.nodes.ItemCreateNode(name="one")
        assert await is_there(db)
        assert await names(db) == ["one"]
        assert [row["name"] async for row in db.stream("ItemListNode")] == ["one"]
        workflow = WorkflowBuilder(db)
        workflow.add_node("SQLNode", "first", {"sql": WHERE})
        workflow.add_node("ItemListNode", "second")
        results, _ = await AsyncLocalRuntime().execute(workflow.build())
        assert (results["first"]["records"], results["second"]["count"]) == ([{"there": 1}], 1)
        for lock in ("FOR UPDATE", "FOR SHARE", "LOCK IN SHARE MODE"):
            if lock != "FOR SHARE" or not is_mariadb(db):
                locked = await db.nodes.SQLNode(sql=f"SELECT @@server_id AS id FROM items {lock}")
                assert locked["records"] == [{"id": 1}]
        workflow.add_node("ItemCreateNode", "third", {"name": "two"})
        results, _ = await AsyncLocalRuntime().execute(workflow.build())
        assert results["first"]["records"] == [{"there": 0}]

    asyncio.run(main())


def is_mariadb(db: DataFlow) -> bool:
    dialect: Any = db.databases()["primary"].dialect
    return bool(dialect.flavor.name == "MariaDB")


@pytest.mark.usefixtures("patient")
def test_a_replica_that_is_behind_is_waited_for(pair: Pair, db: DataFlow) -> None:
    waits = (
        "SELECT COUNT(*) FROM information_schema.processlist "
        "WHERE LOCATE('GTID', info) AND LOCATE('WAIT', info) AND id <> CONNECTION_ID()"
    )

    async def main() -> None:
        await db.start()
        await pair.hold_back()
        await db.nodes.ItemCreateNode(name="one")
        reading = asyncio.ensure_future(names(db))
        while not pair.follower.command(waits)[0][0]:
            await asyncio.sleep(0.01)
        assert not reading.done()
        await pair.let_go()
        assert await reading == ["one"]
        assert await is_there(db)

    asyncio.run(main())


def test_no_read_is_stale_among_writers_and_readers(pair: Pair) -> None:
    writers, rounds = 6, 25
    stale = there = 0

    async def main() -> None:
        nonlocal stale, there
        async with DataFlow(pair.primary, read_replica=pair.replica) as db:
            define_item(db)
            await db.nodes.ItemBulkCreateNode(data=[{"name": f"{n}:0"} for n in range(writers)])
            sql = "SELECT name, @@server_id = 2 AS there FROM items WHERE id = :id"

            async def write_and_read(id: int) -> None:
                nonlocal stale, there
                for number in range(rounds):
                    await db.nodes.ItemUpdateNode(id=id, updates={"name": f"{id}:{number}"})
                    row = (await db.nodes.SQLNode(sql=sql, id=id))["records"][0]
                    stale += row["name"] != f"{id}:{number}"
                    there += row["there"]

            await asyncio.gather(*(write_and_read(id) for id in range(1, writers + 1)))

    asyncio.run(main())
    print(f"stale reads: {stale} of {writers * rounds}, {there} of them from the replica")
    assert stale == 0
    assert there > 0


@pytest.mark.usefixtures("patient")
def test_a_function_that_writes_is_for_the_primary(pair: Pair, db: DataFlow) -> None:
    async def main() -> None:
        await db.start()
        pair.leader.command("SET GLOBAL log_bin_trust_function_creators = 1")
        place = DatabaseURL.parse(pair.primary).database
        pair.leader.command(f"CREATE FUNCTION {place}.adds() RETURNS INT MODIFIES SQL DATA {WRITES}")
        assert await is_there(db)
        assert (await db.nodes.SQLNode(sql="SELECT adds() AS done"))["records"] == [{"done": 1}]
        assert await names(db) == ["one"]

    asyncio.run(main())


def test_nothing_is_written_on_a_replica(pair: Pair) -> None:
    async def main() -> None:
        options = MySQLOptions.of(DatabaseURL.parse(pair.replica))
        connection = ReadingConnection(options, {}, lambda settings: None)
        await connection.open()
        try:
            with pytest.raises(DatabaseError):
                await connection.execute("CREATE TABLE never (id INT)")
        finally:
            await connection.close()

    asyncio.run(main())


def test_a_primary_without_a_log_has_no_replica(request: pytest.FixtureRequest, pair: Pair) -> None:
    async def main(primary: str) -> None:
        async with DataFlow(primary, read_replica=pair.replica) as db:
            assert not await is_there(db)
            assert "writes no log of GTIDs" in (await db.health())["read_replica"]["problem"]

    with server_of(MySQL(own=True), request).database() as url:
        asyncio.run(main(url))


def test_recovery_refuses_a_server_that_can_only_be_read(pair: Pair) -> None:
    """A replica of production is: it may not know yet what was decided."""
    pair.follower.command("SET GLOBAL read_only = ON")
    try:
        with DataFlow(pair.replica) as db, pytest.raises(IsReplica, match="nothing is judged by it"):
            asyncio.run(recover(db))
    finally:
        pair.follower.command("SET GLOBAL read_only = OFF")
    with DataFlow(pair.primary) as db:
        assert asyncio.run(recover(db)) == []
