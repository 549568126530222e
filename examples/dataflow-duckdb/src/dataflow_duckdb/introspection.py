"""Reading the schema. Names come back as the models spell them, as DuckDB does not distinguish case."""

from collections.abc import Mapping, Sequence

from dataflow.abc import Column, Connection, IndexOnTable, Row, Rows, Table
from dataflow.model.schema import Model

from dataflow_duckdb.names import unquoted

__all__ = ["indexes_of", "tables_of"]

# All tables at once, as each look into DuckDB's catalogue costs more than what it brings.
WANTED = "FROM (SELECT unnest(CAST(? AS VARCHAR[])) AS wanted) JOIN "
HERE = """
AS found ON lower(found.table_name) = lower(wanted)
AND found.database_name = current_database() AND found.schema_name = current_schema()
"""
# Which collation a column has, only the statement tells that made its table.
COLUMNS = f"""
SELECT wanted, column_name, data_type, is_nullable, column_default IS NOT NULL,
    coalesce(made.sql ILIKE '% COLLATE %', false)
{WANTED} duckdb_columns() {HERE} LEFT JOIN duckdb_tables() AS made ON made.table_oid = found.table_oid
    AND made.database_oid = found.database_oid
ORDER BY column_index
"""
CONSTRAINTS = f"""
SELECT wanted, constraint_type, constraint_column_names, referenced_table
{WANTED} duckdb_constraints() {HERE} WHERE constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')
"""
INDEXES = f"""
SELECT wanted, index_name, is_unique, CAST(expressions AS VARCHAR[]), sql
{WANTED} duckdb_indexes() {HERE} ORDER BY index_oid
"""

Found = Mapping[str, Sequence[Row]]
"""What was found, by the tables that were asked for."""


async def tables_of(connection: Connection, models: Sequence[Model]) -> Mapping[str, Table]:
    """Describe those tables of the models that exist, by the models' own spelling."""
    names = [[model.table for model in models]]
    columns = _by_table(await connection.fetch(COLUMNS, names))
    if not columns:
        return {}
    constraints = _by_table(await connection.fetch(CONSTRAINTS, names))
    indexes = _by_table(await connection.fetch(INDEXES, names))
    return {
        name: _table(model, columns[name], constraints.get(name, ()), indexes.get(name, ()))
        for name, model in zip(names[0], models, strict=True)
        if name in columns
    }


async def indexes_of(
    connection: Connection, tables: Sequence[str]
) -> Mapping[str, Sequence[tuple[str, str]]]:
    """For each table the names of its indexes, and the statements that made them."""
    rows = _by_table(await connection.fetch(INDEXES, [list(tables)]))
    return {table: [(row[0], row[3]) for row in rows.get(table, ())] for table in tables}


def _by_table(rows: Rows) -> Found:
    found: dict[str, list[Row]] = {}
    for name, *rest in rows:
        found.setdefault(name, []).append(tuple(rest))
    return found


def _table(model: Model, columns: Sequence[Row], constraints: Sequence[Row], indexes: Sequence[Row]) -> Table:
    spelling = {field.column.lower(): field.column for field in model.fields.values()}

    def spelt(name: str) -> str:
        return spelling.get(name.lower(), name)

    keys = [names for type_, names, _ in constraints if type_ == "PRIMARY KEY"]
    return Table(
        name=model.table,
        columns={
            spelt(name): Column(spelt(name), type_, nullable, has_default, folds)
            for name, type_, nullable, has_default, folds in columns
        },
        key=tuple(spelt(name) for name in (keys[0] if keys else ())),
        indexes=tuple(_index(model, row, spelling) for row in indexes),
        references={spelt(names[0]): table for type_, names, table in constraints if type_ == "FOREIGN KEY"},
    )


def _index(model: Model, row: Row, spelling: Mapping[str, str]) -> IndexOnTable:
    name, unique, expressions, _ = row
    there = tuple(_indexed(expression, spelling) for expression in expressions)
    for index in model.indexes:
        if (index.name or "").lower() == name.lower():
            name = index.name or name
            columns = [(model.field(part).column, down) for part, down in index.keys]
            # DuckDB keeps no direction: the one that the model asks for is as good as there.
            if there == tuple(column for column, _ in columns):
                there = tuple(("-" if down else "") + column for column, down in columns)
    return IndexOnTable(name, there, unique)


def _indexed(expression: str, spelling: Mapping[str, str]) -> str:
    """What an index is over: a column, quoted where it has to be, or anything else."""
    if expression.startswith("("):
        return "(expression)"
    name = unquoted(expression)
    return spelling.get(name.lower(), name)
