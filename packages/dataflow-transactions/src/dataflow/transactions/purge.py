"""Forgetting sagas that have come to their end long ago."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dataflow.engine import DataFlow
from dataflow.execution.database import Database
from dataflow.nodes.registry import open_databases
from dataflow.transactions.documents import read_document
from dataflow.transactions.entries import Entries
from dataflow.transactions.headers import Headers
from dataflow.transactions.ledger import STEPS
from dataflow.transactions.tables import has_table

__all__ = ["KEPT", "purge"]

KEPT = timedelta(days=7)
AT_ONCE = 500


async def purge(db: DataFlow, home: Database) -> None:
    """Delete the sagas of a home that ended more than seven days ago, with what is known of their steps.

    One with steps on a database that is not open here is left to a program that has it.
    """
    engines = dict.fromkeys((db, *open_databases.engines()))
    reached = list(dict.fromkeys(one for engine in engines for one in engine.databases().values()))
    headers, last = Headers(home), ""
    while ended := await headers.ended(before=datetime.now(UTC) - KEPT, after=last, limit=AT_ONCE):
        last = ended[-1]["id"]
        places = {database.place for database in reached} | {home.place}
        sagas = [row["id"] for row in ended if _places(row) <= places]
        if sagas:
            await _forget(headers, reached, sagas)


async def _forget(headers: Headers, reached: list[Database], sagas: list[str]) -> None:
    for database in reached:
        if await has_table(database, STEPS):
            await Entries(database).forget(sagas)
    # The last: whoever is interrupted before begins again.
    await headers.forget(sagas)


def _places(row: Mapping[str, Any]) -> set[str | None]:
    """Where the steps of a saga were entered."""
    return set(read_document(row["places"]).values())
