"""How a replica is, and that nothing is left of its connections."""

import asyncio
import os

import pytest

from dataflow import DataFlow

from ..suite import until
from .streaming import Pair, is_there, value


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
