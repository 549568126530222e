"""Steps that are nodes of the workflow: their connections become inputs, of each other and of the saga."""

from typing import Any

import pytest

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import WorkflowBuildError, WorkflowExecutionError

from .conftest import rows


def workflow_of(db: DataFlow, steps: list[dict[str, Any]]) -> WorkflowBuilder:
    """An account, an order of its owner, and what undoes them; a saga of these steps."""
    workflow = WorkflowBuilder(db)
    workflow.add_node(lambda: {"owner": "Ann"}, "customer")
    workflow.add_node("TransactionManagerNode", "saga", {"pattern": "saga", "steps": steps})
    workflow.add_node("AccountCreateNode", "account")
    workflow.add_node("OrderCreateNode", "order", {"item": "a book"})
    workflow.add_connection("customer", "account", "owner")
    workflow.add_connection("account", "id", "order", "amount")
    return workflow


ACCOUNT = {"node": "account", "compensation": "AccountDeleteNode"}
ORDER = {"node": "order", "compensation": "OrderDeleteNode"}


def test_connections_bring_values_to_steps_and_from_them(db: DataFlow) -> None:
    workflow = workflow_of(db, [ACCOUNT, ORDER])
    workflow.add_node(lambda number, amount: (number, amount), "report")
    workflow.add_connection("order", "id", "report", "number")
    workflow.add_connection("order", "record.amount", "report", "amount")
    results, _ = LocalRuntime().execute(workflow.build())
    assert list(results) == ["customer", "saga", "report"]
    assert results["report"]["result"] == (1, 1)
    assert [row["owner"] for row in rows(db, "Account")] == ["Ann"]


def test_a_compensation_may_be_a_node_of_the_workflow(db: DataFlow) -> None:
    workflow = workflow_of(db, [{"node": "account", "compensation": "close"}, {**ORDER, "node": "missing"}])
    workflow.add_node("AccountUpdateNode", "close", {"updates": {"owner": "nobody"}})
    workflow.add_connection("account", "id", "close", "id")
    workflow.add_node("OrderUpdateNode", "missing", {"id": 99, "updates": {"item": "x"}})
    workflow.add_connection("saga", "missing")
    with pytest.raises(WorkflowExecutionError, match="OrderUpdateNode found no row"):
        LocalRuntime().execute(workflow.build())
    assert [row["owner"] for row in rows(db, "Account")] == ["nobody"]


def test_the_parameters_of_the_run_reach_the_steps(file_db: DataFlow) -> None:
    workflow = WorkflowBuilder(file_db)
    step = {"node": "AccountCreateNode", "compensation": "AccountDeleteNode"}
    workflow.add_node("TransactionManagerNode", "saga", {"pattern": "saga", "steps": [step]})
    built = workflow.build()
    LocalRuntime().execute(built, {"saga": {"AccountCreateNode.owner": "Ann", "timeout": 30}})
    assert [row["owner"] for row in rows(file_db, "Account")] == ["Ann"]
    with pytest.raises(WorkflowExecutionError, match="needs a value for 'owner'"):
        LocalRuntime().execute(built)
    with pytest.raises(WorkflowExecutionError, match="has no field 'ownr'"):
        LocalRuntime().execute(built, {"saga": {"AccountCreateNode.ownr": "Ann"}})


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        (("order", "id", "account", "balance"), "against the order of the steps"),
        (("account", "idd", "report", "x"), "did you mean 'id'"),
        (("customer", "account", "ownr"), "did you mean 'owner'"),
    ],
)
def test_connections_that_make_no_sense_are_refused(
    file_db: DataFlow, connection: tuple[str, ...], told: str
) -> None:
    workflow = workflow_of(file_db, [ACCOUNT, ORDER])
    workflow.add_node(lambda x=1: x, "report")
    workflow.add_connection(*connection)
    with pytest.raises(WorkflowBuildError, match=told):
        workflow.build()


@pytest.mark.parametrize("ends", [("account", "order"), ("order", "report"), ("customer", "account")])
def test_a_condition_on_a_step_is_refused(file_db: DataFlow, ends: tuple[str, str]) -> None:
    workflow = workflow_of(file_db, [ACCOUNT, ORDER])
    workflow.add_node(lambda: 1, "report")
    workflow.add_connection(*ends, condition="status == 'failed'")
    with pytest.raises(WorkflowBuildError, match="has a condition"):
        workflow.build()


def test_a_node_belongs_to_one_step(file_db: DataFlow) -> None:
    with pytest.raises(WorkflowBuildError, match="'account' of the workflow is used already"):
        workflow_of(file_db, [ACCOUNT, ACCOUNT, ORDER]).build()


def test_a_node_belongs_to_one_saga(file_db: DataFlow) -> None:
    workflow = workflow_of(file_db, [ACCOUNT])
    workflow.add_node("TransactionManagerNode", "second", {"pattern": "saga", "steps": [ACCOUNT]})
    with pytest.raises(WorkflowBuildError, match="it belongs to 'saga' and to 'second'"):
        workflow.build()


def test_a_function_of_the_workflow_needs_a_name(file_db: DataFlow) -> None:
    workflow = WorkflowBuilder(file_db)
    workflow.add_node(lambda: 1, "one")
    steps = [{"node": "one", "compensation": None}]
    workflow.add_node("TransactionManagerNode", "saga", {"pattern": "saga", "steps": steps})
    with pytest.raises(WorkflowBuildError, match=r"mark the function with @db\.node"):
        workflow.build()
