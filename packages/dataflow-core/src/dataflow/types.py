"""The logical types of columns, and how a type hint becomes one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin

from dataflow.errors import ModelError

__all__ = [
    "DECIMAL_DIGITS",
    "GREATEST_INTEGER",
    "JSON_SCALARS",
    "SMALLEST_INTEGER",
    "ColumnType",
    "Kind",
    "is_storable_text",
    "read_annotation",
    "type_name",
    "unbounded",
    "with_naive_datetimes",
]

SMALLEST_INTEGER, GREATEST_INTEGER = -(2**63), 2**63 - 1
DECIMAL_DIGITS = (131_072, 16_383)
"""How many digits a decimal may have before the point, and after it: what PostgreSQL holds, the widest of all."""


class Kind(Enum):
    """What a column holds; a dialect maps each kind to a type of its own."""

    INTEGER = "integer"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TEXT = "text"
    BINARY = "binary"
    DECIMAL = "decimal"
    DATETIME = "datetime"
    DATE = "date"
    TIME = "time"
    INTERVAL = "interval"
    UUID = "uuid"
    JSON = "json"


JSON_SCALARS: Mapping[Kind, type] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.FLOAT: float,
    Kind.BOOLEAN: bool,
}
"""The types of the scalars in JSON."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The logical type of a column.

    :param kind: what the column holds.
    :param python: the Python type of its values; the class itself for an Enum, dict or list for JSON.
    :param choices: the only values allowed, as they are stored, of a Literal or an Enum.
    :param max_length: the greatest length of a text (in characters) or of bytes.
    :param naive_datetimes: whether a datetime without a time zone is taken as UTC.
    :param nan: whether a float may be NaN.
    :param infinite: whether a float may be infinite.
    :param digits: how many digits a decimal may have before the point, and after it.
    :param inexact: whether a column of decimals keeps one as a float, unless it is an int of 64 bits.
    :param integers: the least and the greatest int.
    :param element: the type of all elements of a list, none of which is None; None where they may be any JSON.
    """

    kind: Kind
    python: type
    choices: tuple[object, ...] = ()
    max_length: int | None = None
    naive_datetimes: bool = False
    nan: bool = True
    infinite: bool = True
    digits: tuple[int, int] = DECIMAL_DIGITS
    inexact: bool = False
    integers: tuple[int, int] = (SMALLEST_INTEGER, GREATEST_INTEGER)
    element: "ColumnType | None" = None


_KINDS: dict[object, Kind] = {
    int: Kind.INTEGER,
    float: Kind.FLOAT,
    bool: Kind.BOOLEAN,
    str: Kind.TEXT,
    bytes: Kind.BINARY,
    Decimal: Kind.DECIMAL,
    datetime: Kind.DATETIME,
    date: Kind.DATE,
    time: Kind.TIME,
    timedelta: Kind.INTERVAL,
    dict: Kind.JSON,
    list: Kind.JSON,
}
_ELEMENTS = frozenset(
    {Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN, Kind.TEXT, Kind.DATETIME, Kind.DATE, Kind.UUID}
)

_ACCEPTED = (
    "int, float, bool, str, bytes, Decimal, datetime, date, time, timedelta, UUID, dict, list, "
    "an Enum, a Literal, or one of these `| None`"
)


def read_annotation(annotation: object, where: str) -> tuple[ColumnType, bool, tuple[object, ...]]:
    """Read a type hint: the type of the column, whether it may be null, and what ``Annotated`` adds.

    :param where: the field that the hint belongs to, for messages: ``"Order.total"``.
    :raises ModelError: when no column can have this type.

    >>> read_annotation(Annotated[int, "extra"] | None, "Order.total")
    (ColumnType(kind=<Kind.INTEGER: 'integer'>, python=<class 'int'>, choices=(), max_length=None, \
naive_datetimes=False, nan=True, infinite=True, digits=(131072, 16383), inexact=False, \
integers=(-9223372036854775808, 9223372036854775807), element=None), True, ('extra',))
    """
    bare, nullable, metadata = _unwrap(annotation, where)
    if get_origin(bare) is Literal:
        values = get_args(bare)
        nullable = nullable or None in values
        return _literal([value for value in values if value is not None], where), nullable, metadata
    return _plain(bare, where), nullable, metadata


def with_naive_datetimes(type: ColumnType, taken: bool) -> ColumnType:
    """The type with whether datetimes without a time zone are taken as UTC, where it has any to do with them."""
    if type.element is not None:
        return replace(type, element=with_naive_datetimes(type.element, taken))
    return replace(type, naive_datetimes=taken) if type.kind is Kind.DATETIME else type


def unbounded(type: ColumnType) -> ColumnType:
    """The type without what a table that somebody else made adds to it: a length, digits, a range of integers."""
    return replace(
        type,
        max_length=None,
        digits=DECIMAL_DIGITS,
        inexact=False,
        integers=(SMALLEST_INTEGER, GREATEST_INTEGER),
    )


def type_name(annotation: object) -> str:
    """Write a type as its reader would: ``Decimal``, not ``<class 'decimal.Decimal'>``.

    >>> type_name(Decimal)
    'Decimal'
    """
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")


def is_storable_text(text: str) -> bool:
    r"""Tell whether every database can hold a text: it is valid Unicode without NUL.

    >>> is_storable_text("größe"), is_storable_text("a\0b"), is_storable_text("\ud800")
    (True, False, False)
    """
    if "\0" in text:
        return False
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unwrap(annotation: object, where: str) -> tuple[object, bool, tuple[object, ...]]:
    """Take off aliases, ``Annotated`` and ``| None``, however they are nested."""
    nullable, metadata = False, ()
    while True:
        origin = get_origin(annotation)
        if isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # `type Name = str`, from Python 3.12 on
            annotation = annotation.__value__  # type: ignore[attr-defined]
        elif origin is Annotated:
            annotation, *extras = get_args(annotation)
            metadata = (*extras, *metadata)
        elif origin is Union or origin is UnionType:
            annotation = _without_none(annotation, where)
            nullable = True
        else:
            return annotation, nullable, metadata


def _without_none(union: object, where: str) -> object:
    others = [member for member in get_args(union) if member is not NoneType]
    if len(others) != 1 or len(others) == len(get_args(union)):
        raise ModelError(f"{where}: a column cannot hold {type_name(union)}; choose one type")
    return others[0]


def _plain(bare: object, where: str) -> ColumnType:
    origin = get_origin(bare)
    if origin in (dict, list):
        _check_keys(bare, where)
        return ColumnType(Kind.JSON, origin, element=_element(bare) if origin is list else None)
    if isinstance(bare, type) and origin is None:
        if issubclass(bare, Enum):
            return _enum(bare, where)
        kind = _kind(bare)
        if kind is not None:
            return ColumnType(kind, bare)
    raise ModelError(f"{where}: a column cannot have the type {type_name(bare)}{_advice(bare)}")


def _kind(bare: type) -> Kind | None:
    if (bare.__module__, bare.__qualname__) == ("uuid", "UUID"):  # spares everyone the import
        return Kind.UUID
    return _KINDS.get(bare)


def _element(bare: object) -> ColumnType | None:
    """The type of the elements of ``list[int]`` and its like; other lists hold any JSON."""
    hint = next(iter(get_args(bare)), None)
    kind = _kind(hint) if isinstance(hint, type) and get_origin(hint) is None else None
    return ColumnType(kind, hint, nan=False, infinite=False) if hint and kind in _ELEMENTS else None


def _advice(bare: object) -> str:
    origin = get_origin(bare) or bare
    if origin in (tuple, set, frozenset):
        return "; use list"
    if bare is None or bare is NoneType or not (isinstance(bare, type | TypeVar) or get_origin(bare)):
        return "; does the name of the field hide the type? Import the type under another name"
    return f"; it can be {_ACCEPTED}"


def _check_keys(bare: object, where: str) -> None:
    arguments = get_args(bare)
    if get_origin(bare) is dict and arguments and arguments[0] not in (str, Any):
        raise ModelError(f"{where}: the keys of {type_name(bare)} must be str, as JSON has no others")


def _enum(enum: type[Enum], where: str) -> ColumnType:
    if issubclass(enum, Flag):
        raise ModelError(f"{where}: {enum.__qualname__} is a Flag, whose members combine; use int")
    values = [member.value for member in enum]
    kind = _kind_of_choices(values, (int, str), enum.__qualname__, where)
    return ColumnType(kind, enum, tuple(values))


def _literal(values: list[object], where: str) -> ColumnType:
    kind = _kind_of_choices(values, (int, str, bool), "the Literal", where)
    return ColumnType(kind, type(values[0]), tuple(values))


def _kind_of_choices(values: list[object], allowed: tuple[type, ...], what: str, where: str) -> Kind:
    kinds = {type(value) for value in values}
    if len(kinds) != 1 or not kinds <= set(allowed):
        names = " or ".join(f"all {kind.__name__}" for kind in allowed)
        found = ", ".join(sorted(kind.__name__ for kind in kinds)) or "nothing"
        raise ModelError(f"{where}: the values of {what} must be {names}; found {found}")
    if not all(map(_is_storable, values)):
        raise ModelError(f"{where}: {what} has a value that cannot be stored: 64-bit int, str without NUL")
    return _KINDS[kinds.pop()]


def _is_storable(value: object) -> bool:
    if isinstance(value, str):
        return is_storable_text(value)
    return isinstance(value, int) and SMALLEST_INTEGER <= value <= GREATEST_INTEGER
