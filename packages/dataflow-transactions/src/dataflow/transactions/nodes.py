"""The node that makes several steps one piece of work, under its two names."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dataflow.errors import DataFlowError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node
from dataflow.nodes.transaction_context import Context, TransactionContextNode
from dataflow.transactions.agreement import TwoPhaseCommit
from dataflow.transactions.choice import PATTERN_NAMES, read_pattern, without_pattern
from dataflow.workflow.composition import Composition, Surroundings

__all__ = ["TransactionManagerNode"]

SETTLED = frozenset({"steps", "pattern", "transaction_type"})
"""The parameters that say what becomes of the node; the others are left for that."""


class TransactionManagerNode(TransactionContextNode):
    """With ``steps`` a saga, in which each step has a compensation.

    Without them nothing is known that could undo a step, and nothing need be, whatever the pattern: it is a scope like
    that of its base, whose run is one transaction on all of its databases together.
    """

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.home = database
        self.agreement = TwoPhaseCommit(database)

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        read_pattern(parameters)
        super().check(without_pattern(parameters), [name for name in names if name not in PATTERN_NAMES])

    def prepare(self, parameters: Mapping[str, Any]) -> Context:
        return super().prepare(without_pattern(parameters))

    def compose(
        self, parameters: Mapping[str, object], around: Surroundings, problems: list[str]
    ) -> Composition | None:
        if "steps" not in parameters:
            return None
        from dataflow.transactions.steps import read_steps

        found: list[str] = []
        try:
            read_pattern(parameters)
        except DataFlowError as error:
            found.append(str(error))
        read = read_steps(parameters["steps"], around, found)
        problems += [f"node {around.id!r}: {problem}" for problem in found]
        if read is None:
            return None
        from dataflow.transactions.plan import make_plan
        from dataflow.transactions.saga_node import SagaNode

        definition, nodes, members = read
        plan = make_plan(definition, self._home_of(nodes.values(), around), nodes)
        left = {name: value for name, value in parameters.items() if name not in SETTLED}
        return Composition(SagaNode(self.name, around.id, plan), left, members, "steps")

    def _home_of(self, nodes: Iterable[Node], around: Surroundings) -> Database:
        """The database that keeps the saga: of those that were found, the one that is nearest to its steps."""
        near = {node.database for node in nodes if node.database is not None}
        found = around.source.find_node(self.name, near)
        return found.home if isinstance(found, TransactionManagerNode) else self.home
