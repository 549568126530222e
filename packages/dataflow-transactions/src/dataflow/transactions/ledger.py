"""The tables in which sagas are kept: one row for each in its home, one for each thing done where it was done."""

from collections.abc import Collection, Iterable
from datetime import datetime
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary

from dataflow.errors import WorkflowError
from dataflow.execution.database import Database
from dataflow.model.declare import declare
from dataflow.model.demands import check_demands
from dataflow.model.field import Field, utcnow
from dataflow.model.narrowed import narrowed
from dataflow.model.schema import Model
from dataflow.statements import CreateIndex, CreateTable
from dataflow.transactions.borrowing import on_a_connection

__all__ = ["DO", "LONGEST_ID", "SAGAS", "STEPS", "TRY", "UNDO", "ensure_tables", "has_table", "ledger_model"]

DO: Final = "do"
UNDO: Final = "undo"
"""The directions of a step."""

TRY: Final = "try"
"""Stands in the place of a direction where a step outside of any transaction is about to begin."""

LONGEST_ID: Final = 190


class DataflowSaga:
    """A saga: what it consists of and how far it has come as a whole.

    ``name`` is the id of its node, ``places`` where each action is done, ``problem`` why it goes back.
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

_lock = Lock()
_fitting: WeakKeyDictionary[Database, dict[Model, Model]] = WeakKeyDictionary()
_ready: WeakKeyDictionary[Database, set[Model]] = WeakKeyDictionary()


def ledger_model(database: Database, model: Model) -> Model:
    """One of the two models as a database has it; its table is made like that of any other."""
    with _lock:
        models = _fitting.setdefault(database, {})
        if model not in models:
            models[model] = fitting = narrowed(model, database.dialect.narrowed)
            check_demands(fitting, database.dialect.capabilities, database.dialect.name)
            database.dialect.check_model(fitting)
            database.add_model(fitting)
        return models[model]


async def has_table(database: Database, model: Model) -> bool:
    """Whether a database has the table of one of the two models; it is not made here."""
    tables = await on_a_connection(
        database, "a look at the ledger", lambda connection: database.dialect.tables(connection, [model])
    )
    return bool(tables)


async def ensure_tables(home: Database, databases: Collection[Database]) -> None:
    """See to it that a saga can be kept before anything is done; each database is looked at once.

    :param databases: those of its steps.
    :raises WorkflowError: where a table is missing and must not be made, with the statements that do.
    """
    for database, model in ((home, SAGAS), *((database, STEPS) for database in databases)):
        ready = _ready.setdefault(database, set())
        if model not in ready:
            fitting = ledger_model(database, model)
            if database.unsettled:
                await database.prepare((fitting,), blocking=False)
            if not await has_table(database, model):
                raise WorkflowError(
                    f"{database.name}: what sagas keep is in a table that is missing; make it: "
                    f"{'; '.join(_statements(database, fitting))}"
                )
            ready.add(model)


def _statements(database: Database, model: Model) -> Iterable[str]:
    yield database.dialect.ddl(CreateTable(model, {}))
    for index in model.indexes:
        yield database.dialect.ddl(CreateIndex(model, index))
