"""What the values of columns that somebody else made are in Python."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from dataflow.mysql.types import BLOBS, INTEGERS, TEXTS
from dataflow.types import GREATEST_INTEGER, ColumnType, Kind

__all__ = ["as_text", "logical_type"]

KINDS: Mapping[str, ColumnType] = {
    **dict.fromkeys(INTEGERS, ColumnType(Kind.INTEGER, int)),
    **dict.fromkeys(TEXTS, ColumnType(Kind.TEXT, str)),
    **dict.fromkeys((*BLOBS, "bit"), ColumnType(Kind.BINARY, bytes)),
    **dict.fromkeys(("float", "double"), ColumnType(Kind.FLOAT, float)),
    **dict.fromkeys(("datetime", "timestamp"), ColumnType(Kind.DATETIME, datetime, naive_datetimes=True)),
    "decimal": ColumnType(Kind.DECIMAL, Decimal),
    "date": ColumnType(Kind.DATE, date),
    "time": ColumnType(Kind.TIME, time),
    "json": ColumnType(Kind.JSON, object),
    "uuid": ColumnType(Kind.UUID, UUID),
}
SHAPES = frozenset(
    {
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geomcollection",
        "geometrycollection",
    }
)
BITS: Mapping[str, int] = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
YEARS = (1901, 2155)
TRUTH = frozenset({"tinyint(1)", "bit(1)"})
WRITTEN = re.compile(r"(?P<name>\w+)(?:\((?P<bounds>.*)\))?[^()]*", re.DOTALL)
MEMBER = re.compile(r"'((?:[^']|'')*)'")


def logical_type(written: str) -> ColumnType | None:
    """The type by which values are read and checked; None for what is no type of Python.

    >>> logical_type("enum('a','it''s')").choices
    ('a', "it's")
    >>> logical_type("decimal(10,2) unsigned").digits
    (8, 2)
    >>> logical_type("smallint(5) unsigned").integers
    (0, 65535)
    >>> logical_type("point")
    """
    if written.lower() in TRUTH:
        return ColumnType(Kind.BOOLEAN, bool)
    parts = WRITTEN.fullmatch(written)
    name = parts["name"].lower() if parts is not None else ""
    type = KINDS.get(name)
    bounds = "" if parts is None else parts["bounds"] or ""
    if type is not None and type.kind is Kind.INTEGER:
        return replace(type, integers=_integers(name, is_unsigned="unsigned" in written.lower()))
    if type is None or not bounds:
        return type
    if name == "enum":
        return replace(type, choices=tuple(text.replace("''", "'") for text in MEMBER.findall(bounds)))
    if name in ("char", "varchar", "binary", "varbinary"):
        return replace(type, max_length=int(bounds))
    if name == "decimal":
        precision, _, scale = bounds.partition(",")
        return replace(type, digits=(int(precision) - int(scale or 0), int(scale or 0)))
    return type


def _integers(name: str, *, is_unsigned: bool) -> tuple[int, int]:
    if name == "year":
        return YEARS
    bits = BITS[name]
    return (
        (0, min(2**bits - 1, GREATEST_INTEGER)) if is_unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    )


def as_text(written: str) -> str:
    """The function that writes a value of a type without such a type; empty where a cast does."""
    name = written.partition("(")[0].lower()
    return "ST_AsText" if name in SHAPES else ""
