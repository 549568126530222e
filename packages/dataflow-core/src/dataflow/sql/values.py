"""The column type that a value has by itself, where no model says so."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

from dataflow.errors import InvalidValue
from dataflow.types import ColumnType, Kind

__all__ = ["type_of_value"]

# In this order, as a bool is an int and a datetime is a date.
KINDS: tuple[tuple[type, Kind], ...] = (
    (bool, Kind.BOOLEAN),
    (int, Kind.INTEGER),
    (float, Kind.FLOAT),
    (str, Kind.TEXT),
    (bytes, Kind.BINARY),
    (Decimal, Kind.DECIMAL),
    (datetime, Kind.DATETIME),
    (date, Kind.DATE),
    (time, Kind.TIME),
    (timedelta, Kind.INTERVAL),
    (UUID, Kind.UUID),
    (dict, Kind.JSON),
    (list, Kind.JSON),
)


def type_of_value(value: object, where: str) -> ColumnType:
    """The type of a column that could hold a value.

    :param where: what the value is for, in messages.
    :raises InvalidValue: where no column could.

    >>> type_of_value(True, "flag").kind
    <Kind.BOOLEAN: 'boolean'>
    """
    if isinstance(value, Enum):
        value = value.value
    for python, kind in KINDS:
        if isinstance(value, python):
            return ColumnType(kind, python)
    raise InvalidValue(f"{where} cannot be a {type(value).__name__}")
