"""Many rows in one INSERT that changes those rows which are there."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from dataflow.abc import BatchInsert
from dataflow.sqlite.bulk.multi_values import insert_rows

__all__ = ["UPDATING", "upsert_rows"]

UPDATING = "dataflow_updating"
"""The name of a function in SQL that is called for each row which exists, and lets it be changed.

SQLite itself does not tell how many of the rows were new.
"""


def upsert_rows(
    raw: sqlite3.Connection, updates: Iterator[int], batch: BatchInsert, rows: Sequence[Sequence[Any]]
) -> tuple[int, int]:
    """Insert or change rows; how many were new, and how many were there.

    :param updates: counts the calls of the function, from 1.
    """
    before = next(updates)
    insert_rows(raw, batch._replace(tail=f"{batch.tail} WHERE {UPDATING}()"), rows)
    updated = next(updates) - before - 1
    return len(rows) - updated, updated
