"""Many rows in one INSERT."""

from collections.abc import Sequence
from itertools import chain, count
from typing import Any

from dataflow.abc import BatchInsert, Rows
from dataflow.postgres.bulk.target import Target

__all__ = ["insert_rows"]

ROWS_PER_STATEMENT = 500
MOST_PARAMETERS = 32_767


async def insert_rows(raw: Any, target: Target, batch: BatchInsert, rows: Sequence[Sequence[Any]]) -> Rows:
    """Insert rows; they come back as stored where ``batch.returning``, in their order."""
    if batch.width == 0:
        return await _one_by_one(raw, batch, len(rows))
    returned: Rows = []
    size = max(1, min(ROWS_PER_STATEMENT, MOST_PARAMETERS // batch.width))
    for start in range(0, len(rows), size):
        some = rows[start : start + size]
        returned += await raw.fetch(_statement(target, batch, len(some)), *chain.from_iterable(some))
    return returned


def _statement(target: Target, batch: BatchInsert, size: int) -> str:
    casts = [target.typed(field, "") for field in batch.fields]
    places = count(1)
    rows = (", ".join(f"${next(places)}{cast}" for cast in casts) for _ in range(size))
    return f"{batch.head}({'), ('.join(rows)}){batch.tail}"


async def _one_by_one(raw: Any, batch: BatchInsert, size: int) -> Rows:
    """Rows of nothing but defaults have no VALUES to repeat."""
    returned: Rows = []
    for _ in range(size):
        returned += await raw.fetch(batch.head)
    return returned
