"""What a model was when it was registered, and how the table differs from it now."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dataflow.catalog import CatalogColumn, CatalogTable
from dataflow.model.schema import Model, ModelField

__all__ = ["Whereabouts", "definition_of", "differences", "whereabouts"]

Definition = Mapping[str, Any]
Whereabouts = tuple[str, str]
"""The schema of a table, empty where there are none, and its name."""


def whereabouts(tables: Collection[CatalogTable]) -> frozenset[Whereabouts]:
    """Where tables are."""
    return frozenset((table.home, table.name) for table in tables)


def definition_of(model: Model, table: CatalogTable) -> dict[str, Any]:
    """A model as JSON has it.

    :param model: that of the whole table.
    """
    columns = {column.name: column for column in table.columns}
    return {
        "schema": table.home,
        "table": table.name,
        "key": [field.column for field in model.key],
        "columns": {field.column: _column(field, columns[field.column]) for field in model.fields.values()},
        "references": {
            ", ".join(one.columns): {"schema": one.home, "table": one.table, "columns": list(one.referred)}
            for one in table.foreign_keys
        },
    }


def _column(field: ModelField, column: CatalogColumn) -> dict[str, Any]:
    return {
        "field": field.name,
        "type": column.type,
        "kind": field.type.kind.value,
        "nullable": field.nullable,
        "filled": field.generated or field.filled,
        "read_only": field.read_only,
    }


def differences(then: Definition, now: Definition, seen: Collection[Whereabouts]) -> str:
    """What has changed, in words; empty where nothing has.

    :param seen: the tables that this user may see: what refers to others may be there without being told.
    """
    return "; ".join([*_of_columns(then, now), *_of_references(then, now, seen)])


def _of_columns(then: Definition, now: Definition) -> Iterator[str]:
    before, after = then["columns"], now["columns"]
    if then["schema"] != now["schema"]:
        yield f"its schema was {then['schema']!r} and is {now['schema']!r}"
    for name in before:
        if name not in after:
            yield f"the column {name} is gone"
        else:
            for what, value in after[name].items():
                if value != before[name].get(what):
                    yield f"{name}: {what} was {before[name].get(what)!r} and is {value!r}"
    for name in after:
        if name not in before:
            yield f"the column {name} is new"
    if list(then["key"]) != list(now["key"]):
        yield f"the key was ({', '.join(then['key'])}) and is ({', '.join(now['key'])})"


def _of_references(then: Definition, now: Definition, seen: Collection[Whereabouts]) -> Iterator[str]:
    before, after = then["references"], now["references"]
    for columns, target in before.items():
        if after.get(columns) != target and (target["schema"], target["table"]) in seen:
            yield f"({columns}) does not refer to {_target(target)} any more"
    for columns, target in after.items():
        if before.get(columns) != target:
            yield f"({columns}) refers to {_target(target)}"


def _target(target: Mapping[str, Any]) -> str:
    table = f"{target['schema']}.{target['table']}" if target["schema"] else target["table"]
    return f"{table} ({', '.join(target['columns'])})"
