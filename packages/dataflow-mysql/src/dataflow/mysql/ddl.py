"""Changes of the schema, as MySQL and MariaDB say them."""

from collections.abc import Container, Iterator, Mapping

from dataflow.abc import Dialect
from dataflow.errors import ModelError
from dataflow.model.field import MISSING, Index
from dataflow.model.schema import Model, ModelField
from dataflow.mysql.flavors import Flavor
from dataflow.mysql.literals import literal
from dataflow.mysql.names import HIDDEN, PREFIX, bounded, quoted
from dataflow.mysql.types import codec, declared, is_long
from dataflow.sql.codecs import with_elements
from dataflow.sql.literals import condition_text
from dataflow.statements import AddColumn, AddReference, CreateIndex, CreateTable, Reference, SchemaChange
from dataflow.types import Kind

__all__ = ["render"]


def render(
    dialect: Dialect, flavor: Flavor, change: SchemaChange, stored_apart: Container[tuple[str, str]] = ()
) -> str:
    """The statement for a change.

    :param stored_apart: the columns, by table and name, of tables that exist whose texts or bytes may be long.
    """
    return _rendered(dialect, flavor, change, stored_apart).replace("%", "%%")


def _rendered(
    dialect: Dialect, flavor: Flavor, change: SchemaChange, stored_apart: Container[tuple[str, str]]
) -> str:
    match change:
        case CreateTable(model, references):
            return _create_table(flavor, model, references)
        case AddColumn(model, field, reference):
            added = f"ALTER TABLE {quoted(model.table)} ADD COLUMN {_column(flavor, field, generated=False)}"
            return added if reference is None else f"{added}, ADD {_foreign_key(model, field, reference)}"
        case AddReference(model, field, reference):
            return f"ALTER TABLE {quoted(model.table)} ADD {_foreign_key(model, field, reference)}"
        case CreateIndex(model, index):
            if index.where is None or not index.unique:
                # Over all rows an index serves those that are meant as well.
                return _create_index(flavor, model, index, stored_apart)
            return _create_partial_index(dialect, flavor, model, index)


def _create_table(flavor: Flavor, model: Model, references: Mapping[str, Reference]) -> str:
    sole = model.key[0] if len(model.key) == 1 else None
    lines = [
        _column(flavor, field, generated=field is sole and field.generated) for field in model.fields.values()
    ]
    lines.append(f"PRIMARY KEY ({', '.join(quoted(field.column) for field in model.key)})")
    lines += [_foreign_key(model, model.fields[name], reference) for name, reference in references.items()]
    body = ",\n  ".join(lines)
    return (
        f"CREATE TABLE {quoted(model.table)} (\n  {body}\n) "
        f"ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE={flavor.collation}"
    )


def _column(flavor: Flavor, field: ModelField, *, generated: bool) -> str:
    return " ".join(_words(flavor, field, generated))


def _words(flavor: Flavor, field: ModelField, generated: bool) -> Iterator[str]:
    yield quoted(field.column)
    yield declared(field.type)
    if field.type.kind in (Kind.TEXT, Kind.JSON):
        # Said again, as a table that somebody else made may have another one.
        yield f"CHARACTER SET utf8mb4 COLLATE {flavor.collation}"
    yield "NULL" if field.nullable else "NOT NULL"
    if generated:
        yield "AUTO_INCREMENT"
    elif field.default is not MISSING and field.default is not None:
        # In parentheses, or texts and JSON could have none.
        encode = with_elements(codec(field.type), field.type).encode
        yield f"DEFAULT ({literal(field.default if encode is None else encode(field.default))})"
    if field.type.kind is Kind.JSON:
        yield f"CHECK (JSON_VALID({quoted(field.column)}))"


def _foreign_key(model: Model, field: ModelField, reference: Reference) -> str:
    action = reference.on_delete.replace("_", " ").upper()
    # The server's own choice may be too long.
    name = bounded(f"fk__{model.table}__{field.column}")
    return (
        f"CONSTRAINT {quoted(name)} FOREIGN KEY ({quoted(field.column)}) "
        f"REFERENCES {quoted(reference.table)} ({quoted(reference.column)}) ON DELETE {action}"
    )


def _create_index(
    flavor: Flavor, model: Model, index: Index, stored_apart: Container[tuple[str, str]]
) -> str:
    columns = ", ".join(
        _part(
            flavor,
            model.field(name),
            unique=index.unique,
            is_stored_apart=(model.table, model.field(name).column) in stored_apart,
        )
        + (" DESC" if descending else "")
        for name, descending in index.keys
    )
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {quoted(index.name or '')} ON {quoted(model.table)} ({columns})"


def _create_partial_index(dialect: Dialect, flavor: Flavor, model: Model, index: Index) -> str:
    """A unique index over what the columns hold in the rows that are meant, and null in all others.

    MySQL has indexes over expressions; MariaDB takes columns for that, which it keeps to itself.
    """
    table = quoted(model.table)
    # A column that is made of others names them without their table.
    condition = condition_text(dialect, model, index.where or {}).replace(f"{table}.", "")
    fields = [model.field(name) for name, _ in index.keys]
    values = [f"CASE WHEN {condition} THEN {quoted(field.column)} END" for field in fields]
    name = quoted(index.name or "")
    if flavor.row:
        parts = (
            f"(({_hashed(value) if field.type.kind in (Kind.TEXT, Kind.BINARY) else value}))"
            for field, value in zip(fields, values, strict=True)
        )
        return f"CREATE UNIQUE INDEX {name} ON {table} ({', '.join(parts)})"
    hidden = [quoted(bounded(f"{HIDDEN}{number}_{index.name}")) for number in range(len(fields))]
    added = [
        f"ADD COLUMN {column} {declared(field.type)} AS ({value}) VIRTUAL INVISIBLE"
        for column, field, value in zip(hidden, fields, values, strict=True)
    ]
    return f"ALTER TABLE {table} {', '.join(added)}, ADD UNIQUE INDEX {name} ({', '.join(hidden)})"


def _hashed(value: str) -> str:
    """What stands for a text or bytes in an index that cannot hold them, for they may be too long."""
    return f"CAST(UNHEX(SHA2({value}, 256)) AS BINARY(32))"


def _part(flavor: Flavor, field: ModelField, *, unique: bool, is_stored_apart: bool) -> str:
    if unique and is_stored_apart:
        # It was made before it had to be unique. MariaDB makes a hash of it by itself.
        return f"({_hashed(quoted(field.column))})" if flavor.row else quoted(field.column)
    if not (is_long(field.type) or is_stored_apart):
        if field.type.kind is Kind.JSON:
            raise ModelError(f"{field.name}: MySQL cannot index JSON")
        return quoted(field.column)
    if unique:
        raise ModelError(f"{field.name}: a text in a unique index needs a max_length")
    return f"{quoted(field.column)}({PREFIX})"
