"""Which additive changes bring a database up to its models, and when to refuse."""

from collections.abc import Iterable, Mapping, Sequence

from dataflow.abc import Dialect, Table
from dataflow.errors import ModelError, SchemaMismatch, nearest
from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.statements import AddColumn, AddReference, CreateIndex, CreateTable, Reference, SchemaChange

__all__ = ["additive_changes", "in_order_of_references", "left_null"]


def additive_changes(
    dialect: Dialect, models: Iterable[Model], tables: Mapping[str, Table], known: Mapping[str, Model]
) -> tuple[SchemaChange, ...]:
    """The new tables, columns and indexes that the models need. Nothing is ever dropped or rewritten.

    :param tables: those that exist, by name.
    :param known: the models of the database by name, to which foreign keys may refer.
    :raises SchemaMismatch: naming everything that needs more than an addition.
    :raises ModelError: where a foreign key names a model that nobody defined.
    """
    changes: list[SchemaChange] = []
    problems: list[str] = []
    for model in models:
        table = tables.get(model.table)
        if table is None:
            changes.append(CreateTable(model, _references(model, known)))
            changes += [CreateIndex(model, index) for index in model.indexes]
        else:
            problems += _differences(dialect, model, table, known)
            changes += _additions(model, table, known)
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        raise SchemaMismatch(
            f"the database does not fit the models, and additions cannot repair it:{lines}\n"
            "Plan such a change with dataflow-migrations (pip install dataflow-migrations), or, "
            "to use the tables as they are, pass existing_schema_mode=True."
        )
    return tuple(changes)


def in_order_of_references(changes: Sequence[SchemaChange]) -> Sequence[SchemaChange]:
    """The same changes, with what is referred to first, and at the end the foreign keys for which that is not possible.

    A unique field is made unique by an index, which comes after the tables. A table that exists is extended before
    new ones refer to it, as some databases change no table that others refer to.
    """
    tables = _referred_first([change for change in changes if isinstance(change, CreateTable)])
    extensions = _extensions(changes)
    rest = [change for change in changes if change not in extensions and not isinstance(change, CreateTable)]
    made_later = {(model.table, field.column) for model, _ in tables for field in model.fields.values()}
    ordered: list[SchemaChange] = []
    later: list[SchemaChange] = []
    for model, references in tables:
        if len(model.key) == 1:
            made_later.remove((model.table, model.key[0].column))
        at_once = {
            name: found for name, found in references.items() if (found.table, found.column) not in made_later
        }
        ordered.append(CreateTable(model, at_once))
        later += [
            AddReference(model, model.fields[name], found)
            for name, found in references.items()
            if name not in at_once
        ]
    return [*extensions, *ordered, *rest, *later]


def _extensions(changes: Sequence[SchemaChange]) -> Sequence[SchemaChange]:
    """Those changes of tables that exist which need no table that is new."""
    new = {change.model.table for change in changes if isinstance(change, CreateTable)}
    referring = {
        (change.model.table, change.field.name)
        for change in changes
        if isinstance(change, AddColumn) and change.reference is not None
    }
    return [
        change
        for change in changes
        if (isinstance(change, AddColumn) and change.reference is None)
        or (
            isinstance(change, CreateIndex)
            and change.model.table not in new
            and not any((change.model.table, name) in referring for name in change.index.fields)
        )
    ]


def _referred_first(tables: Sequence[CreateTable]) -> Sequence[CreateTable]:
    """Tables after those that they refer to, as far as they do not refer to each other; else in their order."""
    left, ordered = list(tables), list[CreateTable]()
    while left:
        names = {change.model.table for change in left}
        ready = next(
            (
                change
                for change in left
                if not {reference.table for reference in change.references.values()}
                & (names - {change.model.table})
            ),
            left[0],
        )
        left.remove(ready)
        ordered.append(ready)
    return ordered


def left_null(model: Model, table: Table | None) -> frozenset[str]:
    """The fields that are null where an INSERT leaves them out: those without a default, in the model and in the table.

    :param table: the table as it was before any change; None where there was none.
    """
    columns = {} if table is None else table.columns
    return frozenset(
        field.name
        for field in model.fields.values()
        if field.default is MISSING and not (field.column in columns and columns[field.column].has_default)
    )


