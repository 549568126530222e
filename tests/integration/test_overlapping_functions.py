"""Functions that wait for nothing of each other overlap, as far as that is allowed."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    WorkflowExecutionError,
)
from dataflow.workflow.graph import Workflow

from .running import Names, fail_async, read_names, run_sql


@pytest.fixture(params=["local", "async"])
def overlapping(request: pytest.FixtureRequest) -> Callable[[Workflow, int], dict[str, Any]]:
    def run(workflow: Workflow, concurrency: int) -> dict[str, Any]:
        if request.param == "local":
            return LocalRuntime(concurrency).execute(workflow)[0]
        return asyncio.run(AsyncLocalRuntime(concurrency).execute(workflow))[0]

    return run


Overlapping = Callable[[Workflow, int], dict[str, Any]]


def test_independent_async_functions_overlap(overlapping: Overlapping) -> None:
    """Three functions that each wait for the other two can only end if all three run at once."""
    here: set[str] = set()
    complete = asyncio.Event()

    async def meet(name: str) -> str:
        here.add(name)
        if len(here) == 3:
            complete.set()
        async with asyncio.timeout(5):
            await complete.wait()
        return name

    builder = WorkflowBuilder()
    for name in "abc":
        builder.add_node(meet, name, {"name": name})
    builder.add_node(lambda a, b, c: a + b + c, "all")
    for name in "abc":
        builder.add_connection(name, "result", "all", name)
    assert overlapping(builder.build(), 3)["all"]["result"] == "abc"


def test_no_more_overlap_than_were_allowed_and_none_by_default(overlapping: Overlapping) -> None:
    running, most = set[int](), list[int]()

    async def work(number: int) -> None:
        running.add(number)
        most.append(len(running))
        for _ in range(5):
            await asyncio.sleep(0)
        running.remove(number)

    builder = WorkflowBuilder()
    for number in range(9):
        builder.add_node(work, f"n{number}", {"number": number})
    for concurrency in (1, 2, 3, 20):
        most.clear()
        overlapping(builder.build(), concurrency)
        assert max(most) == min(concurrency, 9)


def test_dependent_functions_keep_their_order_however_many_may_overlap(overlapping: Overlapping) -> None:
    ran: list[str] = []

    async def work(name: str, x: object = None) -> str:
        ran.append(f"{name} begins")
        for _ in range(3):
            await asyncio.sleep(0)
        ran.append(f"{name} ends")
        return name

    builder = WorkflowBuilder()
    for name in "abcd":
        builder.add_node(work, name, {"name": name})
    builder.add_connection("a", "result", "b", "x")
    builder.add_connection("b", "c")
    builder.add_connection("c", "d", condition="result == 'c'")
    overlapping(builder.build(), 8)
    assert ran == [f"{name} {what}" for name in "abcd" for what in ("begins", "ends")]


def test_a_failure_among_overlapping_functions_stops_the_others_before_the_run_ends(
    overlapping: Overlapping, db: DataFlow, names: Names
) -> None:
    ended: list[str] = []
    failed = asyncio.Event()

    async def endless() -> None:
        await db.nodes.ItemCreateNode(name="endless")
        failed.set()
        try:
            await asyncio.sleep(8)
        finally:
            ended.append("endless")

    async def fail_then() -> None:
        await failed.wait()
        raise ValueError("no")

    builder = WorkflowBuilder(db)
    builder.add_node(endless, "endless")
    builder.add_node(fail_then, "boom")
    builder.add_node(lambda x, y: None, "end")
    builder.add_connection("boom", "result", "end", "x")
    builder.add_connection("endless", "result", "end", "y")
    started = time.perf_counter()
    with pytest.raises(WorkflowExecutionError) as caught:
        overlapping(builder.build(), 2)
    assert caught.value.node == "boom"
    assert time.perf_counter() - started < 4
    assert ended == ["endless"]
    assert names() == []


def test_overlapping_functions_write_into_one_transaction(
    overlapping: Overlapping, db: DataFlow, names: Names
) -> None:
    async def write(name: str) -> None:
        for number in range(5):
            await db.nodes.ItemCreateNode(name=f"{name}{number}")

    builder = WorkflowBuilder(db)
    for name in "abc":
        builder.add_node(write, name, {"name": name})
    workflow = builder.build()
    overlapping(workflow, 3)
    assert sorted(names()) == sorted(f"{name}{number}" for name in "abc" for number in range(5))
    builder.add_node(fail_async, "boom")
    for name in "abc":
        builder.add_connection(name, "boom")
    with pytest.raises(WorkflowExecutionError):
        overlapping(builder.build(), 3)
    assert len(names()) == 15


def test_overlapping_functions_that_find_no_open_connection_share_the_one_that_they_open(
    overlapping: Overlapping, make_db: Any, file: Path
) -> None:
    first = make_db()
    run_sql(first, "SELECT 1 AS one")
    first.run_sync(first.nodes.ItemListNode())
    db = make_db(auto_migrate=False, pool_timeout=1)

    async def write(name: str) -> None:
        await db.nodes.ItemCreateNode(name=name)

    builder = WorkflowBuilder(db)
    for name in "abc":
        builder.add_node(write, name, {"name": name})
    overlapping(builder.build(), 3)
    assert sorted(read_names(db)) == ["a", "b", "c"]


def test_what_succeeds_while_another_function_undoes_its_part_is_not_lost_silently(
    db: DataFlow, names: Names
) -> None:
    """A savepoint of one task must not swallow what another one, or a node, wrote meanwhile."""
    begun, written = asyncio.Event(), asyncio.Event()

    async def part_that_fails() -> None:
        try:
            async with db.transaction():
                await db.nodes.ItemCreateNode(name="gone")
                begun.set()
                await asyncio.wait_for(written.wait(), 0.5)
                raise ValueError("no")
        except ValueError:
            pass

    async def write() -> None:
        await asyncio.wait_for(begun.wait(), 5)
        await db.nodes.ItemCreateNode(name="mine")
        written.set()

    builder = WorkflowBuilder(db)
    builder.add_node("ItemCreateNode", "first", {"name": "first"})
    builder.add_node(part_that_fails, "part")
    builder.add_node(write, "write")
    try:
        results, _ = asyncio.run(AsyncLocalRuntime(concurrency=2).execute(builder.build()))
    except WorkflowExecutionError:
        assert names() == []  # said aloud: fine
    else:
        assert set(results) == {"first", "part", "write"}
        assert names() == ["first", "mine"]
