"""Statements that were prepared before their table was changed: they are prepared anew, and nobody notices."""

import asyncio
from collections.abc import Iterator
from typing import ClassVar

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import SerializationFailure


@pytest.fixture
def shop(url: str) -> Iterator[DataFlow]:
    """With one connection, which has prepared a statement of each kind."""
    with DataFlow(url, pool_size=1, pool_max_overflow=0) as db:

        @db.model
        class Item:
            code: int
            __dataflow__: ClassVar = {"timestamps": False}

        db.run_sync(db.nodes.ItemCreateNode(id=1, code=7))
        db.run_sync(db.nodes.ItemReadNode(id=1))
        db.run_sync(db.nodes.ItemUpdateNode(id=1, code=8))
        db.run_sync(db.nodes.ItemDeleteNode(id=2))
        yield db


@pytest.fixture
def changed(shop: DataFlow, url: str) -> DataFlow:
    """The same, where somebody else has given the column another type since."""
    with DataFlow(url) as other:
        other.run_sync(other.nodes.SQLNode(sql="ALTER TABLE items ALTER code TYPE integer"))
    return shop


def test_what_is_read_alone_is_prepared_anew(changed: DataFlow) -> None:
    assert changed.run_sync(changed.nodes.ItemReadNode(id=1))["code"] == 8


def test_what_is_written_alone_is_written_once(changed: DataFlow) -> None:
    nodes = changed.nodes
    assert changed.run_sync(nodes.ItemUpdateNode(id=1, updates={"$inc": {"code": 1}}))["code"] == 9
    assert changed.run_sync(nodes.ItemCreateNode(id=2, code=1))["code"] == 1
    assert changed.run_sync(nodes.ItemDeleteNode(id=2))["deleted"] == 1
    assert [row["code"] for row in changed.run_sync(nodes.ItemListNode())["records"]] == [9]


def test_a_run_that_fails_of_it_is_repeated(changed: DataFlow) -> None:
    workflow = WorkflowBuilder(changed)
    workflow.add_node("ItemReadNode", "before", {"id": 1})
    workflow.add_node("ItemCreateNode", "new", {"id": 3, "code": 3})
    results, _ = LocalRuntime().execute(workflow.build())
    assert (results["before"]["code"], results["new"]["code"], results.retries) == (8, 3, 1)


def test_a_transaction_that_fails_of_it_is_the_only_one(shop: DataFlow, url: str) -> None:
    async def read() -> int:
        async with shop.transaction():
            return int((await shop.nodes.ItemReadNode(id=1))["code"])

    async def main() -> None:
        assert await read() == 8
        async with DataFlow(url) as other:
            await other.nodes.SQLNode(sql="ALTER TABLE items ALTER code TYPE integer")
        with pytest.raises(SerializationFailure, match="changed since its statements were prepared"):
            await read()
        assert await read() == 8

    asyncio.run(main())
