"""Values of every type of column: any that every database must keep, and those at the edge."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isinf
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dataflow.coercion.numbers import fits_decimal, is_exact_as_float
from dataflow.model.schema import Model
from dataflow.types import DECIMAL_DIGITS, GREATEST_INTEGER, SMALLEST_INTEGER, ColumnType, Kind

__all__ = ["EXTREMES", "Row", "documents", "rows", "storable", "texts", "values"]

Row = dict[str, Any]

MICROSECOND = timedelta(microseconds=1)
TEXT_SIZE = 30


def texts(max_size: int = TEXT_SIZE) -> SearchStrategy[str]:
    """Any text that every database holds: Unicode without NUL.

    :param max_size: the greatest length, in characters.
    """
    return st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=max_size)


def documents() -> SearchStrategy[Any]:
    """Any JSON."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(SMALLEST_INTEGER, GREATEST_INTEGER),
        st.floats(allow_nan=False, allow_infinity=False),
        texts(),
    )
    return st.recursive(scalars, lambda inner: st.one_of(_lists(inner), _dicts(inner)), max_leaves=10)


def values(type: ColumnType) -> SearchStrategy[Any]:
    """The values of a type of column, None apart.

    NaN is none of them: it is equal to nothing, and not every database stores it.
    """
    if type.choices:
        return st.sampled_from([type.python(choice) for choice in type.choices])
    return _OF_KIND[type.kind](type)


def rows(model: Model) -> SearchStrategy[Row]:
    """Rows of a model: each field that a caller may give has a value, or None where that is allowed."""
    given = [field for field in model.fields.values() if not (field.generated or field.maintained)]
    return st.fixed_dictionaries(
        {
            field.name: st.one_of(st.none(), values(field.type)) if field.nullable else values(field.type)
            for field in given
        }
    )


def _lists(inner: SearchStrategy[Any]) -> SearchStrategy[list[Any]]:
    return st.lists(inner, max_size=4)


def _dicts(inner: SearchStrategy[Any]) -> SearchStrategy[dict[str, Any]]:
    return st.dictionaries(texts(), inner, max_size=4)


def _decimals(digits: tuple[int, int]) -> SearchStrategy[Decimal]:
    anything = st.decimals(allow_nan=False, allow_infinity=False)
    if digits == DECIMAL_DIGITS:
        return anything
    before, after = digits
    # Arithmetic with decimals, even a minus, would round to 28 digits, and be one digit too long.
    greatest = Decimal(10**before - 1)
    return anything.filter(lambda number: fits_decimal(number, digits)) | st.decimals(
        greatest.copy_negate(), greatest, places=after // 2
    )


def storable(type: ColumnType, value: object) -> bool:
    """Whether a value of a type is within the bounds of the database."""
    if isinstance(value, float):
        return type.infinite or not isinf(value)
    if isinstance(value, Decimal):
        return fits_decimal(value, type.digits) and (not type.inexact or is_exact_as_float(value))
    return True


def _json(type: ColumnType) -> SearchStrategy[Any]:
    if type.element is not None:
        return _lists(values(type.element))
    return _lists(documents()) if type.python is list else _dicts(documents())


def _size(type: ColumnType) -> int:
    return TEXT_SIZE if type.max_length is None else min(type.max_length, TEXT_SIZE)


_OF_KIND: Mapping[Kind, Callable[[ColumnType], SearchStrategy[Any]]] = {
    Kind.INTEGER: lambda type: st.integers(*type.integers),
    Kind.FLOAT: lambda type: st.floats(allow_nan=False, allow_infinity=type.infinite),
    Kind.BOOLEAN: lambda type: st.booleans(),
    Kind.TEXT: lambda type: texts(_size(type)),
    Kind.BINARY: lambda type: st.binary(max_size=_size(type)),
    Kind.DECIMAL: lambda type: _decimals(type.digits).filter(lambda number: storable(type, number)),
    Kind.DATETIME: lambda type: st.datetimes(timezones=st.just(UTC)),
    Kind.DATE: lambda type: st.dates(),
    Kind.TIME: lambda type: st.times(),
    Kind.INTERVAL: lambda type: st.timedeltas(SMALLEST_INTEGER * MICROSECOND, GREATEST_INTEGER * MICROSECOND),
    Kind.UUID: lambda type: st.uuids(),
    Kind.JSON: _json,
}


class Odd(Enum):
    """An Enum whose values need care."""

    PLAIN = "plain"
    QUOTED = 'it\'s \\ "odd"\n'


EXTREMES: Mapping[str, object] = {
    "smallest integer": SMALLEST_INTEGER,
    "greatest integer": GREATEST_INTEGER,
    "infinity": float("inf"),
    "negative infinity": -float("inf"),
    "smallest float": 5e-324,
    "lowest float": -1.7976931348623157e308,
    "float of 17 digits": 0.1 + 0.2,
    "float of a whole number": 1e16,
    "float beyond integers": float(2**63),
    "empty text": "",
    "text with spaces around": " a ",
    "text of a digit": "1",
    "text of a number": "1e5",
    "text beyond the basic plane": "\ufeff\u202e\uffff\U0010ffff",
    "text in two normal forms": "e\u0301 is not \xe9",
    "text with control characters": "a\r\nb\tc\x01\x7f\x85\u2028",
    "long text": "x" * 2_000_000,
    "no bytes": b"",
    "all bytes": bytes(range(256)) * 5000,
    "bytes of a word": b"NULL",
    "decimal of 1000 digits": Decimal("9" * 1000),
    "decimal of 900 places": Decimal("0." + "123456789" * 100),
    "tiny decimal": Decimal("1E-16383"),
    "huge decimal": Decimal("1E+131071"),
    "negative zero decimal": Decimal("-0.00"),
    "decimal with a trailing zero": Decimal("1.10"),
    "decimal with an exponent": Decimal("1E+5"),
    "first moment": datetime.min.replace(tzinfo=UTC),
    "last moment": datetime.max.replace(tzinfo=UTC),
    "first microsecond": datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    "moment before 1970": datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    "moment that clocks skip": datetime(2024, 3, 31, 2, 30, tzinfo=UTC),
    "first day": date.min,
    "last day": date.max,
    "first time": time.min,
    "last time": time.max,
    "longest interval": GREATEST_INTEGER * MICROSECOND,
    "longest interval back": SMALLEST_INTEGER * MICROSECOND,
    "interval of a microsecond back": -MICROSECOND,
    "uuid of zeros": UUID(int=0),
    "uuid of ones": UUID(int=2**128 - 1),
    "empty dict": {},
    "dict of everything": {"": {"": [None, True, False, 0, 0.0, -1e300, "\u2028", "'", '"', "\\", [], {}]}},
    "dict of other numbers": {"b": 1, "a": 2, "B": GREATEST_INTEGER, "float": 1.0, "tiny": 5e-324},
    "nested list": [[[[[]]]], 1, 1.0, True, None, "1"],
    "empty list": [],
    "odd member": Odd.QUOTED,
}
"""Values at the edge, by what is special about them; the type of a value tells the field."""
