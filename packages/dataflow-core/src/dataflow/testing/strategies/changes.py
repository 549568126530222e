"""Rows with extreme values, and update documents for them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from dataflow.coercion.numbers import fits_decimal
from dataflow.types import DECIMAL_DIGITS, GREATEST_INTEGER, SMALLEST_INTEGER

__all__ = ["documents", "rows", "values"]

integers = st.one_of(
    st.integers(-3, 3),
    st.integers(SMALLEST_INTEGER, GREATEST_INTEGER),
    st.sampled_from([SMALLEST_INTEGER, GREATEST_INTEGER, 2**62, -(2**62), 2**53 + 1]),
)
floats = st.one_of(
    st.floats(-3, 3),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1.7e308, -1.7e308, 5e-324, 0.1]),
)


def decimals(digits: tuple[int, int]) -> st.SearchStrategy[Decimal]:
    """Decimals of at most so many digits before the point, and after it."""
    anything = st.decimals(allow_nan=False, allow_infinity=False)
    long = Decimal(10) ** min(50, digits[0] - 1) + Decimal("0.01")
    return st.one_of(
        st.decimals(-100, 100, places=2),
        anything.filter(lambda number: abs(number.adjusted()) < 300 and fits_decimal(number, digits)),
        st.sampled_from([Decimal("0.1"), long, Decimal(1).scaleb(-min(40, digits[1])), Decimal(0)]),
    )


durations = st.one_of(
    st.timedeltas(timedelta(days=-2), timedelta(days=2)),
    st.sampled_from(
        [timedelta(microseconds=SMALLEST_INTEGER), timedelta(microseconds=GREATEST_INTEGER), timedelta(0)]
    ),
)
moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


def values(digits: tuple[int, int] = DECIMAL_DIGITS) -> Mapping[str, st.SearchStrategy[Any]]:
    """The values of each field.

    :param digits: how many digits a decimal may have before the point, and after it.
    """
    return {
        "number": integers,
        "count": integers,
        "ratio": floats,
        "amount": decimals(digits),
        "duration": durations,
        "moment": moments,
        "text": texts,
    }


NAMES = tuple(values())
REQUIRED = frozenset({"count"})
OPERATORS: Mapping[str, tuple[str, ...]] = {
    "$set": NAMES,
    "$inc": ("number", "count", "ratio", "amount", "duration"),
    "$mul": ("number", "count", "ratio", "amount"),
    "$min": NAMES,
    "$max": NAMES,
    "$unset": tuple(name for name in NAMES if name not in REQUIRED),
}


@st.composite
def rows(draw: st.DrawFn, digits: tuple[int, int] = DECIMAL_DIGITS) -> dict[str, Any]:
    """A row: ``number``, ``count`` (never None), ``ratio``, ``amount``, ``duration``, ``moment`` and ``text``."""
    return {
        name: draw(some if name in REQUIRED else st.none() | some) for name, some in values(digits).items()
    }


@st.composite
def documents(draw: st.DrawFn, digits: tuple[int, int] = DECIMAL_DIGITS) -> dict[str, Any]:
    """An update document for such a row, with at least one change."""
    some = values(digits)
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=5, unique=True))
    document: dict[str, Any] = {}
    for name in names:
        operators = [operator for operator, fields in OPERATORS.items() if name in fields]
        operator = draw(st.sampled_from(["plain", *operators]))
        if operator == "plain":
            document[name] = draw(some[name])
        elif operator == "$unset":
            document.setdefault("$unset", []).append(name)
        else:
            document.setdefault(operator, {})[name] = draw(some[name])
    return document
