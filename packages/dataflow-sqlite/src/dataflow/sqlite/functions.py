"""The functions that each connection adds to SQLite: what its SQL cannot say exactly.

JSON is read by Python's own reader: keys may then hold any character, and a number is the one that was written.
"""

import json
import sqlite3
from functools import lru_cache
from typing import Any, Final

from dataflow.sqlite.aggregates import AGGREGATES
from dataflow.sqlite.decimals import DECIMAL_ARITHMETIC, DECIMAL_AS_FLOAT, decimal_as_float
from dataflow.sqlite.types import DECIMAL_KEY, decimal_key

__all__ = ["JSON_CONTAINS", "JSON_TYPE", "JSON_VALUE", "REGEXP", "register"]

JSON_CONTAINS: Final = "dataflow_json_contains"
JSON_TYPE: Final = "dataflow_json_type"
JSON_VALUE: Final = "dataflow_json_value"
REGEXP: Final = "dataflow_regexp"

TYPES: Final = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    type(None): "null",
}
GREATEST: Final = 2**63 - 1
ABSENT: Final = object()


def register(raw: sqlite3.Connection) -> None:
    """Add the functions to a connection."""
    raw.create_function(DECIMAL_KEY, 1, decimal_key, deterministic=True)
    for name, function in DECIMAL_ARITHMETIC.items():
        raw.create_function(name, 2, function, deterministic=True)
    raw.create_function(DECIMAL_AS_FLOAT, 1, decimal_as_float, deterministic=True)
    for name, (arguments, aggregate) in AGGREGATES.items():
        raw.create_aggregate(name, arguments, aggregate)
    raw.create_function(REGEXP, 2, matches, deterministic=True)
    raw.create_function(JSON_TYPE, 2, json_type, deterministic=True)
    raw.create_function(JSON_VALUE, 3, json_value, deterministic=True)
    raw.create_function(JSON_CONTAINS, 3, json_contains, deterministic=True)


def matches(pattern: str, text: object) -> bool | None:
    """Tell whether a regular expression is found in a text."""
    from dataflow.sqlite.automaton import found

    return None if text is None else found(pattern, str(text))


def json_type(document: str | None, path: str) -> str | None:
    """Name the type of what stands at a path; None where there is nothing.

    >>> json_type('{"a": [null, 1.5]}', '["a", "1"]'), json_type('{"a": 1}', '["b"]')
    ('number', None)
    """
    value = _at(document, path)
    return None if value is ABSENT else TYPES[type(value)]


def json_value(document: str | None, path: str, type_name: str) -> str | float | None:
    """Give the text, the number or the truth at a path; None for a value of another type.

    >>> json_value('{"a": 1}', '["a"]', "number"), json_value('{"a": 1}', '["a"]', "string")
    (1, None)
    """
    value = _at(document, path)
    if value is ABSENT or TYPES[type(value)] != type_name:
        return None
    if type(value) is int and not -GREATEST - 1 <= value <= GREATEST:
        return float(str(value))  # which DataFlow never wrote, and which is infinity rather than an error
    scalar: str | float = value
    return scalar


def json_contains(document: str | None, path: str, member: str) -> bool | None:
    """Tell whether a list at a path has an element, or a dict a key; None for anything else.

    >>> json_contains('{"a": [1, "x"]}', '["a"]', "1.0"), json_contains('{"a": [1]}', "[]", '"a"')
    (True, True)
    """
    value, wanted = _at(document, path), _operand(member)
    if type(value) is dict:
        return type(wanted) is str and wanted in value
    if type(value) is list:
        return any(TYPES[type(element)] == TYPES[type(wanted)] and element == wanted for element in value)
    return None


def _at(document: str | None, path: str) -> Any:
    if document is None:
        return ABSENT
    value = _document(document)
    for step in _operand(path):
        if type(value) is dict:
            value = value.get(step, ABSENT)
        elif type(value) is list and _is_index(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value


def _is_index(step: str) -> bool:
    return step == "0" or (step.isascii() and step.isdigit() and step[0] != "0" and len(step) < 10)


@lru_cache(maxsize=4)
def _document(text: str) -> Any:
    """Several conditions look at the document of one row, one after the other."""
    return json.loads(text)


@lru_cache(maxsize=128)
def _operand(text: str) -> Any:
    """All rows are looked at with the same path."""
    return json.loads(text)
