"""How values are stored in PostgreSQL, and how they travel.

asyncpg speaks the binary protocol and turns most values into those of Python by itself.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isinf
from typing import Any
from uuid import UUID

from dataflow.abc import Codec, Column, DecodesUnless
from dataflow.documents import read_json, write_json
from dataflow.types import JSON_SCALARS, ColumnType, Kind

__all__ = [
    "CAST_TYPES",
    "ENDLESS",
    "array_text",
    "cast_type",
    "codec",
    "declared",
    "json_operand",
    "logical_type",
    "stores",
]

DECLARED: Mapping[Kind, str] = {
    Kind.INTEGER: "bigint",
    Kind.FLOAT: "double precision",
    Kind.BOOLEAN: "boolean",
    Kind.TEXT: 'text COLLATE "C"',
    Kind.BINARY: "bytea",
    Kind.DECIMAL: "numeric",
    Kind.DATETIME: "timestamp with time zone",
    Kind.DATE: "date",
    Kind.TIME: "time without time zone",
    Kind.INTERVAL: "interval",
    Kind.UUID: "uuid",
    Kind.JSON: "jsonb",
}
"""The types of columns. Texts sort by their code points, as everywhere in DataFlow."""

CAST_TYPES: Mapping[Kind, str] = {
    **DECLARED,
    Kind.TEXT: "text",
}
"""The types in casts."""

HELD: Mapping[Kind, frozenset[str]] = {
    Kind.INTEGER: frozenset({"smallint", "integer", "bigint"}),
    Kind.FLOAT: frozenset({"double precision"}),
    Kind.BOOLEAN: frozenset({"boolean"}),
    Kind.TEXT: frozenset({"text", "character varying", "citext", "enum"}),
    Kind.BINARY: frozenset({"bytea"}),
    Kind.DECIMAL: frozenset({"numeric"}),
    Kind.DATETIME: frozenset({"timestamp with time zone", "timestamp without time zone"}),
    Kind.DATE: frozenset({"date"}),
    Kind.TIME: frozenset({"time without time zone"}),
    Kind.INTERVAL: frozenset({"interval"}),
    Kind.UUID: frozenset({"uuid"}),
    Kind.JSON: frozenset({"jsonb", "json"}),
}

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
READ_AS: Mapping[str, Kind] = {
    **{name: kind for kind, names in HELD.items() for name in names},
    "real": Kind.FLOAT,
    "character": Kind.TEXT,
    "name": Kind.TEXT,
}
"""What values of the types are in Python; those of all others are read as texts."""

INTEGERS: Mapping[str, tuple[int, int]] = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
}
"""Those that hold less than 64 bits."""

ELEMENTS = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN, Kind.TEXT, Kind.DATETIME, Kind.DATE, Kind.UUID})
WRITTEN = re.compile(r"(?P<name>[^(\[]+?)(?P<bounds>\([^)]*\))?(?P<rest>[^(\[]*)(?P<array>\[\])?")


ENDLESS: Mapping[object, str] = {
    datetime.max.replace(tzinfo=UTC): "infinity",
    datetime.min.replace(tzinfo=UTC): "-infinity",
    date.max: "infinity",
    date.min: "-infinity",
}
"""As asyncpg takes the ends of Python's time."""


def declared(type: ColumnType) -> str:
    """The type of a column."""
    if type.element is None:
        return DECLARED[type.kind]
    name, *collation = DECLARED[type.element.kind].partition(" COLLATE")
    return f"{name}[]{''.join(collation)}"


def cast_type(type: ColumnType) -> str:
    """The type in casts."""
    return CAST_TYPES[type.kind] if type.element is None else f"{CAST_TYPES[type.element.kind]}[]"


def logical_type(written: str, labels: Sequence[str] | None) -> ColumnType | None:
    """What the values of a column are, by its type as the server writes it; None for what is no type of Python.

    :param labels: those of an enum.

    >>> logical_type("numeric(10,2)", None).digits
    (8, 2)
    >>> logical_type("inet", None)
    """
    if labels is not None:
        return ColumnType(Kind.TEXT, str, tuple(labels))
    parts = WRITTEN.fullmatch(written)
    if parts is None:
        return None
    name = parts["name"] + parts["rest"]
    kind = READ_AS.get(name)
    if kind is None or (kind is Kind.JSON and parts["array"]):
        return None
    bounds = [int(number) for number in re.findall(r"-?\d+", parts["bounds"] or "")]
    type = ColumnType(kind, PYTHON_OF[kind], naive_datetimes="without" in written)
    type = _bounded(type, name, bounds)
    if not parts["array"]:
        return type
    return ColumnType(Kind.JSON, list, element=type) if kind in ELEMENTS else None


