"""Generated workflows beside a plain interpreter."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import event, given

from dataflow import DataFlow, LocalRuntime, WorkflowBuilder
from dataflow.capabilities import Capability
from dataflow.errors import WorkflowExecutionError
from dataflow.testing.conformance.items import define_item
from dataflow.testing.conformance.workflows import RUNTIMES
from dataflow.testing.examples import FEW
from dataflow.testing.oracle.workflows import Table, interpret
from dataflow.testing.strategies.workflows import Graph, Node, graphs, handling_no_failure
from dataflow.workflow.graph import Workflow

__all__ = ["GeneratedWorkflowTests", "build", "fill", "told"]


class GeneratedWorkflowTests:
    """A run does what the interpreter does."""

    @pytest.mark.parametrize("runtime", RUNTIMES)
    @FEW
    @given(graphs())
    def test_a_generated_workflow_does_what_the_interpreter_does(
        self, db: DataFlow, runtime: str, graph: Graph
    ) -> None:
        if Capability.SAVEPOINTS not in db.databases()["primary"].dialect.capabilities:
            graph = handling_no_failure(graph)
        table = Table(fill(db))
        expected, failed = interpret(graph, table)
        event("fails" if failed else "ends")
        if any(output == "failed" for output in expected.values()):
            event("a failure is handled")
        workflow = build(graph, db)
        for _ in range(2 if failed else 1):  # what failed once fails again, and leaves no trace
            results: Any = None
            error: WorkflowExecutionError | None = None
            try:
                results, _ = RUNTIMES[runtime](workflow)
            except WorkflowExecutionError as caught:
                error, results = caught, caught.results
            assert (error is None) == (failed is None), error
            # Which of several failures comes first is open where functions overlap; that one comes is not.
            if error is None or "overlapping" not in runtime:
                assert (error and error.node) == failed
                assert told(results) == comparable(expected)
            stored = db.run_sync(db.nodes.ItemListNode())["records"]
            assert {row["id"]: row["amount"] for row in stored} == table.rows


def fill(db: DataFlow) -> dict[int, int]:
    """Make the table that such a workflow finds; its amounts by their keys."""
    define_item(db)
    db.run_sync(db.nodes.ItemBulkDeleteNode(filter={}, confirmed=True))
    amounts = {number: number for number in (1, 2, 3)}
    rows = [{"id": id, "name": "given", "amount": amount} for id, amount in amounts.items()]
    db.run_sync(db.nodes.ItemBulkCreateNode(data=rows))
    return amounts


def build(graph: Graph, db: DataFlow) -> Workflow:
    """The workflow of a graph."""
    builder = WorkflowBuilder(db)
    for index, node in enumerate(graph):
        fed = any(edge.feeds for edge in node.edges)
        kind, parameters = made(node, index, fed, db)
        builder.add_node(kind, f"n{index}", parameters)
        for edge in node.edges:
            if edge.feeds:
                target = {"create": "amount", "read": "id"}.get(node.kind, "value")
                builder.add_node(_adding(node.number), f"sum{index}")
                builder.add_connection(f"n{edge.source}", "value", f"sum{index}", "value")
                builder.add_connection(f"sum{index}", "result", f"n{index}", target)
            else:
                builder.add_connection(f"n{edge.source}", f"n{index}", condition=edge.condition)
    return builder.build()


def _adding(number: int) -> Callable[[int], int]:
    return lambda value: value + number


def made(node: Node, index: int, fed: bool, db: DataFlow) -> tuple[Any, dict[str, Any]]:
    given = {} if fed else {"value": node.number}
    match node.kind:
        case "create":
            row: dict[str, Any] = {"id": 1 if node.fails else 100 + index, "name": "made"}
            return "ItemCreateNode", row if fed else {**row, "amount": node.number}
        case "read":
            return "ItemReadNode", {} if fed else {"id": node.number}
        case "update":
            return "ItemUpdateNode", {"id": node.number, "updates": {"amount": 50 + index}, "required": False}
        case "delete":
            return "ItemDeleteNode", {"id": node.number}
    row = {"id": 200 + index, "name": "written"}

    def function(value: int) -> dict[str, int]:
        if node.kind == "write":
            db.run_sync(db.nodes.ItemCreateNode(**row, amount=value))
        if node.kind == "nested":
            inner = WorkflowBuilder(db)
            inner.add_node("ItemCreateNode", "make", {**row, "amount": value})
            LocalRuntime().execute(inner.build())
        if node.fails:
            raise ValueError("no")
        return {"value": value * 2}

    async def async_function(value: int) -> dict[str, int]:
        await asyncio.sleep(0)
        if node.kind == "write async":
            await db.nodes.ItemCreateNode(**row, amount=value)
        if node.fails:
            raise ValueError("no")
        return {"value": value * 2}

    return (async_function if "async" in node.kind else function), given


def told(results: Any) -> dict[str, Any]:
    """The results, cut to what the interpreter knows of them."""
    cut: dict[str, Any] = {}
    for id, output in results.items():
        if id.startswith("sum"):
            continue
        if "error_type" in output:
            cut[id] = "failed"
        else:
            names = ("value",) if "value" in output else ("deleted",) if "deleted" in output else ()
            cut[id] = {name: output[name] for name in names or ("found", "amount") if name in output}
    return cut


def comparable(expected: dict[str, Any]) -> dict[str, Any]:
    cut: dict[str, Any] = {}
    for id, output in expected.items():
        if isinstance(output, str):
            cut[id] = output
        elif "id" in output:
            cut[id] = {"found": True, "amount": output["amount"]}
        elif output.get("found") is False:
            cut[id] = {"found": False}
        else:
            cut[id] = output
    return cut
