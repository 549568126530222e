"""Reading the schema of a MySQL or MariaDB database."""

from collections.abc import Mapping, Sequence

from dataflow.abc import Column, Connection, IndexOnTable, Row, Table
from dataflow.model.field import Index
from dataflow.model.schema import Model
from dataflow.mysql.literals import Members

__all__ = ["tables_of"]

COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable = 'YES', extra, column_default, collation_name
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name IN %s
ORDER BY table_name, ordinal_position
"""
# A unique index over the beginnings of texts is none over the texts.
INDEXES = """
SELECT table_name, index_name, non_unique = 0,
CASE WHEN non_unique = 0 AND sub_part IS NOT NULL THEN NULL ELSE column_name END, collation
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name IN %s
ORDER BY table_name, index_name, seq_in_index
"""
REFERENCES = """
SELECT table_name, column_name, referenced_table_name
FROM information_schema.key_column_usage
WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL AND table_name IN %s
"""
EXACT = ("0900_bin", "nopad_bin")
"""How the collations end that compare by code points and take spaces at the end for what they are."""

PRIMARY = "PRIMARY"
EXPRESSION = "(expression)"


async def tables_of(
    connection: Connection, models: Sequence[Model], *, null_is_written: bool, case_matters: bool
) -> Mapping[str, Table]:
    """Describe the tables of models, by the models' own spelling.

    :param null_is_written: whether the server describes no default by the word NULL.
    :param case_matters: whether it tells names of tables apart by their case.
    """
    names = [Members(model.table for model in models)]
    columns = await connection.fetch(COLUMNS, names)
    indexes = await connection.fetch(INDEXES, names)
    references = await connection.fetch(REFERENCES, names)

    def same(model: Model, rows: Sequence[Row]) -> list[Row]:
        if case_matters:
            return [row[1:] for row in rows if row[0] == model.table]
        return [row[1:] for row in rows if row[0].casefold() == model.table.casefold()]

    found = {model: same(model, columns) for model in models}
    return {
        model.table: _table(
            model, found[model], same(model, indexes), same(model, references), null_is_written
        )
        for model in models
        if found[model]
    }


def _table(
    model: Model,
    columns: Sequence[Row],
    indexes: Sequence[Row],
    references: Sequence[Row],
    null_is_written: bool,
) -> Table:
    # The names of columns have no case.
    spelling = {field.column.casefold(): field.column for field in model.fields.values()}

    def spelt(name: str) -> str:
        return spelling.get(name.casefold(), name)

    def column(
        name: str, type: str, nullable: int, extra: str, default: str | None, collation: str | None
    ) -> Column:
        there = default is not None and not (null_is_written and default == "NULL")
        made = any(word in extra.upper() for word in ("AUTO_INCREMENT", "GENERATED"))
        return Column(
            spelt(name), type, bool(nullable), there or made, not (collation or EXACT[0]).endswith(EXACT)
        )

    return Table(
        name=model.table,
        columns={spelt(row[0]): column(*row) for row in columns},
        key=tuple(spelt(row[2] or EXPRESSION) for row in indexes if row[0] == PRIMARY),
        indexes=_indexes(model, indexes, spelling),
        references={spelt(name): table for name, table in references},
    )


def _indexes(model: Model, rows: Sequence[Row], spelling: Mapping[str, str]) -> tuple[IndexOnTable, ...]:
    wanted = {index.name: index for index in model.indexes}
    named = {index.name.casefold(): index.name for index in model.indexes if index.name is not None}
    columns: dict[tuple[str, bool], list[str]] = {}
    for index, unique, name, collation in rows:
        shown = EXPRESSION if name is None else spelling.get(name.casefold(), name)
        columns.setdefault((index, bool(unique)), []).append(f"-{shown}" if collation == "D" else shown)
    found = [
        IndexOnTable(named.get(name.casefold(), name), tuple(parts), unique)
        for (name, unique), parts in columns.items()
        if name != PRIMARY
    ]
    return tuple(_as_declared(model, index, wanted.get(index.name)) for index in found)


def _as_declared(model: Model, index: IndexOnTable, wanted: Index | None) -> IndexOnTable:
    """A unique index over expressions or hidden columns stands for what the model declares: its name must do."""
    by_name = (
        wanted is not None and wanted.unique and (wanted.where is not None or EXPRESSION in index.columns)
    )
    if wanted is None or not by_name:
        return index
    columns = (("-" if down else "") + model.field(name).column for name, down in wanted.keys)
    return index._replace(columns=tuple(columns))
