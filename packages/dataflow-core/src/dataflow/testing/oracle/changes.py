"""What a row is after an update document was applied to it."""

import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact
from typing import Any

from dataflow.errors import OutOfRange
from dataflow.types import DECIMAL_DIGITS, GREATEST_INTEGER, SMALLEST_INTEGER

__all__ = ["apply"]

EXACT = Context(prec=300_000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
MICROSECOND = timedelta(microseconds=1)


def apply(
    document: Mapping[str, Any], row: Mapping[str, Any], digits: tuple[int, int] = DECIMAL_DIGITS
) -> dict[str, Any]:
    """The row after the update; each field is changed once, so that their order makes no difference.

    :param document: operators and plain values. Operands have the types of their fields.
    :param row: the row before; it stays as it is.
    :param digits: how many digits a decimal may have before the point, and after it.
    :raises OutOfRange: where a result does not fit its field.

    >>> apply({"$inc": {"stock": -1}, "status": "sold"}, {"stock": 3, "status": "new"})
    {'stock': 2, 'status': 'sold'}
    """
    changed = dict(row)
    for name, value in document.items():
        if not name.startswith("$"):
            changed[name] = value
        elif name == "$unset":
            changed.update(dict.fromkeys(value))
        else:
            for field, operand in value.items():
                result = OPERATORS[name](row[field], operand)
                changed[field] = _decimal(result, digits) if isinstance(result, Decimal) else result
    return changed


def _increased(current: Any, amount: Any) -> Any:
    if isinstance(amount, timedelta):
        total = (current or timedelta()) // MICROSECOND + amount // MICROSECOND
        return timedelta(microseconds=_integer(total))
    if isinstance(amount, Decimal):
        return EXACT.add(current or Decimal(0), amount)
    if isinstance(amount, float):
        return _float(0.0 if current is None else current, amount, lambda a, b: a + b)
    return _integer((current or 0) + amount)


def _multiplied(current: Any, factor: Any) -> Any:
    if isinstance(factor, Decimal):
        return EXACT.multiply(current or Decimal(0), factor)
    if isinstance(factor, float):
        return _float(0.0 if current is None else current, factor, lambda a, b: a * b)
    return _integer((current or 0) * factor)


def _integer(result: int) -> int:
    if not SMALLEST_INTEGER <= result <= GREATEST_INTEGER:
        raise OutOfRange("an integer of more than 64 bits")
    return result


def _decimal(result: Decimal, digits: tuple[int, int]) -> Decimal:
    before, after = digits
    exponent = result.normalize(EXACT).as_tuple().exponent
    if result and (result.adjusted() >= before or int(exponent) < -after):
        raise OutOfRange("a decimal of too many digits")
    return result


def _float(current: float, amount: float, calculate: Callable[[float, float], float]) -> float:
    result = calculate(current, amount)
    endless = math.isinf(current) or math.isinf(amount)
    if math.isnan(result) or (math.isinf(result) and not endless):
        raise OutOfRange("a float without a number")
    return result


OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "$set": lambda current, value: value,
    "$inc": _increased,
    "$mul": _multiplied,
    "$min": lambda current, value: value if current is None else min(current, value),
    "$max": lambda current, value: value if current is None else max(current, value),
}
