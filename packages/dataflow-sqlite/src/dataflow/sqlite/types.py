"""How values are stored in SQLite, so that they come back equal and sort as they should.

SQLite knows integers, reals, texts and blobs. What it does not know is stored as text in a form that sorts right by
its characters, save decimals: those are compared by the function :func:`decimal_key`, which each connection registers.
"""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from dataflow.abc import Codec, Column, Convert
from dataflow.documents import read_json, write_json
from dataflow.errors import InvalidValue
from dataflow.filters.wildcards import Wildcard, tokens
from dataflow.types import JSON_SCALARS, ColumnType, Kind

__all__ = [
    "DECIMAL_KEY",
    "DECLARED",
    "codec",
    "decimal_key",
    "decode_decimal",
    "encode_decimal",
    "glob",
    "logical_type",
    "pack",
    "stores",
]

DECIMAL_KEY = "dataflow_decimal"
"""The name of :func:`decimal_key` in SQL."""

DECLARED: Mapping[Kind, str] = {
    Kind.INTEGER: "INTEGER",
    Kind.FLOAT: "REAL",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TEXT: "TEXT",
    Kind.BINARY: "BLOB",
    Kind.DECIMAL: "DECIMAL TEXT",
    Kind.DATETIME: "DATETIME TEXT",
    Kind.DATE: "DATE TEXT",
    Kind.TIME: "TIME TEXT",
    Kind.INTERVAL: "INTERVAL INTEGER",
    Kind.UUID: "UUID TEXT",
    Kind.JSON: "JSON TEXT",
}
"""The declared type of a column; its second word is what decides how SQLite stores it."""

OWN: Mapping[str, Kind] = {declared: kind for kind, declared in DECLARED.items()}
PYTHON_OF: Mapping[Kind, type] = {
    **JSON_SCALARS,
    Kind.BINARY: bytes,
    Kind.DECIMAL: Decimal,
    Kind.DATETIME: datetime,
    Kind.DATE: date,
    Kind.TIME: time,
    Kind.INTERVAL: timedelta,
    Kind.UUID: UUID,
    Kind.JSON: object,
}
OF_AFFINITY: Mapping[str, Kind] = {
    "INTEGER": Kind.INTEGER,
    "TEXT": Kind.TEXT,
    "BLOB": Kind.BINARY,
    "REAL": Kind.FLOAT,
    "NUMERIC": Kind.DECIMAL,
}
ANYTHING = ColumnType(Kind.TEXT, object)
"""The type of a column that holds whatever it is given: a text, a number or bytes."""

EXACT_NUMBERS = frozenset({"NUMERIC", "DECIMAL", "NUMBER", "MONEY"})

HELD: Mapping[Kind, frozenset[str]] = {
    Kind.INTEGER: frozenset({"INTEGER", "NUMERIC"}),
    Kind.FLOAT: frozenset({"REAL", "NUMERIC"}),
    Kind.BOOLEAN: frozenset({"INTEGER", "NUMERIC"}),
    Kind.TEXT: frozenset({"TEXT"}),
    Kind.BINARY: frozenset({"BLOB"}),
    Kind.DECIMAL: frozenset({"TEXT", "NUMERIC", "REAL"}),
    Kind.DATETIME: frozenset({"TEXT", "NUMERIC"}),
    Kind.DATE: frozenset({"TEXT", "NUMERIC"}),
    Kind.TIME: frozenset({"TEXT", "NUMERIC"}),
    Kind.INTERVAL: frozenset({"INTEGER", "NUMERIC"}),
    Kind.UUID: frozenset({"TEXT", "NUMERIC"}),
    Kind.JSON: frozenset({"TEXT", "NUMERIC"}),
}
MICROSECOND = timedelta(microseconds=1)
OFFSET = -len("+00:00")
_last_encoded = [(datetime.min, "")]
from_iso_format = datetime.fromisoformat


def affinity(declared: str) -> str:
    """The affinity that SQLite derives from a declared type, by its own rules in their order."""
    declared = declared.upper()
    if "INT" in declared:
        return "INTEGER"
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in declared or not declared:
        return "BLOB"
    if any(word in declared for word in ("REAL", "FLOA", "DOUB")):
        return "REAL"
    return "NUMERIC"


def logical_type(declared: str) -> ColumnType:
    """What the values of a column are, as far as its declaration binds them.

    SQLite holds anything anywhere. What others keep as moments are texts or numbers of their choice, and are read as
    what they are; a column without a type, such as the result of a view, holds what nobody has said.
    """
    own = OWN.get(declared.upper())
    if own is not None:
        return ColumnType(own, PYTHON_OF[own])
    name = declared.upper().partition("(")[0].strip()
    if name in ("BOOL", "BOOLEAN"):
        return ColumnType(Kind.BOOLEAN, bool)
    kind = OF_AFFINITY[affinity(declared)]
    if not name or (kind is Kind.DECIMAL and name not in EXACT_NUMBERS):
        return ANYTHING
    return ColumnType(kind, PYTHON_OF[kind], inexact=kind is Kind.DECIMAL)


