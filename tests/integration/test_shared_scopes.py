"""Several at work in one transaction: who has the turn keeps it, and what comes too late writes nothing."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    DatabaseBusy,
    ModelError,
    ScopeLost,
    TransactionClosed,
    WorkflowExecutionError,
)
from dataflow.workflow.graph import Workflow

from .running import Names, in_use

PATIENCE = 10


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
