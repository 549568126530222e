"""Fields that an option brings to a model, beside those that its class declares."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from dataflow.coercion import coercer
from dataflow.errors import ModelError
from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.types import read_annotation, type_name, with_naive_datetimes

__all__ = ["ExtraField", "extended"]


class ExtraField(NamedTuple):
    """A field for models that ask for something by an option.

    :param annotation: its type, as a class would write it: ``datetime | None``.
    :param default: the value of a row that gives none, or ``MISSING``.
    :param option: the option that brings it, for messages.
    """

    name: str
    annotation: Any
    default: object
    option: str


def extended(model: Model, extras: Iterable[ExtraField]) -> Model:
    """The model with further fields. One that the class declares itself stays as it is, if its type is the same.

    :raises ModelError: where it is of another type.
    """
    fields = dict(model.fields)
    for extra in extras:
        field = _field(model, extra)
        declared = fields.setdefault(extra.name, field)
        same = (declared.type.kind, declared.nullable) == (field.type.kind, field.nullable)
        if not same or declared.primary_key:
            raise ModelError(
                f"{model.name}.{extra.name} must be {type_name(extra.annotation)}, as the option {extra.option!r} "
                f"needs it; give it this type, or leave it out, as the option brings it"
            )
        taken = [
            name for name, other in fields.items() if other.column.casefold() == declared.column.casefold()
        ]
        if len(taken) > 1:
            raise ModelError(f"{model.name}: {' and '.join(taken)} have one column; rename one of them")
    return replace(model, fields=MappingProxyType(fields))


def _field(model: Model, extra: ExtraField) -> ModelField:
    where = f"{model.name}.{extra.name}"
    column, nullable, _ = read_annotation(extra.annotation, where)
    column = with_naive_datetimes(column, "naive_datetimes" in model.options)
    coerce = coercer(column, nullable, where)
    return ModelField(
        name=extra.name,
        column=extra.name,
        type=column,
        nullable=nullable,
        default=extra.default if extra.default is MISSING else coerce(extra.default),
        coerce=coerce,
    )
