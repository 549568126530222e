"""Making sure that tables are there before a scope uses a database."""

from dataflow.errors import ModelError
from dataflow.execution.database import Database
from dataflow.execution.scope import Scope

__all__ = ["prepare_database"]


async def prepare_database(database: Database, scope: Scope, *, blocking: bool) -> None:
    """Make what the new models of a database lack.

    :raises ModelError: where the scope works on the database already, which then must not change under it.
    """
    if scope.holds(database):
        names = ", ".join(model.name for model in database.unprepared)
        raise ModelError(f"{names}: define models before the run or the transaction that uses them begins")
    await database.prepare(blocking=blocking)
