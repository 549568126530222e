"""Runs that are not one transaction, runs that are repeated, and functions outside of the transaction."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, WorkflowBuilder, node
from dataflow.errors import (
    Deadlock,
    SerializationFailure,
    TransactionTimeout,
    WorkflowBuildError,
    WorkflowError,
    WorkflowExecutionError,
)
from dataflow.runtime.options import TransactionMode
from dataflow.workflow.graph import Workflow

from .conftest import define_item, stored_names
from .running import MODES, Execute, Names, chain, fail, fail_async, make

# Runs that are not one transaction


@pytest.mark.parametrize("mode", MODES)
def test_what_a_failure_leaves_behind(
    execute: Execute, db: DataFlow, names: Names, mode: TransactionMode
) -> None:
    def write_and_fail() -> None:
        db.run_sync(db.nodes.ItemCreateNode(name="called"))
        raise ValueError("no")

    builder = WorkflowBuilder(db)
    make(builder, "first")
    builder.add_node(write_and_fail, "boom")
    chain(builder, "first", "boom")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute.results(builder.build(), mode)
    left = {"workflow": [], "node": ["first"], "none": ["first", "called"]}
    assert names() == left[mode]
    assert caught.value.rolled_back == (("first",) if mode == "workflow" else ())
    assert caught.value.kept == (() if mode == "workflow" else ("first",))
    assert ("kept: first" in str(caught.value)) is (mode != "workflow")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("function", [fail, fail_async])
def test_an_edge_takes_up_a_failure_in_each_mode(
    execute: Execute, db: DataFlow, names: Names, mode: TransactionMode, function: Callable[[], object]
) -> None:
    builder = WorkflowBuilder(db)
    make(builder, "first", "instead", "never")
    builder.add_node(function, "boom")
    chain(builder, "first", "boom", "never")
    builder.add_connection("boom", "instead", condition="status == 'failed'")
    assert set(execute.results(builder.build(), mode)) == {"first", "boom", "instead"}
    assert names() == ["first", "instead"]


@pytest.mark.parametrize("mode", ["node", "none"])
def test_a_scope_is_a_transaction_of_its_own_where_the_run_is_none(
    execute: Execute, db: DataFlow, names: Names, mode: TransactionMode
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", {"isolation_level": "SERIALIZABLE", "retries": 1})
    make(builder, "first", "inside", "instead", "last")
    builder.add_node(fail, "boom")
    chain(builder, "first", "scope", "inside", "boom")
    builder.add_connection("scope", "instead", condition="status == 'failed'")
    chain(builder, "instead", "last")
    assert set(execute.results(builder.build(), mode)) == {"first", "scope", "instead", "last"}
    assert names() == ["first", "instead", "last"]


@pytest.mark.parametrize("mode", ["node", "none"])
def test_no_transaction_is_committed_within_another(
    execute: Execute, db: DataFlow, names: Names, mode: TransactionMode
) -> None:
    builder = WorkflowBuilder(db)
    make(builder, "a", "b")
    workflow = builder.build()

    async def main() -> None:
        async with db.transaction():
            with pytest.raises(WorkflowError, match="inside a transaction that is open"):
                await AsyncLocalRuntime(transaction=mode).execute(workflow)

    asyncio.run(main())
    assert names() == []


# Running again


@pytest.mark.parametrize("mode", ["workflow", "node"])
@pytest.mark.parametrize("passing", [SerializationFailure, Deadlock])
def test_a_run_that_others_came_in_between_is_run_again_as_a_whole(
    execute: Execute, db: DataFlow, names: Names, passing: type[Exception], mode: TransactionMode
) -> None:
    calls: list[list[str]] = []

    @node(repeatable=True)
    def unlucky() -> None:
        calls.append([row["name"] for row in db.run_sync(db.nodes.ItemListNode())["records"]])
        if len(calls) < 3:
            raise passing("bad luck")

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "make")
    builder.add_node(unlucky, "unlucky")
    chain(builder, "scope", "make", "unlucky")
    results = execute.results(builder.build(), mode)
    assert results["retries"] == 2
    assert set(results) == {"scope", "make", "unlucky"}
    # Each attempt has undone what it did before the next one.
    assert calls == [["make"]] * 3
    assert names() == ["make"]


def test_a_run_is_not_repeated_more_often_than_it_may(execute: Execute, db: DataFlow) -> None:
    calls: list[int] = []

    @node(repeatable=True)
    def unlucky() -> None:
        calls.append(1)
        raise Deadlock("bad luck")

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", {"retries": 2})
    builder.add_node(unlucky, "unlucky")
    make(builder, "make")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute.results(builder.build())
    assert len(calls) == 3
    assert caught.value.__notes__ == ["It was run 3 times."]


def test_what_must_not_be_done_twice_is_not(execute: Execute, db: DataFlow) -> None:
    calls: list[int] = []

    def unlucky() -> None:
        calls.append(1)
        raise Deadlock("bad luck")

    builder = WorkflowBuilder(db)
    builder.add_node(unlucky, "unlucky")
    with pytest.raises(WorkflowExecutionError):
        execute.results(builder.build())
    assert calls == [1]


def test_a_generator_that_was_read_is_not_read_again(execute: Execute, db: DataFlow, names: Names) -> None:
    calls: list[int] = []

    @node(repeatable=True)
    def unlucky() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Deadlock("bad luck")

    def built(data: object) -> Workflow:
        builder = WorkflowBuilder(db)
        builder.add_node("ItemBulkCreateNode", "many", {"data": data})
        builder.add_node(unlucky, "unlucky")
        chain(builder, "many", "unlucky")
        return builder.build()

    with pytest.raises(WorkflowExecutionError):
        execute.results(built({"name": name} for name in ["a", "b"]))
    assert names() == []
    calls.clear()
    execute.results(built([{"name": name} for name in ["a", "b"]]))
    assert names() == ["a", "b"]
    assert len(calls) == 2


# Functions outside of the transaction, and transactions that wait for one


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_function_outside_finds_what_was_committed_and_no_connection_held(
    execute: Execute, db: DataFlow, names: Names, kind: str
) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.append((names(), db.databases()["primary"].pool.in_use))
        db.run_sync(db.nodes.ItemCreateNode(name="by itself"))

    async def look_async() -> None:
        rows = await db.nodes.ItemListNode(order_by=["id"])
        seen.append(([row["name"] for row in rows["records"]], db.databases()["primary"].pool.in_use))
        await db.nodes.ItemCreateNode(name="by itself")

    builder = WorkflowBuilder(db)
    make(builder, "before", "after")
    builder.add_node(node(outside=True)(look if kind == "plain" else look_async), "look")
    builder.add_node(fail, "boom")
    chain(builder, "before", "look", "after", "boom")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute.results(builder.build())
    assert seen == [(["before"], 0)]
    assert names() == ["before", "by itself"]
    assert caught.value.kept == ("before",)
    assert caught.value.rolled_back == ("after",)
    assert caught.value.committed == ()


def test_a_function_cannot_be_outside_of_what_cannot_be_committed(db: DataFlow) -> None:
    @node(outside=True)
    def outside() -> None:
        pass

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before", "instead")
    builder.add_node(outside, "inside")
    builder.add_node(outside, "handled")
    chain(builder, "before", "scope", "inside")
    builder.add_connection("handled", "instead", condition="status == 'failed'")
    with pytest.raises(WorkflowBuildError) as caught:
        builder.build()
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "node 'inside'",
        "node 'handled'",
    ]
    single = WorkflowBuilder(db)
    make(single, "make")
    single.add_node(outside, "outside")
    chain(single, "make", "outside")
    workflow = single.build()

    async def main() -> None:
        async with db.transaction():
            with pytest.raises(WorkflowExecutionError, match="none of them can be committed"):
                await AsyncLocalRuntime().execute(workflow)

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["plain", "async", "calling"])
def test_a_transaction_that_waits_for_a_function_for_too_long_is_over(
    execute: Execute, url: str, kind: str
) -> None:
    with DataFlow(url, transaction_idle_timeout=0.05) as db:
        define_item(db)

        def wait() -> None:
            threading.Event().wait(0.1)

        async def wait_async() -> None:
            await asyncio.sleep(0.1)

        def wait_and_call() -> None:
            wait()
            db.run_sync(db.nodes.ItemListNode())

        function = {"plain": wait, "async": wait_async, "calling": wait_and_call}[kind]
        builder = WorkflowBuilder(db)
        builder.add_node(function, "early")
        make(builder, "make")
        builder.add_node(function, "late")
        chain(builder, "early", "make", "late")
        with pytest.raises(WorkflowExecutionError, match=r"outside=True") as caught:
            execute.results(builder.build())
        assert caught.value.node == "late"
        assert isinstance(caught.value.cause, TransactionTimeout)
        assert stored_names(db) == []
