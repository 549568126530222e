"""Comparisons with values that a model takes and its database cannot hold: rows have less or more, and never these."""

from collections.abc import Callable, Collection
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import isnan
from typing import TypeAlias

from dataflow.errors import InvalidValue
from dataflow.model.schema import ModelField
from dataflow.statements import NOTHING, Where, compare, equals, is_null
from dataflow.types import DECIMAL_DIGITS

__all__ = ["compare_with", "equal_to", "held"]

Number: TypeAlias = Decimal | float

LESS = ("$lt", "$lte")
UPWARDS = ("$lt", "$gte")
"""The operators for which a number counts as the next one above that a column can hold."""

EXACT = Context(prec=2 * sum(DECIMAL_DIGITS))


def compare_with(field: ModelField, operator: str, value: object) -> Where:
    """A field compared with a value that is not None.

    :raises InvalidValue: for a value that the model itself refuses.
    """
    try:
        return compare(field.name, operator, field.coerce(value))
    except InvalidValue:
        if field.takes is None:
            raise
    return _beyond(field, operator, field.takes(value))


def equal_to(field: ModelField, value: object) -> Where:
    """A field that has this value; None asks for null.

    :raises InvalidValue: for a value that the model itself refuses.
    """
    return equals(field.name, field.coerce(value)) if value is None else compare_with(field, "$eq", value)


def held(field: ModelField, values: Collection[object]) -> tuple[object, ...]:
    """Those of the values that a row can have.

    :raises InvalidValue: for a value that the model itself refuses.
    """
    try:
        return tuple(map(field.coerce, values))
    except InvalidValue:
        if field.takes is None:
            raise
    return tuple(value for one in values for value in _as_held(field, one, field.takes))


def _as_held(field: ModelField, value: object, take: Callable[[object], object]) -> tuple[object, ...]:
    try:
        return (field.coerce(value),)
    except InvalidValue:
        take(value)
        return ()


def _beyond(field: ModelField, operator: str, value: object) -> Where:
    if operator == "$eq":
        return NOTHING
    if not isinstance(value, Decimal | float):
        return compare(field.name, operator, value)
    nearest = _nearest(field, operator, value)
    if nearest is not None:
        return compare(field.name, operator, nearest)
    # NaN sorts behind all other numbers.
    is_more = isnan(value) or value > 0
    return ~is_null(field.name) if is_more is (operator in LESS) else NOTHING


def _nearest(field: ModelField, operator: str, value: Number) -> object:
    """The number for which the comparison says the same; None where a column can hold none so great."""
    before, after = field.type.digits
    if not isinstance(value, Decimal) or value.adjusted() >= before:
        return None
    rounding = ROUND_CEILING if operator in UPWARDS else ROUND_FLOOR
    rounded = value.quantize(Decimal(1).scaleb(-after), rounding, EXACT)
    return rounded if rounded.adjusted() < before else None
