"""How MySQL and MariaDB look for patterns and into JSON: expressions for the compiler.

JSON is stored as text, and the functions of both servers read it from there, whole numbers of any length exactly.
"""

import json
from collections.abc import Sequence

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.errors import InvalidValue
from dataflow.mysql.expressions import call
from dataflow.mysql.flavors import MARIADB, Flavor
from dataflow.types import Kind

__all__ = ["json_contains", "json_type", "json_value", "matches"]

MOST_INDEXES = 5
TYPES = {"NULL": "null", "BOOLEAN": "boolean", "STRING": "string", "ARRAY": "array", "OBJECT": "object"}
WHOLE = ("INTEGER", "UNSIGNED INTEGER")


def matches(flavor: Flavor, operator: str, operand: Expression, pattern: Expression) -> Expression:
    """LIKE tells capitals from small letters by the collation; all else is a regular expression."""
    if operator == "$like":
        return exp.Like(this=operand, expression=pattern)
    if flavor is MARIADB:
        return exp.Var(this=f"{operand.sql('mysql')} REGEXP {pattern.sql('mysql')}")
    return call("REGEXP_LIKE", operand, pattern, exp.Literal.string("c"))


def json_type(document: Expression, path: Sequence[str]) -> Expression:
    """The type of what stands at a path, null where there is nothing."""
    kind = call("JSON_TYPE", _reached(document, path))
    known = [exp.If(this=_type_name(name), true=exp.Literal.string(ours)) for name, ours in TYPES.items()]
    missing = exp.If(this=exp.Is(this=kind.copy(), expression=exp.null()), true=exp.null())
    number = exp.Case(ifs=[missing], default=exp.Literal.string("number"))
    return exp.Case(this=kind, ifs=known, default=number)


def json_value(flavor: Flavor, document: Expression, path: Sequence[str], kind: Kind) -> Expression:
    """The value at a path, null where it is of another type."""
    value = _reached(document, path)
    type_ = call("JSON_TYPE", value)
    if kind is Kind.TEXT:
        return _where(_is(type_, "STRING"), _collated(flavor, call("JSON_UNQUOTE", value)))
    if kind is Kind.BOOLEAN:
        true = exp.EQ(
            this=_collated(flavor, call("JSON_UNQUOTE", value)), expression=exp.Literal.string("true")
        )
        return _where(_is(type_, "BOOLEAN"), exp.Paren(this=true))
    number = exp.Paren(this=exp.Add(this=call("JSON_UNQUOTE", value), expression=exp.Var(this="0e0")))
    exact = _decimal(call("JSON_UNQUOTE", value))
    if kind is Kind.INTEGER:
        return _either(_is(type_, *WHOLE), exact, _is(type_, "DOUBLE", "DECIMAL"), _comparable(number))
    return _either(_is(type_, *WHOLE), _beside(number, exact), _is(type_, "DOUBLE", "DECIMAL"), number)


def json_contains(
    flavor: Flavor, document: Expression, path: Sequence[str], member: Expression
) -> Expression:
    """The list at a path has the member, or the dict has the key."""
    value = _reached(document, path)
    type_ = call("JSON_TYPE", value)
    keys = call("JSON_KEYS", _where(_is(type_, "OBJECT"), value))
    is_text = _is(call("JSON_TYPE", member), "STRING")
    key = _where(is_text, call("JSON_CONTAINS", keys, member))
    if flavor is MARIADB:
        element: Expression = exp.Var(this=_any_element(value, member))
    else:
        found = exp.Var(this=f"(CAST({member.sql('mysql')} AS JSON) MEMBER OF ({value.sql('mysql')}))")
        element = found
    return exp.Paren(this=_either(_is(type_, "ARRAY"), element, _is(type_, "OBJECT"), key))


