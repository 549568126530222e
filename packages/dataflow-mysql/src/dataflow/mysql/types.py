"""How values are stored in MySQL and MariaDB, so that they come back equal and sort as they should."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from dataflow.abc import Codec, Column
from dataflow.documents import read_json, write_json
from dataflow.mysql.literals import Members
from dataflow.types import ColumnType, Kind

__all__ = [
    "DIGITS",
    "HELD",
    "LONGEST_VARCHAR",
    "codec",
    "declared",
    "decode_date",
    "decode_time",
    "is_long",
    "is_stored_apart",
    "pack",
    "stores",
]

DIGITS = (35, 30)
"""How many digits a decimal may have before the point, and after it."""

LONGEST_VARCHAR = 768
"""Longer texts and bytes are stored apart from their row, of which 65535 bytes is all that it can hold."""

USUAL_CHOICE = 255

DECLARED: Mapping[Kind, str] = {
    Kind.INTEGER: "BIGINT",
    Kind.FLOAT: "DOUBLE",
    Kind.BOOLEAN: "TINYINT(1)",
    Kind.DECIMAL: f"DECIMAL({sum(DIGITS)}, {DIGITS[1]})",
    Kind.DATETIME: "DATETIME(6)",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME(6)",
    Kind.INTERVAL: "BIGINT",
    Kind.UUID: "BINARY(16)",
    # MySQL's own type would sort the keys of dicts and make floats of long integers.
    Kind.JSON: "LONGTEXT",
}

INTEGERS = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "year"})
TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"})
BLOBS = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
HELD: Mapping[Kind, frozenset[str]] = {
    Kind.INTEGER: INTEGERS,
    Kind.FLOAT: frozenset({"float", "double"}),
    Kind.BOOLEAN: frozenset({"tinyint", "bit", "smallint", "int"}),
    Kind.TEXT: TEXTS,
    Kind.BINARY: BLOBS,
    Kind.DECIMAL: frozenset({"decimal"}) | INTEGERS,
    Kind.DATETIME: frozenset({"datetime", "timestamp"}),
    Kind.DATE: frozenset({"date"}),
    Kind.TIME: frozenset({"time"}),
    Kind.INTERVAL: frozenset({"bigint"}),
    Kind.UUID: frozenset({"binary", "uuid"}),
    Kind.JSON: frozenset({"json", "longtext", "mediumtext", "text"}),
}

from_iso_format = datetime.fromisoformat


def is_long(type: ColumnType) -> bool:
    """Whether a column of texts or bytes is stored apart, and can be indexed by its beginning only."""
    return type.kind in (Kind.TEXT, Kind.BINARY) and _length(type) is None


def declared(type: ColumnType) -> str:
    """The type of a column in DDL."""
    if type.kind not in (Kind.TEXT, Kind.BINARY):
        return DECLARED[type.kind]
    length = _length(type)
    if type.kind is Kind.TEXT:
        return "LONGTEXT" if length is None else f"VARCHAR({length})"
    return "LONGBLOB" if length is None else f"VARBINARY({length})"


def _length(type: ColumnType) -> int | None:
    length = type.max_length
    if length is None and type.choices:
        length = max(USUAL_CHOICE, *(len(str(choice)) for choice in type.choices))
    return length if length is not None and length <= LONGEST_VARCHAR else None


def stores(column: Column, type: ColumnType) -> bool:
    """Whether a column that exists can hold the values of a type."""
    return column.type.partition("(")[0].partition(" ")[0].lower() in HELD[type.kind]


def is_stored_apart(column: Column) -> bool:
    """Whether a column that exists can be indexed by its beginning only."""
    return column.type.lower().endswith(("text", "blob"))


def codec(type: ColumnType) -> Codec:
    """How the values of a type travel."""
    if issubclass(type.python, Enum):
        return Codec(lambda member: member.value, type.python)
    return CODECS[type.kind]


def pack(members: list[Any]) -> Members:
    """Encoded members as the one value that they travel as."""
    return Members(members)


def _decode_decimal(stored: str | int) -> Decimal:
    text = str(stored)
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _decode_datetime(stored: str) -> datetime | str:
    try:
        return from_iso_format(f"{stored}+00:00")
    except ValueError:
        return stored  # a moment of zeros, which only others can have stored


def decode_date(stored: str) -> date | str:
    """The day; one that is none, such as one of zeros, as the text that it is."""
    try:
        return date.fromisoformat(stored)
    except ValueError:
        return stored


def decode_time(stored: str) -> time | timedelta:
    """The time of a day; what is none, as MySQL counts up to 838 hours in both directions, is a span."""
    try:
        return time.fromisoformat(stored)
    except ValueError:
        sign = -1 if stored.startswith("-") else 1
        hours, minutes, seconds = stored.lstrip("-").split(":")
        return sign * timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))


def _decode_uuid(stored: bytes | str) -> UUID:
    return UUID(bytes=stored) if isinstance(stored, bytes) else UUID(stored)


def _decode_interval(stored: int) -> timedelta:
    return timedelta(microseconds=stored)


class _Truth(dict[object, object]):
    """True and False for what stands for them; any other number, which only others can have stored, is itself."""

    def __missing__(self, stored: object) -> object:
        return stored


def _decode_float(stored: float | str) -> float:
    return float(stored)


CODECS: Mapping[Kind, Codec] = {
    Kind.INTEGER: Codec(),
    Kind.FLOAT: Codec(None, _decode_float),
    Kind.BOOLEAN: Codec(None, _Truth({0: False, 1: True, b"\0": False, b"\1": True}).__getitem__),
    Kind.TEXT: Codec(),
    Kind.BINARY: Codec(),
    Kind.DECIMAL: Codec(None, _decode_decimal),
    Kind.DATETIME: Codec(None, _decode_datetime),
    Kind.DATE: Codec(None, decode_date),
    Kind.TIME: Codec(None, decode_time),
    Kind.INTERVAL: Codec(None, _decode_interval),
    Kind.UUID: Codec(None, _decode_uuid),
    Kind.JSON: Codec(write_json, read_json),
}
