"""How SQLite looks for patterns and into JSON: expressions for the compiler, imported when they are needed."""

import json
from collections.abc import Sequence

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.sqlite.functions import JSON_CONTAINS, JSON_TYPE, JSON_VALUE, REGEXP
from dataflow.types import Kind

__all__ = ["json_contains", "json_type", "json_value", "matches"]

JSON_TYPES = {
    Kind.TEXT: "string",
    Kind.INTEGER: "number",
    Kind.FLOAT: "number",
    Kind.BOOLEAN: "boolean",
}


def matches(operator: str, operand: Expression, pattern: Expression) -> Expression:
    """GLOB tells capitals from small letters, and LIKE takes those of ASCII alike."""
    if operator == "$like":
        return exp.Glob(this=operand, expression=pattern)
    if operator == "$ilike":
        like = exp.Like(this=operand, expression=pattern)
        return exp.Escape(this=like, expression=exp.Literal.string("\\"))
    return exp.Anonymous(this=REGEXP, expressions=[pattern, operand])


def json_type(document: Expression, path: Sequence[str]) -> Expression:
    """The type of what stands at a path, null where there is nothing."""
    return exp.Anonymous(this=JSON_TYPE, expressions=[document, _path(path)])


def json_value(document: Expression, path: Sequence[str], kind: Kind) -> Expression:
    """The value at a path, null where it is of another type."""
    type_name = exp.Literal.string(JSON_TYPES[kind])
    return exp.Anonymous(this=JSON_VALUE, expressions=[document, _path(path), type_name])


def json_contains(document: Expression, path: Sequence[str], member: Expression) -> Expression:
    """The list at a path has the member, or the dict has the key."""
    return exp.Anonymous(this=JSON_CONTAINS, expressions=[document, _path(path), member])


def _path(path: Sequence[str]) -> Expression:
    return exp.Literal.string(json.dumps(path))