def _references(model: Model, known: Mapping[str, Model]) -> Mapping[str, Reference]:
    found = {name: _reference(model, field, known) for name, field in model.fields.items()}
    return {name: reference for name, reference in found.items() if reference is not None}


def _reference(model: Model, field: ModelField, known: Mapping[str, Model]) -> Reference | None:
    key = field.foreign_key
    if key is None:
        return None
    target = known.get(key.model)
    if target is None:
        raise ModelError(
            f"{model.name}.{field.name} refers to the model {key.model!r}, which is not defined in this database"
            f"{nearest(key.model, known)}"
        )
    where = f"{model.name}.{field.name}"
    if key.field is None and len(target.key) != 1:
        raise ModelError(f"{where}: {target.name} has no single key; write '{target.name}.field'")
    referred = target.key[0] if key.field is None else target.field(key.field)
    if referred.type.kind is not field.type.kind:
        raise ModelError(
            f"{where} holds {field.type.kind.value}, but {target.name}.{referred.name}, to which it refers, "
            f"holds {referred.type.kind.value}"
        )
    if not _is_unique(target, referred):
        raise ModelError(
            f"{where} refers to {target.name}.{referred.name}, which is neither the key nor unique"
        )
    return Reference(target.table, referred.column, key.on_delete)


def _is_unique(model: Model, field: ModelField) -> bool:
    if tuple(part.name for part in model.key) == (field.name,):
        return True
    return any(
        index.unique and index.where is None and index.fields == (field.name,) for index in model.indexes
    )


def _additions(model: Model, table: Table, known: Mapping[str, Model]) -> Iterable[SchemaChange]:
    for field in model.fields.values():
        if field.column not in table.columns:
            yield AddColumn(model, field, _reference(model, field, known))
    existing = {index.name for index in table.indexes}
    for index in model.indexes:
        if index.name not in existing:
            yield CreateIndex(model, index)


def _foreign_key_differences(
    field: ModelField, table: Table, known: Mapping[str, Model], where: str
) -> Iterable[str]:
    key, target = field.foreign_key, table.references.get(field.column)
    if key is None:
        return
    if target is None:
        yield f"{where} is a foreign key, but its column is not"
    elif key.model in known and known[key.model].table.casefold() != target.casefold():
        yield f"{where} refers to {known[key.model].table}, but its column to {target}"


def _index_differences(model: Model, table: Table) -> Iterable[str]:
    wanted = {index.name: index for index in model.indexes}
    for there in table.indexes:
        index = wanted.get(there.name)
        if index is None:
            if there.unique and there.name.startswith(f"uq__{model.table}__"):
                yield f"{model.table} ({', '.join(there.columns)}) is unique, but {model.name} no longer says so"
            continue
        columns = tuple(("-" if down else "") + model.field(name).column for name, down in index.keys)
        if columns != there.columns or index.unique != there.unique:
            yield f"the index {there.name} of {model.table} is another one than {model.name} declares"


def _differences(dialect: Dialect, model: Model, table: Table, known: Mapping[str, Model]) -> Iterable[str]:
    yield from _index_differences(model, table)
    declared = {field.column: field for field in model.fields.values()}
    for name, field in declared.items():
        where = f"{model.name}.{field.name} ({model.table}.{name})"
        column = table.columns.get(name)
        if column is None:
            if field.primary_key:
                yield f"{where} is a key, but the table has no such column"
            elif not field.nullable and field.default is MISSING:
                yield f"{where} is new and required: give it a default or allow None"
            elif (reason := dialect.cannot_add(field)) is not None:
                yield f"{where} is new, but {reason}"
            continue
        if not dialect.stores(column, field.type):
            yield f"{where} holds {field.type.kind.value}, but the column was made as {column.type or 'untyped'}"
        if column.nullable and not field.nullable and not field.primary_key:
            yield f"{where} does not allow None, but its column does"
        if field.nullable and not column.nullable:
            yield f"{where} allows None, but its column does not"
        yield from _foreign_key_differences(field, table, known, where)
    for name, column in table.columns.items():
        if name not in declared and not column.nullable and not column.has_default:
            yield f"{model.table}.{name} must have a value, but {model.name} has no such field"
    key = tuple(field.column for field in model.key)
    if key != table.key:
        yield f"{model.name} has the key ({', '.join(key)}), its table ({', '.join(table.key) or 'none'})"
