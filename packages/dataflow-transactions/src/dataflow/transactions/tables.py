"""The tables in which a database keeps what is known of transactions; they are made like those of any other model."""

import os
from collections.abc import Collection, Iterable, Sequence
from threading import Lock
from weakref import WeakKeyDictionary

from dataflow.errors import WorkflowError
from dataflow.execution.crossing import running_loop
from dataflow.execution.database import Database
from dataflow.model.narrowed import narrowed
from dataflow.model.schema import Model
from dataflow.statements import CreateIndex, CreateTable
from dataflow.transactions.abilities import called
from dataflow.transactions.borrowing import on_a_connection

__all__ = ["ensure_tables", "fitting", "has_table", "is_ready"]

_lock = Lock()
_fitting: WeakKeyDictionary[Database, dict[Model, Model]] = WeakKeyDictionary()
_ready: WeakKeyDictionary[Database, set[Model]] = WeakKeyDictionary()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ready.clear)  # what was in memory has stayed with the parent


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


async def has_table(database: Database, model: Model) -> bool:
    """Whether a database has the table of a model; it is not made here."""
    return bool(await _found(database, [model]))


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
    found = await _found(database, fits)
    missing = [model for model in fits if model.table not in found]
    if missing:
        statements = (text for model in missing for text in _statements(database, model))
        raise WorkflowError(
            f"{called(database)}: what is kept of transactions is in tables of which some are missing; make them: "
            f"{'; '.join(statements)}"
        )
    _ready.setdefault(database, set()).update(models)


async def _found(database: Database, models: Sequence[Model]) -> Collection[str]:
    """The names of those tables that are there."""
    return await on_a_connection(
        database, "a look at the tables", lambda connection: database.dialect.tables(connection, models)
    )


def _statements(database: Database, model: Model) -> Iterable[str]:
    yield database.dialect.ddl(CreateTable(model, {}))
    for index in model.indexes:
        yield database.dialect.ddl(CreateIndex(model, index))
