"""Many rows in one INSERT: the fastest way that ``sqlite3`` offers."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

from dataflow.abc import BatchInsert, Rows

__all__ = ["insert_rows"]

ROWS_PER_STATEMENT = 50


def insert_rows(raw: sqlite3.Connection, batch: BatchInsert, rows: Sequence[Sequence[Any]]) -> Rows | int:
    """Insert rows; they come back as stored where ``batch.returning``, in their order, else their number."""
    if batch.width == 0:
        return _one_by_one(raw, batch, len(rows))
    limit = raw.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    size = max(1, min(ROWS_PER_STATEMENT, limit // batch.width))
    whole = len(rows) - len(rows) % size
    statement = _statement(batch, size)
    returned: Rows = []
    for start in range(0, whole, size):
        returned += raw.execute(statement, list(chain.from_iterable(rows[start : start + size]))).fetchall()
    if whole < len(rows):
        rest = rows[whole:]
        returned += raw.execute(_statement(batch, len(rest)), list(chain.from_iterable(rest))).fetchall()
    return returned if batch.returning else len(rows)


def _statement(batch: BatchInsert, count: int) -> str:
    return f"{batch.head}{', '.join([batch.row] * count)}{batch.tail}"


def _one_by_one(raw: sqlite3.Connection, batch: BatchInsert, count: int) -> Rows | int:
    """Rows of nothing but defaults have no VALUES to repeat."""
    returned: Rows = []
    for _ in range(count):
        returned += raw.execute(batch.head).fetchall()
    return returned if batch.returning else count
