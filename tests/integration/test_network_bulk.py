"""Fifty thousand rows across the network, cut off in the middle: nothing is half done, and the next load works."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from dataflow import DataFlow
from dataflow.errors import ConnectionLost
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres

from .faults import OnMySQL, OnPostgres, ProxiedSuite, end_others
from .proxy import Proxy

PATIENCE = 30
MANY = 50_000
HALF = MANY // 2
IN_THE_MIDDLE = 2_000_000
"""So many of about six million bytes."""

Rows = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


def rows(word: str, first: int = 1) -> Rows:
    return [{"id": number, "name": word, "note": word * 20} for number in range(first, first + MANY)]


def create(db: DataFlow, word: str) -> Coroutine[Any, Any, Any]:
    return awaited(db.nodes.ItemBulkCreateNode(data=rows(word, first=MANY + 1)))


def create_in_batches(db: DataFlow, word: str) -> Coroutine[Any, Any, Any]:
    return awaited(db.nodes.ItemBulkCreateNode(data=rows(word, first=MANY + 1), batch_size=5000))


def upsert(db: DataFlow, word: str) -> Coroutine[Any, Any, Any]:
    """Half of the rows are there."""
    return awaited(db.nodes.ItemBulkUpsertNode(data=rows(word, first=HALF + 1)))


def update(db: DataFlow, word: str) -> Coroutine[Any, Any, Any]:
    return awaited(db.nodes.ItemBulkUpdateNode(data=rows(word)))


async def awaited(call: Any) -> Any:
    return await call


async def counted(db: DataFlow) -> dict[tuple[str, str], int]:
    """How many rows there are of each kind."""
    by_kind = [{"$group": {"_id": {"name": "$name", "note": "$note"}, "count": {"$count": {}}}}]
    groups = (await db.nodes.ItemListNode(aggregate=by_kind))["records"]
    return {(group["_id"]["name"], group["_id"]["note"]): group["count"] for group in groups}


def kinds(**words: int) -> dict[tuple[str, str], int]:
    return {(word, word * 20): count for word, count in words.items()}


class BulkTests(ProxiedSuite):
    others: str

    @pytest.mark.parametrize(
        ("load", "after"),
        [
            (create, kinds(before=MANY, after=MANY)),
            (create_in_batches, kinds(before=MANY, after=MANY)),
            (upsert, kinds(before=HALF, after=MANY)),
            (update, kinds(after=MANY)),
        ],
        ids=["create", "create in batches", "upsert", "update"],
    )
    def test_what_is_cut_off_in_the_middle_leaves_nothing(
        self,
        url: str,
        stalling: Callable[..., DataFlow],
        proxy: Proxy,
        load: Callable[[DataFlow, str], Coroutine[Any, Any, Any]],
        after: dict[tuple[str, str], int],
    ) -> None:
        async def cut_off(db: DataFlow, fault: str) -> None:
            proxy.stall(after=IN_THE_MIDDLE)
            work = asyncio.ensure_future(load(db, fault))
            assert await asyncio.to_thread(proxy.holds.wait, PATIENCE)
            match fault:
                case "cancelled":
                    work.cancel()
                case "ended":
                    assert await end_others(url, self.others) >= 1
                case _:
                    proxy.cut()
            proxy.go_on()
            with pytest.raises(asyncio.CancelledError if fault == "cancelled" else ConnectionLost):
                await asyncio.wait_for(work, PATIENCE)
            assert db.databases()["primary"].pool.in_use == 0

        async def main() -> None:
            db = stalling()
            await db.nodes.ItemBulkCreateNode(data=rows("before"))
            for fault in ("cancelled", "ended", "cut"):
                await cut_off(db, fault)
                assert await counted(db) == kinds(before=MANY), fault
            await load(db, "after")
            assert await counted(db) == after

        asyncio.run(main())


class TestPostgres(OnPostgres, BulkTests):
    provision = Postgres()


class TestMySQL(OnMySQL, BulkTests):
    provision = MySQL()
