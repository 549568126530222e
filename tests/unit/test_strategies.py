"""The values that the conformance suite draws are those that a dialect says it keeps."""

from decimal import Decimal

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from dataflow.testing.strategies.values import storable, values
from dataflow.types import ColumnType, Kind


@pytest.mark.parametrize("digits", [(35, 30), (18, 10), (1, 1)])
@given(data=st.data())
def test_a_drawn_decimal_has_no_more_digits_than_the_database(
    data: st.DataObject, digits: tuple[int, int]
) -> None:
    type = ColumnType(Kind.DECIMAL, Decimal, digits=digits)
    assert storable(type, data.draw(values(type)))


@pytest.mark.parametrize("digits", [(35, 30), (1, 1)])
def test_the_greatest_decimal_of_a_database_is_drawn_too(digits: tuple[int, int]) -> None:
    before, _ = digits
    type = ColumnType(Kind.DECIMAL, Decimal, digits=digits)
    assert find(values(type), lambda number: number.copy_abs() >= 10 ** (before - 1))
