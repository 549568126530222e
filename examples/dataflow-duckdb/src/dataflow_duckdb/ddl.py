"""Changes of the schema.

DuckDB has no columns that count by themselves. A key that is made for a row comes from a sequence of its own.
"""

from collections.abc import Mapping, Sequence

from dataflow.abc import Dialect
from dataflow.errors import ModelError
from dataflow.model.field import MISSING, Index
from dataflow.model.schema import Model, ModelField
from dataflow.sql.literals import literal
from dataflow.statements import AddColumn, AddReference, CreateIndex, CreateTable, Reference, SchemaChange

from dataflow_duckdb.names import quoted, quoted_text
from dataflow_duckdb.types import DECLARED

__all__ = ["render"]


def render(dialect: Dialect, change: SchemaChange, indexes: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    """The statement for a change, or several.

    :param indexes: for each table the names of its indexes, and the statements that made them.
    """
    match change:
        case CreateTable(model, references):
            return _create_table(dialect, model, references)
        case AddColumn(model, field, _):
            return _add_column(dialect, model, field, indexes.get(model.table, ()))
        case CreateIndex(model, index):
            return _create_index(model, index)
        case AddReference(model, field, _):
            raise ModelError(
                f"{model.name}.{field.name} refers to a table that is made later, and DuckDB adds no foreign key to a "
                f"table that exists; define the other model first"
            )


def _create_table(dialect: Dialect, model: Model, references: Mapping[str, Reference]) -> str:
    lines, before = [], ""
    for field in model.fields.values():
        line = _column(dialect, field)
        if field.generated:
            sequence = quoted(f"{model.table}_{field.column}_seq")
            before += f"CREATE SEQUENCE IF NOT EXISTS {sequence};\n"
            line += f" DEFAULT nextval({quoted_text(sequence)})"
        lines.append(line + _references(references.get(field.name)))
    lines.append(f"PRIMARY KEY ({', '.join(quoted(field.column) for field in model.key)})")
    body = ",\n  ".join(lines)
    return f"{before}CREATE TABLE {quoted(model.table)} (\n  {body}\n)"


def _add_column(dialect: Dialect, model: Model, field: ModelField, indexes: Sequence[tuple[str, str]]) -> str:
    """DuckDB adds no column that must have a value while the table has indexes: they are made anew."""
    change = f"ALTER TABLE {quoted(model.table)} ADD COLUMN {_column(dialect, field)}"
    if field.nullable or not indexes:
        return change
    dropped = [f"DROP INDEX {quoted(name)}" for name, _ in indexes]
    return ";\n".join((*dropped, change, *(made.rstrip(";") for _, made in indexes)))


def _column(dialect: Dialect, field: ModelField) -> str:
    words = [quoted(field.column), DECLARED[field.type.kind]]
    if not field.nullable:
        words.append("NOT NULL")
    if field.default is not MISSING and field.default is not None:
        words.append(f"DEFAULT {literal(dialect, field.default, field.type)}")
    return " ".join(words)


def _references(reference: Reference | None) -> str:
    return "" if reference is None else f" REFERENCES {quoted(reference.table)} ({quoted(reference.column)})"


def _create_index(model: Model, index: Index) -> str:
    # Those of DuckDB have no direction.
    columns = ", ".join(quoted(model.field(name).column) for name, _ in index.keys)
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {quoted(index.name or '')} ON {quoted(model.table)} ({columns})"
