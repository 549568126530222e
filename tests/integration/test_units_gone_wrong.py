"""Units of work whose time is over, that fail, or that are hidden from the run: nothing is half done."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder, node
from dataflow.errors import (
    DatabaseError,
    Deadlock,
    ScopeLost,
    TransactionTimeout,
    WorkflowExecutionError,
)
from dataflow.execution.scope import current_scope
from dataflow.runtime.options import TransactionMode
from dataflow.terms import Isolation

from .conftest import ON_MYSQL, define_item, on, stored_names
from .running import MODES, Execute, Names, chain, fail, make


def test_a_node_that_waits_for_a_scope_does_not_run_after_its_failure(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before", "instead")
    builder.add_node(fail, "boom")
    builder.add_node("ItemUpdateNode", "ship", {"name": "shipped"})
    chain(builder, "before", "scope", "boom")
    chain(builder, "scope", "ship")
    builder.add_connection("before", "id", "ship", "id")
    builder.add_connection("scope", "instead", condition="status == 'failed'")
    assert set(execute.results(builder.build())) == {"before", "scope", "instead"}
    assert names() == ["before", "instead"]


def test_a_run_within_that_took_too_long_is_undone_though_its_error_is_caught(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    inside = WorkflowBuilder(db)
    inside.add_node("TransactionContextNode", "terms", {"timeout": 0.05})
    make(inside, "x")
    inside.add_node(lambda: threading.Event().wait(0.2), "slow")
    make(inside, "y")
    chain(inside, "x", "slow", "y")
    workflow = inside.build()

    def nested() -> None:
        with pytest.raises(WorkflowExecutionError, match="took longer"):
            LocalRuntime().execute(workflow)
        db.run_sync(db.nodes.ItemCreateNode(name="still alive"))

    builder = WorkflowBuilder(db)
    make(builder, "first")
    builder.add_node(nested, "nested")
    chain(builder, "first", "nested")
    execute.results(builder.build())
    assert names() == ["first", "still alive"]


def test_nothing_begins_anew_in_a_function_whose_run_is_over(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    refused: list[BaseException] = []
    single = WorkflowBuilder(db)
    make(single, "late", "later")
    workflow = single.build()

    def slow() -> None:
        own = current_scope.get()
        while own is not None and not own.cancelled:
            threading.Event().wait(0.01)
        for attempt in (
            lambda: LocalRuntime().execute(workflow),
            lambda: db.run_sync(db.nodes.ItemCreateNode(name="late")),
            lambda: list(db.stream("ItemListNode")),
        ):
            try:
                attempt()
            except Exception as error:
                refused.append(error)

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "terms", {"timeout": 0.3})
    make(builder, "first")
    builder.add_node(slow, "slow")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute.results(builder.build())
    assert isinstance(caught.value.cause, TransactionTimeout)
    assert [type(error).__name__ for error in refused] == ["TransactionClosed"] * 3
    assert names() == []


def test_a_scope_that_ends_too_late_has_failed(execute: Execute, db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", {"timeout": 0.05})
    make(builder, "before", "inside")
    builder.add_node(lambda: threading.Event().wait(0.2), "slow")
    chain(builder, "before", "scope", "inside", "slow")
    with pytest.raises(WorkflowExecutionError, match="took longer"):
        execute.results(builder.build())
    assert names() == []


@pytest.mark.parametrize("mode", ["workflow", "none"])
def test_what_a_function_has_committed_is_not_done_twice(
    execute: Execute, db: DataFlow, names: Names, mode: TransactionMode
) -> None:
    @node(repeatable=True)
    def write() -> None:
        db.run_sync(db.nodes.ItemCreateNode(name="once"))
        if mode == "none":
            raise Deadlock("bad luck")

    @node(repeatable=True, outside=True)
    def outside() -> None:
        pass

    @node(repeatable=True)
    def unlucky() -> None:
        raise Deadlock("bad luck")

    builder = WorkflowBuilder(db)
    builder.add_node(write, "write")
    builder.add_node(outside, "outside")
    builder.add_node(unlucky, "unlucky")
    make(builder, "never")
    chain(builder, "write", "outside", "unlucky", "never")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute.results(builder.build(), mode)
    assert "nothing of it was kept" not in str(caught.value) or mode == "none"
    assert names() == ["once"]


def test_what_a_step_has_read_up_is_not_read_again(execute: Execute, db: DataFlow, names: Names) -> None:
    def rows() -> dict[str, Any]:
        return {"data": iter([{"name": "a"}, {"name": "b"}])}

    unlucky = Deadlock("bad luck")

    def report(progress: object) -> None:
        raise unlucky

    builder = WorkflowBuilder(db)
    builder.add_node(rows, "rows")
    builder.add_node("ItemBulkCreateNode", "many", {"batch_size": 1, "progress": report})
    builder.add_connection("rows", "data", "many", "data")
    with pytest.raises(WorkflowExecutionError):
        execute.results(builder.build(), "node")
    assert names() == []


def test_each_unit_of_work_is_repeated_whatever_came_before(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    calls: list[int] = []

    @node(repeatable=True)
    def unlucky() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise Deadlock("bad luck")

    builder = WorkflowBuilder(db)
    make(builder, "first")
    builder.add_node(unlucky, "unlucky")
    builder.add_node(fail, "boom")
    chain(builder, "first", "unlucky", "boom")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute.results(builder.build(), "node")
    assert len(calls) == 2
    assert caught.value.node == "boom"
    assert caught.value.kept == ("first",)


def test_a_level_is_never_lowered(db: DataFlow) -> None:
    async def main() -> Isolation | None:
        async with db.transaction(isolation_level="SERIALIZABLE") as outer:
            async with db.transaction(isolation_level="READ_COMMITTED"):
                await db.nodes.ItemCreateNode(name="a")
            assert outer._scope is not None
            return outer._scope.terms.isolation

    assert asyncio.run(main()) is Isolation.SERIALIZABLE


def test_a_run_within_that_only_reads_holds_its_functions_to_it(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    inside = WorkflowBuilder(db)
    inside.add_node("TransactionContextNode", "terms", {"read_only": True})
    inside.add_node(lambda: db.run_sync(db.nodes.ItemCreateNode(name="hidden")) and None, "write")
    workflow = inside.build()

    def nested() -> None:
        with pytest.raises(WorkflowExecutionError, match="read-only"):
            LocalRuntime().execute(workflow)

    builder = WorkflowBuilder(db)
    make(builder, "first")
    builder.add_node(nested, "nested")
    execute.results(builder.build())
    for mode in MODES:
        with pytest.raises(WorkflowExecutionError, match="read-only"):
            execute.results(workflow, mode)
    assert names() == ["first"]


def test_a_function_that_failed_long_ago_does_not_count_as_idle(execute: Execute, url: str) -> None:
    with DataFlow(url, transaction_idle_timeout=0.1) as db:
        define_item(db)
        builder = WorkflowBuilder(db)
        make(builder, "first", "instead", "third")
        builder.add_node(fail, "boom")
        builder.add_node("ItemBulkCreateNode", "slow", {"data": slow_rows()})
        builder.add_node(lambda: None, "last")
        chain(builder, "first", "boom")
        builder.add_connection("boom", "instead", condition="status == 'failed'")
        builder.add_connection("last", "third", condition="status == 'failed'")
        chain(builder, "instead", "slow", "last")
        execute.results(builder.build())
        assert stored_names(db) == ["first", "instead", "slow"]


def slow_rows() -> Iterator[dict[str, str]]:
    threading.Event().wait(0.3)
    yield {"name": "slow"}


def test_a_transaction_that_idled_too_long_stays_over_though_its_error_is_caught(
    execute: Execute, url: str
) -> None:
    with DataFlow(url, transaction_idle_timeout=0.05) as db:
        define_item(db)

        def stubborn() -> None:
            threading.Event().wait(0.2)
            with pytest.raises(TransactionTimeout):
                db.run_sync(db.nodes.ItemListNode())

        builder = WorkflowBuilder(db)
        make(builder, "make")
        builder.add_node(stubborn, "stubborn")
        chain(builder, "make", "stubborn")
        with pytest.raises(WorkflowExecutionError):
            execute.results(builder.build())
        assert stored_names(db) == []


def test_a_transaction_whose_time_was_over_is_not_committed_by_who_swallows_that(
    db: DataFlow, names: Names
) -> None:
    async def main() -> None:
        async with db.transaction(timeout=0.05):
            await db.nodes.ItemCreateNode(name="a")
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    with pytest.raises(TransactionTimeout):
        asyncio.run(main())
    assert names() == []


def test_functions_of_a_scope_overlap_as_others_do(db: DataFlow) -> None:
    both = asyncio.Barrier(2)

    async def meet() -> None:
        async with asyncio.timeout(5):
            await both.wait()

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before")
    chain(builder, "before", "scope")
    for id in ("one", "two"):
        builder.add_node(meet, id)
        chain(builder, "scope", id)
    assert set(asyncio.run(AsyncLocalRuntime(concurrency=2).execute(builder.build()))[0]) >= {"one", "two"}


def test_sql_that_a_run_is_given_alone_may_write(execute: Execute, db: DataFlow, names: Names) -> None:
    db.run_sync(db.nodes.ItemCreateNode(name="a"))
    builder = WorkflowBuilder(db)
    builder.add_node("SQLNode", "sql", {"sql": "SELECT 1 AS one"})
    execute.results(builder.build(), sql={"sql": "UPDATE items SET name = 'b'"})
    assert names() == ["b"]


@on(ON_MYSQL)  # PostgreSQL undoes the one call, and its transaction goes on
def test_a_deadlock_that_is_swallowed_does_not_look_like_success(db: DataFlow, names: Names) -> None:
    async def main() -> list[type[BaseException] | None]:
        first, second = [(await db.nodes.ItemCreateNode(name=name))["id"] for name in ("one", "two")]
        locked = asyncio.Barrier(2)

        async def cross(own: int, other: int) -> type[BaseException] | None:
            met: type[BaseException] | None = None
            try:
                async with db.transaction():
                    await db.nodes.ItemBulkUpdateNode(filter={"id": own}, update={"amount": own})
                    await db.nodes.ItemCreateNode(name=f"by {own}")
                    await locked.wait()
                    try:
                        await db.nodes.ItemBulkUpdateNode(filter={"id": other}, update={"amount": own})
                    except Deadlock:
                        met = Deadlock
                        with suppress(DatabaseError):
                            await db.nodes.ItemCreateNode(name="after")
            except ScopeLost:
                return ScopeLost
            return met

        return [*await asyncio.gather(cross(first, second), cross(second, first))]

    ends = asyncio.run(main())
    assert sorted(map(str, ends)) == sorted([str(None), str(ScopeLost)])
    winner = "by 1" if ends[0] is None else "by 2"
    assert sorted(names()) == sorted(["one", "two", winner])
