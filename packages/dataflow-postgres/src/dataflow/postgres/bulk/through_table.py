"""Many rows by COPY into a temporary table, and from there by one INSERT, which can do what COPY cannot.

It changes rows that are there, brings rows back, and turns values into whatever types the columns of the table have.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from dataflow.abc import BatchInsert, Rows
from dataflow.postgres.bulk.copy import copy_rows
from dataflow.postgres.bulk.target import Target
from dataflow.postgres.ddl import quoted
from dataflow.postgres.types import cast_type

__all__ = ["FEWEST_ROWS", "MAY_MAKE_TABLES", "TABLE", "insert_through_table", "selection", "stocked"]

FEWEST_ROWS = 200
"""From so many rows on it is faster than a list of values."""

MAY_MAKE_TABLES = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'TEMPORARY')"
SCHEMA = "pg_temp"
NAME = "rows of dataflow"
# With its schema, as the search path may put others before it.
TABLE = f"{SCHEMA}.{quoted(NAME)}"


async def insert_through_table(
    raw: Any, target: Target, batch: BatchInsert, rows: Sequence[Sequence[Any]]
) -> Rows:
    """Insert rows, in a transaction; what comes back is in their order."""
    async with stocked(raw, batch, rows):
        sql = f"{batch.head.removesuffix('VALUES ')}{selection(target, batch)}{batch.tail}"
        returned: Rows = await raw.fetch(sql)
    return returned


@asynccontextmanager
async def stocked(raw: Any, batch: BatchInsert, rows: Sequence[Sequence[Any]]) -> AsyncIterator[None]:
    """Have rows in :data:`TABLE`, in columns that are called as those for which they are meant.

    After an error it goes with the transaction.
    """
    declared = ", ".join(f"{quoted(field.column)} {cast_type(field.type)}" for field in batch.fields)
    await raw.execute(f"CREATE TEMPORARY TABLE {quoted(NAME)} ({declared}) ON COMMIT DROP")
    await copy_rows(raw, NAME, batch.fields, rows, schema=SCHEMA)
    yield
    await raw.execute(f"DROP TABLE {TABLE}")


def selection(target: Target, batch: BatchInsert) -> str:
    """The query for these rows."""
    values = ", ".join(target.cast(field, f"given.{quoted(field.column)}") for field in batch.fields)
    return f"SELECT {values} FROM {TABLE} AS given"
