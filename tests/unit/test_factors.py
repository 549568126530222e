"""What an update may multiply by: any number that databases multiply by, not only one that the column holds."""

from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

import pytest

from dataflow.errors import InvalidValue
from dataflow.filters.changes import read_changes
from dataflow.model.declare import declare
from dataflow.model.schema import Model


class Good:
    price: Decimal


def of_another_database() -> Model:
    """A model of a table that others made, whose column holds two digits after the point."""
    model = declare(Good, implied=True)
    price = model.fields["price"]
    price = replace(price, type=replace(price.type, digits=(8, 2)), takes=price.coerce)
    return replace(model, fields=MappingProxyType({**model.fields, "price": price}))


@pytest.mark.parametrize("factor", ["1.075", f"0.{'1' * 30}", "9" * 35])
def test_a_factor_need_not_be_a_value_of_the_column(factor: str) -> None:
    changes = read_changes(of_another_database(), {"$mul": {"price": Decimal(factor)}}, "update")
    assert changes.values == (Decimal(factor),)


@pytest.mark.parametrize("factor", [f"0.{'1' * 31}", "9" * 36, None])
def test_a_factor_that_no_database_multiplies_by_is_refused(factor: str | None) -> None:
    value = None if factor is None else Decimal(factor)
    with pytest.raises(InvalidValue, match="update: price"):
        read_changes(of_another_database(), {"$mul": {"price": value}}, "update")
