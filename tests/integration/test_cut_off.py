"""Each way to use a database, cut off in the middle: it ends soon, says why, leaves nothing, and the next one works."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, ClassVar

import pytest

from dataflow import DataFlow
from dataflow.errors import (
    CommitUnknown,
    ConnectionLost,
    DatabaseError,
    StatementTimeout,
    WorkflowExecutionError,
)
from dataflow.mysql.testing import MySQL
from dataflow.postgres import driver
from dataflow.postgres.testing import Postgres

from .faults import (
    LOADS,
    STREAMS,
    TRANSACTIONS,
    USES,
    OnMySQL,
    OnPostgres,
    ProxiedSuite,
    Use,
    counted,
    end_others,
    rows,
)
from .proxy import Proxy

PATIENCE = 20
SOON = 8
ALL = (*USES, *STREAMS, *LOADS)
STALLED = (ConnectionLost, CommitUnknown, StatementTimeout)
Stalling = Callable[..., DataFlow]


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


def pool_of(db: DataFlow) -> Any:
    return db.databases()["primary"].pool


async def prepare(db: DataFlow) -> None:
    """Fill the table, and have connections that are warm, in each place."""
    await db.nodes.ItemBulkCreateNode(data=rows("before"))
    await asyncio.gather(*(use.begin(db, "before") for use in (*USES, *USES)))


async def cause(use: Awaitable[None]) -> BaseException | None:
    """Why a use fails, if it does."""
    try:
        await use
    except WorkflowExecutionError as error:
        return error.cause
    except DatabaseError as error:
        return error
    return None


async def held_back(proxy: Proxy) -> None:
    """Wait until the network keeps something that was said."""
    assert await asyncio.to_thread(proxy.holds.wait, PATIENCE)


class CutOffTests(ProxiedSuite):
    """What must hold however a use is cut off."""

    others: ClassVar[str]

    async def cut_off(
        self, db: DataFlow, url: str, proxy: Proxy, fault: str, use: Use
    ) -> "asyncio.Future[None]":
        """Have the network stall in the middle of a use, and then an administrator end it, or the network itself."""
        proxy.stall(after=use.said)
        cut_off = asyncio.ensure_future(use.begin(db, "cut off"))
        await held_back(proxy)
        if fault == "ended":
            assert await end_others(url, self.others) >= 1
        else:
            proxy.cut()
        proxy.go_on()
        return cut_off

    @pytest.mark.parametrize("use", ALL, ids=repr)
    @pytest.mark.parametrize("fault", ["ended", "cut"])
    def test_a_use_that_is_cut_off_says_so_and_leaves_nothing(
        self,
        url: str,
        stalling: Stalling,
        proxy: Proxy,
        fault: str,
        use: Use,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(driver, "A_MOMENT", 0)  # what has just begun on PostgreSQL begins elsewhere

        async def main() -> None:
            db = stalling()
            await prepare(db)
            before = await counted(db)
            cut_off = await self.cut_off(db, url, proxy, fault, use)
            lost = await cause(cut_off)
            # All rows may be on their way before the server hears of an administrator.
            assert isinstance(lost, ConnectionLost) or (lost is None and fault == "ended" and use in STREAMS)
            assert pool_of(db).in_use == 0
            assert await counted(db) == before
            await use.begin(db, "after")
            assert (await counted(db)).get("after", 0) == use.writes

        asyncio.run(main())

    def test_the_timeout_holds_for_every_use_of_a_network_that_stalls(
        self, stalling: Stalling, proxy: Proxy
    ) -> None:
        async def main() -> None:
            db = stalling(pool_size=len(ALL), timeout="1", connect_timeout="1")
            await prepare(db)
            before = await counted(db)
            proxy.stall(after=500_000)
            uses = [asyncio.ensure_future(use.begin(db, "stalled")) for use in ALL for _ in range(2)]
            await held_back(proxy)
            causes = await asyncio.wait_for(asyncio.gather(*map(cause, uses)), SOON)
            assert {type(error) for error in causes if error is not None} <= {*STALLED}
            assert len([error for error in causes if error is not None]) >= len(LOADS)
            assert pool_of(db).in_use == 0
            proxy.go_on()
            stalled = (await counted(db)).pop("stalled", 0)
            assert stalled <= sum(2 * use.writes for use in ALL)
            assert stalled % 2 == 0
            await asyncio.gather(*(use.begin(db, "after") for use in ALL))
            assert {**await counted(db), "stalled": 0} == {
                **before,
                "stalled": 0,
                "after": sum(use.writes for use in ALL),
            }

        asyncio.run(main())

    def test_a_stream_that_nobody_reads_to_its_end_need_not_hear_of_the_fault(
        self, stalling: Stalling, proxy: Proxy
    ) -> None:
        async def main() -> None:
            db = stalling()
            await db.nodes.ItemBulkCreateNode(data=rows("before"))
            async with aclosing(aiter(db.stream("ItemListNode"))) as reading:
                assert (await anext(reading))["name"] == "before"
                proxy.cut()
            for row in db.stream("ItemListNode"):
                assert row["name"] == "before"
                proxy.cut()
                break
            assert db.databases()["primary"].pool.in_use == 0
            await db.nodes.ItemCreateNode(name="after")

        asyncio.run(main())


class TestPostgres(OnPostgres, CutOffTests):
    provision = Postgres()

    @pytest.mark.parametrize("use", TRANSACTIONS, ids=repr)
    @pytest.mark.parametrize("fault", ["ended", "cut"])
    def test_a_transaction_that_is_cut_off_at_its_beginning_happens_once(
        self,
        url: str,
        stalling: Stalling,
        proxy: Proxy,
        fault: str,
        use: Use,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(driver, "A_MOMENT", PATIENCE)

        async def main() -> None:
            db = stalling()
            await prepare(db)
            before = await counted(db)
            cut_off = await self.cut_off(db, url, proxy, fault, use)
            await cut_off
            assert pool_of(db).in_use == 0
            assert await counted(db) == {**before, "cut off": use.writes}

        asyncio.run(main())


class TestMySQL(OnMySQL, CutOffTests):
    provision = MySQL()
