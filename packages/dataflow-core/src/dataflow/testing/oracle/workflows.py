"""A plain interpreter of workflows, written from the specification alone.

It knows a dict for the table and runs nodes one after the other; results, error and table of a run must agree.
"""

from copy import deepcopy
from typing import Any

from dataflow.testing.strategies.workflows import TAKES_UP_FAILURE, Edge, Graph, Node

__all__ = ["Table", "interpret"]


class Failure(Exception):
    """A node failed."""


class Table:
    """The table that a workflow writes to.

    :param rows: the amounts by their keys.
    """

    def __init__(self, rows: dict[int, int]) -> None:
        self.rows = rows

    def insert(self, key: int, value: int) -> None:
        if key in self.rows:
            raise Failure("UniqueViolation")
        self.rows[key] = value


def interpret(graph: Graph, table: Table) -> tuple[dict[str, Any], str | None]:
    """What a run gives: the outputs that matter by node, and the node that failed it."""
    before = deepcopy(table.rows)
    outcomes: dict[int, str] = {}
    values: dict[int, int] = {}
    results: dict[str, Any] = {}
    outgoing = {
        index: [edge for node in graph for edge in node.edges if edge.source == index]
        for index in range(len(graph))
    }

    def live(edge: Edge) -> bool:
        outcome = outcomes.get(edge.source)
        if outcome is None:
            return False
        match edge.condition:
            case None | "status == 'success'":
                return outcome == "success"
            case condition if condition in TAKES_UP_FAILURE:
                return outcome == "failed"
            case "value > 2":
                return values.get(edge.source, 0) > 2
            case _:
                # After a failure there is no value; null is in no order.
                return edge.source in values and values[edge.source] <= 2

    for index, node in enumerate(graph):
        feeding = [edge for edge in node.edges if edge.feeds]
        gates = [edge for edge in node.edges if not edge.feeds or edge.condition]
        if not all(live(edge) for edge in feeding) or (gates and not any(live(edge) for edge in gates)):
            continue
        value = node.number + (values[feeding[0].source] if feeding else 0)
        saved = deepcopy(table.rows)
        try:
            output = perform(node, index, value, table)
        except Failure:
            handled = any(edge.condition in TAKES_UP_FAILURE for edge in outgoing[index])
            if not handled:
                table.rows = before
                return results, f"n{index}"
            table.rows = saved
            outcomes[index] = "failed"
            results[f"n{index}"] = "failed"
            continue
        outcomes[index] = "success"
        if "value" in output:
            values[index] = output["value"]
        results[f"n{index}"] = output
    return results, None


def perform(node: Node, index: int, value: int, table: Table) -> dict[str, Any]:
    match node.kind:
        case "create":
            table.insert(1 if node.fails else 100 + index, value)
            return {"id": 1 if node.fails else 100 + index, "amount": value}
        case "read":
            return {"found": value in table.rows, "amount": table.rows.get(value)}
        case "update":
            found = node.number in table.rows
            if found:
                table.rows[node.number] = 50 + index
            return {"found": found, "amount": table.rows.get(node.number)}
        case "delete":
            return {"deleted": int(table.rows.pop(node.number, None) is not None)}
        case "write" | "write async" | "nested":
            table.insert(200 + index, value)
    if node.fails:
        raise Failure
    return {"value": value * 2}
