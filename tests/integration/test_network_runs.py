"""Runs on a database on the network: event loops, threads, cancellation, and SQLite beside it."""

import asyncio
import random
import signal
import threading
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import PoolTimeout, WorkflowError, WorkflowExecutionError
from dataflow.execution import background
from dataflow.mysql.testing import MySQL
from dataflow.postgres.testing import Postgres
from dataflow.testing import Suite

PATIENCE = 30


@pytest.fixture(autouse=True)
def _every_test_cleans_up(nothing_is_left_behind: None) -> None:
    pass


def define_item(db: DataFlow) -> None:
    @db.model
    class Item:
        name: str
        __dataflow__: ClassVar = {"timestamps": False}


@pytest.fixture
def shop(url: str) -> Iterator[DataFlow]:
    """A database with a small pool."""
    with DataFlow(url, pool_size=3, pool_timeout=20) as db:
        define_item(db)
        yield db


def stored(db: DataFlow) -> list[str]:
    return [row["name"] for row in db.run_sync(db.nodes.ItemListNode(order_by=["id"]))["records"]]


def pool_of(db: DataFlow) -> Any:
    return db.databases()["primary"].pool


def workflow(db: DataFlow, *functions: Callable[[], object], name: str = "run") -> Any:
    """A node that writes, and functions after it."""
    builder = WorkflowBuilder(db)
    last = builder.add_node("ItemCreateNode", "make", {"name": name})
    for number, function in enumerate(functions):
        node = builder.add_node(function, f"function{number}")
        builder.add_connection(last, node)
        last = node
    return builder.build()


def fail() -> None:
    raise ValueError("enough")


