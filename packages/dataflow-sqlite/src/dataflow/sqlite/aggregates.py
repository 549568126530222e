"""Aggregate functions that SQLite lacks: sums, averages and extremes of decimals, which it stores as text.

Each connection registers them, and calls ``step`` for each value of a group and ``finalize`` at its end.
"""

from collections.abc import Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal

from dataflow.sqlite.types import encode_decimal

__all__ = ["AGGREGATES", "DECIMAL_AVG", "DECIMAL_MAX", "DECIMAL_MIN", "DECIMAL_TOTAL"]

DECIMAL_TOTAL = "dataflow_decimal_total"
DECIMAL_AVG = "dataflow_decimal_avg"
DECIMAL_MIN = "dataflow_decimal_min"
DECIMAL_MAX = "dataflow_decimal_max"

EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)
"""Additions in it lose no digit. It must not divide: a third would need all the memory there is."""

Stored = str | float | None
ZERO = Decimal(0)


class DecimalSum:
    """The exact sum; 0 of nothing."""

    def __init__(self) -> None:
        self.total = ZERO
        self.count = 0

    def step(self, stored: Stored) -> None:
        if stored is not None:
            self.total = EXACT.add(self.total, Decimal(str(stored)))
            self.count += 1

    def finalize(self) -> str | None:
        return encode_decimal(self.total)


class DecimalAverage:
    """The exact sum by the number of values, rounded half away from zero; null of nothing."""

    def __init__(self) -> None:
        self._sum = DecimalSum()
        self._places = 0

    def step(self, stored: Stored, places: int) -> None:
        self._sum.step(stored)
        self._places = places

    def finalize(self) -> str | None:
        if not self._sum.count:
            return None
        # In units of the last place, so that the quotient is whole and its remainder tells how to round.
        units = EXACT.scaleb(self._sum.total, self._places)
        quotient, remainder = EXACT.divmod(units.copy_abs(), Decimal(self._sum.count))
        if 2 * remainder >= self._sum.count:
            quotient = EXACT.add(quotient, Decimal(1))
        return encode_decimal(EXACT.scaleb(quotient.copy_sign(units), -self._places))


class DecimalMinimum:
    """The smallest value; null of nothing."""

    found: Decimal | None = None

    def step(self, stored: Stored) -> None:
        if stored is not None:
            number = Decimal(str(stored))
            if self.found is None or self.precedes(number, self.found):
                self.found = number

    def finalize(self) -> str | None:
        return None if self.found is None else encode_decimal(self.found)

    @staticmethod
    def precedes(one: Decimal, other: Decimal) -> bool:
        return one < other


class DecimalMaximum(DecimalMinimum):
    """The greatest value; null of nothing."""

    @staticmethod
    def precedes(one: Decimal, other: Decimal) -> bool:
        return one > other


AGGREGATES: Mapping[str, tuple[int, type]] = {
    DECIMAL_TOTAL: (1, DecimalSum),
    DECIMAL_AVG: (2, DecimalAverage),
    DECIMAL_MIN: (1, DecimalMinimum),
    DECIMAL_MAX: (1, DecimalMaximum),
}
"""The number of arguments and the class of each function."""
