"""How values compare, and what is calculated of them: parts of statements, as trees of sqlglot."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from math import isfinite
from typing import Any

from dataflow.stages import PLACES_OF_AVERAGE, Function
from dataflow.types import ColumnType, Kind
from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow_duckdb.names import quoted, quoted_text
from dataflow_duckdb.types import DECLARED, DIGITS, NUMBER, sql_type

__all__ = [
    "OVERFLOW",
    "accumulated",
    "among",
    "arithmetic",
    "literal",
    "ordered",
    "parameter",
    "row_source",
    "sql",
]

OVERFLOW = "dataflow: out of range"
"""What DuckDB is made to say of a result that does not fit."""

CAST = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL, Kind.DATETIME, Kind.INTERVAL})
"""What a column of a stranger is must not decide how a number travels."""

DECIMAL = DECLARED[Kind.DECIMAL]
ACCUMULATORS: Mapping[Function, str] = {"sum": "SUM", "avg": "AVG", "min": "MIN", "max": "MAX"}
# A unit in the last place of a decimal; the places in two halves, as a product of halves fits into 128 bits.
HALF = 10 ** (DIGITS[1] // 2)
ONE = HALF * HALF


def sql(tree: Expression) -> str:
    """A part of a statement as text."""
    return tree.sql("duckdb")


def parameter(placeholder: Expression, type: ColumnType) -> Expression:
    """A placeholder for a value of a type."""
    if type != NUMBER and type.kind not in CAST:
        return placeholder
    return exp.Var(this=f"CAST({sql(placeholder)} AS {sql_type(type)})")


def literal(stored: Any, type: ColumnType) -> Expression:
    """An encoded value within the text of a statement."""
    if isinstance(stored, bool | int):
        return exp.Var(this=str(stored))
    if isinstance(stored, bytes):
        digits = "".join(f"\\x{byte:02X}" for byte in stored)
        return exp.Var(this=f"CAST('{digits}' AS BLOB)")
    if isinstance(stored, float) and isfinite(stored):
        return exp.Var(this=f"CAST({stored!r} AS DOUBLE)")
    if isinstance(stored, Decimal):
        stored = format(stored, "f")
    if isinstance(stored, datetime):
        stored = stored.isoformat(" ")
    text = quoted_text(str(stored))
    return exp.Var(this=text if type.kind is Kind.TEXT else f"CAST({text} AS {sql_type(type)})")


def ordered(operand: Expression, kind: Kind) -> Expression:
    """An operand in the form in which it sorts: DuckDB has no BETWEEN for the pairs that stand for numbers in JSON."""
    if kind is not NUMBER.kind:
        return operand
    key = f"create_sort_key({sql(operand)}, 'ASC NULLS FIRST')"
    return exp.Var(this=f"CASE WHEN {sql(operand)} IS NOT NULL THEN {key} END")


def among(operand: Expression, members: Expression, type: ColumnType) -> Expression:
    """The operand is one of the members of a list, which is one parameter however long it is."""
    return exp.Var(this=f"({sql(operand)} IN (SELECT unnest(CAST({sql(members)} AS {sql_type(type)}[]))))")


def row_source(rows: Expression, name: str, columns: Sequence[str]) -> Expression:
    """A list of rows, which :mod:`dataflow_duckdb.bulk.unnest` puts in its place."""
    return exp.Var(this=f"({sql(rows)}) AS {quoted(name)} ({', '.join(map(quoted, columns))})")


def arithmetic(operator: str, current: Expression, amount: Expression, kind: Kind) -> Expression:
    """A sum or a product. DuckDB itself refuses what is out of range, save for floats."""
    one, other = sql(current), sql(amount)
    if kind is Kind.DECIMAL and operator == "$mul":
        return exp.Var(this=_product(one, other))
    result = f"({one} {'+' if operator == '$inc' else '*'} {other})"
    if kind is not Kind.FLOAT:
        return exp.Var(this=result)
    # Of what is infinite already, the result may be so too; that which is no number is equal to itself.
    fits = f"NOT isinf({result}) OR isinf({one}) OR isinf({other})"
    return exp.Var(this=f"CASE WHEN {fits} THEN {result} ELSE {_error()} END")


def _product(one: str, other: str) -> str:
    """The exact product of two decimals, or an error where it has too many places.

    In units of the last place, a number is ``whole * ONE + high * HALF + low``. DuckDB would refuse to multiply two
    decimals of so many places, whatever their values are.
    """
    whole, high, low = ({}, {}, {})  # type: dict[str, str], dict[str, str], dict[str, str]
    for factor in (one, other):
        units = _units(factor)
        whole[factor] = f"({units} // {ONE})"
        high[factor] = f"({units} % {ONE} // {HALF})"
        low[factor] = f"({units} % {HALF})"
    crossed = f"({high[one]} * {low[other]} + {low[one]} * {high[other]})"
    places = f"({crossed} * {HALF} + {low[one]} * {low[other]})"
    rests = [f"({high[factor]} * {HALF} + {low[factor]})" for factor in (one, other)]
    total = (
        f"{whole[one]} * {whole[other]} * {ONE} + {whole[one]} * {rests[1]} + {whole[other]} * {rests[0]} + "
        f"{high[one]} * {high[other]} + {places} // {ONE}"
    )
    return f"CASE WHEN {places} % {ONE} = 0 THEN {_of_units(total)} ELSE {_error()} END"


def _units(number: str) -> str:
    """A decimal as a whole number of units of its last place."""
    return f"CAST(replace(CAST(CAST({number} AS {DECIMAL}) AS VARCHAR), '.', '') AS HUGEINT)"


def _of_units(units: str) -> str:
    """The decimal of so many units."""
    unit = f"CAST('{Decimal(1).scaleb(-DIGITS[1]):f}' AS DECIMAL({DIGITS[1]},{DIGITS[1]}))"
    return f"(CAST(({units}) AS DECIMAL({sum(DIGITS)},0)) * {unit})"


def _error() -> str:
    return f"error('{OVERFLOW}')"


def accumulated(function: Function, operand: Expression, kind: Kind) -> Expression:
    """An aggregate function over the values of a kind."""
    value = sql(operand)
    if function == "sum":
        # DuckDB adds integers up in 128 bits; a sum that needs more than 64 is refused by the cast.
        return exp.Var(this=f"CAST(COALESCE(SUM({value}), 0) AS {DECLARED[kind]})")
    if function == "avg" and kind is Kind.DECIMAL:
        assert DIGITS[1] == PLACES_OF_AVERAGE
        return exp.Var(this=_of_units(_rounded_average(_units(f"SUM({value})"), value)))
    if function == "avg" and kind is Kind.INTERVAL:
        return exp.Var(this=f"CAST({_rounded_average(f'SUM({value})', value)} AS BIGINT)")
    return exp.Var(this=f"{ACCUMULATORS[function]}({value})")


def _rounded_average(total: str, value: str) -> str:
    """A whole number by the count, rounded half away from zero."""
    size, number = f"abs({total})", f"COUNT({value})"
    up = f"CASE WHEN 2 * ({size} % {number}) >= {number} THEN 1 ELSE 0 END"
    return f"(sign({total}) * ({size} // {number} + {up}))"
