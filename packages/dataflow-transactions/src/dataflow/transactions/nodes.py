"""The node that makes several steps one piece of work, under its two names."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dataflow.errors import DataFlowError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node
from dataflow.nodes.transaction_context import Context, TransactionContextNode
from dataflow.transactions.agreement import TwoPhaseCommit
from dataflow.transactions.choice import PATTERN_NAMES, choose, read_pattern, without_pattern
from dataflow.transactions.ledger import DO
from dataflow.workflow.composition import Composition, Surroundings

__all__ = ["TransactionManagerNode"]

SETTLED = frozenset({"steps", "pattern", "transaction_type"})
"""The parameters that say what becomes of the node; the others are left for that."""


class TransactionManagerNode(TransactionContextNode):
    """With ``steps`` what is strongest of one transaction, two-phase commit, and a saga with its compensations.

    Without them nothing is known that could undo a step, and nothing need be, whatever the pattern: it is a scope like
    that of its base, whose run is one transaction on all of its databases together.
    """

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.home = database
        self.agreement = self._two_phase = TwoPhaseCommit(database)

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
        found: list[str] = []
        composition = self._composed(parameters, around, found)
        problems += [f"node {around.id!r}: {problem}" for problem in found]
        return composition

    def _composed(
        self, parameters: Mapping[str, object], around: Surroundings, problems: list[str]
    ) -> Composition | None:
        from dataflow.transactions.managed_node import ManagedNode
        from dataflow.transactions.plan import make_plan
        from dataflow.transactions.steps import read_steps

        pattern = "auto"
        try:
            pattern = read_pattern(parameters)
        except DataFlowError as error:
            problems.append(str(error))
        read = read_steps(parameters["steps"], around, problems)
        if read is None:
            return None
        definition, nodes, members = read
        forward = [nodes[step.id, DO] for step in definition.steps]
        try:
            choice = choose(pattern, forward, self._two_phase)
        except DataFlowError as error:
            problems.append(str(error))
            return None
        manager = self._near(nodes.values(), around)
        plan = make_plan(definition, manager.home, nodes)
        left = {name: value for name, value in parameters.items() if name not in SETTLED}
        return Composition(ManagedNode(around.id, plan, choice, manager), left, members, "steps")

    def _near(self, nodes: Iterable[Node], around: Surroundings) -> "TransactionManagerNode":
        """The manager of the database that keeps a saga: of those that were found, the one nearest to its steps."""
        near = {node.database for node in nodes if node.database is not None}
        found = around.source.find_node(self.name, near)
        return found if isinstance(found, TransactionManagerNode) else self
