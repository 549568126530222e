"""What was done and undone, as the ledger of a database tells it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from dataflow.errors import DataFlowError, UniqueViolation
from dataflow.execution.database import Database
from dataflow.model.field import utcnow
from dataflow.nodes.bulk_delete import BulkDeleteNode
from dataflow.nodes.bulk_update import BulkUpdateNode
from dataflow.nodes.contract import Output, Place
from dataflow.nodes.listing import ListNode
from dataflow.runtime.calls import NodeCall
from dataflow.statements import InsertMany
from dataflow.transactions.crash import crash_point
from dataflow.transactions.documents import read_document
from dataflow.transactions.guarded import Guarded
from dataflow.transactions.identity import check_identity
from dataflow.transactions.ledger import DO, STEPS, TRY
from dataflow.transactions.tables import fitting

__all__ = ["DoneAlready", "Entries", "Entry", "EntryNode"]

FIELDS = ("saga", "step", "direction", "output")


class DoneAlready(DataFlowError):
    """The ledger has an entry of this already: somebody has done it, or has seen to it that nobody will.

    :param output: that of whoever was late, as a document.
    """

    def __init__(self, output: str | None) -> None:
        super().__init__("this was entered into the ledger already")
        self.output = output


class Entry(NamedTuple):
    """What is to be entered, and the identity of the database that it is meant for."""

    insert: InsertMany
    identity: str


class EntryNode:
    """Enters into the ledger of a database what was done in the same transaction: in all ``directions`` or in none.

    It refuses where another database is in the place of its own, so that what was done in it is undone.
    """

    name = "the ledger"
    outputs = frozenset[str]()
    settled = False
    waits = False
    outside = False

    def __init__(self, database: Database) -> None:
        self.database = database
        self.model = fitting(database, STEPS)

    def may_write(self, parameters: Mapping[str, object]) -> bool:
        return True

    def check(self, parameters: Mapping[str, object], names: Collection[str]) -> None:
        pass

    def missing(self, names: Collection[str]) -> str | None:
        return None

    def prepare(self, parameters: Mapping[str, Any]) -> Entry:
        fields, directions = self.model.fields, parameters["directions"]
        rows = [
            [fields[name].coerce({**parameters, "direction": direction}[name]) for name in FIELDS]
            for direction in directions
        ]
        insert = InsertMany(self.model, (*FIELDS, "done_at"), rows, (utcnow(),))
        return Entry(insert, parameters["identity"])

    def repeatable(self, parameters: Mapping[str, object]) -> bool:
        return True

    def alone(self, prepared: Entry) -> bool:
        return False

    async def run(self, scope: Place, prepared: Entry) -> Output:
        connection = await scope.connection(self.database)
        await check_identity(self.database, connection, prepared.identity)
        try:
            await self.database.executor.insert_many(connection, prepared.insert)
        except UniqueViolation as error:
            output = prepared.insert.rows[0][FIELDS.index("output")]
            raise DoneAlready(None if output is None else str(output)) from error
        return {}


class Entries:
    """The ledger of a database.

    :param identity: that of the database; where another one is in its place, nothing is done or told.
    """

    def __init__(self, database: Database, identity: str) -> None:
        self._identity = identity
        self._entry = EntryNode(database)
        self._list = ListNode(database, self._entry.model)
        self._update = BulkUpdateNode(database, self._entry.model)
        self._delete = BulkDeleteNode(database, self._entry.model)

    async def of(self, saga: str) -> Mapping[tuple[str, str], Any]:
        """The outputs of what was done here, by step and direction; None where it must never be done."""
        found = await NodeCall(Guarded(self._list, self._identity), {"filter": {"saga": saga}})
        return {
            (row["step"], row["direction"]): None if row["output"] is None else read_document(row["output"])
            for row in found["records"]
        }

    async def announce(self, saga: str, step: str) -> bool:
        """Note that a step is about to begin of which nothing else here would tell.

        :returns: false where it may have begun before, or must never begin.
        """
        return await self._enter(saga, step, TRY)

    async def forbid(self, saga: str, step: str) -> None:
        """See to it that nobody does a step any more, if nobody has."""
        await self._fence(saga, step, DO)

    async def forbid_to_begin(self, saga: str, step: str) -> bool:
        """The same for a step that is announced; false where it was, or where it is known what became of it."""
        return await self._fence(saga, step, TRY, DO)

    async def admit(self, saga: str, step: str, output: str) -> None:
        """Note that a step was done that must not have been, if that is what is known of it: so it can be undone."""
        found = {"saga": saga, "step": step, "direction": DO, "output": None}
        await NodeCall(Guarded(self._update, self._identity), {"filter": found, "update": {"output": output}})

    async def forget(self, sagas: Sequence[str]) -> None:
        """Delete what is known here of some sagas."""
        await NodeCall(Guarded(self._delete, self._identity), {"filter": {"saga": {"$in": sagas}}})

    async def _fence(self, saga: str, step: str, *directions: str) -> bool:
        crash_point("saga.fence.before_ledger")
        is_new = await self._enter(saga, step, *directions)
        if is_new:
            crash_point("saga.fence.after_commit")
        return is_new

    async def _enter(self, saga: str, step: str, *directions: str) -> bool:
        """Enter what has no output; false where that was done before."""
        entry = {"saga": saga, "step": step, "directions": directions, "output": None}
        try:
            await NodeCall(self._entry, {**entry, "identity": self._identity})
        except DoneAlready:
            return False
        return True
