"""Many rows of which those that are there are changed by one join, before the others are inserted.

An INSERT would find out about each of them by trying to store it, which keeps the server busy for a quarter longer.
"""

from collections.abc import Sequence
from typing import Any

from dataflow.abc import BatchInsert
from dataflow.postgres.bulk.binary import held
from dataflow.postgres.bulk.target import Target
from dataflow.postgres.bulk.through_table import TABLE, selection, stocked
from dataflow.postgres.ddl import qualified, quoted

__all__ = ["change_first", "may_change_first"]

# Within the statement it hides a table of the same name.
CHANGED = quoted("changed by dataflow")

# Nobody sees in which order rows are stored: no trigger looks on, and where no key but that which says what is the same
# has a column that changes, no row waits for a value that another one gives up. As its columns have the usual types,
# two values are the same to a comparison if they are to the key.
QUERY = """
SELECT c.relkind = 'r' AND NOT (c.relrowsecurity OR c.relhasrules)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion) AND (
            i.indpred IS NOT NULL OR i.indexprs IS NOT NULL OR EXISTS (
                SELECT FROM pg_catalog.pg_attribute AS a
                WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND a.attname = ANY ($2::text[])
            )
        )
    )
    AND NOT EXISTS (
        SELECT FROM ROWS FROM (pg_catalog.unnest($3::text[]), pg_catalog.unnest($4::text[])) AS m (name, types)
        LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attname = m.name
        WHERE a.atttypid = ANY (m.types::oid[]) IS NOT TRUE
    )
FROM pg_catalog.pg_class AS c
WHERE c.oid = pg_catalog.to_regclass($1)
"""


async def may_change_first(raw: Any, batch: BatchInsert) -> bool:
    """Whether that does what one INSERT of all rows would do."""
    changed = [field.column for field in (*batch.changed, *batch.counted)]
    matched = [field.column for field in batch.match]
    types = [f"{{{','.join(map(str, sorted(held(field.type))))}}}" for field in batch.match]
    table = qualified(batch.schema, batch.table)
    answer: bool | None = await raw.fetchval(QUERY, table, changed, matched, types)
    return answer is True


async def change_first(
    raw: Any, target: Target, batch: BatchInsert, rows: Sequence[Sequence[Any]]
) -> tuple[int, int]:
    """Change or insert rows, in a transaction; how many were new, and how many were there.

    A row that somebody else stores meanwhile is met by the INSERT, one that somebody deletes is inserted again.
    """
    async with stocked(raw, batch, rows):
        row = await raw.fetchrow(_statement(target, batch))
    changed, inserted, stored = row
    return inserted, changed + stored - inserted


def _statement(target: Target, batch: BatchInsert) -> str:
    table = qualified(batch.schema, batch.table)
    sets = [
        *(f"{name} = {target.cast(field, f'given.{name}')}" for field, name in _named(batch.changed)),
        *(f"{name} = stored.{name} + 1" for _, name in _named(batch.counted)),
    ]
    same = " AND ".join(
        f"stored.{name} = {target.cast(field, f'given.{name}')}" for field, name in _named(batch.match)
    )
    return (
        f"WITH {CHANGED} (place) AS (UPDATE ONLY {table} AS stored SET {', '.join(sets)} FROM {TABLE} AS given "
        f"WHERE {same} RETURNING given.ctid), "
        f"stored AS ({batch.head.removesuffix('VALUES ')}{selection(target, batch)} "
        f"WHERE NOT EXISTS (SELECT FROM {CHANGED} AS changed WHERE changed.place = given.ctid){batch.tail} "
        "RETURNING xmax = 0 AS is_new) "
        f"SELECT (SELECT pg_catalog.count(*) FROM {CHANGED}), "
        "pg_catalog.count(*) FILTER (WHERE is_new), pg_catalog.count(*) FROM stored"
    )


def _named(fields: Sequence[Any]) -> list[tuple[Any, str]]:
    return [(field, quoted(field.column)) for field in fields]
