"""The choice of the coercer for a column, by its type."""

from collections.abc import Callable
from enum import Enum

from dataflow.coercion.choices import enum_coercer, literal_coercer
from dataflow.coercion.documents import json_coercer
from dataflow.coercion.moments import date_coercer, datetime_coercer, interval_coercer, time_coercer
from dataflow.coercion.numbers import boolean_coercer, decimal_coercer, float_coercer, integer_coercer
from dataflow.coercion.refusals import Coercer
from dataflow.coercion.strings import binary_coercer, text_coercer
from dataflow.coercion.uuids import uuid_coercer
from dataflow.types import ColumnType, Kind

__all__ = ["coercer"]

_MAKERS: dict[Kind, Callable[[ColumnType, bool, str], Coercer]] = {
    Kind.INTEGER: integer_coercer,
    Kind.FLOAT: float_coercer,
    Kind.BOOLEAN: boolean_coercer,
    Kind.TEXT: text_coercer,
    Kind.BINARY: binary_coercer,
    Kind.DECIMAL: decimal_coercer,
    Kind.DATETIME: datetime_coercer,
    Kind.DATE: date_coercer,
    Kind.TIME: time_coercer,
    Kind.INTERVAL: interval_coercer,
    Kind.UUID: uuid_coercer,
    Kind.JSON: json_coercer,
}


def coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    """Make the function that coerces the values of one column.

    :param column: the type to coerce to.
    :param nullable: whether None is a value.
    :param where: the place to name in a refusal: ``"User.age"``.

    >>> age = coercer(ColumnType(Kind.INTEGER, int), False, "User.age")
    >>> age(41)
    41
    >>> age("41")
    Traceback (most recent call last):
    dataflow.errors.InvalidValue: User.age: expected int, got str
    """
    make = _MAKERS[column.kind]
    if column.choices:
        make = enum_coercer if issubclass(column.python, Enum) else literal_coercer
    return make(column, nullable, where)
