"""What was decided of units of work on several databases: a row in their home, written with what they did there."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from secrets import token_hex
from threading import Lock
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from dataflow.abc import Connection
from dataflow.errors import QueryError, UniqueViolation, WorkflowError
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database
from dataflow.model.declare import declare
from dataflow.model.field import Field, utcnow
from dataflow.model.narrowed import narrowed
from dataflow.model.schema import Model
from dataflow.statements import CreateTable, Delete, InsertMany, Select, compare, equals

__all__ = ["ABORT", "COMMIT", "DECISIONS", "Decision", "Decisions", "on_a_connection"]

T = TypeVar("T")

COMMIT: Final = "commit"
ABORT: Final = "abort"
"""What a decision can be."""

IDENTITY = "identity"
"""The id of the row that tells who a database is; no unit of work is called so."""
FIELDS = ("id", "state", "branches", "decided_at")


class DataflowDecision:
    """What was decided of a unit of work, and where else it was at work; or, in one row, who this database is."""

    id: str = Field(primary_key=True, max_length=64)
    state: str = Field(max_length=16)
    branches: str
    decided_at: datetime = Field(default_factory=utcnow, index=True)
    __dataflow__ = {"table": "dataflow_decisions", "timestamps": False}  # noqa: RUF012 - as every model writes it


DECISIONS: Final = declare(DataflowDecision, implied=True)
_lock = Lock()
_models: WeakKeyDictionary[Database, Model] = WeakKeyDictionary()
_identities: WeakKeyDictionary[Database, str] = WeakKeyDictionary()


def _model_of(database: Database) -> Model:
    """The model as this database has it; whoever only reads makes no table."""
    with _lock:
        model = _models.get(database)
        if model is None:
            model = _models[database] = narrowed(DECISIONS, database.dialect.narrowed)
            database.dialect.check_model(model)
        return model


class Decision(NamedTuple):
    """A row, as recovery reads it.

    :param places: where the unit of work was at work besides its home, by the number of the branch.
    """

    id: str
    state: str
    places: Mapping[str, str]
    decided_at: datetime


async def on_a_connection(database: Database, holder: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do something on a connection that is borrowed for it, from an event loop or a thread without one.

    :param holder: who borrows it, as others will read if they wait for one in vain.
    """

    async def run() -> T:
        return await work(connection)

    beside = running_loop() is not None
    connection = await database.borrow(holder, writes=True, blocking=not beside)
    try:
        return await (connection.offload(run()) if beside else run())
    finally:
        if not database.give_back(connection, writes=True):
            await database.discard(connection)


class Decisions:
    """Those of a database that is home to units of work."""

    def __init__(self, home: Database) -> None:
        self._home = home
        self._model = _model_of(home)

    @property
    def is_ready(self) -> bool:
        """Whether its table is there and it is known who this database is."""
        return self._home in _identities

    async def identity(self) -> str:
        """Who this database is, in eight digits at random that stay; its table is made where it is missing.

        :raises WorkflowError: where it must not be made, with the statement that does.
        """
        known = _identities.get(self._home)
        if known is None:
            if self._home.models.get(self._model.name) is not self._model:
                self._home.add_model(self._model)
            if self._home.unsettled:
                await self._home.prepare((self._model,), blocking=running_loop() is None)
            try:
                known = await on_a_connection(self._home, "the identity of a database", self._read_identity)
            except QueryError as error:
                raise WorkflowError(
                    f"{self._home.name}: what databases agree upon is kept in a table that is missing; make it: "
                    f"{self._home.dialect.ddl(CreateTable(self._model, {}))}"
                ) from error
            _identities[self._home] = known
        return known

    async def _read_identity(self, connection: Connection) -> str:
        while True:
            found = await self.known_identity(connection)
            if found is not None:
                return found
            try:
                await self._insert(connection, IDENTITY, token_hex(4), ())
            except UniqueViolation:
                continue  # another process was faster

    async def known_identity(self, connection: Connection) -> str | None:
        """Who this database is; None where nobody has asked yet.

        :raises QueryError: where there is no such table.
        """
        row = await self._row(connection, IDENTITY)
        return None if row is None else row["state"]

    async def enter(self, connection: Connection, id: str, state: str, places: Sequence[str] = ()) -> None:
        """Decide, in the transaction that is open on a connection or at once.

        :raises UniqueViolation: where it was decided already.
        """
        await self._insert(connection, id, state, places)

    async def read(self, connection: Connection, id: str) -> str | None:
        """What was decided; None if nothing was."""
        row = await self._row(connection, id)
        return None if row is None else row["state"]

    async def remove(self, connection: Connection, id: str) -> None:
        """Forget a decision that nobody asks for any more."""
        await self._home.executor.affected(connection, Delete(self._model, equals("id", id), returning=False))

    async def all(self, connection: Connection) -> Sequence[Decision]:
        """All of them, the oldest first."""
        where = compare("id", "$ne", IDENTITY)
        rows = await self._home.executor.records(connection, Select(self._model, where))
        found = (
            Decision(row["id"], row["state"], json.loads(row["branches"]), row["decided_at"]) for row in rows
        )
        return sorted(found, key=lambda decision: decision.decided_at)

    async def _row(self, connection: Connection, id: str) -> Mapping[str, Any] | None:
        rows = await self._home.executor.records(connection, Select(self._model, equals("id", id)))
        return rows[0] if rows else None

    async def _insert(self, connection: Connection, id: str, state: str, places: Sequence[str]) -> None:
        branches = json.dumps({str(number): place for number, place in enumerate(places, start=1)})
        values = (id, state, branches, utcnow())
        await self._home.executor.insert_many(connection, InsertMany(self._model, FIELDS, [values]))
