"""Many rows by COPY, which is the fastest way into a table; no row comes back."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from dataflow.model.schema import ModelField
from dataflow.postgres.bulk.binary import FOOT, HEAD, Cell, EncodeRows, encoder, held

__all__ = ["FEWEST_ROWS", "copied_types", "copy_rows", "takes_copy"]

FEWEST_ROWS = 30
"""From so many rows on COPY, which takes a round trip more, is faster than a list of values."""

ROWS_AT_ONCE = 500

# What policies or rules would rewrite takes no COPY.
COLUMNS = """
SELECT a.attname, a.atttypid::int8
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
WHERE c.oid = pg_catalog.to_regclass($1) AND c.relkind IN ('r', 'p')
    AND NOT (c.relrowsecurity OR c.relhasrules)
    AND a.attnum > 0 AND NOT a.attisdropped
"""


async def copied_types(raw: Any, table: str) -> dict[str, int]:
    """The types of the columns that COPY can fill; none where it cannot fill the table.

    :param table: its name, quoted.
    """
    return {name: oid for name, oid in await raw.fetch(COLUMNS, table)}


def takes_copy(types: dict[str, int], fields: Sequence[ModelField]) -> bool:
    """Whether each of the columns has the very type that is written."""
    return all(types.get(field.column) in held(field.type) for field in fields)


async def copy_rows(
    raw: Any,
    table: str,
    fields: tuple[ModelField, ...],
    rows: Sequence[Sequence[Any]],
    *,
    schema: str | None = None,
) -> None:
    """Store rows; of several that are refused the first is told.

    :param schema: where the table is, if it is not to be looked for along the search path.
    """
    columns = [field.column for field in fields]
    encode = encoder(tuple(Cell.of(field) for field in fields))
    source = _blocks(encode, rows)
    await raw.copy_to_table(table, schema_name=schema, source=source, columns=columns, format="binary")


async def _blocks(encode: EncodeRows, rows: Sequence[Sequence[Any]]) -> AsyncIterator[bytes]:
    """The rows in pieces, so that the server works on one while the next is written."""
    yield HEAD
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield encode(rows[start : start + ROWS_AT_ONCE])
    yield FOOT
