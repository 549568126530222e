"""Other values for many rows in one UPDATE, joined with a list of rows."""

from collections.abc import Sequence

from dataflow.abc import BatchUpdate
from dataflow.mysql.bulk.multi_values import Sends, within
from dataflow.mysql.bulk.rows import row_writer
from dataflow.mysql.literals import literal

__all__ = ["update_rows"]

ROWS_PER_STATEMENT = 1000


async def update_rows(
    connection: Sends, batch: BatchUpdate, shared: Sequence[object], rows: Sequence[Sequence[object]]
) -> int:
    """Update from rows, and tell how many rows of the table were meant."""
    values = tuple(map(literal, shared))
    head, tail = batch.head % values[: batch.before], batch.tail % values[batch.before :]
    # MySQL wants a word before each row of its lists, which the first one has from the head.
    between = f",{head[-3:]}" if head.endswith("ROW") else ","
    write = row_writer(batch)
    touched = 0
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        for texts in within(write(rows[start : start + ROWS_PER_STATEMENT])):
            sent = await connection.send(f"{head}{between.join(texts)}{tail}")
            touched += sent.affected_rows
    return touched
