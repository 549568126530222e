"""What concurrent transactions cannot do to each other, whatever the database calls it; and how long they may take."""

import asyncio
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder, node
from dataflow.errors import (
    DataFlowError,
    TransactionTimeout,
    ValidationError,
    WorkflowError,
    WorkflowExecutionError,
)
from dataflow.terms import Isolation, Terms
from dataflow.testing.conformance.items import define_item, names
from dataflow.workflow.graph import Workflow

__all__ = ["IsolationTests"]

WRITERS, ROUNDS = 8, 4
HOLDS_UPDATES = (Isolation.REPEATABLE_READ, Isolation.SERIALIZABLE)


def has_level(db: DataFlow, level: Isolation) -> bool:
    return level in db.databases()["primary"].dialect.isolations


def context(**parameters: Any) -> dict[str, Any]:
    return {
        name: value.value if isinstance(value, Isolation) else value for name, value in parameters.items()
    }


def counting(db: DataFlow, id: int, level: Isolation) -> Workflow:
    """Reads a number, adds one, and writes it back."""

    @node(repeatable=True, outputs=["amount"])
    def add_one(amount: int) -> dict[str, int]:
        return {"amount": amount + 1}

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", context(isolation_level=level, retries=200))
    builder.add_node("ItemReadNode", "read", {"id": id})
    builder.add_node(add_one, "add")
    builder.add_node("ItemUpdateNode", "write", {"id": id})
    builder.add_connection("read", "add", "amount")
    builder.add_connection("add", "amount", "write", "amount")
    return builder.build()


def withdrawing(db: DataFlow, ids: list[int], own: int) -> Workflow:
    """Takes 100 from one account, if both together have as much."""

    @node(repeatable=True, outputs=["amount"])
    def left(records: list[dict[str, Any]]) -> dict[str, int]:
        total = sum(record["amount"] for record in records)
        mine: int = next(record["amount"] for record in records if record["id"] == own)
        return {"amount": mine - 100 if total >= 100 else mine}

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", {"isolation_level": "SERIALIZABLE", "retries": 200})
    builder.add_node("ItemListNode", "all", {"filter": {"id": {"$in": ids}}})
    builder.add_node(left, "left")
    builder.add_node("ItemUpdateNode", "take", {"id": own})
    builder.add_connection("all", "left", "records")
    builder.add_connection("left", "amount", "take", "amount")
    return builder.build()


async def all_at_once(workflows: list[Workflow]) -> int:
    """Run each several times beside the others; how often runs were repeated."""
    runtime = AsyncLocalRuntime()

    async def repeat(workflow: Workflow) -> int:
        return sum([(await runtime.execute(workflow))[0]["retries"] for _ in range(ROUNDS)])

    return sum(await asyncio.gather(*map(repeat, workflows)))


