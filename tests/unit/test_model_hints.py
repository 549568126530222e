"""Quoted type hints, as `from __future__ import annotations` makes all of them."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal  # noqa: TC003 - the models need it
from enum import Enum
from typing import TYPE_CHECKING, Annotated, ClassVar

import pytest

from dataflow.errors import ModelError
from dataflow.model.declare import declare
from dataflow.model.field import Field
from dataflow.types import Kind

if TYPE_CHECKING:
    from fractions import Fraction


class Shade(Enum):
    DARK = "dark"


class Base:
    shade: Shade
    counter: ClassVar[int] = 0


def test_quoted_hints_are_read() -> None:
    class Order:
        total: Decimal
        note: Annotated[str, Field(max_length=5)] | None = None
        counter: ClassVar[dict[str, int]] = {}
        plain: ClassVar = 1

    fields = declare(Order, implied=False).fields
    assert list(fields) == ["total", "note"]
    assert fields["total"].type.kind is Kind.DECIMAL
    assert (fields["note"].nullable, fields["note"].type.max_length) == (True, 5)


def test_names_of_the_enclosing_function_are_found_in_its_locals() -> None:
    class Colour(Enum):
        RED = "red"

    class Car:
        colour: Colour | None = Colour.RED

    field = declare(Car, implied=False, frame_locals=locals()).fields["colour"]
    assert (field.type.python, field.default) == (Colour, Colour.RED)
    with pytest.raises(ModelError, match=r"^Car.colour: the type 'Colour' is not known"):
        declare(Car, implied=False)


def test_a_local_name_does_not_change_what_an_inherited_hint_of_another_module_means() -> None:
    scope: dict[str, object] = {"__name__": "elsewhere"}
    module = type(sys)("elsewhere")
    sys.modules["elsewhere"] = module
    try:
        exec("class Mixin:\n    size: 'Size'\nSize = int", module.__dict__, scope)
        module.__dict__["Size"] = int
        mixin = scope["Mixin"]
        assert isinstance(mixin, type)
        mixin.__module__ = "elsewhere"
        car = type("Car", (mixin,), {"__module__": __name__})
        assert (
            declare(car, implied=False, frame_locals={"Size": str}).fields["size"].type.kind is Kind.INTEGER
        )
    finally:
        del sys.modules["elsewhere"]


def test_a_nested_class_may_be_a_type() -> None:
    class Car:
        class Colour(Enum):
            RED = "red"

        colour: Colour

    assert declare(Car, implied=False).fields["colour"].type.python is Car.Colour


def test_a_field_may_bear_the_name_of_its_type() -> None:
    class Entry:
        date: date = Field(default_factory=date.today)

    assert declare(Entry, implied=False).fields["date"].type.kind is Kind.DATE


def test_inherited_fields_come_first() -> None:
    class Car(Base):
        wheels: int

    assert list(declare(Car, implied=False).fields) == ["shade", "wheels"]


def test_a_class_variable_takes_an_inherited_field_away() -> None:
    class Car(Base):
        wheels: int
        shade: ClassVar[Shade] = Shade.DARK  # type: ignore[misc]

    assert list(declare(Car, implied=False).fields) == ["wheels"]


def test_a_type_that_is_only_imported_for_checkers_says_so() -> None:
    class Order:
        total: int
        share: Fraction

    with pytest.raises(ModelError, match=r"^Order.share: the type 'Fraction' is not known .* TYPE_CHECKING"):
        declare(Order, implied=False)


def test_the_class_itself_is_no_type_of_a_column() -> None:
    class Category:
        parent: Category | None

    with pytest.raises(ModelError, match=r"^Category.parent: a column cannot have the type .*Category"):
        declare(Category, implied=False)


def test_a_hint_that_cannot_be_evaluated_is_refused_with_its_field() -> None:
    class Order:
        total: int | 3  # type: ignore[valid-type]

    with pytest.raises(ModelError, match=r"^Order.total: the type cannot be read"):
        declare(Order, implied=False)
