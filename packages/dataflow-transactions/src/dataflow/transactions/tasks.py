"""A step, or what undoes it, as something that can be run: its work and its entry in the ledger, one transaction."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dataflow.errors import ConnectionLost, DataFlowError, WorkflowExecutionError
from dataflow.execution.database import Database
from dataflow.nodes.contract import Node, Output, Place
from dataflow.nodes.transaction_context import TransactionContextNode
from dataflow.runtime.calls import NodeHandle
from dataflow.runtime.run import Run
from dataflow.transactions.crash import crash_point
from dataflow.transactions.definition import Action
from dataflow.transactions.documents import read_document, write_document
from dataflow.transactions.entries import Entry, EntryNode
from dataflow.transactions.errors import NotDone
from dataflow.transactions.ledger import DO
from dataflow.transactions.wrapped import Wrapped
from dataflow.workflow.builder import WorkflowBuilder
from dataflow.workflow.graph import Workflow

__all__ = ["Failed", "Task", "make_task"]

WORK, ENTRY, TERMS = "work", "entry", "terms"
"""The ids of the nodes of such a workflow."""


NO_ANSWER = (TimeoutError, ConnectionAbortedError, ConnectionResetError, BrokenPipeError, ConnectionLost)
"""What a function may fail with though all that it wanted was done."""


class Failed(DataFlowError):
    """A function outside of any transaction has failed by itself.

    :param cause: its error.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause

    def proves_nothing_done(self, *, at_first: bool) -> bool:
        """Whether it is known by it that nothing was done.

        :param at_first: whether it was called for the first time; else an earlier call may have done something.
        """
        return isinstance(self.cause, NotDone) or (at_first and not isinstance(self.cause, NO_ANSWER))


class WorkNode(Wrapped):
    """A node of which the output is a document, for the ledger.

    :param direction: that of the step.
    """

    outputs = frozenset({"document"})
    settled = False

    def __init__(self, node: Node, direction: str) -> None:
        super().__init__(node)
        self._is_forward = direction == DO

    def alone(self, prepared: Any) -> bool:
        # The entry in the ledger follows.
        return False

    async def run(self, scope: Place, prepared: Any) -> Output:
        crash_point("saga.step.before_work" if self._is_forward else "saga.compensation.before_work")
        try:
            output = await self._node.run(scope, prepared)
        except Exception as error:
            if self.outside and self._is_forward:
                raise Failed(error) from error
            raise
        return {"document": write_document(output)}


class TaskEntryNode(EntryNode):
    """Enters a step, or what undid it, after its work."""

    async def run(self, scope: Place, prepared: Entry) -> Output:
        ((_, _, direction, _),) = prepared.insert.rows
        is_forward = direction == DO
        crash_point("saga.step.before_ledger" if is_forward else "saga.compensation.before_ledger")
        output = await super().run(scope, prepared)
        crash_point("saga.step.after_ledger" if is_forward else "saga.compensation.after_ledger")
        return output


class Task(NamedTuple):
    """Something that is done once.

    :param step: the id of the step.
    :param direction: whether it is done or undone.
    :param database: in whose ledger that is entered.
    :param bounded: the same workflow, for a time that is told when it runs.
    """

    step: str
    direction: str
    action: Action
    node: Node
    database: Database
    workflow: Workflow
    bounded: Workflow

    async def perform(
        self, saga: str, identity: str, values: Mapping[str, object], seconds: float | None = None
    ) -> Any:
        """Do it and enter it into the ledger, both or nothing.

        :param identity: that of the database.
        :param values: what the node is given.
        :param seconds: how long it may take.
        :returns: its output, as it was entered.
        :raises AnotherDatabase: where another one is in its place; then nothing has happened there.
        :raises DoneAlready: where the ledger has an entry of it; then nothing has happened in the database.
        :raises Failed: where it is a step outside of any transaction, and failed by itself.
        """
        given: dict[str, Mapping[str, object]] = {
            WORK: values,
            ENTRY: {
                "saga": saga,
                "step": self.step,
                "directions": [self.direction],
                "identity": identity,
            },
        }
        if seconds is not None:
            given[TERMS] = {"timeout": seconds}
        run = Run(self.workflow if seconds is None else self.bounded, given)
        try:
            await run.on_loop(1)
        except WorkflowExecutionError as error:
            raise error.cause from error.cause.__cause__
        crash_point("saga.step.after_commit" if self.direction == DO else "saga.compensation.after_commit")
        return read_document(run.results[WORK]["document"])


def make_task(step: str, direction: str, action: Action, node: Node, home: Database) -> Task:
    """Make what can be run of an action.

    :param home: where it is entered if its node has no database.
    """
    database = home if node.database is None else node.database
    builder = WorkflowBuilder()
    builder.add_node(NodeHandle(WorkNode(node, direction)), WORK)
    builder.add_node(NodeHandle(TaskEntryNode(database)), ENTRY)
    builder.add_connection(WORK, "document", ENTRY, "output")
    workflow = builder.build()
    builder.add_node(NodeHandle(TransactionContextNode()), TERMS)
    return Task(step, direction, action, node, database, workflow, builder.build())
