"""Models whose fields refuse what a database cannot store."""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from dataflow.coercion import coercer
from dataflow.errors import InvalidValue, ModelError
from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.types import ColumnType

__all__ = ["narrowed"]


def narrowed(model: Model, narrow: Callable[[Model, ModelField], ColumnType]) -> Model:
    """The model, its fields refusing like any other wrong value what is out of the bounds of the database.

    :param narrow: the type of a field, with those bounds.
    :raises ModelError: where the default of a field is out of them.
    """
    types = {name: narrow(model, field) for name, field in model.fields.items()}
    if all(types[name] == field.type for name, field in model.fields.items()):
        return model
    fields = {name: _narrowed(model, field, types[name]) for name, field in model.fields.items()}
    return replace(
        model, fields=MappingProxyType(fields), key=tuple(fields[field.name] for field in model.key)
    )


def _narrowed(model: Model, field: ModelField, type: ColumnType) -> ModelField:
    if type == field.type:
        return field
    coerce = coercer(type, field.nullable, f"{model.name}.{field.name}")
    refusal = ""
    if field.default is not MISSING:
        try:
            coerce(field.default)
        except InvalidValue as error:
            refusal = str(error)
    if refusal:
        raise ModelError(f"the default of {refusal}")
    return replace(field, type=type, coerce=coerce, takes=field.coerce)
