"""Many rows by COPY, which is the fastest way into a table; no row comes back."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from dataflow.model.schema import ModelField
from dataflow.postgres.bulk.binary import FOOT, HEAD, Cell, EncodeRows, encoder, held

__all__ = ["FEWEST_ROWS", "copy_rows", "takes_copy"]

FEWEST_ROWS = 30
"""From so many rows on COPY, which takes a round trip more, is faster than a list of values."""

ROWS_AT_ONCE = 500

# The lock is that of the COPY itself, taken before the columns are looked at: nobody can change them in between.
# A snapshot of before may still show a table as it was; its file is another one by then.
# What policies or rules would rewrite takes no COPY.
COLUMNS = """
LOCK TABLE ONLY {table} IN ROW EXCLUSIVE MODE;
SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
WHERE c.oid = pg_catalog.to_regclass({name}) AND c.relkind IN ('r', 'p')
    AND NOT (c.relrowsecurity OR c.relhasrules)
    AND c.relfilenode = coalesce(pg_catalog.pg_relation_filenode(c.oid), 0)
    AND a.attnum > 0 AND NOT a.attisdropped AND ({columns})
"""


async def takes_copy(raw: Any, table: str, fields: Sequence[ModelField]) -> bool:
    """Whether COPY stores the very rows that an INSERT would, from now on until the transaction ends.

    The server does not compare the binary form of a value with the type of its column.

    :param table: its name, quoted.
    """
    columns = " OR ".join(
        f"(a.attname = {_literal(field.column)} AND a.atttypid IN ({', '.join(map(str, sorted(held(field.type))))}))"
        for field in fields
    )
    status: str = await raw.execute(COLUMNS.format(table=table, name=_literal(table), columns=columns))
    return status == f"SELECT {len(fields)}"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


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
