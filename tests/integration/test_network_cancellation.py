"""Cancellation on a database on the network: wherever it comes, all of it or nothing, and nothing is held."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from itertools import pairwise
from typing import Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Suite

from .faults import LOADS, STREAMS, USES, asked, counted, define_item
from .test_cancellation import Step

SOON = 10
ALL = (*USES, *STREAMS, *LOADS)
Operation = Callable[[DataFlow, str], Coroutine[Any, Any, object]]


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


def pool_of(db: DataFlow) -> Any:
    return db.databases()["primary"].pool


async def run_with_functions(db: DataFlow, name: str) -> None:
    """Writes in every place in which a step can run: beside the database, in a thread, on the loop."""

    def in_thread() -> None:
        db.run_sync(db.nodes.ItemCreateNode(name=name))

    async def on_loop() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name=name)

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "first", {"name": name})
    builder.add_node(in_thread, "thread")
    builder.add_node(on_loop, "loop")
    builder.add_node("ItemBulkCreateNode", "many", {"data": [{"name": name}] * 3, "batch_size": 2})
    for one, two in (("first", "thread"), ("thread", "loop"), ("loop", "many")):
        builder.add_connection(one, two)
    await AsyncLocalRuntime().execute(builder.build())


def scopes(*, fails: bool) -> Operation:
    """A scope, and one within it, which a function may fail; then its failure is taken up."""

    async def operation(db: DataFlow, name: str) -> None:
        async def on_loop() -> None:
            await db.nodes.ItemCreateNode(name=name)
            if fails:
                raise ValueError("undo it")

        builder = WorkflowBuilder(db)
        builder.add_node(
            "TransactionContextNode", "outer", {"timeout": 60, "isolation_level": "SERIALIZABLE"}
        )
        builder.add_node("TransactionContextNode", "inner", {"timeout": 60})
        builder.add_node("ItemCreateNode", "first", {"name": name})
        builder.add_node("ItemCreateNode", "second", {"name": name})
        builder.add_node(on_loop, "third")
        builder.add_node("ItemCreateNode", "last", {"name": name})
        for one, two in pairwise(("outer", "first", "inner", "second", "third")):
            builder.add_connection(one, two)
        builder.add_connection("inner", "last", condition=f"status == '{'failed' if fails else 'success'}'")
        await AsyncLocalRuntime().execute(builder.build())

    return operation


async def single_statement(db: DataFlow, name: str) -> None:
    await db.nodes.ItemCreateNode(name=name)


async def upsert(db: DataFlow, name: str) -> None:
    await db.nodes.ItemBulkUpsertNode(
        data=[{"name": name, "note": str(n)} for n in range(3)], match_fields=["note"]
    )


async def parts(db: DataFlow, name: str) -> None:
    """A part that is kept, one that is undone, a stream, and a read."""
    async with db.transaction():
        await db.nodes.ItemCreateNode(name=name)
        with suppress(ValueError):
            async with db.transaction():
                await db.nodes.ItemCreateNode(name=name)
                raise ValueError("undo it")
        async for _ in db.stream("ItemListNode", limit=3):
            pass
        async with db.transaction():
            await db.nodes.ItemCreateNode(name=name)


async def first_use(db: DataFlow, name: str) -> None:
    """Everything that happens once: connecting, making the table, preparing statements."""
    async with DataFlow(db.config.database.get_connection_url(), pool_size=1, pool_max_overflow=0) as new:
        table = name.replace(" ", "_")

        @new.model
        class Fresh:
            name: str
            __dataflow__: ClassVar = {"timestamps": False, "table": table}

        await new.nodes.FreshCreateNode(name=name)


OPERATIONS: dict[str, tuple[Operation, int]] = {
    "single statement": (single_statement, 1),
    "run with functions": (run_with_functions, 6),
    "parts": (parts, 2),
    "scopes": (scopes(fails=False), 4),
    "scopes, the inner one fails": (scopes(fails=True), 2),
    "upsert": (upsert, 3),
    "first use": (first_use, 0),
    # To cancel what waits for a thread leaves the thread at work.
    **{repr(use): (use.begin, use.writes) for use in ALL if not repr(use).endswith("thread")},
}


class CancellationTests(Suite):
    """However a task is cancelled, its connection is clean, or gone, and its permit is back."""

    transactions: ClassVar[str]
    """SQL that counts, as ``n``, the other sessions on the database that are in a transaction or a statement."""

    @pytest.mark.parametrize("name", OPERATIONS)
    def test_cancelled_at_each_await_it_is_all_or_nothing(self, url: str, name: str) -> None:
        """Each operation is cancelled once at each point where it waits, on the only connection that there may be."""
        begin, writes = OPERATIONS[name]

        async def one(db: DataFlow, at: int) -> tuple[bool, bool]:
            work = Step(begin(db, f"{name} {at}"), at)
            task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work)
            await asyncio.wait([task], timeout=SOON)
            assert task.done(), "the cancellation was not heard"
            if not task.cancelled():
                task.result()
            return work.reached, task.cancelled()

        async def nothing_is_open(observer: DataFlow) -> None:
            # The server hears of it a moment later.
            async with asyncio.timeout(SOON):
                while (await asked(observer, self.transactions))[0]["n"]:
                    await asyncio.sleep(0)

        async def main(db: DataFlow, observer: DataFlow) -> None:
            await db.nodes.ItemListNode()
            cancelled = 0
            for at in range(1, 400):
                reached, was_cancelled = await one(db, at)
                cancelled += was_cancelled
                assert pool_of(db).in_use == 0
                await nothing_is_open(observer)
                found = (await counted(db)).get(f"{name} {at}", 0)
                assert found in ((0, writes) if was_cancelled else (writes,)), f"at await {at}"
                if not reached:
                    break
            else:
                pytest.fail("it never ended without reaching its last await")
            assert cancelled >= 1

        with DataFlow(url, pool_size=1, pool_max_overflow=0, pool_timeout=5) as db, DataFlow(url) as observer:
            asyncio.run(main(define_item(db), observer))


class TestPostgres(CancellationTests):
    provision = Postgres()
    transactions = (
        "SELECT COUNT(*) AS n FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND xact_start IS NOT NULL"
    )


class TestMySQL(CancellationTests):
    provision = MySQL()
    transactions = (
        "SELECT COUNT(*) AS n FROM information_schema.innodb_trx AS trx JOIN information_schema.processlist AS session "
        "ON session.id = trx.trx_mysql_thread_id WHERE session.db = DATABASE()"
    )