def _bounded(type: ColumnType, name: str, bounds: Sequence[int]) -> ColumnType:
    if name in INTEGERS:
        return replace(type, integers=INTEGERS[name])
    if type.kind is Kind.TEXT and bounds:
        return replace(type, max_length=bounds[0])
    if type.kind is Kind.DECIMAL and bounds:
        precision, scale = bounds[0], bounds[1] if len(bounds) > 1 else 0
        return replace(type, digits=(precision - scale, scale))
    return type


def stores(column: Column, type: ColumnType) -> bool:
    """Whether a column that exists can hold the values of a type."""
    name, _, array = column.type.partition("[")
    held = HELD[type.kind if type.element is None else type.element.kind]
    return name.partition("(")[0] in held and bool(array) is (type.element is not None)


def codec(type: ColumnType) -> Codec:
    """How the values of a type travel."""
    if issubclass(type.python, Enum):
        return Codec(lambda member: member.value, type.python)
    if type.element is not None:
        return _array_codec(type.element)
    return EXACT if type == FLOAT_IN_JSON else CODECS.get(type.kind, PLAIN)


def _array_codec(element: ColumnType) -> Codec:
    """Arrays travel as lists: as new ones, since they are sent after the caller has got on."""
    decode = CODECS.get(element.kind, PLAIN).decode
    return Codec(list, None if decode is None else lambda stored: list(map(decode, stored)), certain=True)


def array_text(items: Iterable[object]) -> str:
    """A list as a text that PostgreSQL reads as an array of any type.

    >>> array_text([1, True, 'say "x"', 0.5])
    '{"1","true","say \\\\"x\\\\"","0.5"}'
    """
    return f"{{{','.join(map(_element_text, items))}}}"


def _element_text(item: object) -> str:
    if item is None:
        return "NULL"
    written = str(item).lower() if isinstance(item, bool) else ENDLESS.get(item) or str(item)
    escaped = written.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def json_operand(kind: Kind) -> ColumnType:
    """The type of what is compared with a scalar in JSON; a float as the number that ``jsonb`` has for it."""
    return FLOAT_IN_JSON if kind is Kind.FLOAT else ColumnType(kind, JSON_SCALARS[kind])


def exact_number(value: float) -> Decimal:
    """A float as a decimal: exactly where it is whole and of 64 bits, else by its shortest digits.

    >>> exact_number(2.0**62), exact_number(0.1)
    (Decimal('4611686018427387904'), Decimal('0.1'))
    """
    if abs(value) < BEYOND_INTEGERS and value.is_integer():
        return Decimal(int(value))
    if isinf(value):
        return BEYOND_FLOATS.copy_sign(Decimal(value))
    return Decimal(repr(value))


def _in_utc(stored: datetime) -> datetime:
    # A column without a zone, as somebody else may have made it, holds what a session in UTC has written.
    return stored.replace(tzinfo=UTC)


def _plain_uuid(stored: UUID) -> UUID:
    """The driver has a UUID of its own, which is another type."""
    return UUID(int=stored.int)


def _write_json(value: Any) -> str:
    """A document as ``jsonb`` keeps it: numbers as they are written, save for exponents.

    Of ``1e+16``, a float, it would make the integer of seventeen digits.
    """
    text = write_json(value)
    return text if "e+" not in text else _written_out(value)


def _written_out(value: Any) -> str:
    """A document as JSON whose floats have no exponents."""
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key, ensure_ascii=False)}:{_written_out(item)}" for key, item in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_written_out, value))}]"
    if isinstance(value, float) and "e+" in repr(value):
        return f"{exact_number(value):f}.0"
    return json.dumps(value, ensure_ascii=False)


PLAIN = Codec()
EXACT = Codec(exact_number)
FLOAT_IN_JSON = ColumnType(Kind.DECIMAL, float)
BEYOND_INTEGERS = 2.0**63
BEYOND_FLOATS = Decimal("1E+309")
CODECS: Mapping[Kind, Codec] = {
    Kind.DATETIME: Codec(None, DecodesUnless("tzinfo", UTC, _in_utc), certain=True),
    Kind.UUID: Codec(None, _plain_uuid, certain=True),
    Kind.JSON: Codec(_write_json, read_json, certain=True),  # the server lets in only what is JSON
}
