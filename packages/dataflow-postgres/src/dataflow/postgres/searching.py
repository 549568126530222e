"""How PostgreSQL looks for patterns and into JSON: expressions for the compiler, imported when they are needed."""

import re
from collections.abc import Sequence
from functools import cache

from sqlglot import exp, parse_one
from sqlglot.expressions import Expression

from dataflow.postgres.expressions import cast, code_points, function_of, text
from dataflow.types import ColumnType, Kind

__all__ = ["document", "json_contains", "json_type", "json_value", "matches"]

JSON_TYPES = {
    Kind.TEXT: "string",
    Kind.INTEGER: "number",
    Kind.FLOAT: "number",
    Kind.BOOLEAN: "boolean",
}
# A whole number of 64 bits is exact in JSON, where PostgreSQL itself would write the shortest digits of a float.
FLOATS = """
CASE WHEN floats IS NOT NULL THEN (
    SELECT COALESCE(jsonb_agg(
        CASE WHEN abs(number) < 9223372036854775808 AND number = trunc(number) THEN to_jsonb(CAST(number AS bigint))
            ELSE to_jsonb(number) END
        ORDER BY place), CAST('[]' AS jsonb))
    FROM unnest(floats) WITH ORDINALITY AS element(number, place)
) END
"""
MEMBER = """
CASE WHEN member ~ '^-?[0-9.]+e[+]1[678]$' THEN
    CASE WHEN abs(CAST(member AS double precision)) < 9223372036854775808
        THEN to_jsonb(CAST(CAST(member AS double precision) AS bigint)) ELSE CAST(member AS jsonb) END
ELSE CAST(member AS jsonb) END
"""
INDEX = re.compile(r"0|[1-9][0-9]*")
NUMBER = re.compile(r"\s*[+-]?[0-9]+")


def matches(operator: str, operand: Expression, pattern: Expression) -> Expression:
    """By code points: then only the letters of ASCII have a capital form, and no rule of a language is asked."""
    subject = code_points(operand)
    if operator == "$like":
        return exp.Like(this=subject, expression=pattern)
    if operator == "$ilike":
        return exp.ILike(this=subject, expression=pattern)
    return exp.RegexpLike(this=subject, expression=pattern)


def json_type(document: Expression, path: Sequence[str]) -> Expression:
    """The type of what stands at a path, null where there is nothing."""
    return _type_of(_at(document, path))


def json_value(document: Expression, path: Sequence[str], kind: Kind) -> Expression:
    """The value at a path, null where it is of another type."""
    found = _at(document, path)
    is_right = exp.EQ(this=_type_of(found.copy()), expression=text(JSON_TYPES[kind]))
    if kind is Kind.TEXT:
        value: Expression = exp.JSONBExtractScalar(this=found, expression=text("{}"))
    elif kind is Kind.BOOLEAN:
        value = cast(found, "boolean")
    else:
        value = cast(found, "numeric")
    return exp.Case(ifs=[exp.If(this=is_right, true=value)])


def json_contains(document: Expression, path: Sequence[str], member: Expression) -> Expression:
    """The list at a path has the member, or the dict has the key."""
    found, wanted = _at(document, path), _filled(MEMBER, "member", cast(member, "text"))
    key = exp.JSONBExtractScalar(this=wanted.copy(), expression=text("{}"))
    has_key = exp.And(
        this=exp.EQ(this=_type_of(wanted.copy()), expression=text("string")),
        expression=function_of("jsonb_exists", found.copy(), key),
    )
    has_element = exp.ArrayContainsAll(this=found.copy(), expression=wanted)
    return exp.Case(
        this=_type_of(found),
        ifs=[exp.If(this=text("array"), true=has_element), exp.If(this=text("object"), true=has_key)],
    )


def document(array: Expression, element: ColumnType) -> Expression:
    """An array as JSON."""
    if element.kind is not Kind.FLOAT:
        return function_of("to_jsonb", array)
    return _filled(FLOATS, "floats", array)


def _filled(template: str, name: str, value: Expression) -> Expression:
    """An expression that is easier to read than to put together, with a value in the place of a name."""
    place = exp.column(name)
    filled: Expression = _parsed(template).transform(lambda part: value.copy() if part == place else part)
    return filled


@cache
def _parsed(template: str) -> Expression:
    parsed = parse_one(template, dialect="postgres")
    assert isinstance(parsed, Expression)
    return parsed


def _type_of(document: Expression) -> Expression:
    return function_of("jsonb_typeof", document)


def _at(document: Expression, path: Sequence[str]) -> Expression:
    """What stands at a path.

    A step that PostgreSQL would take for the index of a list, as it counts ``-1`` from the end, only finds a key.
    """
    found: Expression = cast(document, "jsonb")
    for step in path:
        if NUMBER.fullmatch(step) is not None and INDEX.fullmatch(step) is None:
            found = function_of("jsonb_object_field", found, text(step))
        else:
            found = function_of("jsonb_extract_path", found, text(step))
    return found
