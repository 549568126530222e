"""Several at work in one transaction: who has the turn keeps it, and what comes too late writes nothing."""

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, Field, ForeignKey, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    DatabaseBusy,
    ForeignKeyViolation,
    ModelError,
    ScopeLost,
    TransactionClosed,
    WorkflowExecutionError,
)
from dataflow.workflow.graph import Workflow

from .conftest import ON_SQLITE, on

PATIENCE = 10
Names = Callable[[], list[str]]


def build(db: DataFlow, *nodes: Any) -> Workflow:
    """A workflow of nodes with the ids a, b, c...; a node is a function or a name of an item to make."""
    builder = WorkflowBuilder(db)
    for id, node in zip("abcdef", nodes, strict=False):
        if isinstance(node, str):
            builder.add_node("ItemCreateNode", id, {"name": node})
        else:
            builder.add_node(node, id)
    return builder.build()


def make(db: DataFlow, name: str) -> Any:
    return db.run_sync(db.nodes.ItemCreateNode(name=name))


def in_use(db: DataFlow) -> int:
    return sum(database.pool.in_use for database in db.databases().values())


async def _await(call: Awaitable[Any]) -> Any:
    return await call


async def in_a_task(call: Awaitable[Any]) -> Any:
    return await asyncio.create_task(_await(call))


