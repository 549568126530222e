"""Coercion to one of a few known values: the members of an Enum, or the values of a Literal."""

from typing import TYPE_CHECKING, cast

from dataflow.coercion.refusals import Coercer, or_none
from dataflow.errors import InvalidValue
from dataflow.types import ColumnType

if TYPE_CHECKING:
    from enum import Enum

__all__ = ["enum_coercer", "literal_coercer"]

_SHOWN_CHOICES = 10


def enum_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    kind = column.python
    stored = type(column.choices[0])
    members = {member.value: member for member in cast("type[Enum]", kind)}

    def convert(value: object, where: str) -> object:
        if type(value) is stored and value in members:
            return members[value]
        raise _not_chosen(where, f"a {kind.__name__} or one of its values", column.choices, value)

    other = or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is kind else other(value)

    return coerce


def literal_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    kind = column.python
    choices = frozenset(column.choices)

    def convert(value: object, where: str) -> object:
        raise _not_chosen(where, "one of", column.choices, value)

    other = or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is kind and value in choices else other(value)

    return coerce


def _not_chosen(where: str, expected: str, choices: tuple[object, ...], value: object) -> InvalidValue:
    shown = ", ".join(map(repr, choices[:_SHOWN_CHOICES]))
    more = ", ..." if len(choices) > _SHOWN_CHOICES else ""
    another = "another " if type(value) is type(choices[0]) else ""
    return InvalidValue(f"{where}: expected {expected} {shown}{more}; got {another}{type(value).__name__}")
