"""The choice of the rule for a column, by its type."""

from collections.abc import Callable
from enum import Enum

from dataflow.coercion.choices import enum_rule, literal_rule
from dataflow.coercion.documents import json_rule
from dataflow.coercion.lists import list_rule
from dataflow.coercion.moments import date_rule, datetime_rule, interval_rule, time_rule
from dataflow.coercion.numbers import boolean_rule, decimal_rule, float_rule, integer_rule
from dataflow.coercion.refusals import Coercer
from dataflow.coercion.rules import Rule, Shortcut
from dataflow.coercion.strings import binary_rule, text_rule
from dataflow.coercion.uuids import uuid_rule
from dataflow.types import ColumnType, Kind

__all__ = ["coercer", "rule_of", "shortcut"]

_RULES: dict[Kind, Callable[[ColumnType], Rule]] = {
    Kind.INTEGER: integer_rule,
    Kind.FLOAT: float_rule,
    Kind.BOOLEAN: boolean_rule,
    Kind.TEXT: text_rule,
    Kind.BINARY: binary_rule,
    Kind.DECIMAL: decimal_rule,
    Kind.DATETIME: datetime_rule,
    Kind.DATE: date_rule,
    Kind.TIME: time_rule,
    Kind.INTERVAL: interval_rule,
    Kind.UUID: uuid_rule,
    Kind.JSON: json_rule,
}


def coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    """Make the function that coerces the values of one column.

    :param column: the type to coerce to.
    :param nullable: whether None is a value.
    :param where: the place to name in a refusal: ``"User.age"``.

    >>> age = coercer(ColumnType(Kind.INTEGER, int), False, "User.age")
    >>> age(41)
    41
    >>> age("41")
    Traceback (most recent call last):
    dataflow.errors.InvalidValue: User.age: expected int, got str
    """
    return rule_of(column).coercer(nullable, where)


def shortcut(column: ColumnType) -> Shortcut:
    """The test that the usual values of a column pass, for code that reads many of them.

    >>> shortcut(ColumnType(Kind.BOOLEAN, bool)).source("row['active']")
    "type(row['active']) is bool"
    """
    return rule_of(column).shortcut


def rule_of(column: ColumnType) -> Rule:
    """The rule for the values of a column."""
    if column.element is not None:
        return list_rule(rule_of(column.element))
    make = _RULES[column.kind]
    if column.choices:
        make = enum_rule if issubclass(column.python, Enum) else literal_rule
    return make(column)
