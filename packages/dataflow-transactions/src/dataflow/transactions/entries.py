"""What was done and undone, as the ledger of a database tells it."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from dataflow.errors import DataFlowError, UniqueViolation
from dataflow.execution.database import Database
from dataflow.model.field import utcnow
from dataflow.nodes.bulk_delete import BulkDeleteNode
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.listing import ListNode
from dataflow.runtime.calls import NodeCall
from dataflow.statements import InsertMany
from dataflow.transactions.crash import crash_point
from dataflow.transactions.documents import read_document
from dataflow.transactions.ledger import DO, STEPS, TRY, ledger_model

__all__ = ["DoneAlready", "Entries", "EntryNode"]

FIELDS = ("saga", "step", "direction", "output")


class DoneAlready(DataFlowError):
    """The ledger has an entry of this already: somebody has done it, or has seen to it that nobody will."""


class EntryNode:
    """Enters into the ledger of a database what was done in the same transaction."""

    name = "the ledger"
    outputs = frozenset[str]()
    settled = False
    waits = False
    outside = False

    def __init__(self, database: Database) -> None:
        self.database = database
        self.model = ledger_model(database, STEPS)

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        return True

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        pass

    def missing(self, names: Collection[str]) -> str | None:
        return None

    def prepare(self, parameters: Mapping[str, Any]) -> InsertMany:
        fields = self.model.fields
        row = [fields[name].coerce(parameters[name]) for name in FIELDS]
        return InsertMany(self.model, (*FIELDS, "done_at"), [row], (utcnow(),))

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        return True

    def alone(self, prepared: InsertMany) -> bool:
        return False

    async def run(self, scope: Place, prepared: InsertMany) -> Output:
        connection = await scope.connection(self.database)
        try:
            await self.database.executor.insert_many(connection, prepared)
        except UniqueViolation as error:
            raise DoneAlready("this was entered into the ledger already") from error
        return {}


class Entries:
    """The ledger of a database."""

    def __init__(self, database: Database) -> None:
        self._entry = EntryNode(database)
        self._list = ListNode(database, self._entry.model)
        self._delete = BulkDeleteNode(database, self._entry.model)

    async def of(self, saga: str) -> Mapping[tuple[str, str], Any]:
        """The outputs of what was done here, by step and direction; None where it must never be done."""
        found = await NodeCall(self._list, {"filter": {"saga": saga}})
        return {
            (row["step"], row["direction"]): None if row["output"] is None else read_document(row["output"])
            for row in found["records"]
        }

    async def announce(self, saga: str, step: str) -> None:
        """Note that a step is about to begin of which nothing else here would tell."""
        with suppress(DoneAlready):
            await NodeCall(self._entry, {"saga": saga, "step": step, "direction": TRY, "output": None})

    async def forbid(self, saga: str, step: str) -> None:
        """See to it that nobody does a step any more, if nobody has."""
        crash_point("saga.fence.before_ledger")
        entry = {"saga": saga, "step": step, "direction": DO, "output": None}
        try:
            await NodeCall(self._entry, entry)
        except DoneAlready:
            return
        crash_point("saga.fence.after_commit")

    async def forget(self, sagas: Sequence[str]) -> None:
        """Delete what is known here of some sagas."""
        await NodeCall(self._delete, {"filter": {"saga": {"$in": sagas}}})
