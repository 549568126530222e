"""Coercion to numbers and truth: int, float, bool and Decimal, none of which may lose a digit."""

import sys
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from math import isinf, isnan, log2
from typing import cast

from dataflow.coercion.refusals import attempt, is_a, refusal
from dataflow.coercion.rules import Rule, Shortcut
from dataflow.errors import InvalidValue
from dataflow.types import DECIMAL_DIGITS, GREATEST_INTEGER, SMALLEST_INTEGER, ColumnType

__all__ = [
    "boolean_rule",
    "decimal_rule",
    "fits_decimal",
    "float_rule",
    "integer_rule",
    "is_exact_as_float",
    "to_integer",
]

_BITS_OF_A_DIGIT = log2(10)
SHORT = 15
MOST_OF_FLOAT = sys.float_info.max_10_exp


def to_integer(value: object, where: str) -> int:
    """Give a plain int of 64 bits, or refuse."""
    if not is_a(value, int) or type(value) is bool:
        raise refusal(where, "int", value)
    number = int.__int__(cast("int", value))  # a member of an IntEnum is stored as the number it is
    if not SMALLEST_INTEGER <= number <= GREATEST_INTEGER:
        raise InvalidValue(f"{where}: the int is out of range; 64 bits hold -2**63 to 2**63 - 1")
    return number


def integer_rule(column: ColumnType) -> Rule:
    least, greatest = column.integers

    def convert(value: object, where: str) -> int:
        number = to_integer(value, where)
        if not least <= number <= greatest:
            raise InvalidValue(f"{where}: the int is out of range; the column holds {least} to {greatest}")
        return number

    return Rule(Shortcut(f"type({{value}}) is int and {least} <= {{value}} <= {greatest}"), convert)


def float_rule(column: ColumnType) -> Rule:
    def convert(value: object, where: str) -> float:
        if is_a(value, float):
            number = float.__float__(cast("float", value))
            if isnan(number) and not column.nan:
                raise InvalidValue(f"{where}: this database cannot store NaN; give None or another number")
            if isinf(number) and not column.infinite:
                raise InvalidValue(
                    f"{where}: this database cannot store an infinite float; give None or a number"
                )
            return number
        if not is_a(value, int) or type(value) is bool:
            raise refusal(where, "float or int", value)
        whole = int.__int__(cast("int", value))
        result = attempt(float, whole)
        if result is None or result != whole:
            raise InvalidValue(
                f"{where}: a float cannot hold this int exactly; make the field int or Decimal"
            )
        return result

    if not column.infinite:
        names = {"greatest": sys.float_info.max}
        return Rule(
            Shortcut("type({value}) is float and -{greatest} <= {value} <= {greatest}", names), convert
        )
    equal = "" if column.nan else " and {value} == {value}"
    return Rule(Shortcut(f"type({{value}}) is float{equal}"), convert)


def boolean_rule(column: ColumnType) -> Rule:
    def convert(value: object, where: str) -> bool:
        raise refusal(where, "bool", value)

    return Rule(Shortcut("type({value}) is bool"), convert)


def decimal_rule(column: ColumnType) -> Rule:
    before, after = column.digits

    def convert(value: object, where: str) -> Decimal:
        if not is_a(value, Decimal, int) or type(value) is bool:
            hint = "; a float is not exact, give a Decimal made from a string" if is_a(value, float) else ""
            raise InvalidValue(f"{refusal(where, 'Decimal or int', value)}{hint}")
        # Asked first, because the conversion takes seconds for an int of a million digits.
        if is_a(value, int) and int.bit_length(cast("int", value)) > max(before, 1) * _BITS_OF_A_DIGIT:
            raise InvalidValue(f"{where}: the int has more than {before} digits")
        result = Decimal(cast("Decimal | int", value))
        if not result.is_finite():
            raise InvalidValue(f"{where}: NaN and infinity are no amounts; give a finite Decimal")
        result = _shortened(result, after)
        if not fits_decimal(result, column.digits):
            raise InvalidValue(
                f"{where}: a Decimal may have {before} digits before the point, and {after} after it"
            )
        if column.inexact and not is_exact_as_float(result):
            raise InvalidValue(
                f"{where}: the table keeps decimals as floats, which hold 15 digits; give fewer, or make the column "
                "a text"
            )
        return result

    names = {"Decimal": Decimal, "is_modest": _test_of(column)}
    return Rule(Shortcut("type({value}) is {Decimal} and {is_modest}({value})", names), convert)


def _test_of(column: ColumnType) -> Callable[[Decimal], bool]:
    """A quick test that numbers pass which a column holds."""
    if column.inexact:
        return is_exact_as_float
    if column.digits == DECIMAL_DIGITS:
        return _is_modest
    return _is_short if min(column.digits) >= SHORT else partial(fits_decimal, digits=column.digits)


def _is_modest(number: Decimal) -> bool:
    """Tell that a number is surely in bounds, without the slow look at its exponent."""
    return -99 < number.adjusted() < 99 and len(str(number)) < 99 and number.is_finite()


def _is_short(number: Decimal) -> bool:
    """As :func:`_is_modest`, for columns of 15 digits before the point, and as many after it."""
    return -SHORT < number.adjusted() < SHORT and len(str(number)) < SHORT and number.is_finite()


def fits_decimal(number: Decimal, digits: tuple[int, int] = DECIMAL_DIGITS) -> bool:
    """Tell whether a column of decimals can hold a number.

    :param digits: how many it holds before the point, and after it.
    """
    before, after = digits
    exponent = number.as_tuple().exponent
    return number.adjusted() < before and isinstance(exponent, int) and exponent >= -after


def _shortened(number: Decimal, places: int) -> Decimal:
    """The same number, without the zeros at its end that a column of so many places has no room for.

    >>> [_shortened(Decimal(text), 2) for text in ("1.5", "1.5000", "1.505", "0.000")]
    [Decimal('1.5'), Decimal('1.50'), Decimal('1.505'), Decimal('0.00')]
    """
    sign, digits, exponent = number.as_tuple()
    beyond = -int(exponent) - places
    if beyond <= 0 or any(digits[-beyond:]):
        return number
    return Decimal((sign, digits[:-beyond] or (0,), -places))


def is_exact_as_float(number: Decimal) -> bool:
    """Tell whether a column that keeps numbers as floats, or as ints of 64 bits, surely keeps one as it is.

    >>> [is_exact_as_float(Decimal(text)) for text in ("0.1", "9007199254740993", "9007199254740993.5")]
    [True, True, False]
    """
    if not (number.is_finite() and -MOST_OF_FLOAT < number.adjusted() < MOST_OF_FLOAT):
        return False
    if len("".join(map(str, number.as_tuple().digits)).strip("0")) <= SHORT:
        return True
    return number == number.to_integral_value() and SMALLEST_INTEGER <= number <= GREATEST_INTEGER
