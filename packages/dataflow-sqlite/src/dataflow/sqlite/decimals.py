"""Arithmetic of decimals, which SQLite does not have: functions that each connection registers.

They calculate exactly. None stands for a result that no decimal column can hold, as an error raised here would lose
its words on the way.
"""

from collections.abc import Callable, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Inexact

from dataflow.coercion.numbers import fits_decimal, is_exact_as_float
from dataflow.sqlite.types import decode_decimal, encode_decimal

__all__ = ["DECIMAL_ARITHMETIC", "DECIMAL_AS_FLOAT", "DECIMAL_PRODUCT", "DECIMAL_SUM", "decimal_as_float"]

DECIMAL_SUM = "dataflow_decimal_sum"
DECIMAL_PRODUCT = "dataflow_decimal_product"
DECIMAL_AS_FLOAT = "dataflow_decimal_as_float"

# As many digits as a product of two decimals can have.
EXACT = Context(prec=2 * (131_072 + 16_383), Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])


def _sum(stored: str | float, amount: str) -> str | None:
    return _encoded(EXACT.add(decode_decimal(stored), decode_decimal(amount)))


def _product(stored: str | float, amount: str) -> str | None:
    return _encoded(EXACT.multiply(decode_decimal(stored), decode_decimal(amount)))


def _encoded(result: Decimal) -> str | None:
    return encode_decimal(result) if fits_decimal(result.normalize(EXACT)) else None


def decimal_as_float(result: str | None) -> str | None:
    """A result, where it stays the same in a column that keeps numbers as floats."""
    return result if result is not None and is_exact_as_float(Decimal(result)) else None


DECIMAL_ARITHMETIC: Mapping[str, Callable[[str | float, str], str | None]] = {
    DECIMAL_SUM: _sum,
    DECIMAL_PRODUCT: _product,
}
"""The functions by the names that they have in SQL."""
