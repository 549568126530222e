"""Forgetting sagas that have come to their end long ago."""

from datetime import UTC, datetime, timedelta

from dataflow.engine import DataFlow
from dataflow.execution.database import Database
from dataflow.nodes.registry import open_databases
from dataflow.transactions.entries import Entries
from dataflow.transactions.headers import COMPENSATED, DONE, Headers
from dataflow.transactions.ledger import STEPS, has_table

__all__ = ["KEPT", "purge"]

KEPT = timedelta(days=7)
AT_ONCE = 500


async def purge(db: DataFlow, home: Database) -> None:
    """Delete the sagas of a home that ended more than seven days ago, with what every open database knows of them."""
    headers = Headers(home)
    ended = await headers.list([DONE, COMPENSATED], before=datetime.now(UTC) - KEPT, limit=AT_ONCE)
    if not ended:
        return
    sagas = [row["id"] for row in ended]
    engines = dict.fromkeys((db, *open_databases.engines()))
    for database in {database for engine in engines for database in engine.databases().values()}:
        if await has_table(database, STEPS):
            await Entries(database).forget(sagas)
    # The last: whoever is interrupted before begins again.
    await headers.forget(sagas)
