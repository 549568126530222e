"""Coercion to JSON documents: dicts and lists, checked at every level."""

from math import isfinite
from typing import cast

from dataflow.coercion.numbers import to_integer
from dataflow.coercion.refusals import Coercer, is_a, or_none, refusal
from dataflow.coercion.strings import to_text
from dataflow.errors import InvalidValue
from dataflow.types import GREATEST_INTEGER, SMALLEST_INTEGER, ColumnType, is_storable_text

__all__ = ["json_coercer"]

_DEEPEST = 100  # what MySQL's JSON holds, counted as it counts
_SHOWN_KEY = 40


def json_coercer(column: ColumnType, nullable: bool, where: str) -> Coercer:
    kind = column.python

    def convert(value: object, where: str) -> object:
        if not is_a(value, kind):
            raise refusal(where, kind.__name__, value)
        return _rebuilt(value, (where,))

    other = or_none(convert, nullable, where)

    def coerce(value: object) -> object:
        return value if type(value) is kind and _is_json(value, 1) else other(value)

    return coerce


def _is_json(value: object, depth: int) -> bool:
    """Test whether a value can be stored as it is. It is not copied: it is serialized at once."""
    if depth > _DEEPEST:
        return False
    kind = type(value)
    if kind is str:
        return is_storable_text(cast("str", value))
    if kind is int:
        return SMALLEST_INTEGER <= cast("int", value) <= GREATEST_INTEGER
    if kind is dict:
        for key, item in cast("dict[object, object]", value).items():
            if type(key) is not str or not is_storable_text(key) or not _is_json(item, depth + 1):
                return False
        return True
    if kind is list:
        for item in cast("list[object]", value):  # noqa: SIM110 - twice as fast as all()
            if not _is_json(item, depth + 1):
                return False
        return True
    return value is None or kind is bool or (kind is float and isfinite(cast("float", value)))


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
