"""``async with db.transaction()``: code without a graph, all of it or nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import DataFlowError, WorkflowExecutionError

from .conftest import ON_POSTGRES, ON_SQLITE, on

Names = Callable[[], list[str]]


class Stop(Exception):
    """Raised to leave a block."""


async def stopping(db: DataFlow, inside: Callable[[], Awaitable[object]] | None = None) -> None:
    """A part that writes, does what it is told, and then fails."""
    async with db.transaction():
        await db.nodes.ItemCreateNode(name="gone")
        if inside is not None:
            await inside()
        raise Stop


def test_what_happens_inside_is_committed_together(
    file_db: DataFlow, outside: Callable[[str], list[tuple[object, ...]]]
) -> None:
    seen: list[object] = []

    async def main() -> None:
        async with file_db.transaction():
            row = await file_db.nodes.ItemCreateNode(name="a")
            await file_db.nodes.ItemUpdateNode(id=row["id"], amount=5)
            await file_db.nodes.ItemBulkCreateNode(data=[{"name": "b"}])
            seen.append(outside("SELECT count(*) FROM items")[0][0])
        seen.append(outside("SELECT count(*) FROM items")[0][0])

    asyncio.run(main())
    assert seen == [0, 2]
    assert outside("SELECT name, amount FROM items ORDER BY id") == [("a", 5), ("b", 0)]


def test_gathered_calls_share_the_connection_that_the_first_of_them_opens(make_db: Any) -> None:
    first = make_db()
    first.run_sync(first.nodes.ItemListNode())
    db = make_db(auto_migrate=False, pool_timeout=1)

    async def main() -> None:
        async with db.transaction():
            await asyncio.gather(*(db.nodes.ItemCreateNode(name=f"n{number}") for number in range(3)))

    asyncio.run(main())
    assert db.run_sync(db.nodes.ItemListNode(count_only=True))["count"] == 3


@on(*ON_SQLITE)  # others let writers overlap, and each may read before the other writes
def test_transactions_of_several_tasks_take_turns(db: DataFlow, names: Names) -> None:
    async def main() -> None:
        async def add(number: int) -> None:
            async with db.transaction():
                row = await db.nodes.ItemReadNode(id=1)
                await asyncio.sleep(0)
                await db.nodes.ItemUpdateNode(id=1, amount=row["amount"] + 1)

        await db.nodes.ItemCreateNode(name="a")
        await asyncio.gather(*(add(number) for number in range(30)))

    asyncio.run(main())
    assert db.run_sync(db.nodes.ItemReadNode(id=1))["amount"] == 30


@on(*ON_SQLITE)  # elsewhere the loop that is blocked would be needed
def test_a_run_that_blocks_the_loop_and_fails_undoes_its_part_alone(db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "run"})
    builder.add_node(lambda: 1 / 0, "boom")
    workflow = builder.build()

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            with pytest.raises(WorkflowExecutionError):
                LocalRuntime().execute(workflow)
            await db.nodes.ItemCreateNode(name="b")

    asyncio.run(main())
    assert names() == ["a", "b"]


@on(*ON_SQLITE, ON_POSTGRES)  # MySQL puts nothing off until the commit
def test_a_commit_that_the_database_refuses_arrives_and_nothing_stays(db: DataFlow, names: Names) -> None:
    sql = "CREATE TABLE notes (item INTEGER REFERENCES items (id) DEFERRABLE INITIALLY DEFERRED)"
    db.run_sync(db.nodes.SQLNode(sql=sql))

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            await db.nodes.SQLNode(sql="INSERT INTO notes VALUES (99)")

    with pytest.raises(DataFlowError, match="referenced"):
        asyncio.run(main())
    assert names() == []


def test_two_databases_each_have_their_own(tmp_path: Any) -> None:
    with DataFlow(f"sqlite:///{tmp_path}/one.db", other_db=f"sqlite:///{tmp_path}/two.db") as db:

        @db.model
        class Here:
            name: str

        @db.model
        class There:
            name: str
            __dataflow__ = {"database": "other"}  # noqa: RUF012 - as every model writes it

        async def main(*, fails: bool) -> None:
            async with db.transaction():
                await db.nodes.HereCreateNode(name="a")
                await db.nodes.ThereCreateNode(name="a")
                if fails:
                    raise Stop

        with pytest.raises(Stop):
            asyncio.run(main(fails=True))
        asyncio.run(main(fails=False))
        assert db.run_sync(db.nodes.HereListNode())["count"] == 1
        assert db.run_sync(db.nodes.ThereListNode())["count"] == 1
