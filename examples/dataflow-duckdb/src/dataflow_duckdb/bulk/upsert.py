"""Many rows in one INSERT that changes those rows which are there."""

from collections.abc import Sequence
from typing import Any

import duckdb
from dataflow.abc import BatchInsert

from dataflow_duckdb.bulk.unnest import insert_rows
from dataflow_duckdb.names import quoted

__all__ = ["upsert_rows"]


def upsert_rows(
    raw: duckdb.DuckDBPyConnection, batch: BatchInsert, rows: Sequence[Sequence[Any]]
) -> tuple[int, int]:
    """Insert or change rows; how many were new, and how many were there.

    DuckDB does not tell them apart, but knows at once how many rows a table has; and nobody else writes meanwhile.
    """
    before = _size(raw, batch.table)
    matched = [batch.fields.index(field) for field in batch.match]
    # Null is never the same; but of several nulls in one statement DuckDB would insert the first alone.
    new = [row for row in rows if any(row[position] is None for position in matched)]
    if new:
        insert_rows(raw, batch._replace(tail=""), new)
        rows = [row for row in rows if all(row[position] is not None for position in matched)]
    if rows:
        insert_rows(raw, batch, rows)
    inserted = _size(raw, batch.table) - before
    return inserted, len(rows) + len(new) - inserted


def _size(raw: duckdb.DuckDBPyConnection, table: str) -> int:
    rows = raw.execute(f"SELECT COUNT(*) FROM {quoted(table)}").fetchall()
    return int(rows[0][0])
