"""What pattern="auto" makes of steps: one transaction where that is enough, else two-phase commit, else a saga."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import WorkflowBuildError, WorkflowExecutionError
from dataflow.postgres.testing import Postgres
from dataflow.testing.suite import server_of
from dataflow.transactions import SagaFailed
from dataflow.transactions.ledger import STEPS
from dataflow.transactions.tables import has_table
from dataflow.workflow.graph import Workflow

from .conftest import define_models, rows
from .pairs import pairs, sites

ORDER = {"node": "OrderCreateNode", "compensation": "OrderDeleteNode", "parameters": {"item": "a book"}}
MISSING = {"node": "OrderUpdateNode", "compensation": None, "parameters": {"id": 99, "amount": 1}}
MONEY: dict[str, Any] = {
    "node": "AccountCreateNode",
    "compensation": "AccountDeleteNode",
    "inputs": {"owner": "OrderCreateNode.item"},
}


def managed(db: DataFlow, *steps: dict[str, Any], **parameters: Any) -> Workflow:
    workflow = WorkflowBuilder(db)
    workflow.add_node("TransactionManagerNode", "all", {"steps": list(steps), **parameters})
    return workflow.build()


def explained(workflow: Workflow) -> str:
    (node,) = workflow.explain().nodes
    return node.note


def test_one_database_takes_one_transaction_and_no_ledger(db: DataFlow) -> None:
    workflow = managed(db, ORDER, MONEY, timeout=30)
    assert "one transaction, as primary is all that the steps work on" in explained(workflow)
    results, _ = LocalRuntime().execute(workflow)
    output = results["all"]
    assert (output["pattern"], output["state"], output["saga_id"]) == ("local", "done", None)
    assert output["steps"]["AccountCreateNode"]["owner"] == "a book"
    assert [row["owner"] for row in rows(db, "Account")] == ["a book"]
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(managed(db, ORDER, MISSING))
    error = caught.value.cause
    assert isinstance(error, SagaFailed)
    assert (error.state, error.step) == ("rolled_back", "OrderUpdateNode")
    assert len(rows(db, "Order")) == 1
    assert not asyncio.run(has_table(db.databases()["primary"], STEPS))


def test_a_function_makes_it_a_saga(file_db: DataFlow) -> None:
    @file_db.node
    def charge(item: str) -> str:
        return item

    charged = {"node": "charge", "compensation": None, "inputs": {"item": "OrderCreateNode.item"}}
    workflow = managed(file_db, ORDER, charged)
    assert "a saga, as no transaction can undo whatever the function charge does" in explained(workflow)
    results, _ = LocalRuntime().execute(workflow)
    assert results["all"]["pattern"] == "saga"


def test_a_saga_is_one_where_that_is_asked_for(file_db: DataFlow) -> None:
    workflow = managed(file_db, ORDER, pattern="saga")
    assert "a saga, as that was asked for" in explained(workflow)
    assert LocalRuntime().execute(workflow)[0]["all"]["pattern"] == "saga"


def test_its_explanation_tells_what_undoes_each_step(file_db: DataFlow) -> None:
    told = explained(managed(file_db, ORDER, MONEY, pattern="saga"))
    assert "OrderCreateNode (undone by OrderDeleteNode)" in told
    assert str(managed(file_db, ORDER, pattern="saga").explain()).startswith(
        "no transaction but those of its nodes"
    )


def test_two_phase_commit_has_no_step_outside(file_db: DataFlow) -> None:
    @file_db.node(outside=True)
    def charge() -> None:
        pass

    with pytest.raises(WorkflowBuildError, match="charge is outside of any transaction"):
        managed(file_db, ORDER, {"node": "charge", "compensation": None}, pattern="two_phase")


@pytest.fixture
def two(request: pytest.FixtureRequest) -> Iterator[tuple[DataFlow, DataFlow]]:
    with ExitStack() as stack:
        urls = stack.enter_context(sites(request.param, request))
        one, other = (stack.enter_context(DataFlow(url, pool_timeout=20)) for url in urls)
        for db in (one, other):
            define_models(db)
        yield one, other


def across(two: tuple[DataFlow, DataFlow], *more: dict[str, Any], **parameters: Any) -> Workflow:
    one, other = two
    there = {**MONEY, "node": other.nodes.AccountCreateNode, "compensation": other.nodes.AccountDeleteNode}
    return managed(one, ORDER, there, *more, **parameters)


@pytest.mark.parametrize("two", pairs("sqlite+postgres", "postgres+mysql"), indirect=True)
def test_several_databases_that_can_agree_commit_together(two: tuple[DataFlow, DataFlow]) -> None:
    workflow = across(two)
    assert "two-phase commit, if all but one of primary and primary can prepare" in explained(workflow)
    results, _ = LocalRuntime().execute(workflow)
    assert results["all"]["pattern"] == "two_phase"
    assert [row["owner"] for row in rows(two[1], "Account")] == ["a book"]
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(across(two, MISSING))
    error = caught.value.cause
    assert isinstance(error, SagaFailed)
    assert error.state == "rolled_back"
    assert (len(rows(two[0], "Order")), len(rows(two[1], "Account"))) == (1, 1)


@pytest.mark.parametrize("two", [pytest.param(("sqlite", "sqlite"), id="sqlite+sqlite")], indirect=True)
def test_several_databases_that_cannot_agree_make_it_a_saga(two: tuple[DataFlow, DataFlow]) -> None:
    assert "a saga, as" in explained(across(two))
    results, _ = LocalRuntime().execute(across(two))
    assert results["all"]["pattern"] == "saga"
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(across(two, MISSING))
    error = caught.value.cause
    assert isinstance(error, SagaFailed)
    assert error.state == "compensated"
    assert (len(rows(two[0], "Order")), len(rows(two[1], "Account"))) == (1, 1)
    with pytest.raises(WorkflowBuildError, match="cannot commit together"):
        across(two, pattern="two_phase")


@pytest.mark.postgres
def test_servers_that_prepare_nothing_make_it_a_saga(request: pytest.FixtureRequest) -> None:
    server = server_of(Postgres(settings=("max_prepared_transactions=0",)), request)
    with ExitStack() as stack:
        urls = [stack.enter_context(server.database()) for _ in range(2)]
        one, other = (stack.enter_context(DataFlow(url, pool_timeout=20)) for url in urls)
        for db in (one, other):
            define_models(db)
        workflow = across((one, other))
        assert "two-phase commit, if all but one of primary and primary can prepare" in explained(workflow)
        results, _ = LocalRuntime().execute(workflow)
        assert results["all"]["pattern"] == "saga"
        assert [row["owner"] for row in rows(other, "Account")] == ["a book"]
        with pytest.raises(WorkflowExecutionError) as caught:
            LocalRuntime().execute(across((one, other), MISSING))
        assert isinstance(caught.value.cause, SagaFailed)
        assert caught.value.cause.state == "compensated"
        assert (len(rows(one, "Order")), len(rows(other, "Account"))) == (1, 1)


@pytest.mark.parametrize("two", pairs("sqlite+postgres"), indirect=True)
def test_a_key_that_a_step_of_two_phase_commit_is_given_is_kept(two: tuple[DataFlow, DataFlow]) -> None:
    @two[0].node
    def charge(idempotency_key: str) -> str:
        return idempotency_key

    step = {"node": "charge", "compensation": None}
    given = {**step, "parameters": {"idempotency_key": "mine"}}
    read = {**step, "id": "again", "inputs": {"idempotency_key": "OrderCreateNode.item"}}
    results, _ = LocalRuntime().execute(across(two, given, read, {**step, "id": "made"}, pattern="two_phase"))
    steps = results["all"]["steps"]
    assert (steps["charge"]["result"], steps["again"]["result"]) == ("mine", "a book")
    assert steps["made"]["result"].endswith(":made")
