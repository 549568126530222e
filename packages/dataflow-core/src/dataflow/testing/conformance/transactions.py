"""``async with db.transaction()``: all of it or nothing, and savepoints within it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import (
    DataFlowError,
    QueryError,
    TransactionClosed,
    UniqueViolation,
    WorkflowError,
    WorkflowExecutionError,
)
from dataflow.testing.conformance.items import define_item, names
from dataflow.testing.suite import requires

__all__ = ["TransactionTests"]


class Stop(Exception):
    """Raised to leave a block."""


async def stopping(db: DataFlow, inside: Callable[[], Awaitable[object]] | None = None) -> None:
    """A part that writes, does what it is told, and then fails."""
    async with db.transaction():
        await db.nodes.ItemCreateNode(name="gone")
        if inside is not None:
            await inside()
        raise Stop


class TransactionTests:
    """A transaction is kept whole or not at all, and so is each of its parts."""

    @pytest.mark.parametrize(
        "error", [Stop, KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit]
    )
    def test_an_error_undoes_everything_and_arrives(self, error: type[BaseException], db: DataFlow) -> None:
        define_item(db)

        async def main() -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a")
                raise error

        with pytest.raises(error):
            asyncio.run(main())
        assert names(db) == []

    @requires(Capability.SAVEPOINTS)
    def test_an_error_of_the_database_that_was_caught_undoes_its_call_alone(self, db: DataFlow) -> None:
        define_item(db)

        async def main() -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a", code="x")
                rows: list[dict[str, object]] = [{"name": "b"}, {"name": "c", "code": "x"}]
                with pytest.raises(UniqueViolation):
                    await db.nodes.ItemBulkCreateNode(data=rows, batch_size=1)
                await db.nodes.ItemCreateNode(name="d")

        asyncio.run(main())
        assert names(db) == ["a", "d"]

    @requires(Capability.SAVEPOINTS)
    def test_a_single_statement_that_failed_and_was_caught_undoes_itself_alone(self, db: DataFlow) -> None:
        define_item(db)

        async def main() -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a", code="x")
                with pytest.raises(UniqueViolation):
                    await db.nodes.ItemCreateNode(name="b", code="x")
                with pytest.raises(QueryError):
                    await db.nodes.SQLNode(sql="SELECT nothing FROM nowhere")
                await db.nodes.ItemCreateNode(name="c")

        asyncio.run(main())
        assert names(db) == ["a", "c"]

    @requires(Capability.SAVEPOINTS)
    def test_a_transaction_in_a_transaction_is_a_savepoint(self, db: DataFlow) -> None:
        define_item(db)

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
        assert names(db) == ["a", "b", "c"]

    def test_an_inner_transaction_ends_with_the_outer_one(self, db: DataFlow) -> None:
        define_item(db)

        async def deeper() -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="gone too")

        with pytest.raises(Stop):
            asyncio.run(stopping(db, deeper))
        assert names(db) == []

    def test_an_inner_transaction_that_comes_first_can_fail_alone(self, db: DataFlow) -> None:
        define_item(db)

        async def main() -> None:
            async with db.transaction():
                with pytest.raises(Stop):
                    await stopping(db)
                await db.nodes.ItemCreateNode(name="a")

        asyncio.run(main())
        assert names(db) == ["a"]

    def test_an_inner_transaction_that_times_out_leaves_nothing(self, db: DataFlow) -> None:
        """Cancellation ends the scope, or undoes its part; what was cancelled is never committed."""
        define_item(db)

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
            assert names(db) == []
        else:
            assert names(db) == ["a", "b"]

    def test_an_inner_run_that_times_out_leaves_nothing(self, db: DataFlow) -> None:
        define_item(db)
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
            assert names(db) == []
        else:
            assert names(db) == ["a", "b"]

    def test_runs_inside_belong_to_it(self, db: DataFlow) -> None:
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "make", {"name": "run"})
        workflow = builder.build()

        async def main(*, fails: bool) -> None:
            async with db.transaction():
                await AsyncLocalRuntime().execute(workflow)
                # In a thread: a database on the network needs this event loop meanwhile.
                await asyncio.to_thread(LocalRuntime().execute, workflow)
                await asyncio.to_thread(db.run_sync, db.nodes.ItemCreateNode(name="call"))
                assert (await db.nodes.ItemListNode())["count"] == 3
                if fails:
                    raise Stop

        with pytest.raises(Stop):
            asyncio.run(main(fails=True))
        assert names(db) == []
        asyncio.run(main(fails=False))
        assert names(db) == ["run", "run", "call"]

    @requires(Capability.SAVEPOINTS)
    def test_a_run_inside_that_fails_undoes_its_part_alone(self, db: DataFlow) -> None:
        define_item(db)

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
                    await asyncio.to_thread(LocalRuntime().execute, workflow)
                await db.nodes.ItemCreateNode(name="b")

        asyncio.run(main())
        assert names(db) == ["a", "b"]

    def test_a_run_that_blocks_the_event_loop_joins_or_is_refused_at_once(self, db: DataFlow) -> None:
        """Across the network it would wait for answers that come by the very loop that it blocks."""
        define_item(db)
        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "make", {"name": "run"})
        workflow = builder.build()
        joins = db.databases()["primary"].dialect.in_process

        async def main() -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a")
                if joins:
                    LocalRuntime().execute(workflow)
                else:
                    with pytest.raises(WorkflowError, match="AsyncLocalRuntime"):
                        LocalRuntime().execute(workflow)
                await db.nodes.ItemCreateNode(name="b")

        asyncio.run(main())
        assert names(db) == (["a", "run", "b"] if joins else ["a", "b"])

    def test_gathered_calls_share_it(self, db: DataFlow) -> None:
        define_item(db)

        async def main(*, fails: bool) -> None:
            async with db.transaction():
                made = await asyncio.gather(
                    *(db.nodes.ItemCreateNode(name=f"n{number}") for number in range(20))
                )
                assert len({row["id"] for row in made}) == 20
                counts = await asyncio.gather(*(db.nodes.ItemListNode() for _ in range(5)))
                assert [count["count"] for count in counts] == [20] * 5
                if fails:
                    raise Stop

        with pytest.raises(Stop):
            asyncio.run(main(fails=True))
        assert names(db) == []
        asyncio.run(main(fails=False))
        assert sorted(names(db)) == sorted(f"n{number}" for number in range(20))

    @requires(Capability.SAVEPOINTS)
    def test_a_gathered_call_that_fails_does_not_take_the_others_with_it(self, db: DataFlow) -> None:
        define_item(db)
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
        assert names(db) == ["a", "b", "c", "d", "e"]

    def test_parts_that_overlap_lose_nothing_silently(self, db: DataFlow) -> None:
        """Of two tasks one has a part that fails, while the other writes: an error, or both are right."""
        define_item(db)

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
            assert names(db) == []
        else:
            assert names(db) == ["a", "mine"]

    def test_a_task_that_outlives_it_gets_an_error_and_writes_nothing(self, db: DataFlow) -> None:
        define_item(db)

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
        assert names(db) == ["a"]

    def test_a_thread_that_is_given_the_context_joins(self, db: DataFlow) -> None:
        define_item(db)

        async def main(*, fails: bool) -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a")
                await asyncio.to_thread(db.run_sync, db.nodes.ItemCreateNode(name="thread"))
                if fails:
                    raise Stop

        with pytest.raises(Stop):
            asyncio.run(main(fails=True))
        assert names(db) == []
        asyncio.run(main(fails=False))
        assert names(db) == ["a", "thread"]

    def test_an_empty_one_and_one_that_only_reads_leave_the_database_free(self, db: DataFlow) -> None:
        define_item(db)

        async def main() -> None:
            async with db.transaction():
                pass
            async with db.transaction():
                await db.nodes.ItemListNode()
            await db.nodes.ItemCreateNode(name="a")

        asyncio.run(main())
        assert db.run_sync(db.nodes.ItemListNode())["count"] == 1

    @requires(Capability.SAVEPOINTS)
    def test_a_model_cannot_be_prepared_in_the_middle_of_a_transaction(self, db: DataFlow) -> None:
        define_item(db)

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
