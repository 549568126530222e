"""How values are stored, so that they come back equal and of the same type, and sort as they should.

Most types of Python are types of DuckDB, and the driver knows them. Two are not stored as one would think:

- A ``Decimal`` is a DECIMAL of 38 digits, 20 of them behind the point, as DuckDB has no longer ones. Others are
  refused before anything is sent.
- A ``timedelta`` is a number of microseconds. The months, days and microseconds of an INTERVAL are counted apart, so
  that one and the same length is stored in several ways, and the longest ones cannot be added up.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from dataflow.abc import Codec, Column
from dataflow.types import JSON_SCALARS, ColumnType, Kind

__all__ = ["DECLARED", "DIGITS", "NUMBER", "codec", "json_operand", "sql_type", "stores"]

DIGITS = (18, 20)
"""How many digits a decimal may have before the point, and after it."""

DECLARED: Mapping[Kind, str] = {
    Kind.INTEGER: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TEXT: "VARCHAR",
    Kind.BINARY: "BLOB",
    Kind.DECIMAL: f"DECIMAL({sum(DIGITS)},{DIGITS[1]})",
    Kind.DATETIME: "TIMESTAMP WITH TIME ZONE",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.INTERVAL: "BIGINT",
    Kind.UUID: "UUID",
    Kind.JSON: "JSON",
}
"""The type of a column for each kind of value."""

INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})
HELD: Mapping[Kind, frozenset[str]] = {
    Kind.INTEGER: INTEGERS,
    Kind.FLOAT: frozenset({"DOUBLE", "FLOAT"}),
    Kind.BOOLEAN: frozenset({"BOOLEAN"}),
    Kind.TEXT: frozenset({"VARCHAR", "ENUM"}),
    Kind.BINARY: frozenset({"BLOB"}),
    Kind.DECIMAL: frozenset({"DECIMAL"}) | INTEGERS,
    Kind.DATETIME: frozenset({"TIMESTAMP WITH TIME ZONE", "TIMESTAMP"}),
    Kind.DATE: frozenset({"DATE"}),
    Kind.TIME: frozenset({"TIME"}),
    Kind.INTERVAL: frozenset({"BIGINT"}),
    Kind.UUID: frozenset({"UUID"}),
    Kind.JSON: frozenset({"JSON", "VARCHAR"}),
}
"""The types of columns that somebody else made, and which can hold values of a kind."""

NUMBER = ColumnType(Kind.JSON, float)
"""A number that is compared with one in JSON."""
NUMBER_TYPE = "STRUCT(near DOUBLE, rest HUGEINT)"

MICROSECOND = timedelta(microseconds=1)


def sql_type(type: ColumnType) -> str:
    """The type of a value in SQL."""
    return NUMBER_TYPE if type == NUMBER else DECLARED[type.kind]


def codec(type: ColumnType) -> Codec:
    """How the values of a type travel to the driver and back."""
    if issubclass(type.python, Enum):
        return Codec(lambda member: member.value, type.python)
    return Codec(_number) if type == NUMBER else CODECS.get(type.kind, PLAIN)


def json_operand(kind: Kind) -> ColumnType:
    """The type of what is compared with a scalar in JSON."""
    return NUMBER if kind in (Kind.INTEGER, Kind.FLOAT) else ColumnType(kind, JSON_SCALARS[kind])


def stores(column: Column, type: ColumnType) -> bool:
    """Whether a column that exists can hold the values of a type."""
    return column.type.partition("(")[0] in HELD[type.kind]


def _number(value: float) -> dict[str, float | int]:
    """A number as a float and what is missing to it: compared one after the other, they tell any two apart.

    >>> _number(2**53 + 1), _number(0.5)
    ({'near': 9007199254740992.0, 'rest': 1}, {'near': 0.5, 'rest': 0})
    """
    near = float(value)
    return {"near": near, "rest": value - int(near) if isinstance(value, int) else 0}


def _decimal(stored: Decimal | int) -> Decimal:
    """A decimal without the zeros that fill it up."""
    text = format(stored, "f")
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _moment(stored: datetime) -> datetime:
    # A column without a zone, as somebody else may have made it, holds what a session in UTC has written.
    return stored.replace(tzinfo=UTC)


_write_json: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":")
).encode

PLAIN = Codec()
CODECS: Mapping[Kind, Codec] = {
    Kind.DECIMAL: Codec(None, _decimal),
    Kind.DATETIME: Codec(None, _moment),
    Kind.INTERVAL: Codec(lambda value: value // MICROSECOND, lambda stored: timedelta(microseconds=stored)),
    Kind.JSON: Codec(_write_json, json.loads),
}
