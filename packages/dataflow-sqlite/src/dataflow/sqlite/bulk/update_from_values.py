"""Other values for many rows in one UPDATE, from a list of rows."""

import sqlite3
from collections.abc import Sequence
from itertools import chain

from dataflow.abc import BatchUpdate

__all__ = ["update_rows"]

ROWS_PER_STATEMENT = 250


def update_rows(
    raw: sqlite3.Connection, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
) -> int:
    """Update from rows, and tell how many rows of the table were meant."""
    limit = raw.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    size = max(1, min(ROWS_PER_STATEMENT, (limit - len(shared)) // batch.width))
    before, after = shared[: batch.before], shared[batch.before :]
    text, count, touched = "", 0, 0
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        if len(some) != count:
            count = len(some)
            text = f"{batch.head}{', '.join([batch.row] * count)}{batch.tail}"
        touched += raw.execute(text, [*before, *chain.from_iterable(some), *after]).rowcount
    return touched
