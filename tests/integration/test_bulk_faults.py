"""Bulk loading that is cut off: whatever ends it, nothing stays and the connection serves others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.progress import Progress


@pytest.fixture(params=["file", "memory"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataFlow]:
    url = f"sqlite:///{tmp_path}/shop.db" if request.param == "file" else "sqlite:///:memory:"
    with DataFlow(url, pool_timeout=5) as db:

        @db.model
        class Item:
            name: str

        yield db


def stored(db: DataFlow) -> int:
    count: int = db.run_sync(db.nodes.ItemListNode(count_only=True))["count"]
    return count


class Source:
    """Gives some rows and then waits; remembers how it ended."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.waiting = asyncio.Event()
        self.ends: list[str] = []

    async def rows(self) -> AsyncIterator[dict[str, Any]]:
        try:
            for number in range(self.count):
                yield {"name": str(number)}
            self.waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ends.append("cancelled")
            raise
        finally:
            self.ends.append("closed")


def test_a_task_that_is_cancelled_while_its_source_waits_leaves_nothing(db: DataFlow) -> None:
    async def main() -> None:
        source = Source(250)

        async def load() -> None:
            await db.nodes.ItemBulkCreateNode(data=source.rows(), batch_size=100)

        task = asyncio.create_task(load())
        await source.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.ends == ["cancelled", "closed"]
        assert (await db.nodes.ItemListNode(count_only=True))["count"] == 0
        await db.nodes.ItemCreateNode(name="after")

    asyncio.run(main())
    assert stored(db) == 1


def test_a_run_that_is_cancelled_while_its_source_waits_leaves_nothing(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "first"})
    builder.add_node("ItemBulkCreateNode", "many", {"batch_size": 100})
    workflow = builder.build()

    async def main() -> None:
        source = Source(250)
        task = asyncio.create_task(AsyncLocalRuntime().execute(workflow, {"many": {"data": source.rows()}}))
        await source.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.ends == ["cancelled", "closed"]

    asyncio.run(main())
    assert stored(db) == 0


def test_a_task_that_is_cancelled_between_batches_closes_its_source(db: DataFlow) -> None:
    async def main() -> None:
        source = Source(10_000)
        loop = asyncio.get_running_loop()

        async def load() -> None:
            await db.nodes.ItemBulkCreateNode(data=source.rows(), batch_size=10, progress=stop)

        def stop(progress: Progress) -> None:
            # In the thread that stores; the batch that follows meets the cancellation.
            if progress.done == 500:
                loop.call_soon_threadsafe(task.cancel)

        task = asyncio.create_task(load())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert source.ends[-1:] == ["closed"]
        assert (await db.nodes.ItemListNode(count_only=True))["count"] == 0

    asyncio.run(main())


def test_a_task_that_is_cancelled_while_a_list_is_stored_leaves_nothing(db: DataFlow) -> None:
    async def main() -> None:
        begun = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def load() -> None:
            data = [{"name": str(number)} for number in range(50_000)]
            await db.nodes.ItemBulkCreateNode(
                data=data, progress=lambda _: loop.call_soon_threadsafe(begun.set)
            )

        task = asyncio.create_task(load())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await db.nodes.ItemListNode(count_only=True))["count"] == 0

    asyncio.run(main())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_in_an_async_source_reaches_a_thread_and_leaves_nothing(
    db: DataFlow, error: type[BaseException]
) -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        for number in range(250):
            yield {"name": str(number)}
        raise error("enough")

    with pytest.raises(error, match="enough"):
        db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(), batch_size=100))
    assert stored(db) == 0


def test_a_source_that_is_not_exhausted_is_closed_where_the_database_refuses(db: DataFlow) -> None:
    ends: list[str] = []

    async def rows() -> AsyncIterator[dict[str, Any]]:
        try:
            for number in range(250):
                yield {"id": number % 100, "name": ""}
        finally:
            await asyncio.sleep(0)
            ends.append("closed")

    with pytest.raises(Exception, match="a row with this value exists"):
        db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(), batch_size=100))
    assert ends == ["closed"]
    assert stored(db) == 0


def test_a_thread_within_a_running_loop_reads_an_async_source_elsewhere(db: DataFlow) -> None:
    """As in a notebook: its loop cannot go on while the call blocks it."""

    async def rows() -> AsyncIterator[dict[str, Any]]:
        for number in range(25):
            await asyncio.sleep(0)
            yield {"name": str(number)}

    workflow = WorkflowBuilder(db)
    workflow.add_node("ItemBulkCreateNode", "many")
    built = workflow.build()

    async def main() -> None:
        assert db.run_sync(db.nodes.ItemBulkCreateNode(data=rows(), batch_size=10))["inserted"] == 25
        results, _ = LocalRuntime().execute(built, {"many": {"data": rows()}})
        assert results["many"]["inserted"] == 25

    asyncio.run(main())
    assert stored(db) == 50
