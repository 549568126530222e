"""Reading the schema of an SQLite database."""

import json
import re
from collections.abc import Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase

from dataflow.abc import Column, Connection, IndexOnTable, Table
from dataflow.model.schema import Model

__all__ = ["fold", "tables_of"]

COLUMNS = """
SELECT m.name, c.name, c.type, c."notnull", c.dflt_value IS NOT NULL OR c.hidden <> 0, c.pk, m.sql
FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c
WHERE m.type IN ('table', 'view') AND m.name COLLATE NOCASE IN (SELECT value FROM json_each(?))
ORDER BY m.name, c.cid
"""
INDEXES = """
SELECT m.name, i.name, i."unique", c.name, c."desc"
FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS i JOIN pragma_index_xinfo(i.name) AS c
WHERE m.type = 'table' AND c.key AND m.name COLLATE NOCASE IN (SELECT value FROM json_each(?))
ORDER BY m.name, i.seq, c.seqno
"""
REFERENCES = """
SELECT m.name, f."from", f."table"
FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
WHERE m.type = 'table' AND m.name COLLATE NOCASE IN (SELECT value FROM json_each(?))
"""


COLLATED = re.compile(r"\bcollate\b(?!\W*binary\b)", re.IGNORECASE)
"""What a table says where a column of it may have a collation; SQLite itself does not tell of which one."""

LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


async def tables_of(connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
    """Describe the tables of models, by the models' own spelling: to SQLite, case does not distinguish names."""
    names = [json.dumps([model.table for model in models])]
    columns = await connection.fetch(COLUMNS, names)
    indexes = await connection.fetch(INDEXES, names)
    references = await connection.fetch(REFERENCES, names)
    found = {fold(row[0]) for row in columns}
    return {
        model.table: _table(
            model,
            [row[1:] for row in columns if fold(row[0]) == fold(model.table)],
            [row[1:] for row in indexes if fold(row[0]) == fold(model.table)],
            [row[1:] for row in references if fold(row[0]) == fold(model.table)],
        )
        for model in models
        if fold(model.table) in found
    }


def fold(name: str) -> str:
    """A name as SQLite compares it: only the letters of ASCII have no case."""
    return name.translate(LOWER)


def _table(
    model: Model,
    columns: Sequence[tuple[str, str, int, int, int, str]],
    indexes: Sequence[tuple[str, int, str | None, int]],
    references: Sequence[tuple[str, str]],
) -> Table:
    spelling = {fold(field.column): field.column for field in model.fields.values()}

    def spelt(name: str) -> str:
        return spelling.get(fold(name), name)

    key = sorted((position, spelt(name)) for name, _, _, _, position, _ in columns if position)
    return Table(
        name=model.table,
        columns={
            spelt(name): Column(
                spelt(name),
                declared,
                not required and not position,
                bool(has_default or position),
                COLLATED.search(sql) is not None,
            )
            for name, declared, required, has_default, position, sql in columns
        },
        key=tuple(name for _, name in key),
        indexes=_indexes(model, indexes, spelling),
        references={spelt(name): table for name, table in references},
    )


def _indexes(
    model: Model, rows: Sequence[tuple[str, int, str | None, int]], spelling: Mapping[str, str]
) -> tuple[IndexOnTable, ...]:
    named = {fold(index.name): index.name for index in model.indexes if index.name is not None}
    columns: dict[tuple[str, int], list[str]] = {}
    for index, unique, name, descending in rows:
        shown = spelling.get(fold(name), name) if name is not None else "(expression)"
        columns.setdefault((index, unique), []).append(f"-{shown}" if descending else shown)
    return tuple(
        IndexOnTable(named.get(fold(name), name), tuple(parts), bool(unique))
        for (name, unique), parts in columns.items()
    )
