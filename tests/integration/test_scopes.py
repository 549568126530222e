"""Transactions as a workflow asks for them: scopes within a run, and runs that are not one transaction."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder, node
from dataflow.errors import (
    ConfigurationError,
    DatabaseError,
    Deadlock,
    ScopeLost,
    SerializationFailure,
    TransactionTimeout,
    ValidationError,
    WorkflowBuildError,
    WorkflowError,
    WorkflowExecutionError,
)
from dataflow.execution.scope import current_scope
from dataflow.runtime.options import TransactionMode
from dataflow.terms import Isolation
from dataflow.workflow.graph import Workflow

from .conftest import ON_MYSQL, define_item, on, stored_names

Names = Callable[[], list[str]]
MODES: tuple[TransactionMode, ...] = ("workflow", "node", "none")


class Execute:
    """Runs a workflow by one of the runtimes."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(
        self, workflow: Workflow, transaction: TransactionMode = "workflow", **given: Any
    ) -> dict[str, Any]:
        if self.kind == "local":
            return LocalRuntime(transaction=transaction).execute(workflow, given)[0]
        concurrency = 4 if self.kind == "async, overlapping" else 1
        runtime = AsyncLocalRuntime(concurrency=concurrency, transaction=transaction)
        return asyncio.run(runtime.execute(workflow, given))[0]


@pytest.fixture(params=["local", "async", "async, overlapping"])
def execute(request: pytest.FixtureRequest) -> Execute:
    return Execute(request.param)


def fail() -> None:
    raise ValueError("no")


async def fail_async() -> None:
    await asyncio.sleep(0)
    raise ValueError("no")


def make(builder: WorkflowBuilder, *ids: str) -> None:
    for id in ids:
        builder.add_node("ItemCreateNode", id, {"name": id})


def chain(builder: WorkflowBuilder, *ids: str) -> None:
    for source, target in pairwise(ids):
        builder.add_connection(source, target)


# Scopes within a run


@pytest.mark.parametrize("function", [fail, fail_async])
def test_a_scope_that_fails_is_undone_alone_where_an_edge_takes_it_up(
    execute: Execute, db: DataFlow, names: Names, function: Callable[[], object]
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before", "inside", "instead", "after")
    builder.add_node(function, "boom")
    chain(builder, "before", "scope", "inside", "boom")
    builder.add_connection("scope", "instead", condition="status == 'failed'")
    chain(builder, "before", "after")
    results = execute(builder.build())
    assert results["scope"] == {"error": "no", "error_type": "ValueError"}
    assert set(results) == {"before", "scope", "instead", "after"}
    assert sorted(names()) == ["after", "before", "instead"]


def test_a_scope_that_succeeds_belongs_to_the_run(execute: Execute, db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before", "inside", "instead", "after")
    chain(builder, "before", "scope", "inside")
    builder.add_connection("scope", "instead", condition="status == 'failed'")
    chain(builder, "inside", "after")
    chain(builder, "before", "after")
    assert set(execute(builder.build())) == {"before", "scope", "inside", "after"}
    builder.add_node(fail, "boom")
    chain(builder, "after", "boom")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(builder.build())
    assert caught.value.rolled_back == ("before", "inside", "after")
    assert names() == ["before", "inside", "after"]


def test_a_failure_that_no_edge_takes_up_fails_the_run(execute: Execute, db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before", "inside")
    builder.add_node(fail, "boom")
    chain(builder, "before", "scope", "inside", "boom")
    with pytest.raises(WorkflowExecutionError, match="node 'boom' failed"):
        execute(builder.build())
    assert names() == []


def test_scopes_are_within_scopes(execute: Execute, db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "outer")
    builder.add_node("TransactionContextNode", "inner")
    make(builder, "first", "second", "third", "instead")
    builder.add_node(fail, "boom")
    chain(builder, "outer", "first", "inner", "second", "boom")
    builder.add_connection("inner", "instead", condition="status == 'failed'")
    chain(builder, "first", "third")
    results = execute(builder.build())
    assert set(results) == {"outer", "first", "inner", "instead", "third"}
    assert names() == ["first", "third", "instead"]


def test_what_others_would_have_taken_from_a_scope_that_failed_is_not_there(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "start", "inside", "instead")
    builder.add_node(fail, "boom")
    builder.add_node("ItemUpdateNode", "change", {"name": "changed"})
    chain(builder, "start", "scope", "inside", "boom")
    builder.add_connection("scope", "instead", condition="status == 'failed'")
    # It is reached from outside of the scope too, and so not a part of it.
    builder.add_connection("inside", "change", "id")
    chain(builder, "start", "change")
    assert set(execute(builder.build())) == {"start", "scope", "instead"}
    assert names() == ["start", "instead"]


def test_the_nodes_of_a_scope_stay_together_in_the_order(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "a", "b", "c", "d")
    chain(builder, "scope", "a", "c")
    chain(builder, "d", "scope")
    assert [step.id for step in builder.build()] == ["b", "d", "scope", "a", "c"]


def test_the_time_of_a_scope_is_its_own(execute: Execute, db: DataFlow, names: Names) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", {"timeout": 0.1})
    make(builder, "before", "inside", "instead")
    builder.add_node(never, "never")
    chain(builder, "before", "scope", "inside", "never")
    builder.add_connection("scope", "instead", condition="status == 'failed'")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(builder.build())
    assert isinstance(caught.value.cause, TransactionTimeout)
    assert names() == []


def test_a_scope_that_only_reads_is_one_in_a_run_that_writes(
    execute: Execute, db: DataFlow, names: Names
) -> None:
    def write() -> None:
        db.run_sync(db.nodes.ItemCreateNode(name="hidden"))

    def built(*, hidden: bool) -> Workflow:
        builder = WorkflowBuilder(db)
        builder.add_node("TransactionContextNode", "scope", {"read_only": True})
        make(builder, "before", "after")
        builder.add_node("ItemListNode", "inside")
        chain(builder, "before", "scope", "inside")
        if hidden:
            builder.add_node(write, "write")
            chain(builder, "inside", "write")
        return builder.build()

    assert execute(built(hidden=False))["inside"]["count"] == 1
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(built(hidden=True))
    assert isinstance(caught.value.cause, ValidationError)
    assert sorted(names()) == ["after", "before"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"isolation_level": "SERIALIZABLE"}, "before the transaction has begun"),
        ({"retries": 2}, "only a whole transaction"),
    ],
)
def test_terms_of_a_whole_transaction_are_refused_within_one(
    execute: Execute, db: DataFlow, names: Names, parameters: dict[str, Any], message: str
) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", parameters)
    make(builder, "before", "inside")
    chain(builder, "before", "scope", "inside")
    with pytest.raises(WorkflowExecutionError, match=message) as caught:
        execute(builder.build())
    assert caught.value.node == "scope"
    assert names() == []
    assert len(execute(builder.build(), "node")) == 3


