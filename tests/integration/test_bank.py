"""Eight writers at once, at each level of isolation on each database: what it promises is kept, all else is counted.

``./dev test tests/integration/test_bank.py -n0 -rP -k count`` shows the counts, which docs/transactions.md tells.
"""

import asyncio
from typing import Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder, node
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.sqlite.testing import SQLiteFile
from dataflow.terms import Isolation
from dataflow.testing import Suite
from dataflow.workflow.graph import Workflow

WRITERS, ROUNDS, PAIRS = 8, 5, 6
LOSES_NOTHING = (Isolation.REPEATABLE_READ, Isolation.SERIALIZABLE)
AT_LEVEL: dict[str, Any] = {"retries": 1000}


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


def define_account(db: DataFlow) -> None:
    @db.model
    class Account:
        balance: int
        __dataflow__: ClassVar = {"timestamps": False}


async def opened(db: DataFlow, *balances: int) -> list[int]:
    """Accounts with these balances; their ids."""
    return [(await db.nodes.AccountCreateNode(balance=balance))["id"] for balance in balances]


async def balances(db: DataFlow, ids: list[int]) -> list[int]:
    found = await db.nodes.AccountListNode(filter={"id": {"$in": ids}}, order_by=["id"])
    return [row["balance"] for row in found["records"]]


def scope(db: DataFlow, level: Isolation) -> WorkflowBuilder:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", {**AT_LEVEL, "isolation_level": level.value})
    return builder


def deposit(db: DataFlow, level: Isolation, id: int) -> Workflow:
    """Reads a balance, adds one, and writes it back."""

    @node(repeatable=True, outputs=["balance"])
    async def add_one(balance: int) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"balance": balance + 1}

    builder = scope(db, level)
    builder.add_node("AccountReadNode", "read", {"id": id})
    builder.add_node(add_one, "add")
    builder.add_node("AccountUpdateNode", "write", {"id": id})
    builder.add_connection("read", "add", "balance")
    builder.add_connection("add", "balance", "write", "balance")
    return builder.build()


def withdrawal(db: DataFlow, level: Isolation, ids: list[int], own: int) -> Workflow:
    """Takes 100 from one of two accounts if both together have as much."""

    @node(repeatable=True, outputs=["balance"])
    async def left(records: list[dict[str, Any]]) -> dict[str, int]:
        await asyncio.sleep(0)
        mine = next(record["balance"] for record in records if record["id"] == own)
        has_enough = sum(record["balance"] for record in records) >= 100
        return {"balance": mine - 100 if has_enough else mine}

    builder = scope(db, level)
    builder.add_node("AccountListNode", "both", {"filter": {"id": {"$in": ids}}})
    builder.add_node(left, "left")
    builder.add_node("AccountUpdateNode", "take", {"id": own})
    builder.add_connection("both", "left", "records")
    builder.add_connection("left", "balance", "take", "balance")
    return builder.build()


def transfer(db: DataFlow, level: Isolation, source: int, target: int) -> Workflow:
    """The account with the lower id first, so that nobody waits for each other in a circle."""
    changes = {source: -1, target: 1}
    builder = scope(db, level)
    for place, id in zip(("first", "second"), sorted(changes), strict=True):
        updates = {"$inc": {"balance": changes[id]}}
        builder.add_node("AccountUpdateNode", place, {"id": id, "updates": updates})
    builder.add_connection("scope", "first")
    builder.add_connection("first", "second")
    return builder.build()


async def all_at_once(workflows: list[Workflow], rounds: int) -> None:
    """Each of these some times, beside the others."""
    runtime = AsyncLocalRuntime()

    async def repeat(workflow: Workflow) -> None:
        for _ in range(rounds):
            await runtime.execute(workflow)

    await asyncio.gather(*map(repeat, workflows))


@pytest.mark.timeout(120)  # those who lose are repeated until they win
@pytest.mark.parametrize("level", list(Isolation))
class BankTests(Suite):
    def test_count_the_updates_that_are_lost(self, level: Isolation, db: DataFlow) -> None:
        define_account(db)

        async def main() -> int:
            (id,) = await opened(db, 0)
            await all_at_once([deposit(db, level, id)] * WRITERS, ROUNDS)
            (balance,) = await balances(db, [id])
            return WRITERS * ROUNDS - balance

        lost = asyncio.run(main())
        print(f"{self.provision.name}, {level.value}: {lost} of {WRITERS * ROUNDS} updates were lost")
        assert lost == 0 if level in LOSES_NOTHING else 0 <= lost < WRITERS * ROUNDS

    def test_count_the_accounts_that_are_overdrawn_by_write_skew(
        self, level: Isolation, db: DataFlow
    ) -> None:
        define_account(db)

        async def main() -> int:
            overdrawn = 0
            for _ in range(PAIRS):
                ids = await opened(db, 100, 0)
                await all_at_once(
                    [withdrawal(db, level, ids, ids[writer % 2]) for writer in range(WRITERS)], 1
                )
                overdrawn += sum(await balances(db, ids)) < 0
            return overdrawn

        overdrawn = asyncio.run(main())
        print(f"{self.provision.name}, {level.value}: {overdrawn} of {PAIRS} pairs were overdrawn")
        assert overdrawn == 0 if level is Isolation.SERIALIZABLE else 0 <= overdrawn <= PAIRS

    def test_transfers_lose_nothing_and_leave_nothing_locked(self, level: Isolation, db: DataFlow) -> None:
        define_account(db)

        async def main() -> list[int]:
            ids = await opened(db, 100, 100, 100)
            circle = [(ids[writer % 3], ids[(writer + 1 + writer // 3 % 2) % 3]) for writer in range(WRITERS)]
            await all_at_once([transfer(db, level, *pair) for pair in circle], ROUNDS)
            expected = dict.fromkeys(ids, 100)
            for source, target in circle:
                expected[source] -= ROUNDS
                expected[target] += ROUNDS
            assert await balances(db, ids) == list(expected.values())
            await db.nodes.AccountBulkUpdateNode(filter={"id": {"$in": ids}}, update={"balance": 0})
            return await balances(db, ids)

        assert asyncio.run(main()) == [0, 0, 0]


class TestSQLite(BankTests):
    provision = SQLiteFile()


class TestPostgres(BankTests):
    provision = Postgres()


class TestMySQL(BankTests):
    provision = MySQL()
