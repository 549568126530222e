"""Which type hints become columns, and what they become."""

import sys
from collections import OrderedDict
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from fractions import Fraction
from typing import Annotated, Any, Dict, Final, List, Literal, NewType, Optional, TypeVar, Union  # noqa: UP035
from uuid import UUID

import pytest

from dataflow.errors import ModelError
from dataflow.types import ColumnType, Kind, read_annotation

PLAIN = {
    int: Kind.INTEGER,
    float: Kind.FLOAT,
    bool: Kind.BOOLEAN,
    str: Kind.TEXT,
    bytes: Kind.BINARY,
    Decimal: Kind.DECIMAL,
    datetime: Kind.DATETIME,
    date: Kind.DATE,
    time: Kind.TIME,
    timedelta: Kind.INTERVAL,
    UUID: Kind.UUID,
    dict: Kind.JSON,
    list: Kind.JSON,
}


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Shade(StrEnum):
    DARK = "dark"


class Level(IntEnum):
    LOW = 1
    HIGH = 2
    TOP = 2


class Mixed(Enum):
    ONE = 1
    TWO = "two"


class Truth(Enum):
    YES = True


class Pair(Enum):
    A = (1, 2)


class Empty(Enum):
    pass


class Permission(IntFlag):
    READ = 1
    WRITE = 2


class Text(str):
    pass


UserId = NewType("UserId", int)
T = TypeVar("T")


def column(annotation: object) -> ColumnType:
    return read_annotation(annotation, "Order.total")[0]


def test_a_kind_has_its_name_in_lower_case_as_value() -> None:
    assert {kind.value for kind in Kind} == {kind.name.lower() for kind in Kind}


@pytest.mark.parametrize(("python", "kind"), PLAIN.items())
def test_plain_types_keep_their_python_type(python: type, kind: Kind) -> None:
    assert read_annotation(python, "Order.total") == (ColumnType(kind, python), False, ())


@pytest.mark.parametrize("python", PLAIN)
def test_every_type_may_be_null(python: Any) -> None:
    for nullable in (python | None, Optional[python], Union[None, python]):  # noqa: UP007, UP045
        assert read_annotation(nullable, "Order.total") == (ColumnType(PLAIN[python], python), True, ())


@pytest.mark.parametrize(
    ("annotation", "python"),
    [
        (dict[str, int], dict),
        (dict[str, list[int]], dict),
        (dict[Any, Any], dict),
        (Dict[str, int], dict),  # noqa: UP006
        (Dict, dict),  # noqa: UP006
        (list[dict[str, int]], list),
        (list[int | None], list),
        (list[int | str], list),
        (list[list[int]], list),
        (list[Decimal], list),
        (list[Literal[1, 2]], list),
        (list[Any], list),
        (List, list),  # noqa: UP006
    ],
    ids=str,
)
def test_generic_dicts_and_lists_are_json(annotation: object, python: type) -> None:
    assert column(annotation) == ColumnType(Kind.JSON, python)


@pytest.mark.parametrize("annotation", [list[int], List[int], list[int] | None], ids=str)  # noqa: UP006
def test_a_list_of_scalars_knows_their_type(annotation: object) -> None:
    element = ColumnType(Kind.INTEGER, int, nan=False, infinite=False)
    assert column(annotation) == ColumnType(Kind.JSON, list, element=element)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (Colour, ColumnType(Kind.TEXT, Colour, ("red", "blue"))),
        (Shade, ColumnType(Kind.TEXT, Shade, ("dark",))),
        (Level, ColumnType(Kind.INTEGER, Level, (1, 2))),
        (Literal["a", "b"], ColumnType(Kind.TEXT, str, ("a", "b"))),
        (Literal[1, 2], ColumnType(Kind.INTEGER, int, (1, 2))),
        (Literal[True, False], ColumnType(Kind.BOOLEAN, bool, (True, False))),
    ],
    ids=str,
)
def test_enums_and_literals_have_choices_as_they_are_stored(annotation: object, expected: ColumnType) -> None:
    assert column(annotation) == expected


def test_none_within_a_literal_makes_it_nullable() -> None:
    assert read_annotation(Literal["a", None], "X.y") == (ColumnType(Kind.TEXT, str, ("a",)), True, ())


def test_metadata_is_collected_from_every_level_outermost_last() -> None:
    nested = Annotated[Annotated[str, "inner"] | None, "outer"]
    assert read_annotation(nested, "X.y") == (ColumnType(Kind.TEXT, str), True, ("inner", "outer"))


def test_a_new_type_is_what_it_stands_for() -> None:
    assert read_annotation(UserId | None, "X.y") == (ColumnType(Kind.INTEGER, int), True, ())


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement came with Python 3.12")
def test_a_type_alias_is_what_it_stands_for() -> None:
    scope: dict[str, object] = {"Annotated": Annotated}
    exec("type Name = Annotated[str, 'from the alias']", scope)
    name: Any = scope["Name"]
    assert read_annotation(name | None, "X.y") == (ColumnType(Kind.TEXT, str), True, ("from the alias",))


@pytest.mark.parametrize(
    ("annotation", "named"),
    [
        (Fraction, "Fraction"),
        (complex, "complex"),
        (object, "object"),
        (Any, "Any"),
        (OrderedDict, "OrderedDict"),
        (Text, "Text"),
        (int | str, "int | str"),
        (int | str | None, "int | str | None"),
        (Union[int, str], "Union[int, str]"),  # noqa: UP007
        (tuple[int, ...], "tuple[int, ...]"),
        (set, "set"),
        (None, "None"),
        (type(None), "NoneType"),
        (3, "3"),
        (T, "T"),
        (Final[int], "Final[int]"),
        (type[int], "type[int]"),
        (dict[int, str], "dict[int, str]"),
        (Literal["a", 1], "Literal"),
        (Literal[1, True], "Literal"),
        (Literal[None], "Literal"),
        (Literal[b"a"], "Literal"),
        (Literal[Colour.RED], "Literal"),
        (Literal[2**63], "Literal"),
        (Literal["\0"], "Literal"),
        (Literal["\ud800"], "Literal"),
        (Mixed, "Mixed"),
        (Truth, "Truth"),
        (Pair, "Pair"),
        (Empty, "Empty"),
        (Permission, "Permission"),
    ],
    ids=ascii,
)
def test_any_other_type_is_refused_with_the_place_and_the_type(annotation: object, named: str) -> None:
    with pytest.raises(ModelError) as refusal:
        read_annotation(annotation, "Order.total")
    message = str(refusal.value)
    assert message.startswith("Order.total: ")
    if sys.version_info < (3, 14) or "Union" not in named:  # Python 3.14 writes both unions alike
        assert named in message


def test_a_refused_collection_names_the_one_to_use() -> None:
    with pytest.raises(ModelError, match="use list"):
        column(tuple[int, ...])


def test_a_hint_that_is_no_type_may_be_hidden_by_the_name_of_the_field() -> None:
    with pytest.raises(ModelError, match="hide the type"):
        column(None)
