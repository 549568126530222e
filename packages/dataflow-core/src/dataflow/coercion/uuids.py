"""Coercion to UUID, from objects or their text."""

from typing import Any, cast

from dataflow.coercion.refusals import attempt, is_a, refusal
from dataflow.coercion.rules import Rule, Shortcut
from dataflow.errors import InvalidValue
from dataflow.types import ColumnType

__all__ = ["uuid_rule"]


def uuid_rule(column: ColumnType) -> Rule:
    kind: Any = column.python  # not imported here: only those who have a UUID pay for the module

    def convert(value: object, where: str) -> object:
        if is_a(value, str):
            found = attempt(kind, value)
            if found is None:
                raise InvalidValue(f"{where}: expected UUID or its str form, got a str of another form")
            return found
        if not is_a(value, kind):
            raise refusal(where, "UUID or its str form", value)
        return kind(int=cast("Any", value).int)

    return Rule(Shortcut("type({value}) is {kind}", {"kind": kind}), convert)