class RunTests:
    """Who has which connection, and what becomes of it."""

    def test_each_event_loop_has_connections_of_its_own(self, shop: DataFlow) -> None:
        async def use() -> None:
            await asyncio.gather(*(shop.nodes.ItemCreateNode(name="a") for _ in range(6)))
            assert 1 <= pool_of(shop)._homes[asyncio.get_running_loop()].pool.idle <= 3

        asyncio.run(use())
        assert pool_of(shop).idle == 0
        threads = [threading.Thread(target=lambda: asyncio.run(use())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        asyncio.run(use())
        assert len(stored(shop)) == 30

    def test_one_loop_in_the_background_serves_all_threads_as_long_as_a_database_is_open(
        self, url: str
    ) -> None:
        with DataFlow(url) as one, DataFlow(url) as two:
            define_item(one)
            define_item(two)
            with ThreadPoolExecutor(8) as threads:
                for _ in threads.map(lambda _: one.run_sync(one.nodes.ItemCreateNode(name="a")), range(40)):
                    pass
            first = background._background.loop
            assert first is not None
            assert pool_of(one).idle > 0
            two.run_sync(two.nodes.ItemListNode())
            with one:
                pass
            assert background._background.loop is first
            assert len(stored(two)) == 40
        assert background._background.loop is None

    @pytest.mark.parametrize("fails", [False, True])
    @pytest.mark.parametrize("runtime", ["local", "async", "overlapping"])
    def test_what_functions_do_belongs_to_the_run(self, shop: DataFlow, runtime: str, fails: bool) -> None:
        inner = workflow(shop, name="inner")

        def call() -> None:
            shop.run_sync(shop.nodes.ItemCreateNode(name="called"))

        def run() -> None:
            LocalRuntime().execute(inner)

        def stream() -> None:
            assert [row["name"] for row in shop.stream("ItemListNode", order_by=["id"])][-1] == "inner"

        async def wait() -> None:
            await shop.nodes.ItemCreateNode(name="awaited")
            await AsyncLocalRuntime().execute(inner)

        outer = workflow(shop, call, run, stream, wait, *([fail] if fails else []))
        with suppress(WorkflowExecutionError):
            match runtime:
                case "local":
                    LocalRuntime().execute(outer)
                case "async":
                    asyncio.run(AsyncLocalRuntime().execute(outer))
                case "overlapping":
                    asyncio.run(AsyncLocalRuntime(concurrency=3).execute(outer))
        assert stored(shop) == ([] if fails else ["run", "called", "inner", "awaited", "inner"])
        assert pool_of(shop).in_use == 0

    def test_a_task_that_a_function_leaves_behind_gets_its_turn_between_two_nodes(
        self, shop: DataFlow
    ) -> None:
        left: list[asyncio.Task[int]] = []

        async def count() -> int:
            found = await shop.nodes.ItemListNode(count_only=True)
            return int(found["count"])

        async def leave() -> None:
            left.append(asyncio.ensure_future(count()))

        async def main() -> int:
            builder = WorkflowBuilder(shop)
            last = builder.add_node(leave, "leave")
            for name in "abc":
                node = builder.add_node("ItemCreateNode", name, {"name": name})
                builder.add_connection(last, node)
                last = node
            await AsyncLocalRuntime().execute(builder.build())
            return await left[0]

        # It waits from the first node on, which has the turn by then.
        assert asyncio.run(main()) == 1
        assert stored(shop) == ["a", "b", "c"]

    def test_rows_are_drawn_from_an_iterator_in_the_thread_that_waits(self, shop: DataFlow) -> None:
        shop.run_sync(shop.nodes.ItemBulkCreateNode(data=[{"name": "a"}] * 3))
        threads = set()

        def copies() -> Iterator[dict[str, str]]:
            for row in shop.stream("ItemListNode"):
                threads.add(threading.current_thread())
                yield {"name": row["name"] * 2}

        output = shop.run_sync(shop.nodes.ItemBulkCreateNode(data=copies(), batch_size=2))
        assert output["inserted"] == 3
        assert threads == {threading.current_thread()}
        assert stored(shop) == ["a"] * 3 + ["aa"] * 3

        def broken() -> Iterator[dict[str, str]]:
            yield {"name": "b"}
            raise ValueError("enough")

        with pytest.raises(ValueError, match="enough"):
            shop.run_sync(shop.nodes.ItemBulkCreateNode(data=broken()))
        assert len(stored(shop)) == 6

    def test_a_call_that_would_wait_for_its_own_loop_is_told(self, shop: DataFlow) -> None:
        async def main() -> None:
            async with shop.transaction():
                await shop.nodes.ItemCreateNode(name="a")
                with pytest.raises(WorkflowError, match="wait for ever"):
                    shop.run_sync(shop.nodes.ItemCreateNode(name="b"))
                with pytest.raises(WorkflowError, match="wait for ever"):
                    LocalRuntime().execute(workflow(shop))
                await asyncio.to_thread(shop.run_sync, shop.nodes.ItemCreateNode(name="c"))
            # Outside of it the loop in the background does it.
            assert shop.run_sync(shop.nodes.ItemListNode())["count"] == 2

        asyncio.run(main())

    def test_another_loop_cannot_await_within_a_transaction(self, shop: DataFlow) -> None:
        async def call() -> None:
            await shop.nodes.ItemCreateNode(name="b")

        async def main() -> None:
            async with shop.transaction():
                await shop.nodes.ItemCreateNode(name="a")
                with pytest.raises(WorkflowError, match="another event loop"):
                    await asyncio.to_thread(lambda: asyncio.run(call()))

        asyncio.run(main())
        assert stored(shop) == ["a"]

    def test_a_statement_that_fails_is_undone_alone(self, shop: DataFlow) -> None:
        async def main() -> None:
            async with shop.transaction():
                await shop.nodes.ItemCreateNode(name="a")
                with pytest.raises(Exception, match="nowhere"):
                    await shop.nodes.SQLNode(sql="SELECT 1 FROM nowhere")
                await shop.nodes.ItemCreateNode(name="b")

        asyncio.run(main())
        assert stored(shop) == ["a", "b"]

    def test_whoever_waits_in_vain_is_told_who_holds_the_connections(self, url: str) -> None:
        async def main(db: DataFlow) -> None:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="a")

                async def other() -> None:
                    await db.nodes.ItemCreateNode(name="b")

                # In a context without the transaction.
                from contextvars import Context

                task = asyncio.get_running_loop().create_task(other(), context=Context())
                with pytest.raises(PoolTimeout, match="held by: a transaction for"):
                    await task

        with DataFlow(url, pool_size=1, pool_timeout=0.2) as db:
            define_item(db)
            asyncio.run(main(db))

    def test_ten_thousand_runs_over_twenty_connections_end_in_turn_with_flat_memory(self, url: str) -> None:
        async def main(db: DataFlow) -> None:
            await db.nodes.ItemCreateNode(name="a")
            read = WorkflowBuilder(db)
            read.add_node("ItemReadNode", "read", {"name": "a"})
            built, runtime = read.build(), AsyncLocalRuntime()

            async def runs(count: int) -> None:
                ended: list[int] = []

                async def run(number: int) -> None:
                    results, _ = await runtime.execute(built)
                    assert results["read"]["found"]
                    ended.append(number)

                async with asyncio.TaskGroup() as tasks:
                    for number in range(count):
                        tasks.create_task(run(number))
                # A busy machine lets a few servers rest, and many runs overtake theirs; where the queue is not
                # in turn, most runs are far from their place.
                out_of_turn = sum(abs(place - number) > 500 for place, number in enumerate(ended))
                assert out_of_turn < count / 20, "they were not served in turn"

            await runs(500)
            tracemalloc.start()
            try:
                before, _ = tracemalloc.get_traced_memory()
                await runs(1500)
                after, _ = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert after - before < 500_000
            await runs(10_000)
            assert 10 < pool_of(db).idle <= 20
            assert pool_of(db).in_use == 0

        with DataFlow(url, pool_size=20, pool_max_overflow=0, pool_timeout=PATIENCE) as db:
            define_item(db)
            asyncio.run(main(db))


class CancellationTests:
    """However a task is cancelled, its connection is clean, or gone, and its permit is back."""

    def test_a_cancellation_at_any_await_leaves_nothing_half_done(self, shop: DataFlow) -> None:
        """Each operation writes its name twice; whatever is cut off has written both or none."""
        chance = random.Random(7)

        async def transaction(name: str) -> None:
            async with shop.transaction():
                await shop.nodes.ItemCreateNode(name=name)
                await shop.nodes.ItemCreateNode(name=name)

        async def parts(name: str) -> None:
            async with shop.transaction():
                async with shop.transaction():
                    await shop.nodes.ItemCreateNode(name=name)
                async with shop.transaction():
                    await shop.nodes.ItemCreateNode(name=name)

        async def run(name: str) -> None:
            builder = WorkflowBuilder(shop)
            builder.add_node("ItemCreateNode", "one", {"name": name})
            builder.add_node("ItemCreateNode", "two", {"name": name})
            await AsyncLocalRuntime().execute(builder.build())

        async def function(name: str) -> None:
            def again() -> None:
                shop.run_sync(shop.nodes.ItemCreateNode(name=name))

            await AsyncLocalRuntime().execute(workflow(shop, again, name=name))

        async def bulk(name: str) -> None:
            await shop.nodes.ItemBulkCreateNode(data=[{"name": name}] * 2)

        async def read(name: str) -> None:
            async for _ in shop.stream("ItemListNode"):
                pass

        operations: list[Callable[[str], Awaitable[None]]] = [transaction, parts, run, function, bulk, read]

        async def main() -> None:
            ended: dict[str, bool] = {}
            for turn in range(60):
                tasks = {}
                for number in range(8):
                    operation = operations[(turn + number) % len(operations)]
                    name = f"{operation.__name__} {turn} {number}"
                    tasks[name] = asyncio.ensure_future(operation(name))
                for task in chance.sample([*tasks.values()], len(tasks)):
                    for _ in range(chance.randrange(30)):
                        await asyncio.sleep(0)
                    await asyncio.sleep(chance.random() / 500)
                    if chance.random() < 0.8:
                        task.cancel()
                await asyncio.wait(tasks.values(), timeout=PATIENCE)
                ended |= {name: not task.cancelled() for name, task in tasks.items()}
                assert pool_of(shop).in_use == 0
            names = [row["name"] for row in (await shop.nodes.ItemListNode())["records"]]
            for name, is_done in ended.items():
                if not name.startswith("read"):
                    assert names.count(name) in ([2] if is_done else [0, 2]), name
            assert {*ended.values()} == {True, False}
            # Nobody has lost a permit.
            together = asyncio.Barrier(3)

            async def hold() -> None:
                async with shop.transaction():
                    await shop.nodes.ItemListNode(limit=1)
                    await together.wait()

            await asyncio.wait_for(asyncio.gather(hold(), hold(), hold()), PATIENCE)

        asyncio.run(main())

    def test_an_interrupt_of_a_waiting_thread_ends_what_it_waits_for(self, shop: DataFlow) -> None:
        ended: list[str] = []

        async def wait() -> None:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("ended")

        with pytest.raises(KeyboardInterrupt):
            LocalRuntime().execute(workflow(shop, wait))
        assert ended == ["ended"]
        assert pool_of(shop).in_use == 0
        assert stored(shop) == []


class MixedTests:
    """SQLite beside a database on the network, in one run."""

    @pytest.mark.parametrize("runtime", ["local", "async", "overlapping"])
    @pytest.mark.parametrize("fails", [False, True])
    def test_two_kinds_of_databases_commit_or_not_together(
        self, url: str, tmp_path: Path, runtime: str, fails: bool
    ) -> None:
        with DataFlow(url, local_db=f"sqlite:///{tmp_path}/local.db") as db:
            define_item(db)

            @db.model
            class Note:
                text: str
                __dataflow__: ClassVar = {"timestamps": False, "database": "local"}

            def both() -> None:
                db.run_sync(db.nodes.NoteCreateNode(text="called"))
                db.run_sync(db.nodes.ItemCreateNode(name="called"))

            async def awaited() -> None:
                await db.nodes.ItemCreateNode(name="awaited")
                await db.nodes.NoteCreateNode(text="awaited")

            builder = WorkflowBuilder(db)
            builder.add_node("NoteCreateNode", "n1", {"text": "first"})
            builder.add_node(both, "f1")
            builder.add_node("ItemCreateNode", "i1", {"name": "second"})
            builder.add_node(awaited, "f2")
            builder.add_node("NoteCreateNode", "n2", {"text": "third"})
            builder.add_node(both, "f3")
            order = ["n1", "f1", "i1", "f2", "n2", "f3"]
            if fails:
                builder.add_node(fail, "fail")
                order.append("fail")
            for one, two in pairwise(order):
                builder.add_connection(one, two)
            built = builder.build()
            with suppress(WorkflowExecutionError):
                match runtime:
                    case "local":
                        LocalRuntime().execute(built)
                    case "async":
                        asyncio.run(AsyncLocalRuntime().execute(built))
                    case "overlapping":
                        asyncio.run(AsyncLocalRuntime(concurrency=2).execute(built))
            notes = [row["text"] for row in db.run_sync(db.nodes.NoteListNode(order_by=["id"]))["records"]]
            items = stored(db)
        assert notes == ([] if fails else ["first", "called", "awaited", "third", "called"])
        assert items == ([] if fails else ["called", "second", "awaited", "called"])

    @pytest.mark.parametrize("fails", [False, True])
    def test_a_function_of_a_run_on_sqlite_uses_the_network(self, url: str, fails: bool) -> None:
        with DataFlow() as local, DataFlow(url) as far:
            define_item(local)
            define_item(far)

            def call() -> None:
                far.run_sync(far.nodes.ItemCreateNode(name="far"))
                LocalRuntime().execute(workflow(far, name="far too"))
                assert len(list(far.stream("ItemListNode"))) >= 2

            functions = [call, fail] if fails else [call]
            with suppress(WorkflowExecutionError):
                LocalRuntime().execute(workflow(local, *functions))
            with suppress(WorkflowExecutionError):
                asyncio.run(AsyncLocalRuntime().execute(workflow(local, *functions)))
            assert stored(far) == ([] if fails else ["far", "far too"] * 2)
            assert len(stored(local)) == (0 if fails else 2)


class TestPostgres(RunTests, CancellationTests, MixedTests, Suite):
    provision = Postgres()


class TestMySQL(RunTests, CancellationTests, MixedTests, Suite):
    provision = MySQL()
