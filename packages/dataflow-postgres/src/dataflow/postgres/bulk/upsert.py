"""Many rows in one INSERT that changes those rows which are there."""

from collections.abc import Sequence
from typing import Any

from dataflow.abc import BatchInsert
from dataflow.postgres.bulk.arrays import array_of, rows_from_arrays
from dataflow.postgres.bulk.change_first import change_first, may_change_first
from dataflow.postgres.bulk.multi_values import insert_rows
from dataflow.postgres.bulk.target import Target
from dataflow.postgres.bulk.through_table import insert_through_table
from dataflow.postgres.ddl import qualified, quoted

__all__ = ["upsert_rows"]

# Of a row that was changed, this transaction is the one that has locked it; a new one nobody has.
BEFORE = "WITH stored AS ("
AFTER = (
    " RETURNING xmax = 0 AS is_new) "
    "SELECT pg_catalog.count(*) FILTER (WHERE is_new), pg_catalog.count(*) FROM stored"
)


async def upsert_rows(
    raw: Any, target: Target, batch: BatchInsert, rows: Sequence[Sequence[Any]], *, through_table: bool
) -> tuple[int, int]:
    """Insert or change rows, in a transaction; how many were new, and how many were there.

    :param through_table: whether they are worth a temporary table, and may have one.
    """
    if through_table and await may_change_first(raw, batch):
        return await change_first(raw, target, batch, rows)
    insert = insert_through_table if through_table else insert_rows
    if not target.is_plain:
        met = await _met(raw, target, batch, rows)
        await insert(raw, target, batch, rows)
        return len(rows) - met, met
    counting = batch._replace(head=BEFORE + batch.head, tail=batch.tail + AFTER)
    counts = await insert(raw, target, counting, rows)
    inserted, stored = (sum(numbers) for numbers in zip(*counts, strict=True))
    return inserted, stored - inserted


async def _met(raw: Any, target: Target, batch: BatchInsert, rows: Sequence[Sequence[Any]]) -> int:
    """How many of the rows are there, and nobody else adds any: rows of views and partitions do not tell later."""
    table = qualified(batch.schema, batch.table)
    await raw.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
    places = [batch.fields.index(field) for field in batch.match]
    columns = [
        array_of(field, [row[place] for row in rows])
        for field, place in zip(batch.match, places, strict=True)
    ]
    same = " AND ".join(
        f"stored.{quoted(field.column)} = given.column{number}"
        for number, field in enumerate(batch.match, start=1)
    )
    given = rows_from_arrays(target, batch.match, 0)
    sql = f"SELECT pg_catalog.count(*) FROM {table} AS stored JOIN ({given}) AS given ON {same}"
    count: int = await raw.fetchval(sql, *columns)
    return count
