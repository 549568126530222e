"""The tables in which a database keeps what databases agree upon; they are made like those of any other model."""

from threading import Lock
from weakref import WeakKeyDictionary

from dataflow.errors import WorkflowError
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database
from dataflow.model.narrowed import narrowed
from dataflow.model.schema import Model
from dataflow.statements import CreateTable
from dataflow.transactions.borrowing import on_a_connection

__all__ = ["ensure_tables", "fitting", "is_ready"]

_lock = Lock()
_fitting: WeakKeyDictionary[Database, dict[Model, Model]] = WeakKeyDictionary()
_ready: WeakKeyDictionary[Database, set[Model]] = WeakKeyDictionary()


def fitting(database: Database, model: Model) -> Model:
    """A model as a database has it; whoever only reads makes no table."""
    with _lock:
        models = _fitting.setdefault(database, {})
        if model not in models:
            models[model] = narrowed(model, database.dialect.narrowed)
            database.dialect.check_model(models[model])
        return models[model]


def is_ready(database: Database, model: Model) -> bool:
    """Whether a table is known to be there."""
    return model in _ready.get(database, ())


async def ensure_tables(database: Database, *models: Model) -> None:
    """See to it that tables are there; each database is looked at once.

    :raises WorkflowError: where one is missing and must not be made, with the statements that do.
    """
    if all(is_ready(database, model) for model in models):
        return
    fits = [fitting(database, model) for model in models]
    for model in fits:
        if database.models.get(model.name) is not model:
            database.add_model(model)
    if database.unsettled:
        await database.prepare(fits, blocking=running_loop() is None)
    found = await on_a_connection(
        database, "a look at the tables", lambda connection: database.dialect.tables(connection, fits)
    )
    missing = [database.dialect.ddl(CreateTable(model, {})) for model in fits if model.table not in found]
    if missing:
        raise WorkflowError(
            f"{database.name}: what databases agree upon is kept in tables of which some are missing; make them: "
            f"{'; '.join(missing)}"
        )
    _ready.setdefault(database, set()).update(models)
