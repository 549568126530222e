"""Calls and runs in the functions of a run are a part of it."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    TransactionClosed,
    WorkflowExecutionError,
)
from dataflow.workflow.graph import Workflow

from .running import Execute, Names, fail, fail_async, read_names


def test_calls_in_a_function_see_what_the_run_wrote_and_end_with_it(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    seen: list[list[str]] = []

    def inside() -> None:
        seen.append(read_names(db))
        db.run_sync(db.nodes.ItemCreateNode(name="inside"))

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    builder.add_node(lambda: seen.append(read_names(db)), "after")
    execute(builder.build())
    assert seen == [["a"], ["a", "inside"]]
    builder.add_node(fail, "boom")
    with pytest.raises(WorkflowExecutionError):
        execute(builder.build())
    assert names() == ["a", "inside"]


def test_calls_in_an_async_function_join_the_run(execute: Execute, db: DataFlow, names: Names) -> None:
    seen: list[int] = []

    async def inside() -> None:
        seen.append((await db.nodes.ItemListNode())["count"])
        await db.nodes.ItemCreateNode(name="inside")
        async with db.transaction():
            await db.nodes.ItemCreateNode(name="deeper")

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    workflow = builder.build()
    builder.add_node(fail_async, "boom")
    builder.add_connection("inside", "boom")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(builder.build())
    assert caught.value.node == "boom"
    assert names() == []
    execute(workflow)
    assert seen == [1, 1]
    assert names() == ["a", "inside", "deeper"]


def nested(db: DataFlow, *, failing: bool) -> Workflow:
    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "inner", {"name": "inner"})
    if failing:
        builder.add_node(fail, "boom")
    return builder.build()


@pytest.mark.parametrize("caught", [True, False])
@pytest.mark.parametrize("failing", [True, False])
def test_a_run_in_a_function_is_a_part_of_the_run(
    failing: bool, caught: bool, execute: Execute, db: DataFlow, names: Names
) -> None:
    inner = nested(db, failing=failing)

    def inside() -> int:
        try:
            results, _ = LocalRuntime().execute(inner)
            return len(results)
        except WorkflowExecutionError as error:
            assert error.rolled_back == ("inner",)  # noqa: PT017
            assert error.node == "boom"  # noqa: PT017
            if not caught:
                raise
            return 0

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    builder.add_node("ItemCreateNode", "two", {"name": "b"})
    if failing and not caught:
        with pytest.raises(WorkflowExecutionError) as failure:
            execute(builder.build())
        assert failure.value.node == "inside"
        assert names() == []
    else:
        results, _ = execute(builder.build())
        assert results["inside"]["result"] == (0 if failing else 1)
        assert names() == (["a", "b"] if failing else ["a", "inner", "b"])


@pytest.mark.parametrize("caught", [True, False])
@pytest.mark.parametrize("concurrency", [1, 2])
def test_an_async_run_in_an_async_function_is_a_part_of_the_run(
    concurrency: int, caught: bool, db: DataFlow, names: Names
) -> None:
    inner = nested(db, failing=True)

    async def inside() -> None:
        try:
            await AsyncLocalRuntime(concurrency).execute(inner)
        except WorkflowExecutionError:
            if not caught:
                raise

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    workflow = builder.build()
    if caught:
        LocalRuntime(concurrency).execute(workflow)
    else:
        with pytest.raises(WorkflowExecutionError):
            LocalRuntime(concurrency).execute(workflow)
    assert names() == (["a"] if caught else [])


def test_an_outer_failure_takes_the_inner_runs_with_it(execute: Execute, db: DataFlow, names: Names) -> None:
    inner = nested(db, failing=False)

    def inside() -> None:
        LocalRuntime().execute(inner)
        LocalRuntime().execute(inner)

    builder = WorkflowBuilder(db)
    builder.add_node(inside, "inside")
    builder.add_node(fail, "boom")
    with pytest.raises(WorkflowExecutionError):
        execute(builder.build())
    assert names() == []


def test_runs_nest_deeply(execute: Execute, db: DataFlow, names: Names) -> None:
    def descend(depth: int) -> None:
        db.run_sync(db.nodes.ItemCreateNode(name=str(depth)))
        if depth == 20:
            raise ValueError("bottom")
        builder = WorkflowBuilder(db)
        builder.add_node(descend, "deeper", {"depth": depth + 1})
        try:
            LocalRuntime().execute(builder.build())
        except WorkflowExecutionError:
            if depth > 10:
                raise

    builder = WorkflowBuilder(db)
    builder.add_node(descend, "descend", {"depth": 0})
    execute(builder.build())
    assert names() == [str(depth) for depth in range(11)]


def test_a_thread_of_a_functions_own_does_not_join(file_db: DataFlow, file: Path) -> None:
    """A thread starts with an empty context: it is somebody else, and sees only what was committed."""
    seen: list[int] = []

    def inside() -> None:
        thread = threading.Thread(target=lambda: seen.append(len(read_names(file_db))))
        thread.start()
        thread.join()

    builder = WorkflowBuilder(file_db)
    builder.add_node("ItemCreateNode", "one", {"name": "a"})
    builder.add_node(inside, "inside")
    LocalRuntime().execute(builder.build())
    assert seen == [0]


def test_a_task_that_outlives_the_run_cannot_use_its_transaction(db: DataFlow, names: Names) -> None:
    async def main() -> None:
        over = asyncio.Event()
        tasks: list[asyncio.Task[dict[str, Any]]] = []

        async def late() -> dict[str, Any]:
            await over.wait()
            return await db.nodes.ItemCreateNode(name="late")

        async def inside() -> None:
            tasks.append(asyncio.create_task(late()))

        builder = WorkflowBuilder(db)
        builder.add_node("ItemCreateNode", "one", {"name": "a"})
        builder.add_node(inside, "inside")
        await AsyncLocalRuntime().execute(builder.build())
        over.set()
        with pytest.raises(TransactionClosed):
            await tasks[0]

    asyncio.run(main())
    assert names() == ["a"]
