"""Changes of the schema, as SQLite says them."""

from collections.abc import Mapping

from dataflow.abc import Dialect
from dataflow.model.field import MISSING, Index
from dataflow.model.schema import Model, ModelField
from dataflow.sql.literals import condition_text, literal
from dataflow.sqlite.types import DECLARED
from dataflow.statements import AddColumn, AddReference, CreateIndex, CreateTable, Reference, SchemaChange

__all__ = ["quoted", "render"]


def quoted(name: str) -> str:
    """A name, so that nothing in it can be taken for anything else."""
    return '"' + name.replace('"', '""') + '"'


def render(dialect: Dialect, change: SchemaChange) -> str:
    """The statement for a change."""
    match change:
        case CreateTable(model, references):
            return _create_table(dialect, model, references)
        case AddColumn(model, field, reference):
            column = _column(dialect, field, generated=False) + _references(reference)
            return f"ALTER TABLE {quoted(model.table)} ADD COLUMN {column}"
        case CreateIndex(model, index):
            return _create_index(dialect, model, index)
        case AddReference():
            raise NotImplementedError(
                "SQLite takes a foreign key with its column only, and needs no other way"
            )


def _create_table(dialect: Dialect, model: Model, references: Mapping[str, Reference]) -> str:
    sole = model.key[0] if len(model.key) == 1 else None
    lines = [
        _column(dialect, field, generated=field is sole and field.generated)
        + _references(references.get(field.name))
        for field in model.fields.values()
    ]
    if not (sole is not None and sole.generated):
        lines.append(f"PRIMARY KEY ({', '.join(quoted(field.column) for field in model.key)})")
    body = ",\n  ".join(lines)
    return f"CREATE TABLE {quoted(model.table)} (\n  {body}\n)"


def _column(dialect: Dialect, field: ModelField, *, generated: bool) -> str:
    words = [quoted(field.column), DECLARED[field.type.kind]]
    if generated:
        # Without AUTOINCREMENT the key of a deleted row can be given to a new one.
        return " ".join([*words, "PRIMARY KEY AUTOINCREMENT"])
    if not field.nullable:
        words.append("NOT NULL")
    if field.default is not MISSING and field.default is not None:
        words.append(f"DEFAULT {literal(dialect, field.default, field.type)}")
    return " ".join(words)


def _references(reference: Reference | None) -> str:
    if reference is None:
        return ""
    action = reference.on_delete.replace("_", " ").upper()
    return f" REFERENCES {quoted(reference.table)} ({quoted(reference.column)}) ON DELETE {action}"


def _create_index(dialect: Dialect, model: Model, index: Index) -> str:
    columns = ", ".join(
        quoted(model.field(name).column) + (" DESC" if descending else "") for name, descending in index.keys
    )
    unique = "UNIQUE " if index.unique else ""
    partial = "" if index.where is None else f" WHERE {condition_text(dialect, model, index.where)}"
    return f"CREATE {unique}INDEX {quoted(index.name or '')} ON {quoted(model.table)} ({columns}){partial}"
