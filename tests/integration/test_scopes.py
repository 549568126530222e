"""Scopes within a run, as a workflow asks for them: what stays, what is refused, how it is drawn."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import (
    ConfigurationError,
    TransactionTimeout,
    ValidationError,
    WorkflowBuildError,
    WorkflowExecutionError,
)
from dataflow.workflow.graph import Workflow

from .running import Execute, Names, chain, fail, fail_async, make

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
    results = execute.results(builder.build())
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
    assert set(execute.results(builder.build())) == {"before", "scope", "inside", "after"}
    builder.add_node(fail, "boom")
    chain(builder, "after", "boom")
    with pytest.raises(WorkflowExecutionError) as caught:
        execute.results(builder.build())
    assert caught.value.rolled_back == ("before", "inside", "after")
    assert names() == ["before", "inside", "after"]


def test_a_failure_that_no_edge_takes_up_fails_the_run(execute: Execute, db: DataFlow, names: Names) -> None:
    builder = WorkflowBuilder(db)
    builder.add_node("TransactionContextNode", "scope")
    make(builder, "before", "inside")
    builder.add_node(fail, "boom")
    chain(builder, "before", "scope", "inside", "boom")
    with pytest.raises(WorkflowExecutionError, match="node 'boom' failed"):
        execute.results(builder.build())
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
    results = execute.results(builder.build())
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
    assert set(execute.results(builder.build())) == {"start", "scope", "instead"}
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
        execute.results(builder.build())
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

    assert execute.results(built(hidden=False))["inside"]["count"] == 1
    with pytest.raises(WorkflowExecutionError) as caught:
        execute.results(built(hidden=True))
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
        execute.results(builder.build())
    assert caught.value.node == "scope"
    assert names() == []
    assert len(execute.results(builder.build(), "node")) == 3


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
