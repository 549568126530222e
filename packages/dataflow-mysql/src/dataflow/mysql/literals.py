r"""Values as they stand in the text of a statement, which is how both drivers send them.

The session's SQL mode is fixed, so that a backslash in a text means what it means here.

>>> literal("it's"), literal(None), literal(0.5), literal(b"\xff")
("'it\\'s'", 'NULL', '0.5e0', "X'ff'")
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

__all__ = ["LITERALS", "Members", "datetime_text", "interpolated", "literal"]

OFFSET = -len("+00:00")
MICROSECOND = timedelta(microseconds=1)


class Members(tuple[Any, ...]):
    """The members of a list for IN: one value of the statement, however many they are."""

    __slots__ = ()


def _text(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _float(value: float) -> str:
    text = repr(value)
    # Without an exponent it would be a decimal. And the minus of -0.0 is lost unless it is read from a text.
    return text if "e" in text else f"{text}e0"


def _bytes(value: bytes) -> str:
    return f"X'{value.hex()}'"


def _decimal(value: Decimal) -> str:
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    return text if "." in text else f"{text}."


def datetime_text(value: datetime) -> str:
    """A moment as a column keeps it, in UTC."""
    if value.tzinfo is not UTC:
        value = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value.isoformat(" ")[:OFFSET]


def _datetime(value: datetime) -> str:
    return f"TIMESTAMP'{datetime_text(value)}'"


def _date(value: date) -> str:
    return f"DATE'{value.isoformat()}'"


def _time(value: time) -> str:
    return f"TIME'{value.isoformat('microseconds')}'"


def _interval(value: timedelta) -> str:
    return str(value // MICROSECOND)


def _members(value: Members) -> str:
    # A list may not be empty; a query may.
    return f"({', '.join(map(literal, value))})" if value else "(SELECT 1 FROM DUAL WHERE FALSE)"


LITERALS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda value: "NULL",
    bool: lambda value: "1" if value else "0",
    int: str,
    float: _float,
    str: _text,
    bytes: _bytes,
    Decimal: _decimal,
    datetime: _datetime,
    date: _date,
    time: _time,
    timedelta: _interval,
    UUID: lambda value: f"X'{value.hex}'",
    Members: _members,
}


def literal(value: object) -> str:
    """A value as SQL."""
    return LITERALS[type(value)](value)


def interpolated(sql: str, parameters: Sequence[object]) -> str:
    """A statement with its values in the place of ``%s``; ``%%`` is a percent sign."""
    literals = LITERALS
    return sql % tuple([literals[type(value)](value) for value in parameters])
