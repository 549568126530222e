"""Many rows in one INSERT that changes those rows which are there."""

import re
from collections.abc import Sequence

from dataflow.abc import BatchInsert
from dataflow.mysql.bulk.multi_values import Sends, statements

__all__ = ["upsert_rows"]

MET = "@dataflow_met"
"""Counts the rows that were there: what the server tells is the same for a new row and for one that stays as it is."""

FIRST_VALUE = re.compile(r"VALUES\(`(?:[^`]|``)*`\)")


async def upsert_rows(
    connection: Sends, batch: BatchInsert, rows: Sequence[Sequence[object]]
) -> tuple[int, int]:
    """Insert or change rows; how many were new, and how many were there."""
    counting = FIRST_VALUE.sub(
        lambda value: f"IF({MET} := {MET} + 1, {value[0]}, {value[0]})", batch.tail, count=1
    )
    met = 0
    for text, _ in statements(batch._replace(tail=counting), rows):
        *_, told = await connection.send_all(f"SET {MET} = 0", text, f"SELECT {MET}")
        met += int(told.rows[0][0])
    return len(rows) - met, met
