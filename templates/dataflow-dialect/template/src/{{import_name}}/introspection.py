"""Reading the schema.

ROOM introspection: your database's catalogue. Names come back as the models spell them, so that a database which does
not distinguish case, as here, needs to compare them that way.
"""

from collections.abc import Mapping, Sequence

from dataflow.abc import Column, Connection, IndexOnTable, Table
from dataflow.model.schema import Model

__all__ = ["tables_of"]

COLUMNS = 'SELECT name, type, "notnull", dflt_value IS NOT NULL, pk FROM pragma_table_xinfo(?) ORDER BY cid'
INDEXES = """
SELECT i.name, i."unique", c.name, c."desc"
FROM pragma_index_list(?) AS i JOIN pragma_index_xinfo(i.name) AS c
WHERE c.key ORDER BY i.seq, c.seqno
"""
REFERENCES = 'SELECT "from", "table" FROM pragma_foreign_key_list(?)'


async def tables_of(connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
    """Describe those tables of the models that exist, by the models' own spelling."""
    found = {model.table: await _table(connection, model) for model in models}
    return {name: table for name, table in found.items() if table is not None}


async def _table(connection: Connection, model: Model) -> Table | None:
    columns = await connection.fetch(COLUMNS, [model.table])
    if not columns:
        return None
    spelling = {_folded(field.column): field.column for field in model.fields.values()}

    def spelt(name: str) -> str:
        return spelling.get(_folded(name), name)

    key = sorted((position, spelt(name)) for name, _, _, _, position in columns if position)
    references = await connection.fetch(REFERENCES, [model.table])
    return Table(
        name=model.table,
        columns={
            spelt(name): Column(spelt(name), type, not (required or position), bool(has_default or position))
            for name, type, required, has_default, position in columns
        },
        key=tuple(name for _, name in key),
        indexes=await _indexes(connection, model, spelling),
        references={spelt(column): table for column, table in references},
    )


async def _indexes(
    connection: Connection, model: Model, spelling: Mapping[str, str]
) -> tuple[IndexOnTable, ...]:
    names = {_folded(index.name): index.name for index in model.indexes if index.name is not None}
    columns: dict[tuple[str, bool], list[str]] = {}
    for index, unique, column, descends in await connection.fetch(INDEXES, [model.table]):
        shown = "(expression)" if column is None else spelling.get(_folded(column), column)
        columns.setdefault((index, bool(unique)), []).append(f"-{shown}" if descends else shown)
    return tuple(
        IndexOnTable(names.get(_folded(name), name), tuple(parts), unique)
        for (name, unique), parts in columns.items()
    )


def _folded(name: str) -> str:
    """A name as SQLite compares it: only the letters of ASCII have no case."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)
