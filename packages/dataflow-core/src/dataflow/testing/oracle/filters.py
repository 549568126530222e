"""What a filter says of a row, in plain Python: written from the rules, not from the compiler."""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

from dataflow.model.schema import Model, ModelField
from dataflow.types import Kind

__all__ = ["matches"]

NOTHING: Final = object()
"""What a path leads to that leads nowhere."""

JSON_TYPES: Final = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


def matches(model: Model, document: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
    """Tell whether a row meets a filter. The answer is always yes or no.

    :param model: whose fields the filter names.
    :param document: a valid filter.
    :param row: the values of a row by field, as they come out of the database.
    """
    return all(_met(model, name, wanted, row) for name, wanted in document.items())


def _met(model: Model, name: str, wanted: Any, row: Mapping[str, Any]) -> bool:
    if name == "$and":
        return all(matches(model, part, row) for part in wanted)
    if name == "$or":
        return any(matches(model, part, row) for part in wanted)
    if name == "$nor":
        return not any(matches(model, part, row) for part in wanted)
    if name == "$not":
        return not matches(model, wanted, row)
    if name in model.fields:
        return _column_meets(model.fields[name], row[name], wanted)
    first, *steps = name.split(".")
    return _agrees(_reached(row[first], steps), wanted, _json_equal, _json_less, lambda value: value)


def _column_meets(field: ModelField, value: Any, wanted: Any) -> bool:
    if field.type.kind is Kind.JSON:
        return _agrees(
            NOTHING if value is None else value, wanted, _json_equal, _json_less, lambda value: value
        )
    value = NOTHING if value is None else _plain(value)
    return _agrees(
        value,
        wanted,
        lambda left, right: bool(left == right),
        lambda left, right: bool(left < right),
        lambda value: _plain(field.coerce(value)),
    )


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value


def _reached(document: Any, steps: list[str]) -> Any:
    if document is None:
        return NOTHING
    for step in steps:
        if isinstance(document, dict) and step in document:
            document = document[step]
        elif isinstance(document, list) and step in map(str, range(len(document))):
            document = document[int(step)]
        else:
            return NOTHING
    return document


def _json_equal(left: Any, right: Any) -> bool:
    return JSON_TYPES.get(type(left)) == JSON_TYPES.get(type(right)) and bool(left == right)


def _json_less(left: Any, right: Any) -> bool:
    return JSON_TYPES.get(type(left)) == JSON_TYPES.get(type(right)) and bool(left < right)


Test = Callable[[Any, Any], bool]


def _agrees(value: Any, wanted: Any, equal: Test, less: Test, read: Callable[[Any], Any]) -> bool:
    if not (isinstance(wanted, Mapping) and any(name.startswith("$") for name in wanted)):
        wanted = {"$eq": wanted}
    there = value is not NOTHING and value is not None

    def same(operand: Any) -> bool:
        return not there if operand is None else there and equal(value, read(operand))

    def below(operand: Any) -> bool:
        return there and less(value, read(operand))

    def above(operand: Any) -> bool:
        return there and less(read(operand), value)

    def holds(operator: str, operand: Any) -> bool:
        match operator:
            case "$eq":
                return same(operand)
            case "$ne":
                return not same(operand)
            case "$lt":
                return below(operand)
            case "$lte":
                return below(operand) or same(operand)
            case "$gt":
                return above(operand)
            case "$gte":
                return above(operand) or same(operand)
            case "$between":
                return holds("$gte", operand[0]) and holds("$lte", operand[1])
            case "$in":
                return any(map(same, operand))
            case "$nin":
                return not any(map(same, operand))
            case "$exists":
                return (value is not NOTHING) is operand
            case "$contains":
                return _contains(value, operand)
            case "$like" | "$ilike":
                return isinstance(value, str) and _like(value, operand, folding=operator == "$ilike")
            case "$regex":
                return isinstance(value, str) and _found(value, operand, wanted.get("$options", ""))
            case "$options":
                return True
            case "$not":
                return not _agrees(value, operand, equal, less, read)
        raise AssertionError(f"the oracle does not know {operator}")

    return all(holds(operator, operand) for operator, operand in wanted.items())


def _contains(value: Any, member: Any) -> bool:
    if isinstance(value, list):
        return any(
            element is None if member is None else element is not None and _json_equal(element, member)
            for element in value
        )
    return isinstance(member, str) and isinstance(value, str | dict) and member in value


def _like(text: str, pattern: str, *, folding: bool) -> bool:
    pieces = re.findall(r"\\.|[^\\]", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    source = "".join(wild.get(piece) or re.escape(piece[-1]) for piece in pieces)
    return re.fullmatch(source, text, _flags(folding) | re.DOTALL) is not None


def _found(text: str, pattern: str, options: str) -> bool:
    """Python's own engine, whose ``$`` would also stand before a newline at the end."""
    pieces = re.findall(r"\\.|\[\^?(?:\\.|[^\]\\])*\]|[^\\]", pattern, re.DOTALL)
    source = "".join(r"\Z" if piece == "$" else piece for piece in pieces)
    return re.search(source, text, _flags("i" in options)) is not None


def _flags(folding: bool) -> re.RegexFlag:
    return re.ASCII | re.IGNORECASE if folding else re.ASCII
