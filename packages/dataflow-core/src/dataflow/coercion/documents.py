"""Coercion to JSON documents: dicts and lists, checked at every level."""

from math import isfinite
from typing import Any, cast

from dataflow.coercion.numbers import to_integer
from dataflow.coercion.refusals import is_a, refusal
from dataflow.coercion.rules import Rule, Shortcut
from dataflow.coercion.strings import to_text
from dataflow.errors import InvalidValue
from dataflow.types import GREATEST_INTEGER, SMALLEST_INTEGER, ColumnType, is_storable_text

__all__ = ["json_rule"]

_DEEPEST = 100  # what MySQL's JSON holds, counted as it counts
_SHOWN_KEY = 40


def json_rule(column: ColumnType) -> Rule:
    kind = column.python

    def convert(value: object, where: str) -> object:
        if not is_a(value, kind):
            raise refusal(where, kind.__name__, value)
        return _rebuilt(value, (where,))

    names = {"kind": kind, "is_json": _is_json}
    return Rule(Shortcut("type({value}) is {kind} and {is_json}({value}, 1)", names), convert)


def _is_json(document: Any, depth: int) -> bool:
    """Test whether a dict or a list can be stored as it is. It is not copied: it is serialized at once."""
    if depth >= _DEEPEST:
        return not document
    items = document
    if type(document) is dict:
        for key in document:
            if not (type(key) is str and ((key.isascii() and "\0" not in key) or is_storable_text(key))):
                return False
        items = document.values()
    for item in items:
        kind = type(item)
        if kind is str:
            if not ((item.isascii() and "\0" not in item) or is_storable_text(item)):
                return False
        elif kind is int:
            if not SMALLEST_INTEGER <= item <= GREATEST_INTEGER:
                return False
        elif kind is dict or kind is list:
            if not _is_json(item, depth + 1):
                return False
        elif not (item is None or kind is bool or (kind is float and isfinite(item))):
            return False
    return True


def _rebuilt(value: object, path: tuple[str, ...]) -> object:
    """Copy a value that cannot be stored as it is, with subclasses made plain, or say what is wrong where."""
    if len(path) > _DEEPEST:
        raise InvalidValue(f"{path[0]}: the JSON is nested more than {_DEEPEST} levels deep")
    where = ".".join(path)
    if value is None or type(value) is bool:
        return value
    if is_a(value, dict):
        pairs = [(_key(key, where), item) for key, item in cast("dict[object, object]", value).items()]
        return {key: _rebuilt(item, (*path, _step(key))) for key, item in pairs}
    if is_a(value, list):
        items = cast("list[object]", value)
        return [_rebuilt(item, (*path, str(position))) for position, item in enumerate(items)]
    if is_a(value, str):
        return to_text(value, where)
    if is_a(value, int):
        return to_integer(value, where)
    if not is_a(value, float):
        raise refusal(where, "what JSON holds (dict, list, str, int, float, bool or None)", value)
    number = float.__float__(cast("float", value))
    if not isfinite(number):
        raise InvalidValue(f"{where}: JSON has no NaN and no infinity")
    return number


def _key(key: object, where: str) -> str:
    if not is_a(key, str):
        raise InvalidValue(f"{where}: the keys of JSON must be str, got {type(key).__name__}")
    return to_text(key, f"{where} (a key)")


def _step(key: str) -> str:
    return key if len(key) <= _SHOWN_KEY else f"{key[:_SHOWN_KEY]}..."
