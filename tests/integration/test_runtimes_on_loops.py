"""LocalRuntime, which blocks, and functions that need an event loop."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    WorkflowError,
    WorkflowExecutionError,
)

from .running import Names, fail, fail_async


def test_local_runtime_runs_async_nodes_from_a_script_a_thread_and_a_loop() -> None:
    loops: set[int] = set()

    async def note() -> int:
        loops.add(id(asyncio.get_running_loop()))
        await asyncio.sleep(0)
        return 1

    builder = WorkflowBuilder()
    builder.add_node(note, "note")
    workflow = builder.build()
    results, _ = LocalRuntime().execute(workflow)
    assert results["note"]["result"] == 1

    async def in_a_loop() -> None:
        mine = id(asyncio.get_running_loop())
        loops.clear()
        LocalRuntime().execute(workflow)
        assert mine not in loops

    asyncio.run(in_a_loop())
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: LocalRuntime().execute(workflow), range(40)))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("dataflow")]


def test_local_runtime_works_in_a_running_loop(db: DataFlow, names: Names) -> None:
    """As in a notebook: with and without async nodes, ending well and failing."""

    async def write() -> None:
        await db.nodes.ItemCreateNode(name="async")

    async def main() -> None:
        for function in (lambda: db.run_sync(db.nodes.ItemCreateNode(name="sync")), write):
            builder = WorkflowBuilder(db)
            builder.add_node("ItemCreateNode", "one", {"name": "a"})
            builder.add_node(function, "function")
            LocalRuntime().execute(builder.build())
            builder.add_node(fail, "boom")
            builder.add_connection("function", "boom")
            with pytest.raises(WorkflowExecutionError):
                LocalRuntime().execute(builder.build())

    asyncio.run(main())
    assert names() == ["a", "sync", "a", "async"]


@pytest.mark.parametrize("is_async", [False, True])
def test_local_runtime_with_async_nodes_in_a_function_of_a_run_belongs_to_it(
    db: DataFlow, names: Names, is_async: bool
) -> None:
    async def wait() -> None:
        await db.nodes.ItemCreateNode(name="inner")

    inner = WorkflowBuilder()
    inner.add_node(wait, "wait")
    workflow = inner.build()

    def fail() -> None:
        LocalRuntime().execute(workflow)
        raise ValueError("enough")

    for function in (lambda: LocalRuntime().execute(workflow), fail):
        outer = WorkflowBuilder(db)
        outer.add_node("ItemCreateNode", "first", {"name": "outer"})
        outer.add_node(function, "outer")
        outer.add_connection("first", "outer")
        with suppress(WorkflowExecutionError):
            if is_async:
                asyncio.run(AsyncLocalRuntime().execute(outer.build()))
            else:
                LocalRuntime().execute(outer.build())
        assert names() == ["outer", "inner"]


def test_local_runtime_with_async_nodes_on_the_loop_that_it_needs_says_what_to_do(db: DataFlow) -> None:
    async def wait() -> None:
        await asyncio.sleep(0)

    inner = WorkflowBuilder()
    inner.add_node(wait, "wait")
    workflow = inner.build()

    async def main() -> None:
        async with db.transaction():
            with pytest.raises(WorkflowError, match="AsyncLocalRuntime"):
                LocalRuntime().execute(workflow)

    asyncio.run(main())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_exit_from_an_async_function_arrives_and_leaves_the_runtime_usable(
    error: type[BaseException], db: DataFlow, names: Names
) -> None:
    async def leave() -> None:
        await db.nodes.ItemCreateNode(name="gone")
        raise error

    builder = WorkflowBuilder(db)
    builder.add_node(leave, "leave")
    with pytest.raises(error):
        LocalRuntime().execute(builder.build())
    builder = WorkflowBuilder(db)
    builder.add_node(fail_async, "fail")
    with pytest.raises(WorkflowExecutionError):
        LocalRuntime().execute(builder.build())
    assert names() == []
