"""Many rows by COPY into a temporary table, and from there by one INSERT, which can do what COPY cannot.

It changes rows that are there, brings rows back, and turns values into whatever types the columns of the table have.
"""

from collections.abc import Sequence
from typing import Any

from dataflow.abc import BatchInsert, Rows
from dataflow.postgres.bulk.copy import copy_rows
from dataflow.postgres.bulk.target import Target
from dataflow.postgres.ddl import quoted
from dataflow.postgres.types import cast_type

__all__ = ["FEWEST_ROWS", "MAY_MAKE_TABLES", "insert_through_table"]

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
    columns = [(quoted(field.column), field) for field in batch.fields]
    declared = ", ".join(f"{column} {cast_type(field.type)}" for column, field in columns)
    await raw.execute(f"CREATE TEMPORARY TABLE {quoted(NAME)} ({declared}) ON COMMIT DROP")
    await copy_rows(raw, NAME, batch.fields, rows, schema=SCHEMA)
    values = ", ".join(target.cast(field, column) for column, field in columns)
    source = f"SELECT {values} FROM {TABLE}"
    returned: Rows = await raw.fetch(f"{batch.head.removesuffix('VALUES ')}{source}{batch.tail}")
    await raw.execute(f"DROP TABLE {TABLE}")
    return returned
