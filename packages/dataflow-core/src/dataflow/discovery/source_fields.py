"""A column as a line of a class, with comments for what a model has no words for."""

from collections.abc import Iterator, Mapping
from json import dumps
from typing import NamedTuple

from dataflow.catalog import CatalogColumn, CatalogReference, CatalogTable
from dataflow.discovery.source_defaults import default_of
from dataflow.discovery.source_names import Imports
from dataflow.model.schema import Model, ModelField
from dataflow.types import DECIMAL_DIGITS, ColumnType, Kind

__all__ = ["Targets", "field_lines", "one_line", "why_left_out"]

MODULES = {
    "Decimal": "decimal",
    "UUID": "uuid",
    "datetime": "datetime",
    "date": "datetime",
    "time": "datetime",
    "timedelta": "datetime",
}


class Targets(NamedTuple):
    """Where foreign keys may refer to: the models of the source by label, and how their fields are called there."""

    models: Mapping[str, Model]
    attributes: Mapping[str, Mapping[str, str]]


def one_line(text: str) -> str:
    """A text of a database as one that may stand in a comment."""
    return " ".join(text.replace("\0", " ").split())


def why_left_out(column: CatalogColumn) -> str:
    """Why a model that is declared cannot have a column; empty where it can."""
    if column.forbidden:
        return "this user may not read it"
    if column.generated:
        return f"the database computes it: {column.generated}"
    return "" if column.logical is not None and column.type else "a model has no such type"


def field_lines(
    table: CatalogTable,
    column: CatalogColumn,
    field: ModelField,
    name: str,
    targets: Targets,
    imports: Imports,
) -> Iterator[str]:
    """The lines of a field, its comments first.

    :param name: what it is called in the class.
    """
    reference = {one.columns: one for one in table.foreign_keys}.get((column.name,))
    target = None if reference is None else _target(reference, field, targets)
    default = None if column.default is None else default_of(column.default, field.type, imports)
    remarks = [
        *_of_type(column, field),
        *_of_reference(reference, field, target),
        *_of_default(table, column, field, is_said=default is not None, refers=target is not None),
    ]
    yield from (f"# {one_line(remark)}" for remark in remarks)
    options = list(_options(table, column, field, name, None if field.primary_key else default))
    extras = [f"{imports.name('dataflow', 'Field')}({', '.join(options)})"] if options else []
    if field.foreign_key is not None and target is not None:
        extras.append(_foreign_key(field, target, imports))
    hint = _hint(field.type, imports)
    if extras:
        hint = f"{imports.name('typing', 'Annotated')}[{', '.join([hint, *extras])}]"
    yield f"{name}: {hint} | None" if field.nullable else f"{name}: {hint}"


def _of_type(column: CatalogColumn, field: ModelField) -> Iterator[str]:
    if column.comment:
        yield column.comment
    if field.type.digits != DECIMAL_DIGITS:
        yield f"A class does not say how many places there are: the database rounds to {column.type}."
    elif field.type.inexact:
        yield f"A class does not say that the database keeps {column.type} as a float."


def _of_reference(reference: CatalogReference | None, field: ModelField, target: str | None) -> Iterator[str]:
    if reference is not None and target is None:
        yield f"Refers to {reference.label}, of which no model is declared here."
    elif reference is not None and (actions := ", ".join(_unsaid(reference, field))):
        yield f"The database has {actions}."


def _of_default(
    table: CatalogTable, column: CatalogColumn, field: ModelField, *, is_said: bool, refers: bool
) -> Iterator[str]:
    if column.identity:
        return
    if column.default is not None and not is_said:
        yield f"Default of the database, which a model does not use: {column.default}"
    if table.key == (column.name,) and field.type.kind is Kind.INTEGER and not refers:
        yield "The database does not number its rows: give each its key."


def _foreign_key(field: ModelField, target: str, imports: Imports) -> str:
    action = "" if field.foreign_key is None else field.foreign_key.on_delete
    # A field that is never null cannot be set so.
    action = "no_action" if action == "set_null" and not field.nullable else action
    rest = "" if action == "restrict" else f', on_delete="{action}"'
    return f'{imports.name("dataflow", "ForeignKey")}("{target}"{rest})'


def _unsaid(reference: CatalogReference, field: ModelField) -> Iterator[str]:
    """The actions of a foreign key that a model has no words for."""
    if reference.on_update.upper() not in ("", "NO ACTION", "RESTRICT"):
        yield f"ON UPDATE {reference.on_update}"
    action = reference.on_delete.upper()
    if action == "SET DEFAULT" or (action == "SET NULL" and not field.nullable):
        yield f"ON DELETE {action}"


def _options(
    table: CatalogTable, column: CatalogColumn, field: ModelField, name: str, default: str | None
) -> Iterator[str]:
    if field.primary_key:
        yield "primary_key=True"
    elif name == "id":
        yield "primary_key=False"
    if field.type.max_length is not None and not field.type.choices:
        yield f"max_length={field.type.max_length}"
    if default is not None:
        yield default
    if name != column.name:
        yield f"column={dumps(column.name, ensure_ascii=False)}"


def _target(reference: CatalogReference, field: ModelField, targets: Targets) -> str | None:
    """The model, and its field unless that is its key; None where the source has none for it to refer to."""
    label = reference.label
    model = targets.models.get(label)
    if model is None or field.foreign_key is None or reference.referred[0] not in targets.attributes[label]:
        return None
    referred = next(one for one in model.fields.values() if one.column == reference.referred[0])
    if referred.type.kind is not field.type.kind:
        return None
    if model.key == (referred,):
        return model.name
    return f"{model.name}.{targets.attributes[label][referred.column]}" if referred.unique else None


def _hint(type: ColumnType, imports: Imports) -> str:
    if type.choices:
        literals = ", ".join(
            dumps(choice, ensure_ascii=False) if isinstance(choice, str) else repr(choice)
            for choice in type.choices
        )
        return f"{imports.name('typing', 'Literal')}[{literals}]"
    if type.kind is Kind.TEXT:
        # Also where a column holds numbers and bytes as well, for which a model has no word.
        return _named(str, imports)
    if type.kind is not Kind.JSON:
        return _named(type.python, imports)
    if type.python is list:
        element = imports.name("typing", "Any") if type.element is None else _hint(type.element, imports)
        return f"{imports.name('builtins', 'list')}[{element}]"
    names = imports.name("builtins", "dict"), imports.name("builtins", "str"), imports.name("typing", "Any")
    return f"{names[0]}[{names[1]}, {names[2]}]"


def _named(python: type, imports: Imports) -> str:
    return imports.name(MODULES.get(python.__name__, "builtins"), python.__name__)
