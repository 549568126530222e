"""Values that a column cannot hold are compared as what says the same of all that it can."""

from dataclasses import replace
from decimal import Decimal

import pytest

from dataflow.filters.mongo import read_filter
from dataflow.model.declare import declare
from dataflow.model.narrowed import narrowed
from dataflow.model.schema import Model, ModelField
from dataflow.statements import NOTHING, compare, is_null
from dataflow.types import ColumnType


class Measure:
    ratio: float | None
    amount: Decimal | None
    part: Decimal | None


def within(model: Model, field: ModelField) -> ColumnType:
    """The bounds of a database without endless floats, with decimals of 20 digits before the point or after it."""
    digits = {"amount": (20, 1), "part": (0, 20)}.get(field.name, field.type.digits)
    return replace(field.type, nan=False, infinite=False, digits=digits)


NARROW = narrowed(declare(Measure, implied=True), within)
ENDLESS, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("field", "less_than", "more_than"),
    [
        ("ratio", ENDLESS, -ENDLESS),
        ("ratio", NAN, -ENDLESS),
        ("amount", Decimal(10**20), Decimal(-(10**20))),
        ("part", Decimal(f"0.{'9' * 21}"), Decimal(f"-0.{'9' * 21}")),
    ],
)
def test_all_that_a_column_holds_is_less_or_more_than_what_is_out_of_its_bounds(
    field: str, less_than: Decimal | float, more_than: Decimal | float
) -> None:
    something = ~is_null(field)
    for operator, value, found in (
        ("$lt", less_than, something),
        ("$gte", less_than, NOTHING),
        ("$gt", more_than, something),
        ("$lte", more_than, NOTHING),
    ):
        assert read_filter(NARROW, {field: {operator: value}}, "filter") == found, operator


@pytest.mark.parametrize(
    ("operator", "nearest"), [("$gt", "0.9"), ("$gte", "1.0"), ("$lt", "1.0"), ("$lte", "0.9")]
)
def test_a_number_between_two_that_a_column_holds_is_compared_as_the_one_that_says_the_same(
    operator: str, nearest: str
) -> None:
    found = read_filter(NARROW, {"amount": {operator: Decimal(f"0.9{'5' * 20}")}}, "filter")
    assert found == compare("amount", operator, Decimal(nearest))
