"""Forgetting sagas that have come to their end long ago."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from dataflow.execution.database import Database
from dataflow.transactions.entries import Entries
from dataflow.transactions.headers import Headers
from dataflow.transactions.ledger import STEPS
from dataflow.transactions.places import read_places
from dataflow.transactions.reach import Reached
from dataflow.transactions.tables import has_table

__all__ = ["KEPT", "purge"]

KEPT = timedelta(days=7)
AT_ONCE = 500


async def purge(home: Database, reached: Reached) -> None:
    """Delete the sagas of a home that ended more than seven days ago, with what is known of their steps.

    One with steps on a database that was not reached is left to a program that has it.
    """
    identities = {*reached.values()}
    headers, last = Headers(home), ""
    while ended := await headers.ended(before=datetime.now(UTC) - KEPT, after=last, limit=AT_ONCE):
        last = ended[-1]["id"]
        sagas = [row["id"] for row in ended if _identities(row) <= identities]
        if sagas:
            await _forget(headers, reached, sagas)


async def _forget(headers: Headers, reached: Reached, sagas: list[str]) -> None:
    for database, identity in reached.items():
        if identity is not None and await has_table(database, STEPS):
            await Entries(database, identity).forget(sagas)
    # The last: whoever is interrupted before begins again.
    await headers.forget(sagas)


def _identities(row: Mapping[str, Any]) -> set[str]:
    """Who the databases are that know of a saga."""
    return {recorded.identity for recorded in read_places(row["places"]).values()}