# What is wrong is told when a workflow is built


def test_a_scope_without_nodes_is_refused(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before")
    chain(builder, "before", "scope")
    with pytest.raises(WorkflowBuildError, match="'scope': no node is reached only through it"):
        builder.build()


def test_two_nodes_cannot_configure_a_run(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "one")
    builder.add_node("TransactionContextNode", "two")
    make(builder, "make")
    with pytest.raises(WorkflowBuildError, match="'one' and 'two' both configure the run"):
        builder.build()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"isolation_level": "SERIALISABLE"}, "isolation_level: .* did you mean 'SERIALIZABLE'"),
        ({"isolation_level": 3}, "isolation_level: "),
        ({"isolation": "SERIALIZABLE"}, "did you mean 'isolation_level'"),
        ({"timeout": 0}, "timeout: expected a number of seconds"),
        ({"timeout": True}, "timeout: "),
        ({"timeout": float("nan")}, "timeout: "),
        ({"timeout": "30"}, "timeout: "),
        ({"read_only": 1}, "read_only: expected True or False"),
        ({"retries": -1}, "retries: expected a whole number"),
        ({"retries": 1.0}, "retries: "),
    ],
)
def test_terms_that_make_no_sense_are_refused(db: DataFlow, parameters: dict[str, Any], message: str) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", parameters)
    make(builder, "make")
    with pytest.raises(WorkflowBuildError, match=message):
        builder.build()


def test_a_mode_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'node'"):
        LocalRuntime(transaction="nodes")  # type: ignore[arg-type]


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
        execute(builder.build(), mode)
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
    assert set(execute(builder.build(), mode)) == {"first", "boom", "instead"}
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
    assert set(execute(builder.build(), mode)) == {"first", "scope", "instead", "last"}
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
    results = execute(builder.build(), mode)
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
        execute(builder.build())
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
        execute(builder.build())
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
        execute(built({"name": name} for name in ["a", "b"]))
    assert names() == []
    calls.clear()
    execute(built([{"name": name} for name in ["a", "b"]]))
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
        execute(builder.build())
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
            execute(builder.build())
        assert caught.value.node == "late"
        assert isinstance(caught.value.cause, TransactionTimeout)
        assert stored_names(db) == []


# What must not go wrong


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
    assert set(execute(builder.build())) == {"before", "scope", "instead"}
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
    execute(builder.build())
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
    builder.add_node("TransactionContextNode", "terms", {"timeout": 0.05})
    make(builder, "first")
    builder.add_node(slow, "slow")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute(builder.build())
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
        execute(builder.build())
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
        execute(builder.build(), mode)
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
        execute(builder.build(), "node")
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
        execute(builder.build(), "node")
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
    execute(builder.build())
    for mode in MODES:
        with pytest.raises(WorkflowExecutionError, match="read-only"):
            execute(workflow, mode)
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
        execute(builder.build())
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
            execute(builder.build())
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
    execute(builder.build(), sql={"sql": "UPDATE items SET name = 'b'"})
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


# Drawings and explanations


def test_a_scope_is_drawn_and_explained(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before", "inside")
    chain(builder, "before", "scope", "inside")
    workflow = builder.build()
    drawn = workflow.to_mermaid()
    assert 'subgraph n2s["scope"]' in drawn
    assert drawn.index("subgraph") < drawn.index('"inside') < drawn.index("    end")
    explained = workflow.explain().nodes
    assert [one.id for one in explained] == ["before", "scope", "inside"]
    assert explained[1].note == "a scope: inside"


def test_the_terms_of_a_run_are_explained(db: DataFlow) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope", {"isolation_level": "SERIALIZABLE"})
    make(builder, "a", "b")
    dialect = db.databases()["primary"].dialect
    assert dialect.name == "sqlite" or "SERIALIZABLE" in builder.build().explain().transaction
