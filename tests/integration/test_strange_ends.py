"""Transactions that are cancelled, left from elsewhere, or span two databases: nothing is kept or lost unsaid."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, Field, ForeignKey, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    ForeignKeyViolation,
    ScopeLost,
    TransactionClosed,
    WorkflowExecutionError,
)
from dataflow.workflow.graph import Workflow

from .conftest import ON_SQLITE, on
from .running import Names, in_use

PATIENCE = 10


async def _await(call: Awaitable[Any]) -> Any:
    return await call


async def in_a_task(call: Awaitable[Any]) -> Any:
    return await asyncio.create_task(_await(call))


async def turns() -> None:
    """Let everything that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


# Transactions that end strangely


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_transaction_that_is_cancelled_while_a_child_has_the_turn_leaks_nothing(
    goes_on: bool, db: DataFlow, names: Names
) -> None:
    """The child ends well if it does nothing more; what it would still do is refused. Nothing of either stays."""

    async def main() -> None:
        has_turn, go_on = asyncio.Event(), asyncio.Event()
        children: list[asyncio.Task[None]] = []

        async def child() -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="child")
                has_turn.set()
                await go_on.wait()
                if goes_on:
                    await db.nodes.ItemCreateNode(name="late")

        async def parent() -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="parent")
                children.append(asyncio.create_task(child()))
                await has_turn.wait()

        task = asyncio.create_task(parent())
        await has_turn.wait()
        await turns()  # the parent has come to its end, and waits for the turn
        assert not task.done()
        task.cancel()
        await turns()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        if goes_on:
            with pytest.raises(TransactionClosed):
                await children[0]
        else:
            await children[0]
        assert in_use(db) == 0
        await db.nodes.ItemCreateNode(name="after")

    asyncio.run(main())
    assert names() == ["after"]


def test_a_transaction_may_be_left_in_another_context_than_it_was_entered(db: DataFlow, names: Names) -> None:
    """As the fixtures of some test frameworks do, and generators that a task began and another finishes."""

    async def main() -> None:
        async def opened() -> AsyncGenerator[None, None]:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="inside")
                yield

        kept = opened()
        await in_a_task(anext(kept))
        with pytest.raises(StopAsyncIteration):
            await in_a_task(anext(kept))
        assert in_use(db) == 0

        failed = opened()
        await in_a_task(anext(failed))
        with pytest.raises(ValueError, match="boom"):
            await in_a_task(failed.athrow(ValueError("boom")))
        assert in_use(db) == 0
        await db.nodes.ItemCreateNode(name="after")

    asyncio.run(main())
    assert names() == ["inside", "after"]


@on(*ON_SQLITE)  # whose thread can be waited for while the loop stands still
@pytest.mark.parametrize("steps", range(0, 24))
def test_a_write_that_was_cancelled_in_a_transaction_is_never_committed_with_it(
    steps: int, db: DataFlow, names: Names
) -> None:
    """Nobody can tell whether it had happened: either it is gone, or nothing of the transaction stays."""
    lost = False

    async def main() -> None:
        nonlocal lost
        await db.start()
        cancelled = False
        try:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="kept")
                write = asyncio.create_task(_await(db.nodes.ItemCreateNode(name="cancelled")))
                for _ in range(steps):
                    await asyncio.sleep(0)
                # The thread of the connection gets its time, and the loop none to hear of it.
                _let_threads_work(db)
                write.cancel()
                try:
                    await write
                except asyncio.CancelledError:
                    cancelled = True
        except ScopeLost:
            lost = True
        assert in_use(db) == 0
        found = [row["name"] for row in (await db.nodes.ItemListNode(order_by=["id"]))["records"]]
        if lost:
            assert cancelled
            assert found == []
        elif cancelled:
            assert found == ["kept"]
        else:
            assert found == ["kept", "cancelled"]

    asyncio.run(main())


def _let_threads_work(db: DataFlow) -> None:
    """Wait, without the loop, until the thread of each connection that is lent has nothing left to do."""
    idle = threading.Event()
    pool: Any = db.databases()["primary"].pool
    for connection in pool.leases:
        worker = getattr(connection, "_worker", None)
        if worker is not None:
            idle.clear()
            worker._jobs.put((_Settled(), _Loop(), idle.set))
            assert idle.wait(PATIENCE)


class _Settled:
    """In the place of a future that nobody awaits."""


class _Loop:
    """In the place of a loop that need not hear of it."""

    def call_soon_threadsafe(self, *_: object) -> None:
        return None


@on(*ON_SQLITE)
@pytest.mark.parametrize("caught", [True, False])
def test_a_cancelled_write_that_was_surely_made_is_told_at_the_commit(
    caught: bool, db: DataFlow, names: Names
) -> None:
    async def main() -> None:
        await db.start()
        async with db.transaction():
            write = asyncio.create_task(_await(db.nodes.ItemCreateNode(name="cancelled")))
            while not in_use(db):
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            _let_threads_work(db)
            write.cancel()
            if caught:
                with suppress(asyncio.CancelledError):
                    await write
            else:
                await write

    with pytest.raises(ScopeLost if caught else asyncio.CancelledError):
        asyncio.run(main())
    assert names() == []
    assert in_use(db) == 0


