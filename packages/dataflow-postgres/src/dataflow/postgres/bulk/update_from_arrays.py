"""Other values for many rows in one UPDATE, from an array for each column."""

from collections.abc import Sequence
from typing import Any

from dataflow.abc import BatchUpdate
from dataflow.postgres.bulk.arrays import array_of, rows_from_arrays
from dataflow.postgres.bulk.target import Target

__all__ = ["update_rows"]


async def update_rows(
    raw: Any, target: Target, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
) -> int:
    """Update from rows, and tell how many rows of the table were meant."""
    columns = map(array_of, batch.fields, zip(*rows, strict=True))
    source = rows_from_arrays(target, batch.fields, len(shared))
    sql = f"{batch.head.removesuffix('VALUES ')}{source}{batch.tail}"
    status: str = await raw.execute(sql, *shared, *columns)
    return int(status.rpartition(" ")[2])
