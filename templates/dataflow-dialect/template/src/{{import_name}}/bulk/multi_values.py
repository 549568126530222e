"""Many rows in one statement, which any database can do.

ROOM bulk: if yours has something faster, such as a COPY, choose it where ``batch.returning`` is false and the rows
are many.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from dataflow.abc import BatchInsert, BatchUpdate, Rows

__all__ = ["insert_rows", "update_rows"]

VALUES_PER_STATEMENT = 500
"""A database bounds how many a statement may have, and is no faster with more."""


def insert_rows(raw: sqlite3.Connection, batch: BatchInsert, rows: Sequence[Sequence[Any]]) -> Rows | int:
    """Insert rows; they come back as stored, in their order, where ``batch.returning``, else their number."""
    returned: Rows = []
    if batch.width == 0:
        for _ in rows:  # of nothing but defaults
            returned += raw.execute(batch.head).fetchall()
    for some in _slices(rows, batch.width):
        text = f"{batch.head}{', '.join([batch.row] * len(some))}{batch.tail}"
        returned += raw.execute(text, list(chain.from_iterable(some))).fetchall()
    return returned if batch.returning else len(rows)


def update_rows(
    raw: sqlite3.Connection, batch: BatchUpdate, shared: Sequence[Any], rows: Sequence[Sequence[Any]]
) -> int:
    """Update from rows, and tell how many rows of the table were meant.

    :param shared: the values that all rows share: some stand before the rows, the others after.
    """
    touched = 0
    for some in _slices(rows, batch.width):
        text = f"{batch.head}{', '.join([batch.row] * len(some))}{batch.tail}"
        values = [*shared[: batch.before], *chain.from_iterable(some), *shared[batch.before :]]
        touched += raw.execute(text, values).rowcount
    return touched


def _slices(rows: Sequence[Sequence[Any]], width: int) -> Iterator[Sequence[Sequence[Any]]]:
    size = max(1, VALUES_PER_STATEMENT // max(width, 1))
    for start in range(0, len(rows) if width else 0, size):
        yield rows[start : start + size]
