"""Models for databases that cannot store NaN."""

from dataclasses import replace
from types import MappingProxyType

from dataflow.coercion import coercer
from dataflow.errors import ModelError
from dataflow.model.schema import Model, ModelField
from dataflow.types import Kind

__all__ = ["without_nan"]


def without_nan(model: Model) -> Model:
    """The model, its fields of floats refusing NaN like any other wrong value.

    :raises ModelError: where NaN is the default of a field.
    """
    if not any(field.type.kind is Kind.FLOAT for field in model.fields.values()):
        return model
    fields = {name: _refusing(model, field) for name, field in model.fields.items()}
    return replace(
        model, fields=MappingProxyType(fields), key=tuple(fields[field.name] for field in model.key)
    )


def _refusing(model: Model, field: ModelField) -> ModelField:
    if field.type.kind is not Kind.FLOAT:
        return field
    where = f"{model.name}.{field.name}"
    if field.default != field.default:
        raise ModelError(f"{where}: the default is NaN, which this database cannot store")
    finite = replace(field.type, nan=False)
    return replace(field, type=finite, coerce=coercer(finite, field.nullable, where))
