"""What a model was when it was registered, and how the table differs from it now."""

from collections.abc import Iterator, Mapping
from typing import Any

from dataflow.model.schema import Model, ModelField

__all__ = ["definition_of", "differences"]

Definition = Mapping[str, Any]


def definition_of(model: Model, types: Mapping[str, str]) -> dict[str, Any]:
    """A model as JSON has it.

    :param types: the type of each column, as the database writes it.
    """
    return {
        "key": [field.column for field in model.key],
        "columns": {field.column: _column(field, types[field.column]) for field in model.fields.values()},
    }


def _column(field: ModelField, type: str) -> dict[str, Any]:
    return {
        "field": field.name,
        "type": type,
        "kind": field.type.kind.value,
        "nullable": field.nullable,
        "filled": field.generated or field.filled,
        "read_only": field.read_only,
        "refers_to": field.foreign_key.target if field.foreign_key is not None else "",
    }


def differences(then: Definition, now: Definition) -> str:
    """What has changed, in words; empty where nothing has."""
    return "; ".join(_differences(then, now))


def _differences(then: Definition, now: Definition) -> Iterator[str]:
    before, after = then["columns"], now["columns"]
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
