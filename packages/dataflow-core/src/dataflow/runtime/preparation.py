"""Making sure that tables are there before a scope uses a database."""

from collections.abc import Collection

from dataflow.errors import ModelError, SchemaMismatch
from dataflow.execution.database import Database
from dataflow.execution.scope import Scope
from dataflow.model.schema import Model

__all__ = ["prepare_database"]


async def prepare_database(
    database: Database, needed: Collection[Model], scope: Scope, *, blocking: bool
) -> None:
    """Make what the new models of a database lack.

    :param needed: the models that are about to be used; what is wrong with others is told when they are.
    :raises ModelError: where the scope works on the database already, which then must not change under it.
    :raises SchemaMismatch: where a table needs more than an addition.
    """
    if not scope.holds(database):
        await database.prepare(needed, blocking=blocking)
        return
    misfits = [model.name for model in needed if model in database.refused]
    if misfits:
        raise SchemaMismatch(
            f"{', '.join(misfits)}: the table does not fit the model; db.start() and the next run tell what is wrong. "
            "dataflow-migrations plans such a change"
        )
    late = [model.name for model in needed if model in database.unprepared]
    if late:
        raise ModelError(
            f"{', '.join(late)}: define models before the run or the transaction that uses them begins"
        )
