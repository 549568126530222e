"""Coercion to one of a few known values: the members of an Enum, or the values of a Literal."""

from typing import TYPE_CHECKING, cast

from dataflow.coercion.rules import Rule, Shortcut
from dataflow.errors import InvalidValue
from dataflow.types import ColumnType

if TYPE_CHECKING:
    from enum import Enum

__all__ = ["enum_rule", "literal_rule"]

_SHOWN_CHOICES = 10


def enum_rule(column: ColumnType) -> Rule:
    kind = column.python
    stored = type(column.choices[0])
    members = {member.value: member for member in cast("type[Enum]", kind)}

    def convert(value: object, where: str) -> object:
        if type(value) is stored and value in members:
            return members[value]
        raise _not_chosen(where, f"a {kind.__name__} or one of its values", column.choices, value)

    return Rule(Shortcut("type({value}) is {kind}", {"kind": kind}), convert)


def literal_rule(column: ColumnType) -> Rule:
    def convert(value: object, where: str) -> object:
        raise _not_chosen(where, "one of", column.choices, value)

    names = {"kind": column.python, "choices": frozenset(column.choices)}
    return Rule(Shortcut("type({value}) is {kind} and {value} in {choices}", names), convert)


def _not_chosen(where: str, expected: str, choices: tuple[object, ...], value: object) -> InvalidValue:
    shown = ", ".join(map(repr, choices[:_SHOWN_CHOICES]))
    more = ", ..." if len(choices) > _SHOWN_CHOICES else ""
    another = "another " if type(value) is type(choices[0]) else ""
    return InvalidValue(f"{where}: expected {expected} {shown}{more}; got {another}{type(value).__name__}")
