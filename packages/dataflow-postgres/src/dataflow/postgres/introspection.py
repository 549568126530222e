"""Reading the schema of a PostgreSQL database."""

from collections.abc import Collection, Mapping, Sequence

from dataflow.abc import Column, Connection, IndexOnTable, Row, Rows, Table
from dataflow.model.schema import Model

__all__ = ["tables_of"]

# Names are looked up as a statement would: along the search path, unless the schema is said.
NAMED = """
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) AS wanted(name, schema)
JOIN pg_catalog.pg_class AS c ON c.oid = pg_catalog.to_regclass(
    pg_catalog.concat(pg_catalog.quote_ident(NULLIF(wanted.schema, '')) || '.', pg_catalog.quote_ident(wanted.name))
)
"""
COLUMNS = f"""
SELECT
    wanted.name,
    a.attname,
    CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)
        ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END,
    NOT a.attnotnull,
    a.atthasdef OR a.attidentity <> '',
    NOT coalesce(l.collisdeterministic, true) OR 'citext' IN (t.typname, coalesce(base.typname, '')),
    pg_catalog.array_position(k.indkey::int2[], a.attnum)
{NAMED}
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type AS base ON base.oid = t.typbasetype AND t.typtype = 'd'
LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_index AS k ON k.indrelid = c.oid AND k.indisprimary
ORDER BY wanted.name, a.attnum
"""
INDEXES = f"""
SELECT wanted.name, i.relname, x.indisunique AND x.indisvalid, x.indpred IS NOT NULL, a.attname,
    x.indoption[part.number - 1] & 1 = 1
{NAMED}
JOIN pg_catalog.pg_index AS x ON x.indrelid = c.oid
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
CROSS JOIN LATERAL pg_catalog.unnest(x.indkey::int2[]) WITH ORDINALITY AS part(attnum, number)
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = part.attnum AND part.attnum > 0
WHERE part.number <= x.indnkeyatts
ORDER BY wanted.name, i.relname, part.number
"""
REFERENCES = f"""
SELECT wanted.name, a.attname, f.relname
{NAMED}
JOIN pg_catalog.pg_constraint AS r ON r.conrelid = c.oid AND r.contype = 'f'
JOIN pg_catalog.pg_class AS f ON f.oid = r.confrelid
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (r.conkey)
"""


async def tables_of(connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
    """Describe the tables of models."""
    names = [[model.table for model in models], [model.schema for model in models]]
    columns = _by_table(await connection.fetch(COLUMNS, names))
    if not columns:
        return {}
    indexes = _by_table(await connection.fetch(INDEXES, names))
    references = _by_table(await connection.fetch(REFERENCES, names))
    partial = {index.name for model in models for index in model.indexes if index.where is not None}
    return {
        name: _table(name, rows, _indexes(indexes.get(name, []), partial), references.get(name, []))
        for name, rows in columns.items()
    }


def _by_table(rows: Rows) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for name, *rest in rows:
        found.setdefault(name, []).append(tuple(rest))
    return found


def _table(
    name: str, columns: Sequence[Row], indexes: tuple[IndexOnTable, ...], references: Sequence[Row]
) -> Table:
    key = sorted((position, column) for column, *_, position in columns if position is not None)
    return Table(
        name=name,
        columns={
            column: Column(column, type_, nullable, has_default, folds)
            for column, type_, nullable, has_default, folds, _ in columns
        },
        key=tuple(column for _, column in key),
        indexes=indexes,
        references=dict(references),
    )


def _indexes(rows: Sequence[Row], partial: Collection[str | None]) -> tuple[IndexOnTable, ...]:
    """The indexes; unique is one that holds for every row, or for as many as its model says.

    :param partial: the names of those that models declare for some of the rows.
    """
    columns: dict[tuple[str, bool], list[str]] = {}
    for index, unique, is_partial, name, descending in rows:
        shown = name if name is not None else "(expression)"
        holds = unique and is_partial is (index in partial)
        columns.setdefault((index, holds), []).append(f"-{shown}" if descending else shown)
    return tuple(IndexOnTable(name, tuple(parts), unique) for (name, unique), parts in columns.items())
