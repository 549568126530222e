"""What was decided of units of work on several databases: a row in their home, written with what they did there."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from dataflow.abc import Connection
from dataflow.execution.database import Database
from dataflow.model.declare import declare
from dataflow.model.field import Field, utcnow
from dataflow.statements import Delete, InsertMany, Select, equals
from dataflow.transactions.identity import IDENTITY
from dataflow.transactions.tables import ensure_tables, fitting, is_ready

__all__ = ["ABORT", "COMMIT", "Decision", "Decisions"]

COMMIT: Final = "commit"
ABORT: Final = "abort"
"""What a decision can be."""

FIELDS = ("id", "state", "branches", "decided_at")


class DataflowDecision:
    """What was decided of a unit of work, and where else it was at work."""

    id: str = Field(primary_key=True, max_length=64)
    state: str = Field(max_length=16)
    branches: str
    decided_at: datetime = Field(default_factory=utcnow)
    __dataflow__ = {"table": "dataflow_decisions", "timestamps": False}  # noqa: RUF012 - as every model writes it


DECISIONS: Final = declare(DataflowDecision, implied=True)


class Decision(NamedTuple):
    """A row, as recovery reads it.

    :param others: the identities of the databases on which the unit of work was at work besides its home.
    """

    id: str
    state: str
    others: frozenset[str]
    decided_at: datetime


class Decisions:
    """Those of a database that is home to units of work."""

    def __init__(self, home: Database) -> None:
        self._home = home
        self._model = fitting(home, DECISIONS)

    @property
    def is_ready(self) -> bool:
        """Whether their table is known to be there."""
        return is_ready(self._home, DECISIONS)

    async def make_ready(self) -> None:
        """See to it that something can be decided.

        :raises WorkflowError: where a table is missing and must not be made, with the statements that do.
        """
        await ensure_tables(self._home, DECISIONS, IDENTITY)

    async def enter(self, connection: Connection, id: str, state: str, others: Sequence[str] = ()) -> None:
        """Decide, in the transaction that is open on a connection or at once.

        :param others: the identities of the other databases.
        :raises UniqueViolation: where it was decided already.
        """
        values = (id, state, json.dumps(others), utcnow())
        await self._home.executor.insert_many(connection, InsertMany(self._model, FIELDS, [values]))

    async def read(self, connection: Connection, id: str) -> str | None:
        """What was decided; None if nothing was."""
        select = Select(self._model, equals("id", id))
        rows = await self._home.executor.records(connection, select)
        return rows[0]["state"] if rows else None

    async def remove(self, connection: Connection, id: str) -> None:
        """Forget a decision that nobody asks for any more."""
        await self._home.executor.affected(connection, Delete(self._model, equals("id", id), returning=False))

    async def all(self, connection: Connection) -> Sequence[Decision]:
        """All of them, the oldest first."""
        rows = await self._home.executor.records(connection, Select(self._model))
        return sorted(map(_decision, rows), key=lambda decision: decision.decided_at)


def _decision(row: Mapping[str, Any]) -> Decision:
    return Decision(row["id"], row["state"], frozenset(json.loads(row["branches"])), row["decided_at"])
