"""``async with db.transaction()``: code without a graph, all of it or nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import DataFlowError, TransactionClosed, UniqueViolation, WorkflowExecutionError

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


@pytest.mark.parametrize(
    "error", [Stop, KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit]
)
def test_an_error_undoes_everything_and_arrives(
    error: type[BaseException], db: DataFlow, names: Names
) -> None:
    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            raise error

    with pytest.raises(error):
        asyncio.run(main())
    assert names() == []


def test_an_error_of_the_database_that_was_caught_undoes_its_call_alone(db: DataFlow, names: Names) -> None:
    db.run_sync(db.nodes.SQLNode(sql="CREATE UNIQUE INDEX one_code ON items (code)"))

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a", code="x")
            rows: list[dict[str, object]] = [{"name": "b"}, {"name": "c", "code": "x"}]
            with pytest.raises(UniqueViolation):
                await db.nodes.ItemBulkCreateNode(data=rows, batch_size=1)
            await db.nodes.ItemCreateNode(name="d")

    asyncio.run(main())
    assert names() == ["a", "d"]


def test_a_transaction_in_a_transaction_is_a_savepoint(db: DataFlow, names: Names) -> None:
    async def deeper() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="gone too")

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            with pytest.raises(Stop):
                await stopping(db, deeper)
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="b")
                with pytest.raises(Stop):
                    await stopping(db)
                await db.nodes.ItemCreateNode(name="c")

    asyncio.run(main())
    assert names() == ["a", "b", "c"]


def test_an_inner_transaction_ends_with_the_outer_one(db: DataFlow, names: Names) -> None:
    async def deeper() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="gone too")

    with pytest.raises(Stop):
        asyncio.run(stopping(db, deeper))
    assert names() == []


def test_an_inner_transaction_that_comes_first_can_fail_alone(db: DataFlow, names: Names) -> None:
    async def main() -> None:
        async with db.transaction():
            with pytest.raises(Stop):
                await stopping(db)
            await db.nodes.ItemCreateNode(name="a")

    asyncio.run(main())
    assert names() == ["a"]


def test_an_inner_transaction_that_times_out_leaves_nothing(db: DataFlow, names: Names) -> None:
    """Cancellation ends the scope, or undoes its part; what was cancelled is never committed."""

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(stopping(db, lambda: asyncio.sleep(5)), 0.02)
            with pytest.raises(TimeoutError):
                await with_timeout(stopping(db, lambda: asyncio.sleep(5)))
            await db.nodes.ItemCreateNode(name="b")

    async def with_timeout(work: Awaitable[None]) -> None:
        async with asyncio.timeout(0.02):
            await work

    try:
        asyncio.run(main())
    except DataFlowError:
        assert names() == []
    else:
        assert names() == ["a", "b"]


def test_an_inner_run_that_times_out_leaves_nothing(db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "gone", {"name": "gone"})
    builder.add_node(asyncio.sleep, "sleep", {"delay": 5})
    builder.add_connection("gone", "sleep")
    workflow = builder.build()

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await AsyncLocalRuntime().execute(workflow)
            await db.nodes.ItemCreateNode(name="b")

    try:
        asyncio.run(main())
    except DataFlowError:
        assert names() == []
    else:
        assert names() == ["a", "b"]


def test_runs_inside_belong_to_it(db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "run"})
    workflow = builder.build()

    async def main(*, fails: bool) -> None:
        async with db.transaction():
            await AsyncLocalRuntime().execute(workflow)
            LocalRuntime().execute(workflow)
            db.run_sync(db.nodes.ItemCreateNode(name="call"))
            assert (await db.nodes.ItemListNode())["count"] == 3
            if fails:
                raise Stop

    with pytest.raises(Stop):
        asyncio.run(main(fails=True))
    assert names() == []
    asyncio.run(main(fails=False))
    assert names() == ["run", "run", "call"]


def test_a_run_inside_that_fails_undoes_its_part_alone(db: DataFlow, names: Names) -> None:
    def fail() -> None:
        raise Stop

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "make", {"name": "run"})
    builder.add_node(fail, "boom")
    workflow = builder.build()

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            with pytest.raises(WorkflowExecutionError):
                await AsyncLocalRuntime().execute(workflow)
            with pytest.raises(WorkflowExecutionError):
                LocalRuntime().execute(workflow)
            await db.nodes.ItemCreateNode(name="b")

    asyncio.run(main())
    assert names() == ["a", "b"]


def test_gathered_calls_share_it(db: DataFlow, names: Names) -> None:
    async def main(*, fails: bool) -> None:
        async with db.transaction():
            made = await asyncio.gather(*(db.nodes.ItemCreateNode(name=f"n{number}") for number in range(20)))
            assert len({row["id"] for row in made}) == 20
            counts = await asyncio.gather(*(db.nodes.ItemListNode() for _ in range(5)))
            assert [count["count"] for count in counts] == [20] * 5
            if fails:
                raise Stop

    with pytest.raises(Stop):
        asyncio.run(main(fails=True))
    assert names() == []
    asyncio.run(main(fails=False))
    assert sorted(names()) == sorted(f"n{number}" for number in range(20))


def test_gathered_calls_share_the_connection_that_the_first_of_them_opens(make_db: Any) -> None:
    first = make_db()
    first.run_sync(first.nodes.ItemListNode())
    db = make_db(auto_migrate=False, pool_timeout=1)

    async def main() -> None:
        async with db.transaction():
            await asyncio.gather(*(db.nodes.ItemCreateNode(name=f"n{number}") for number in range(3)))

    asyncio.run(main())
    assert db.run_sync(db.nodes.ItemListNode(count_only=True))["count"] == 3


def test_a_gathered_call_that_fails_does_not_take_the_others_with_it(db: DataFlow, names: Names) -> None:
    db.run_sync(db.nodes.SQLNode(sql="CREATE UNIQUE INDEX one_code ON items (code)"))
    bad: list[dict[str, object]] = [{"name": "gone", "code": "y"}, {"name": "gone", "code": "y"}]

    async def main() -> Sequence[object]:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            return await asyncio.gather(
                db.nodes.ItemCreateNode(name="b"),
                db.nodes.ItemBulkCreateNode(data=bad, batch_size=1),
                db.nodes.ItemCreateNode(name="c"),
                db.nodes.ItemBulkCreateNode(data=[{"name": "d"}, {"name": "e"}], batch_size=1),
                return_exceptions=True,
            )

    outcomes = asyncio.run(main())
    assert [isinstance(outcome, Exception) for outcome in outcomes] == [False, True, False, False]
    assert isinstance(outcomes[1], UniqueViolation)
    assert names() == ["a", "b", "c", "d", "e"]


def test_parts_that_overlap_lose_nothing_silently(db: DataFlow, names: Names) -> None:
    """Of two tasks one has a part that fails, while the other writes: an error, or both are right."""

    async def main() -> None:
        begun, written = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            begun.set()
            await asyncio.wait_for(written.wait(), 0.5)

        async def part() -> None:
            with pytest.raises(Stop):
                await stopping(db, wait)

        async def write() -> None:
            await begun.wait()
            await db.nodes.ItemCreateNode(name="mine")
            written.set()

        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(part())
                tasks.create_task(write())

    try:
        asyncio.run(main())
    except BaseExceptionGroup:
        assert names() == []
    else:
        assert names() == ["a", "mine"]


def test_a_task_that_outlives_it_gets_an_error_and_writes_nothing(db: DataFlow, names: Names) -> None:
    async def main() -> None:
        over = asyncio.Event()

        async def late(call: Callable[[], Any]) -> None:
            await over.wait()
            with pytest.raises(TransactionClosed, match="over"):
                await call()

        async with asyncio.TaskGroup() as tasks:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a")
                tasks.create_task(late(lambda: db.nodes.ItemCreateNode(name="late")))
                tasks.create_task(late(lambda: db.nodes.ItemListNode()))
                tasks.create_task(
                    late(lambda: asyncio.to_thread(db.run_sync, db.nodes.ItemCreateNode(name="late")))
                )
            over.set()

    asyncio.run(main())
    assert names() == ["a"]


def test_a_thread_that_is_given_the_context_joins(db: DataFlow, names: Names) -> None:
    async def main(*, fails: bool) -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")
            await asyncio.to_thread(db.run_sync, db.nodes.ItemCreateNode(name="thread"))
            if fails:
                raise Stop

    with pytest.raises(Stop):
        asyncio.run(main(fails=True))
    assert names() == []
    asyncio.run(main(fails=False))
    assert names() == ["a", "thread"]


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


def test_an_empty_one_and_one_that_only_reads_leave_the_database_free(db: DataFlow) -> None:
    async def main() -> None:
        async with db.transaction():
            pass
        async with db.transaction():
            await db.nodes.ItemListNode()
        await db.nodes.ItemCreateNode(name="a")

    asyncio.run(main())
    assert db.run_sync(db.nodes.ItemListNode())["count"] == 1


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


def test_a_model_cannot_be_prepared_in_the_middle_of_a_transaction(db: DataFlow) -> None:
    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="a")

            @db.model
            class Late:
                name: str

            with pytest.raises(DataFlowError, match="Late"):
                await db.nodes.LateCreateNode(name="a")
        await db.nodes.LateCreateNode(name="a")

    asyncio.run(main())
    assert db.run_sync(db.nodes.LateListNode())["count"] == 1


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