def stores(column: Column, type: ColumnType) -> bool:
    """Whether a column that exists can hold the values of a type."""
    return not column.type or affinity(column.type) in HELD[type.kind]


def codec(type: ColumnType) -> Codec:
    """How the values of a type travel."""
    if issubclass(type.python, Enum):
        return Codec(lambda member: member.value, type.python)
    if type.kind is Kind.FLOAT and not type.nan:
        return Codec(None, float)
    return CODECS[type.kind]


def pack(type: ColumnType) -> Convert:
    """Turns encoded members into one JSON text, for ``json_each``; blobs as hexadecimal digits."""
    if type.kind is Kind.BINARY:
        return lambda members: json.dumps([member.hex().upper() for member in members])
    if type.kind is Kind.FLOAT:
        return lambda members: f"[{','.join(map(_json_number, members))}]"
    return json.dumps


def _json_number(value: float) -> str:
    if math.isinf(value):
        return "9e999" if value > 0 else "-9e999"
    return repr(value)


def glob(pattern: str) -> str:
    r"""Write a pattern of ``$like`` as GLOB has it.

    >>> glob(r"5\%*_%")
    '5%[*]?*'
    """
    return "".join(GLOB.get(token, str(token)) for token in tokens(pattern))


GLOB: Mapping[str | Wildcard, str] = {
    Wildcard.ANY: "*",
    Wildcard.ONE: "?",
    "*": "[*]",
    "?": "[?]",
    "[": "[[]",
}


def decimal_key(stored: str | float | None) -> bytes | None:
    """Bytes that sort as the numbers do: the sign, the exponent, the digits.

    >>> decimal_key("9.5") < decimal_key("10") < decimal_key("10.05"), decimal_key("-2") < decimal_key("-1.5")
    (True, True)
    """
    if stored is None:
        return None
    number = Decimal(str(stored))
    if not number:
        return b"\x01"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0").encode()
    exponent = number.adjusted()
    if number > 0:
        return b"\x02" + (EXPONENT_BIAS + exponent).to_bytes(4, "big") + digits
    return b"\x00" + (EXPONENT_BIAS - exponent).to_bytes(4, "big") + digits.translate(COMPLEMENT) + b"\xff"


EXPONENT_BIAS = 1 << 24
COMPLEMENT = bytes.maketrans(b"0123456789", b"9876543210")


class _Truth(dict[object, bool]):
    """True and False for what stands for them; anything else, which only others can have stored, is itself."""

    def __missing__(self, stored: object) -> Any:
        return stored


def _encode_float(value: float) -> float:
    if value != value:
        raise InvalidValue("SQLite cannot store NaN; give None instead")
    return value


def encode_decimal(value: Decimal) -> str:
    """A decimal as it is stored: without an exponent, and without zeros at its end."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def decode_decimal(stored: str | float) -> Decimal:
    """The decimal that is stored; a column that somebody else made may hold a number."""
    return Decimal(stored if isinstance(stored, str) else repr(stored))


def _encode_datetime(value: datetime) -> str:
    # The time of a change goes into several columns and many rows, and is written but once.
    known, text = _last_encoded[0]
    if known is value:
        return text
    utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    text = utc.isoformat(" ")[:OFFSET]
    _last_encoded[0] = (value, text)
    return text


def _decode_datetime(stored: str) -> datetime:
    # Our own form has no offset; to read it with one is twice as fast as to set the zone afterwards.
    try:
        value = from_iso_format(stored + "+00:00")
    except ValueError:
        value = from_iso_format(stored)
    if value.tzinfo is UTC:
        return value
    # A day alone has no zone even so: the offset is read as its time.
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


CODECS: Mapping[Kind, Codec] = {
    Kind.INTEGER: Codec(),
    Kind.FLOAT: Codec(_encode_float, float),
    Kind.BOOLEAN: Codec(int, _Truth({0: False, 1: True}).__getitem__),
    Kind.TEXT: Codec(),
    Kind.BINARY: Codec(),
    Kind.DECIMAL: Codec(encode_decimal, decode_decimal),
    Kind.DATETIME: Codec(_encode_datetime, _decode_datetime),
    Kind.DATE: Codec(date.isoformat, date.fromisoformat),
    Kind.TIME: Codec(time.isoformat, time.fromisoformat),
    Kind.INTERVAL: Codec(lambda value: value // MICROSECOND, lambda stored: timedelta(microseconds=stored)),
    Kind.UUID: Codec(str, UUID),
    Kind.JSON: Codec(write_json, read_json),
}