class IsolationTests:
    """A level of isolation is a guarantee; a dialect that cannot give it says so."""

    @pytest.mark.parametrize("level", Isolation)
    def test_a_level_is_kept_to_or_refused(self, level: Isolation, db: DataFlow) -> None:
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("TransactionContextNode", "scope", context(isolation_level=level))
        builder.add_node("ItemCreateNode", "make", {"name": "a"})
        if has_level(db, level):
            LocalRuntime().execute(builder.build())
            assert names(db) == ["a"]
        else:
            with pytest.raises(WorkflowExecutionError, match=f"cannot guarantee {level.value}"):
                LocalRuntime().execute(builder.build())
            assert names(db) == []

    @pytest.mark.parametrize("level", HOLDS_UPDATES)
    def test_no_update_is_lost(self, level: Isolation, db: DataFlow) -> None:
        define_item(db)
        if not has_level(db, level):
            return
        made = db.run_sync(db.nodes.ItemCreateNode(name="counter", amount=0))
        asyncio.run(all_at_once([counting(db, made["id"], level)] * WRITERS))
        assert db.run_sync(db.nodes.ItemReadNode(id=made["id"]))["amount"] == WRITERS * ROUNDS

    def test_serializable_transactions_do_not_decide_on_what_others_change(self, db: DataFlow) -> None:
        define_item(db)
        if not has_level(db, Isolation.SERIALIZABLE):
            return
        for _ in range(3):
            made = [db.run_sync(db.nodes.ItemCreateNode(name="account", amount=100))["id"] for _ in range(2)]
            asyncio.run(all_at_once([withdrawing(db, made, own) for own in made] * (WRITERS // 2)))
            left = db.run_sync(db.nodes.ItemListNode(filter={"id": {"$in": made}}))["records"]
            assert sum(row["amount"] for row in left) == 0

    def test_what_was_read_is_read_again(self, db: DataFlow) -> None:
        define_item(db)
        if db.databases()["primary"].dialect.max_connections == 1 or not has_level(
            db, Isolation.REPEATABLE_READ
        ):
            return

        async def main() -> tuple[int, int]:
            await db.nodes.ItemCreateNode(name="a")
            async with db.transaction(isolation_level="repeatable read", read_only=True):
                before = (await db.nodes.ItemListNode())["count"]
                await asyncio.to_thread(elsewhere)
                return before, (await db.nodes.ItemListNode())["count"]

        def elsewhere() -> None:
            from contextvars import Context

            Context().run(db.run_sync, db.nodes.ItemCreateNode(name="b"))

        assert asyncio.run(main()) == (1, 1)
        assert names(db) == ["a", "b"]

    def test_a_transaction_that_only_reads_refuses_to_write(self, db: DataFlow) -> None:
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("TransactionContextNode", "scope", {"read_only": True})
        builder.add_node("ItemListNode", "all")
        assert LocalRuntime().execute(builder.build())[0]["all"]["count"] == 0
        builder.add_node("ItemCreateNode", "make", {"name": "a"})
        with pytest.raises(ValidationError, match="'make' may write"):
            LocalRuntime().execute(builder.build())

        async def main() -> None:
            async with db.transaction(read_only=True):
                assert (await db.nodes.ItemListNode())["count"] == 0
                with pytest.raises(ValidationError, match="read-only"):
                    await db.nodes.ItemCreateNode(name="a")

        asyncio.run(main())
        assert names(db) == []

    def test_a_level_cannot_be_asked_for_within_a_transaction(self, db: DataFlow) -> None:
        define_item(db)

        async def main() -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a")
                with pytest.raises(WorkflowError, match="before the transaction has begun"):
                    async with db.transaction(isolation_level="SERIALIZABLE"):
                        pass

        asyncio.run(main())
        assert names(db) == ["a"]

    def test_a_transaction_that_takes_too_long_is_undone(self, db: DataFlow) -> None:
        define_item(db)
        names(db)

        async def never() -> None:
            await asyncio.Event().wait()

        builder = WorkflowBuilder(db)
        builder.add_node("TransactionContextNode", "scope", {"timeout": 0.2})
        builder.add_node("ItemCreateNode", "make", {"name": "a"})
        builder.add_node(never, "never")
        with pytest.raises(WorkflowExecutionError) as caught:
            LocalRuntime().execute(builder.build())
        assert isinstance(caught.value.cause, TransactionTimeout)

        async def main() -> None:
            async with db.transaction(timeout=0.2):
                await db.nodes.ItemCreateNode(name="a")
                await asyncio.Event().wait()

        with pytest.raises(TransactionTimeout):
            asyncio.run(main())
        assert names(db) == []

    def test_the_next_transaction_on_the_connection_has_no_terms_of_the_last(self, url: str) -> None:
        with DataFlow(url, pool_size=1, pool_max_overflow=0, auto_migrate=True) as db:
            define_item(db)
            terms = Terms(isolation=next(iter(db.databases()["primary"].dialect.isolations), None), timeout=9)

            async def main() -> list[str]:
                async with db.transaction(isolation_level=terms.isolation, timeout=terms.timeout):
                    await db.nodes.ItemCreateNode(name="a")
                async with db.transaction(timeout=9, read_only=True):
                    await db.nodes.ItemListNode()
                async with db.transaction():
                    await db.nodes.ItemCreateNode(name="b")
                return [row["name"] for row in (await db.nodes.ItemListNode(order_by=["id"]))["records"]]

            assert asyncio.run(main()) == ["a", "b"]

    def test_an_error_that_does_not_pass_is_not_tried_again(self, db: DataFlow) -> None:
        define_item(db)
        calls: list[int] = []

        @node(repeatable=True)
        def fail() -> None:
            calls.append(1)
            raise DataFlowError("no")

        builder = WorkflowBuilder(db)
        builder.add_node("TransactionContextNode", "scope", {"retries": 3})
        builder.add_node("ItemCreateNode", "make", {"name": "a"})
        builder.add_node(fail, "fail")
        with pytest.raises(WorkflowExecutionError):
            LocalRuntime().execute(builder.build())
        assert calls == [1]
