"""The tables in which sagas are kept: one row for each in its home, one for each thing done where it was done."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from dataflow.execution.database import Database
from dataflow.model.declare import declare
from dataflow.model.field import Field, utcnow
from dataflow.transactions.identity import IDENTITY, identity_of
from dataflow.transactions.tables import ensure_tables

__all__ = ["DO", "LONGEST_ID", "SAGAS", "STEPS", "TRY", "UNDO", "ensure_ledger"]

DO: Final = "do"
UNDO: Final = "undo"
"""The directions of a step."""

TRY: Final = "try"
"""Stands in the place of a direction where a step outside of any transaction is about to begin."""

LONGEST_ID: Final = 190


class DataflowSaga:
    """A saga: what it consists of and how far it has come as a whole.

    ``name`` is the id of its node, ``places`` the databases on which each action is done, ``problem`` why it goes back.
    """

    id: str = Field(primary_key=True, max_length=40)
    name: str
    state: str = Field(max_length=20, index=True)
    definition: str
    inputs: str
    places: str
    owner: str
    deadline: datetime | None = None
    problem: str | None = None
    __dataflow__ = {"table": "dataflow_sagas"}  # noqa: RUF012 - as every model writes it


class DataflowSagaStep:
    """A step that was done or undone, with its output; without one it was not and must never be done."""

    saga: str = Field(primary_key=True, max_length=40)
    step: str = Field(primary_key=True, max_length=LONGEST_ID)
    direction: str = Field(primary_key=True, max_length=4)
    output: str | None = None
    done_at: datetime = Field(default_factory=utcnow)
    __dataflow__ = {"table": "dataflow_saga_steps", "timestamps": False}  # noqa: RUF012


SAGAS: Final = declare(DataflowSaga, implied=True)
STEPS: Final = declare(DataflowSagaStep, implied=True)


async def ensure_ledger(home: Database, databases: Iterable[Database]) -> Mapping[Database, str]:
    """See to it that a saga can be kept before anything is done.

    :param databases: those of its steps.
    :returns: who all these are; each is asked once.
    :raises WorkflowError: where a table is missing and must not be made, with the statements that do.
    """
    tables = {home: [SAGAS, IDENTITY]}
    for database in databases:
        tables.setdefault(database, [IDENTITY]).append(STEPS)
    for database, models in tables.items():
        await ensure_tables(database, *models)
    return {database: await identity_of(database) for database in tables}
