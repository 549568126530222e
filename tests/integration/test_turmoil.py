"""Everything at once: runs, calls, streams and transactions in two loops and two threads, many of them cancelled."""

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import WorkflowExecutionError
from dataflow.workflow.graph import Workflow

ACCOUNTS, BALANCE = 20, 1000
WORKERS, OPERATIONS = 25, 20
TOTAL = [{"$group": {"_id": None, "total": {"$sum": "$balance"}}}]


def define(db: DataFlow) -> None:
    @db.model
    class Account:
        name: str
        balance: int

    data = [{"name": f"account {number}", "balance": BALANCE} for number in range(ACCOUNTS)]
    db.run_sync(db.nodes.AccountBulkCreateNode(data=data))


def transfer(db: DataFlow, *functions: Callable[..., Any]) -> Workflow:
    """Takes from one account, calls functions, gives to another."""
    builder = WorkflowBuilder(db)
    ids = [builder.add_node("AccountUpdateNode", "giver")]
    ids += [builder.add_node(function, f"function {number}") for number, function in enumerate(functions)]
    ids.append(builder.add_node("AccountUpdateNode", "taker"))
    for before, after in pairwise(ids):
        builder.add_connection(before, after)
    return builder.build()


def amounts(chance: random.Random) -> dict[str, dict[str, object]]:
    giver, taker = chance.sample(range(1, ACCOUNTS + 1), 2)
    amount = chance.randrange(1, 50)
    return {
        "giver": {"id": giver, "updates": {"$inc": {"balance": -amount}}},
        "taker": {"id": taker, "updates": {"$inc": {"balance": amount}}},
    }


def total(db: DataFlow) -> int:
    records = db.run_sync(db.nodes.AccountListNode(aggregate=TOTAL))["records"]
    return int(records[0]["total"])


class Turmoil:
    """What a loop does with a database, drawn by lot."""

    def __init__(self, db: DataFlow, seed: int) -> None:
        self._db = db
        self._chance = random.Random(seed)
        self._runtime = AsyncLocalRuntime()
        self._plain = transfer(db)
        self._blocking = transfer(db, lambda: None)
        self._waiting = transfer(db, self._wait)
        self._failing = transfer(db, self._fail)
        self._operations: list[Callable[[], Awaitable[Any]]] = [
            lambda: self._runtime.execute(self._plain, amounts(self._chance)),
            lambda: self._runtime.execute(self._blocking, amounts(self._chance)),
            lambda: self._runtime.execute(self._waiting, amounts(self._chance)),
            self._fails,
            self._reads,
            self._streams,
            self._transacts,
        ]

    async def run(self) -> None:
        await asyncio.gather(*(self._work() for _ in range(WORKERS)))

    async def _work(self) -> None:
        for _ in range(OPERATIONS):
            task = asyncio.ensure_future(self._chance.choice(self._operations)())
            if self._chance.random() < 0.4:
                # At any moment of its life; nothing is concluded from how long that takes.
                await asyncio.sleep(self._chance.random() * 0.02)
                task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _wait(self) -> None:
        await asyncio.sleep(0)

    def _fail(self) -> None:
        raise LookupError

    async def _fails(self) -> None:
        with pytest.raises(WorkflowExecutionError):
            await self._runtime.execute(self._failing, amounts(self._chance))

    async def _reads(self) -> None:
        output = await self._db.nodes.AccountListNode(aggregate=TOTAL)
        assert output["records"][0]["total"] == ACCOUNTS * BALANCE

    async def _streams(self) -> None:
        seen = [row["balance"] async for row in self._db.stream("AccountListNode")]
        assert sum(seen) == ACCOUNTS * BALANCE

    async def _transacts(self) -> None:
        nodes, given = self._db.nodes, amounts(self._chance)
        async with self._db.transaction():
            await nodes.AccountUpdateNode(**given["giver"])
            await asyncio.sleep(0)
            await nodes.AccountUpdateNode(**given["taker"])


@pytest.mark.parametrize("place", ["file", "memory"])
def test_nothing_is_lost_or_left_behind_in_turmoil(place: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bank.db?synchronous=off" if place == "file" else "sqlite:///:memory:"
    with DataFlow(url) as db:
        define(db)
        failures: list[BaseException] = []

        def contained(work: Callable[[], Any]) -> Callable[[], None]:
            def run() -> None:
                try:
                    work()
                except BaseException as error:
                    failures.append(error)

            return run

        def here() -> None:
            chance, workflow = random.Random(3), transfer(db)
            for _ in range(WORKERS * OPERATIONS // 3):
                LocalRuntime().execute(workflow, amounts(chance))

        works = [
            lambda: asyncio.run(Turmoil(db, 1).run()),
            lambda: asyncio.run(Turmoil(db, 2).run()),
            here,
        ]
        threads = [threading.Thread(target=contained(work)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert total(db) == ACCOUNTS * BALANCE
        assert db.databases()["primary"].pool.in_use == 0
