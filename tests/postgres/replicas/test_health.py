"""How a replica is, and that nothing is left of its connections."""

import asyncio
import os

import pytest

from dataflow import DataFlow

from .streaming import Pair, define_item, hold_back, is_there, is_well, until, value


def test_health_tells_of_each_database(pair: Pair, db: DataFlow) -> None:
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


def test_health_tells_that_a_replica_is_behind(pair: Pair, db: DataFlow) -> None:
    async def main() -> None:
        await db.start()
        await hold_back(pair)
        async with DataFlow(pair.primary) as stranger:
            define_item(stranger)
            await stranger.nodes.ItemCreateNode(name="one")
        assert "still behind" in (await db.health())["read_replica"]["problem"]

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.usefixtures("patient")
def test_a_forked_process_reads_from_the_replica_as_its_parent_does(db: DataFlow) -> None:
    def reads_there() -> bool:
        there = db.run_sync(db.nodes.SQLNode(sql="SELECT pg_is_in_recovery() AS there, count(*) FROM items"))
        return bool(there["records"][0]["there"])

    db.run_sync(db.nodes.ItemCreateNode(name="one"))
    assert reads_there()
    child = os.fork()
    if not child:
        status = 1
        try:
            status = 0 if reads_there() else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert reads_there()


def test_nothing_is_left_on_the_replica(pair: Pair) -> None:
    sessions = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'dataflow'"

    async def main() -> None:
        async with DataFlow(pair.primary, read_replica=pair.replica) as db:
            await until(lambda: is_there(db))
            assert not await value(pair.replica, sessions)
        await until(lambda: value(pair.replica, sessions))

    asyncio.run(main())
