"""Coercion to numbers and truth: int, float, bool and Decimal, none of which may lose a digit."""

from decimal import Decimal
from math import log2
from typing import cast

from dataflow.coercion.refusals import Coercer, attempt, is_a, or_none, refusal
from dataflow.errors import InvalidValue
from dataflow.types import GREATEST_INTEGER, SMALLEST_INTEGER, ColumnType

__all__ = [
    "boolean_coercer",
    "decimal_coercer",
    "fits_decimal",
    "float_coercer",
    "integer_coercer",
    "to_integer",
]

_DIGITS_BEFORE, _DIGITS_AFTER = 131_072, 16_383  # what PostgreSQL's numeric holds, the widest of all
_BITS_OF_A_DIGIT = log2(10)


def to_integer(value: object, where: str) -> int:
    """Give a plain int of 64 bits, or refuse."""
    if not is_a(value, int) or type(value) is bool:
        raise refusal(where, "int", value)
    number = int.__int__(cast("int", value))  # a member of an IntEnum is stored as the number it is
    if not SMALLEST_INTEGER <= number <= GREATEST_INTEGER:
        raise InvalidValue(f"{where}: the int is out of range; 64 bits hold -2**63 to 2**63 - 1")
    return number


def integer_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    other = or_none(to_integer, nullable, where)

    def coerce(value: object) -> object:
        if type(value) is int and -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF:
            return value
        return other(value)

    return coerce


def float_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> float:
        if is_a(value, float):
            return float.__float__(cast("float", value))
        if not is_a(value, int) or type(value) is bool:
            raise refusal(where, "float or int", value)
        number = int.__int__(cast("int", value))
        result = attempt(float, number)
        if result is None or result != number:
            raise InvalidValue(
                f"{where}: a float cannot hold this int exactly; make the field int or Decimal"
            )
        return result

    other = or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is float else other(value)

    return coerce


def boolean_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> bool:
        raise refusal(where, "bool", value)

    other = or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is bool else other(value)

    return coerce


def decimal_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    def convert(value: object, where: str) -> Decimal:
        if not is_a(value, Decimal, int) or type(value) is bool:
            hint = "; a float is not exact, give a Decimal made from a string" if is_a(value, float) else ""
            raise InvalidValue(f"{refusal(where, 'Decimal or int', value)}{hint}")
        # Asked first, because the conversion takes seconds for an int of a million digits.
        if is_a(value, int) and int.bit_length(cast("int", value)) > _DIGITS_BEFORE * _BITS_OF_A_DIGIT:
            raise InvalidValue(f"{where}: the int has more than {_DIGITS_BEFORE} digits")
        result = Decimal(cast("Decimal | int", value))
        if not result.is_finite():
            raise InvalidValue(f"{where}: NaN and infinity are no amounts; give a finite Decimal")
        if not (_is_modest(result) or fits_decimal(result)):
            raise InvalidValue(
                f"{where}: a Decimal may have {_DIGITS_BEFORE} digits, and {_DIGITS_AFTER} after the point"
            )
        return result

    other = or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is Decimal and _is_modest(value) else other(value)

    return coerce


def _is_modest(number: Decimal) -> bool:
    """Tell that a number is surely in bounds, without the slow look at its exponent."""
    return -99 < number.adjusted() < 99 and len(str(number)) < 99 and number.is_finite()


def fits_decimal(number: Decimal) -> bool:
    """Tell whether a column of decimals can hold a number."""
    exponent = number.as_tuple().exponent
    return number.adjusted() < _DIGITS_BEFORE and isinstance(exponent, int) and exponent >= -_DIGITS_AFTER