# Several databases


LINKS = """
CREATE TABLE links (
    id INTEGER PRIMARY KEY, target INTEGER NOT NULL REFERENCES links (id) DEFERRABLE INITIALLY DEFERRED
)
"""


@pytest.fixture
def two(tmp_path: Path) -> Iterator[DataFlow]:
    """Two files; in the second one a foreign key is checked at the commit only."""
    with DataFlow(f"sqlite:///{tmp_path}/one.db", other_db=f"sqlite:///{tmp_path}/two.db") as db:

        @db.model
        class Item:
            name: str
            amount: int = 0
            __dataflow__: ClassVar = {"timestamps": False}

        @db.model
        class Link:
            id: Annotated[int, Field(primary_key=True)]
            target: Annotated[int, ForeignKey("Link")]
            __dataflow__: ClassVar = {"timestamps": False, "database": "other"}

        with DataFlow(f"sqlite:///{tmp_path}/two.db") as bare:
            bare.run_sync(bare.nodes.SQLNode(sql=LINKS))
        yield db


RUN: dict[str, Callable[[Workflow], object]] = {
    "local": lambda workflow: LocalRuntime().execute(workflow),
    "async": lambda workflow: asyncio.run(AsyncLocalRuntime().execute(workflow)),
    "overlapping": lambda workflow: asyncio.run(AsyncLocalRuntime(concurrency=2).execute(workflow)),
}


@pytest.mark.parametrize("runtime", list(RUN))
def test_a_second_commit_that_fails_says_what_the_first_one_kept(runtime: str, two: DataFlow) -> None:
    builder = WorkflowBuilder(two)
    builder.add_node("ItemCreateNode", "item", {"name": "kept"})
    builder.add_node("LinkCreateNode", "link", {"id": 1, "target": 99})
    builder.add_node("ItemListNode", "listing")
    if runtime == "overlapping":

        async def wait() -> None:
            await asyncio.sleep(0)

        builder.add_node(wait, "wait")
    builder.add_connection("item", "link")
    workflow = builder.build()
    with pytest.raises(WorkflowExecutionError) as caught:
        RUN[runtime](workflow)
    error = caught.value
    assert isinstance(error.cause, ForeignKeyViolation)
    assert error.node is None
    assert error.committed == ("primary",)
    assert "already committed on primary" in str(error)
    assert error.rolled_back == ("link",)
    assert [row["name"] for row in two.run_sync(two.nodes.ItemListNode())["records"]] == ["kept"]
    assert two.run_sync(two.nodes.LinkListNode())["count"] == 0
    assert in_use(two) == 0


def test_a_first_commit_that_fails_keeps_nothing_anywhere(two: DataFlow) -> None:
    builder = WorkflowBuilder(two)
    builder.add_node("LinkCreateNode", "link", {"id": 1, "target": 99})
    builder.add_node("ItemCreateNode", "item", {"name": "gone"})
    builder.add_connection("link", "item")
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(builder.build())
    assert caught.value.committed == ()
    assert caught.value.rolled_back == ("link", "item")
    assert "already committed" not in str(caught.value)
    assert two.run_sync(two.nodes.ItemListNode())["count"] == 0
    assert two.run_sync(two.nodes.LinkListNode())["count"] == 0


@pytest.mark.parametrize("again", range(0, 30, 3))
def test_a_transaction_of_two_databases_cancelled_twice_returns_both_connections(
    again: int, two: DataFlow
) -> None:
    async def main() -> None:
        await two.start()
        written = asyncio.Event()

        async def work() -> None:
            async with two.transaction():
                await two.nodes.ItemBulkCreateNode(data=[{"name": str(number)} for number in range(300)])
                await two.nodes.LinkCreateNode(id=1, target=1)
                written.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await written.wait()
        task.cancel()
        for _ in range(again):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert in_use(two) == 0
        assert (await two.nodes.ItemListNode(count_only=True))["count"] == 0
        await two.nodes.ItemCreateNode(name="after")
        await two.nodes.LinkCreateNode(id=2, target=2)

    asyncio.run(main())


def open_files(folder: Path) -> list[str]:
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{number}")
            if target.startswith(str(folder)):
                found.append(target)
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not list open files")
@pytest.mark.parametrize("what", ["start", "transaction"])
def test_a_cancelled_start_leaves_no_file_open(what: str, tmp_path: Path) -> None:
    """At each of its awaits; where a file is left open, newer Pythons warn of it too."""

    async def cancelled_after(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        with DataFlow(f"sqlite:///{folder}/one.db", other_db=f"sqlite:///{folder}/two.db") as db:

            @db.model
            class Item:
                name: str

            task = asyncio.create_task(db.start() if what == "start" else begin(db))
            for _ in range(number):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            assert in_use(db) == 0
            await db.nodes.ItemCreateNode(name="after")
        assert open_files(folder) == []

    async def begin(db: DataFlow) -> None:
        async with db.transaction():
            await db.nodes.ItemListNode()

    async def main() -> None:
        for number in (0, 1, 2, 3, 5, 8, 13, 21, 34):
            await cancelled_after(number)

    asyncio.run(main())
    assert open_files(tmp_path) == []
