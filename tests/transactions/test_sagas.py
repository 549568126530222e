"""Sagas: steps that are done one by one, each exactly once, and undone where one of them fails."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from dataflow import AsyncLocalRuntime, DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.errors import RecordNotFound, WorkflowBuildError, WorkflowExecutionError
from dataflow.transactions.errors import SagaFailed

from .conftest import define_models, rows, saga_of

ORDER = {"node": "OrderCreateNode", "compensation": "OrderDeleteNode", "parameters": {"item": "a book"}}
ACCOUNT = {"node": "AccountCreateNode", "compensation": "AccountDeleteNode", "parameters": {"owner": "Ann"}}
FAILING = {"node": "AccountUpdateNode", "compensation": None, "parameters": {"id": 99, "balance": 1}}
RAISE = {
    "node": "AccountUpdateNode",
    "parameters": {"id": 1, "updates": {"$inc": {"balance": 5}}},
    "compensation": "AccountUpdateNode",
    "compensation_parameters": {"id": 1, "updates": {"$inc": {"balance": -5}}},
}


def failure(workflow: Any) -> SagaFailed:
    with pytest.raises(WorkflowExecutionError) as caught:
        LocalRuntime().execute(workflow)
    error = caught.value.cause
    assert isinstance(error, SagaFailed)
    return error


def test_the_output_tells_of_each_step(db: DataFlow) -> None:
    results, _ = LocalRuntime().execute(saga_of(db, ORDER, ACCOUNT))
    output = results["saga"]
    assert output["state"] == "done"
    assert output["steps"]["OrderCreateNode"]["item"] == "a book"
    assert output["steps"]["AccountCreateNode"]["owner"] == "Ann"
    assert output["result"] == output["steps"]
    assert [row["item"] for row in rows(db, "Order")] == ["a book"]
    assert [row["owner"] for row in rows(db, "Account")] == ["Ann"]


def test_what_was_done_is_undone_where_a_step_fails(db: DataFlow) -> None:
    db.run_sync(db.nodes.AccountCreateNode(owner="Bob", balance=10))
    error = failure(saga_of(db, ORDER, RAISE, {**FAILING, "id": "missing"}))
    assert (error.state, error.step) == ("compensated", "missing")
    assert isinstance(error.cause, RecordNotFound)
    assert rows(db, "Order") == []
    assert [row["balance"] for row in rows(db, "Account")] == [10]


def test_a_step_without_compensation_stays(db: DataFlow) -> None:
    failure(saga_of(db, {**ORDER, "compensation": None}, ACCOUNT, {**FAILING, "id": "missing"}))
    assert len(rows(db, "Order")) == 1
    assert rows(db, "Account") == []


def test_it_runs_on_an_event_loop(db: DataFlow) -> None:
    async def main() -> Any:
        results, _ = await AsyncLocalRuntime().execute(saga_of(db, ORDER, ACCOUNT))
        await db.close()
        return results["saga"]["state"]

    assert asyncio.run(main()) == "done"


def test_what_came_before_it_is_committed_and_stays(file_db: DataFlow) -> None:
    workflow = WorkflowBuilder(file_db)
    workflow.add_node("AccountCreateNode", "before", {"owner": "Di"})
    workflow.add_node(
        "TransactionManagerNode",
        "saga",
        {"transaction_type": "saga", "steps": [ORDER, {**FAILING, "id": "missing"}]},
    )
    with pytest.raises(WorkflowExecutionError, match="kept: before") as caught:
        LocalRuntime().execute(workflow.build())
    assert caught.value.kept == ("before",)
    assert "nothing of it was kept" not in str(caught.value)
    assert [row["owner"] for row in rows(file_db, "Account")] == ["Di"]


def test_an_edge_takes_up_its_failure(file_db: DataFlow) -> None:
    workflow = WorkflowBuilder(file_db)
    steps = [ORDER, {**FAILING, "id": "missing"}]
    workflow.add_node("TransactionManagerNode", "saga", {"pattern": "saga", "steps": steps})
    workflow.add_node("AccountCreateNode", "remind", {"owner": "Eve"})
    workflow.add_connection("saga", "remind", condition="status == 'failed'")
    results, _ = LocalRuntime().execute(workflow.build())
    assert results["saga"]["error_type"] == "SagaFailed"
    assert [row["owner"] for row in rows(file_db, "Account")] == ["Eve"]
    assert rows(file_db, "Order") == []


@pytest.mark.parametrize(
    ("step", "compensation"),
    [
        (
            {"node": "AccountUpdateNode", "parameters": {"id": 99, "required": False, "balance": 1}},
            {"compensation": "AccountUpdateNode", "compensation_parameters": {"balance": 2}},
        ),
        (
            {"node": "AccountUpdateNode", "parameters": {"id": 99, "required": False, "balance": 1}},
            {"compensation": "AccountUpdateNode", "compensation_parameters": {"id": 1, "balance": 2}},
        ),
        (
            {"node": "AccountDeleteNode", "parameters": {"id": 99}},
            {"compensation": "AccountCreateNode", "compensation_parameters": {"owner": "Cy"}},
        ),
        (
            {
                "node": "AccountBulkUpdateNode",
                "parameters": {"filter": {"id": 99}, "update": {"balance": 1}},
            },
            {
                "compensation": "AccountBulkUpdateNode",
                "compensation_parameters": {"filter": {"id": 1}, "update": {"balance": 2}},
            },
        ),
    ],
    ids=["update", "update of another row", "delete", "bulk update"],
)
def test_a_step_that_has_found_nothing_has_nothing_to_undo(
    db: DataFlow, step: dict[str, Any], compensation: dict[str, Any]
) -> None:
    db.run_sync(db.nodes.AccountCreateNode(owner="Bob", balance=10))
    error = failure(
        saga_of(db, ORDER, {**step, **compensation, "id": "nothing"}, {**FAILING, "id": "missing"})
    )
    assert error.state == "compensated"
    assert rows(db, "Order") == []
    assert [(row["owner"], row["balance"]) for row in rows(db, "Account")] == [("Bob", 10)]


def test_it_runs_without_a_graph(db: DataFlow) -> None:
    call = db.nodes.TransactionManagerNode
    output = db.run_sync(call(steps=[ORDER, ACCOUNT]))
    assert (output["pattern"], output["steps"]["OrderCreateNode"]["item"]) == ("local", "a book")
    output = db.run_sync(call(pattern="saga", steps=[ORDER], timeout=30))
    assert (output["pattern"], output["state"]) == ("saga", "done")
    with pytest.raises(SagaFailed, match="what had been done was undone"):
        db.run_sync(call(pattern="saga", steps=[ORDER, FAILING]))
    with pytest.raises(WorkflowBuildError, match="did you mean 'OrderCreateNode'"):
        db.run_sync(call(steps=[{**ORDER, "node": "OrderCreatNode"}]))
    assert (len(rows(db, "Order")), len(rows(db, "Account"))) == (2, 1)


def test_it_is_awaited_without_a_graph_and_belongs_to_its_own_database(db: DataFlow, tmp_path: Path) -> None:
    async def main() -> Any:
        output = await db.nodes.TransactionManagerNode(pattern="saga", steps=[ORDER])
        await db.close()
        return output["state"]

    with DataFlow(f"sqlite:///{tmp_path}/other.db") as other:
        define_models(other)
        assert asyncio.run(main()) == "done"
        assert rows(other, "Order") == []


def refusal(db: DataFlow, *steps: Any, **parameters: Any) -> str:
    with pytest.raises(WorkflowBuildError) as caught:
        saga_of(db, *steps, **parameters)
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"node": "OrderCreateNode", "parameters": {"item": "x"}}, "it needs 'compensation'"),
        ({"compensation": None}, "it needs 'node'"),
        ({**ORDER, "node": "OrderCreatNode"}, "did you mean 'OrderCreateNode'"),
        ({**ORDER, "compensation": "OrderDeletNode"}, "did you mean 'OrderDeleteNode'"),
        ({**ORDER, "parametres": {}}, "did you mean 'parameters'"),
        ({**ORDER, "parameters": {"itm": "x"}}, "did you mean 'item'"),
        ("OrderCreateNode", "it is a dict such as"),
        ({**ORDER, "inputs": {"item": "before.item"}}, "there is no step 'before' before it"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_when_it_is_built(
    file_db: DataFlow, step: Any, told: str
) -> None:
    assert told in refusal(file_db, step)


def test_all_problems_are_told_at_once(file_db: DataFlow) -> None:
    told = refusal(file_db, {"node": "Unknown", "compensation": None}, {"node": "OrderCreateNode"})
    assert "step 1" in told
    assert "step 2" in told


def test_a_step_id_is_used_once(file_db: DataFlow) -> None:
    assert "there is a step 'OrderCreateNode' already" in refusal(file_db, ORDER, ORDER)


def test_there_is_at_least_one_step(file_db: DataFlow) -> None:
    assert "a list that is not empty" in refusal(file_db)


def test_an_unknown_pattern_is_refused(file_db: DataFlow) -> None:
    with pytest.raises(WorkflowBuildError, match="did you mean 'saga'"):
        saga_of(file_db, ORDER, pattern="sagas")


def test_both_names_of_the_pattern_are_refused(file_db: DataFlow) -> None:
    with pytest.raises(WorkflowBuildError, match="give one of them"):
        saga_of(file_db, ORDER, transaction_type="saga")


def test_the_ledger_is_none_of_the_users_models(db: DataFlow) -> None:
    LocalRuntime().execute(saga_of(db, ORDER))
    assert db.list_models() == ["Account", "Order"]
