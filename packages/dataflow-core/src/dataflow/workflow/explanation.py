"""What a workflow would do, told without running it."""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from dataflow.errors import DataFlowError
from dataflow.execution.database import Database
from dataflow.model.schema import Model
from dataflow.nodes.contract import Explains
from dataflow.nodes.rows import ModelNode
from dataflow.terms import USUAL, Terms
from dataflow.workflow.graph import Step, Workflow, with_inner

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ExplainedNode", "Explanation", "explain"]


EACH_ITS_OWN = (
    "each database has its own, they do not commit together; a TransactionManagerNode of dataflow-transactions has "
    "them do so"
)


@dataclass(frozen=True, slots=True)
class ExplainedNode:
    """What one node would do.

    :param sql: the statement, or None where the node sends none or only a run can tell.
    :param note: whatever else is known.
    """

    id: str
    type: str
    database: str | None
    sql: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a workflow would do; ``str()`` of it is for people.

    :param transaction: how the run begins and ends.
    """

    nodes: tuple[ExplainedNode, ...]
    transaction: str

    def __str__(self) -> str:
        lines = [self.transaction]
        for number, node in enumerate(self.nodes, start=1):
            place = f" on {node.database}" if node.database else ""
            lines.append(f"{number}. {node.id} ({node.type}{place})")
            lines += [f"   {text}" for text in (node.sql, node.note) if text]
        return "\n".join(lines)


def explain(workflow: Workflow) -> Explanation:
    """Explain each step in the order in which they run."""
    steps = (inner for step in workflow.block.steps for inner in with_inner(step))
    return Explanation(tuple(_explained(step) for step in steps), _transaction(workflow))


def _transaction(workflow: Workflow) -> str:
    names = [database.name for database in workflow.databases]
    if not names:
        is_own = any(isinstance(step.node, Explains) for step in workflow.steps)
        return "no transaction but those of its nodes" if is_own else "no database, no transaction"
    terms = _terms(workflow)
    writes = workflow.writes and not terms.read_only
    if len(workflow.steps) == 1 and workflow.steps[0].alone:
        place = _place(workflow.databases[0], writes)
        return f"one statement on {place}, which is a transaction by itself"
    begins = ", ".join(
        f"{database.dialect.begin(writes=writes, terms=terms)} … COMMIT on {_place(database, writes)}"
        for database in workflow.databases
    )
    more = f"; {EACH_ITS_OWN}" if len(names) > 1 else ""
    if workflow.agreement is not None:
        more = f"; {workflow.agreement.explain(workflow.databases)}"
    run = "each part of the run" if any(step.outside for step in workflow.steps) else "the run"
    return f"one connection and one transaction for {run}: {begins}{more}"


def _place(database: Database, writes: bool) -> str:
    """Where a transaction is."""
    replica = database.replica
    return database.name if replica is None or writes else f"{replica.name} or {database.name}"


def _terms(workflow: Workflow) -> Terms:
    """Those of the run, as far as they are known."""
    if workflow.context is None:
        return USUAL
    step = workflow.by_id[workflow.context]
    terms: Terms = step.node.prepare(step.parameters).terms
    return terms


def _explained(step: Step) -> ExplainedNode:
    node = step.node
    database = node.database
    notes = []
    if step.block is not None:
        notes.append(f"a scope: {', '.join(inner.id for inner in with_inner(step) if inner is not step)}")
    if step.outside:
        notes.append(
            "outside of the transaction: what comes before it is committed, and another one begins after it"
        )
    if isinstance(node, Explains):
        notes.append(node.explain())
    if step.handled and not step.outside:
        notes.append("in a savepoint, as an edge takes up its failure")
    if step.lacking:
        notes.append(f"{step.lacking}, from the parameters of the run")
    sql = None
    if database is not None:
        sql, note = _sql(step)
        notes += [note] if note else []
    return ExplainedNode(step.id, node.name, database.name if database else None, sql, "; ".join(notes))


def _sql(step: Step) -> tuple[str | None, str]:
    """The statement, with inputs that nobody knows yet standing for themselves."""
    node: Any = step.node
    if isinstance(node, ModelNode):
        node = type(node)(node.database, _accepting(node.model))
    parameters = {**step.parameters, **{name: UNKNOWN for name in step.inputs}}
    try:
        prepared = node.prepare(parameters)
    except DataFlowError:
        unknown = ", ".join(step.inputs)
        return None, f"the statement depends on {unknown}" if unknown else "the statement depends on the run"
    executor = node.database.executor
    statements = map(executor.rewritten, _statements(prepared))
    texts = [executor.compile_once(statement.shape).sql for statement in statements]
    return ("; ".join(texts), "") if texts else (None, "the statement depends on the rows")


def _statements(prepared: Any) -> tuple[Any, ...]:
    if hasattr(prepared, "statements"):
        return tuple(prepared.statements)
    return (getattr(prepared, "statement", prepared),)


def _accepting(model: Model) -> Model:
    """The model with fields that take any value, as only names decide the text of the SQL."""
    fields: Mapping[str, Any] = {
        name: replace(
            field, coerce=lambda value: value, default_factory=field.default_factory and (lambda: UNKNOWN)
        )
        for name, field in model.fields.items()
    }
    key = tuple(fields[field.name] for field in model.key)
    return replace(model, fields=MappingProxyType(fields), key=key)


class _Unknown:
    """Stands for a value that only a run brings."""


UNKNOWN = _Unknown()
