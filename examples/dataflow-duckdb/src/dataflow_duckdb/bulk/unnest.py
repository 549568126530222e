"""Many rows in one statement: a list for each column, which DuckDB takes apart again.

The text is the same for any number of rows, and a list costs a small part of what as many parameters do.
"""

from collections.abc import Sequence
from typing import Any

import duckdb
from dataflow.abc import BatchInsert, BatchUpdate, Rows
from dataflow.model.schema import ModelField

from dataflow_duckdb.types import sql_type

__all__ = ["insert_rows", "update_rows"]


def insert_rows(
    raw: duckdb.DuckDBPyConnection, batch: BatchInsert, rows: Sequence[Sequence[Any]]
) -> Rows | int:
    """Insert rows; they come back as stored, in their order, where ``batch.returning``, else their number."""
    if batch.width == 0:
        returned: Rows = []
        for _ in rows:  # of nothing but defaults
            returned += raw.execute(batch.head).fetchall()
        return returned if batch.returning else len(rows)
    text = f"{batch.head.removesuffix('VALUES ')}{_source(batch.fields)}{batch.tail}"
    stored = raw.execute(text, _columns(rows)).fetchall()
    return stored if batch.returning else len(rows)


def update_rows(
    raw: duckdb.DuckDBPyConnection, batch: BatchUpdate, shared: Sequence[Any], rows: Sequence[Sequence[Any]]
) -> int:
    """Update from rows, and tell how many rows of the table were meant.

    :param shared: the values that all rows share: some stand before the rows, the others after.
    """
    text = f"{batch.head}{_source(batch.fields)}{batch.tail}"
    values = [*shared[: batch.before], *_columns(rows), *shared[batch.before :]]
    return int(raw.execute(text, values).fetchall()[0][0])


def _source(fields: Sequence[ModelField]) -> str:
    return "SELECT " + ", ".join(f"unnest(CAST(? AS {sql_type(field.type)}[]))" for field in fields)


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