async def turns() -> None:
    """Let everything that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


# Steps that overlap


@pytest.mark.parametrize("before", [(), ("first",)], ids=["first of the run", "after another write"])
def test_a_part_that_is_undone_takes_nothing_of_a_step_beside_it(
    before: tuple[str, ...], db: DataFlow, names: Names
) -> None:
    """The call of the one waits until the part of the other has ended, rather than be undone with it."""
    open_part, called = threading.Event(), threading.Event()

    async def undone() -> None:
        with suppress(ValueError):
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="part")
                open_part.set()
                await asyncio.to_thread(called.wait, PATIENCE)
                # Whatever the other one can do meanwhile, it does.
                await asyncio.to_thread(done.wait, 0.05)
                raise ValueError("undo this part")

    done = threading.Event()

    def beside() -> object:
        assert open_part.wait(PATIENCE)
        called.set()
        row = make(db, "beside")
        done.set()
        return row["name"]

    workflow = build(db, *before, undone, beside)

    async def main() -> Any:
        results, _ = await AsyncLocalRuntime(concurrency=2).execute(workflow)
        return results["c" if before else "b"]["result"]

    assert asyncio.run(main()) == "beside"
    assert names() == [*before, "beside"]
    assert in_use(db) == 0


def test_a_step_that_fails_beside_an_open_part_undoes_the_whole(db: DataFlow, names: Names) -> None:
    open_part = threading.Event()

    async def part() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="part")
            open_part.set()
            await asyncio.sleep(PATIENCE)

    def boom() -> None:
        assert open_part.wait(PATIENCE)
        raise ValueError("boom")

    workflow = build(db, part, boom)
    with pytest.raises(WorkflowExecutionError, match="boom"):
        asyncio.run(AsyncLocalRuntime(concurrency=2).execute(workflow))
    assert names() == []
    assert in_use(db) == 0


def test_twenty_runs_of_functions_that_write_and_wait_get_along(db: DataFlow, names: Names) -> None:
    def write() -> None:
        make(db, "x")

    async def wait() -> None:
        await asyncio.sleep(0)

    workflow = build(db, write, wait, lambda: None)

    async def main() -> None:
        await asyncio.gather(*(AsyncLocalRuntime().execute(workflow) for _ in range(20)))

    asyncio.run(main())
    assert names() == ["x"] * 20


# What outlives its run


def call_item(db: DataFlow) -> object:
    return make(db, "late")


def execute_one(db: DataFlow) -> object:
    return LocalRuntime().execute(build(db, "late"))


def execute_two(db: DataFlow) -> object:
    return LocalRuntime().execute(build(db, "late", "later"))


def run_sql(db: DataFlow) -> object:
    return db.run_sync(db.nodes.SQLNode(sql="INSERT INTO items (name, amount) VALUES ('late', 1)"))


@pytest.mark.parametrize("handled", [False, True], ids=["plain", "in a part"])
@pytest.mark.parametrize("call", [call_item, run_sql], ids=lambda call: call.__name__)
def test_a_thread_that_outlives_its_run_is_told_and_writes_nothing(
    call: Callable[[DataFlow], object], handled: bool, db: DataFlow, names: Names
) -> None:
    go_on = threading.Event()
    outcome: list[object] = []

    def late() -> None:
        assert go_on.wait(PATIENCE)
        try:
            outcome.append(call(db))
        except BaseException as error:
            outcome.append(error)

    def begin() -> None:
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(late,))
        thread.start()
        threads.append(thread)

    threads: list[threading.Thread] = []
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "a", {"name": "in time"})
    builder.add_node(begin, "b")
    if handled:
        builder.add_node(lambda: None, "c")
        builder.add_connection("b", "c", condition="status == 'failed'")
    LocalRuntime().execute(builder.build())
    go_on.set()
    threads[0].join(PATIENCE)
    assert [type(error) for error in outcome] == [TransactionClosed]
    assert names() == ["in time"]
    assert in_use(db) == 0
    make(db, "after")
    assert names() == ["in time", "after"]


@pytest.mark.parametrize("execute", [execute_one, execute_two], ids=lambda call: call.__name__)
def test_a_run_in_a_thread_that_outlives_another_run_is_a_run_of_its_own(
    execute: Callable[[DataFlow], object], db: DataFlow, names: Names
) -> None:
    contexts: list[contextvars.Context] = []
    LocalRuntime().execute(build(db, "in time", lambda: contexts.append(contextvars.copy_context())))
    contexts[0].run(execute, db)
    assert names()[:2] == ["in time", "late"]
    assert in_use(db) == 0


def test_a_task_that_outlives_its_run_is_told_and_writes_nothing(db: DataFlow, names: Names) -> None:
    async def main() -> None:
        go_on = asyncio.Event()
        tasks: list[asyncio.Task[None]] = []

        async def late() -> None:
            await go_on.wait()
            await db.nodes.ItemCreateNode(name="late")

        async def begin() -> None:
            tasks.append(asyncio.create_task(late()))

        await AsyncLocalRuntime().execute(build(db, "in time", begin))
        go_on.set()
        with pytest.raises(TransactionClosed):
            await tasks[0]

    asyncio.run(main())
    assert names() == ["in time"]
    assert in_use(db) == 0


def test_a_function_whose_run_was_cancelled_makes_no_more_calls(db: DataFlow, names: Names) -> None:
    called, refused = threading.Event(), threading.Event()
    later: list[object] = []

    def work() -> None:
        make(db, "before")
        called.set()
        # Until the run is being ended every call works; none works again after the first that does not.
        for _ in range(100_000):
            try:
                make(db, "more")
            except Exception:
                break
        refused.set()
        for _ in range(20):
            try:
                later.append(make(db, "later"))
            except Exception as error:
                later.append(type(error))

    async def main() -> None:
        run = asyncio.create_task(AsyncLocalRuntime().execute(build(db, work)))
        await asyncio.to_thread(called.wait, PATIENCE)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        # The function has ended before the run did.
        assert refused.is_set()
        assert len(later) == 20

    asyncio.run(main())
    assert set(later) <= {TransactionClosed, ScopeLost}
    assert names() == []
    assert in_use(db) == 0


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
    for connection in pool._leases:
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


# Models and transactions


def test_a_model_defined_in_a_thread_does_not_disturb_a_transaction(db: DataFlow, names: Names) -> None:
    def define() -> None:
        @db.model
        class Late:
            name: str

    async def main() -> None:
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="before")
            thread = threading.Thread(target=define)
            thread.start()
            thread.join(PATIENCE)
            await db.nodes.ItemCreateNode(name="after")
            await asyncio.to_thread(make, db, "sync")
            await AsyncLocalRuntime().execute(build(db, "run", lambda: None))
            with pytest.raises(ModelError, match="Late: define models before"):
                await db.nodes.LateCreateNode(name="x")
        assert (await db.nodes.LateCreateNode(name="x"))["id"] == 1

    asyncio.run(main())
    assert names() == ["before", "after", "sync", "run"]


def test_a_model_defined_in_a_function_does_not_disturb_the_run(db: DataFlow, names: Names) -> None:
    def define() -> None:
        @db.model
        class Late:
            name: str

        make(db, "function")

    LocalRuntime().execute(build(db, "before", define, "after"))
    assert names() == ["before", "function", "after"]
    assert db.run_sync(db.nodes.LateListNode())["count"] == 0


# Failures of a run in a function


@pytest.mark.parametrize("error", [DatabaseBusy("busy"), TimeoutError("late"), ScopeLost("lost")], ids=repr)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_what_ends_a_transaction_is_taken_up_by_no_edge_however_deep_it_happened(
    error: Exception, depth: int, db: DataFlow, names: Names
) -> None:
    def fail() -> None:
        raise error

    def nested(function: Callable[[], None]) -> Callable[[], None]:
        return lambda: void(LocalRuntime().execute(build(db, "inner", function)))

    function: Callable[[], None] = fail
    for _ in range(depth):
        function = nested(function)
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "first", {"name": "first"})
    builder.add_node(function, "fails")
    builder.add_node("ItemCreateNode", "handler", {"name": "handled"})
    builder.add_connection("first", "fails")
    builder.add_connection("fails", "handler", condition="status == 'failed'")
    workflow = builder.build()
    with pytest.raises(WorkflowExecutionError):
        LocalRuntime().execute(workflow)
    with pytest.raises(WorkflowExecutionError):
        asyncio.run(AsyncLocalRuntime().execute(workflow))
    assert names() == []


def void(_: object) -> None:
    return None


def test_another_failure_of_a_run_in_a_function_is_taken_up(db: DataFlow, names: Names) -> None:
    def boom() -> None:
        raise ValueError("boom")

    builder = WorkflowBuilder(db)
    builder.add_node(lambda: void(LocalRuntime().execute(build(db, "inner", boom))), "fails")
    builder.add_node("ItemCreateNode", "handler", {"name": "handled"})
    builder.add_connection("fails", "handler", condition="status == 'failed'")
    LocalRuntime().execute(builder.build())
    assert names() == ["handled"]


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