def _any_element(value: Expression, member: Expression) -> str:
    """Whether an element of a list is equal to a scalar: of the same type, and a number whatever its form."""
    mine, yours = "JSON_TYPE(`df`.`e`)", f"JSON_TYPE({member.sql('mysql')})"
    numbers = "('INTEGER', 'DOUBLE')"
    given = f"JSON_UNQUOTE({member.sql('mysql')})"
    there = "JSON_UNQUOTE(`df`.`e`)"
    same_number = (
        f"{there} + 0e0 = {given} + 0e0 AND "
        f"CAST({there} AS DECIMAL(65, 30)) = CAST({given} AS DECIMAL(65, 30))"
    )
    return (
        f"EXISTS (SELECT 1 FROM JSON_TABLE({value.sql('mysql')}, '$[*]' COLUMNS (`e` JSON PATH '$')) AS `df` "
        f"WHERE CASE WHEN {mine} IN {numbers} THEN {yours} IN {numbers} AND {same_number} "
        f"ELSE {mine} = {yours} AND BINARY {there} = BINARY {given} END)"
    )


def _reached(document: Expression, path: Sequence[str]) -> Expression:
    """What stands at a path, as JSON."""
    if sum(map(_is_index, path)) > MOST_INDEXES:
        raise InvalidValue(f"on MySQL a path into JSON has at most {MOST_INDEXES} steps that are numbers")
    reached, steps = document, ""
    for step in path:
        if not _is_index(step):
            steps += _step(step)
            continue
        if steps:
            reached, steps = _extract(reached, steps), ""
        # To the servers a value that is no list is a list of itself.
        of_list = _is(call("JSON_TYPE", reached), "ARRAY")
        reached = exp.Case(
            ifs=[exp.If(this=of_list, true=_extract(reached, f"[{step}]"))],
            default=_extract(reached, _step(step)),
        )
    return _extract(reached, steps) if steps or not path else reached


def _is_index(step: str) -> bool:
    return step.isascii() and step.isdigit() and (step == "0" or not step.startswith("0")) and len(step) < 10


def _step(key: str) -> str:
    return f".{json.dumps(key, ensure_ascii=False)}"


def _extract(document: Expression, steps: str) -> Expression:
    return call("JSON_EXTRACT", document, exp.Literal.string(f"${steps}"))


def _is(type_: Expression, *names: str) -> Expression:
    return exp.In(this=type_.copy(), expressions=[_type_name(name) for name in names])


def _type_name(name: str) -> Expression:
    """A name that JSON_TYPE gives, in the collation of its result; that of the session would not do beside it."""
    return exp.Var(this=f"_utf8mb4'{name}' COLLATE utf8mb4_bin")


def _where(condition: Expression, value: Expression) -> Expression:
    return exp.Case(ifs=[exp.If(this=condition, true=value)])


def _either(first: Expression, value: Expression, second: Expression, other: Expression) -> Expression:
    return exp.Case(ifs=[exp.If(this=first, true=value), exp.If(this=second, true=other)])


def _collated(flavor: Flavor, text: Expression) -> Expression:
    """A text to be compared by its code points."""
    return exp.Var(this=f"(CONVERT({text.sql('mysql')} USING utf8mb4) COLLATE {flavor.collation})")


def _decimal(number: Expression) -> Expression:
    return exp.Var(this=f"CAST({number.sql('mysql')} AS DECIMAL(65, 30))")


def _comparable(number: Expression) -> Expression:
    """A float as a decimal that is less, equal or greater than just the same whole numbers."""
    small = "ABS({0}) < 1e-25 AND {0} <> 0".format(number.sql("mysql"))
    tiny = f"SIGN({number.sql('mysql')}) * 0.000000000000000000000000000001"
    return exp.Var(this=f"IF({small}, {tiny}, {_decimal(number).sql('mysql')})")


def _beside(number: Expression, exact: Expression) -> Expression:
    """A whole number as a float; one that none is equal to becomes the next one further from what is equal to it."""
    near, whole = number.sql("mysql"), exact.sql("mysql")
    back = f"CAST({near} AS DECIMAL(65, 30))"
    return exp.Var(
        this=f"CASE WHEN {back} = {whole} THEN {near} WHEN {back} < {whole} THEN {near} + ABS({near}) * 1.2e-16 "
        f"ELSE {near} END"
    )
