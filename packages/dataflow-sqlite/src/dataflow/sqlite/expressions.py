"""How SQLite compares: expressions for the compiler, imported when the first statement is compiled."""

from collections.abc import Mapping
from math import isinf

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.sqlite.aggregates import DECIMAL_AVG, DECIMAL_MAX, DECIMAL_MIN, DECIMAL_TOTAL
from dataflow.sqlite.decimals import DECIMAL_AS_FLOAT, DECIMAL_PRODUCT, DECIMAL_SUM
from dataflow.sqlite.types import DECIMAL_KEY
from dataflow.stages import PLACES_OF_AVERAGE, Function
from dataflow.types import ColumnType, Kind

__all__ = ["accumulated", "among", "arithmetic", "literal", "ordered", "row_source"]

INFINITY = "9e999"
SMALLEST_INTEGER = "-9223372036854775808"

ACCUMULATORS: Mapping[str, type[Expression]] = {
    "sum": exp.Sum,
    "avg": exp.Avg,
    "min": exp.Min,
    "max": exp.Max,
}
DECIMAL_ACCUMULATORS = {
    "sum": DECIMAL_TOTAL,
    "min": DECIMAL_MIN,
    "max": DECIMAL_MAX,
}


def literal(stored: object) -> Expression:
    """A value as it is stored, within the text of a statement."""
    if isinstance(stored, bytes):
        return exp.HexString(this=stored.hex())
    if isinstance(stored, str):
        return exp.Literal.string(stored)
    if isinstance(stored, float) and isinf(stored):
        return exp.Var(this=INFINITY if stored > 0 else f"-{INFINITY}")
    return exp.Var(this=repr(stored))


def ordered(operand: Expression, kind: Kind) -> Expression:
    """Decimals are stored as text and sort by their key; all else sorts as it is stored."""
    if kind is Kind.DECIMAL:
        return exp.Anonymous(this=DECIMAL_KEY, expressions=[operand])
    return operand


def among(operand: Expression, members: Expression, type: ColumnType) -> Expression:
    """The operand is one of the members of a JSON list, which is one parameter however long it is."""
    value = exp.Column(this=exp.to_identifier("value"))
    values = exp.Select(expressions=[value]).from_(exp.Anonymous(this="json_each", expressions=[members]))
    if type.kind is not Kind.BINARY:
        return exp.In(this=operand, query=exp.Subquery(this=values))
    # JSON knows no blobs. And hex(NULL) is an empty text, as that of an empty blob is.
    digits = exp.Anonymous(this="hex", expressions=[operand])
    is_null = exp.Is(this=operand.copy(), expression=exp.null())
    found = exp.In(this=digits, query=exp.Subquery(this=values))
    return exp.Paren(this=exp.And(this=exp.Not(this=is_null), expression=found))


def arithmetic(operator: str, current: Expression, amount: Expression, type: ColumnType) -> Expression:
    """A sum or a product; SQLite itself would make a float of an integer that is too long, and null of NaN."""
    kind = type.kind
    if kind is Kind.DECIMAL:
        name = DECIMAL_SUM if operator == "$inc" else DECIMAL_PRODUCT
        exact = exp.Anonymous(this=name, expressions=[current, amount])
        if type.inexact:
            exact = exp.Anonymous(this=DECIMAL_AS_FLOAT, expressions=[exact])
        return exp.Coalesce(this=exact, expressions=[_overflow()])
    connector = exp.Add if operator == "$inc" else exp.Mul
    result = connector(this=current, expression=amount)
    if kind is Kind.FLOAT:
        # Of what is infinite already, the result may be so too.
        endless = exp.Or(this=_is_infinite(current), expression=_is_infinite(amount))
        is_number = exp.Not(this=exp.Is(this=exp.Paren(this=result.copy()), expression=exp.null()))
        tests = [_is_finite(result), exp.And(this=exp.Paren(this=endless), expression=is_number)]
    else:
        kept = exp.Anonymous(this="typeof", expressions=[result.copy()])
        tests = [exp.EQ(this=kept, expression=exp.Literal.string("integer"))]
    return exp.Case(ifs=[exp.If(this=test, true=result.copy()) for test in tests], default=_overflow())


def _is_finite(number: Expression) -> Expression:
    return exp.LT(this=_magnitude(number), expression=exp.Var(this=INFINITY))


def _is_infinite(number: Expression) -> Expression:
    return exp.EQ(this=_magnitude(number), expression=exp.Var(this=INFINITY))


def _magnitude(number: Expression) -> Expression:
    return exp.Anonymous(this="abs", expressions=[number.copy()])


def _overflow() -> Expression:
    """SQLite's own error "integer overflow", which is the only one that an expression can raise."""
    return exp.Anonymous(this="abs", expressions=[exp.Var(this=SMALLEST_INTEGER)])


def accumulated(function: Function, operand: Expression, kind: Kind) -> Expression:
    """An aggregate function; decimals and exact averages need one of our own."""
    if function == "avg" and kind is Kind.DECIMAL:
        return _exact_average(operand, PLACES_OF_AVERAGE)
    if function == "avg" and kind is Kind.INTERVAL:
        return exp.Cast(this=_exact_average(operand, 0), to=exp.DataType.build("INTEGER"))
    if kind is Kind.DECIMAL:
        return exp.Anonymous(this=DECIMAL_ACCUMULATORS[function], expressions=[operand])
    if function == "sum" and kind is Kind.FLOAT:
        # The sum that is 0 of nothing. Where infinities meet it is null, as SQLite knows no NaN.
        return exp.Anonymous(this="TOTAL", expressions=[operand])
    result = ACCUMULATORS[function](this=operand)
    return exp.Coalesce(this=result, expressions=[exp.Literal.number(0)]) if function == "sum" else result


def _exact_average(operand: Expression, places: int) -> Expression:
    return exp.Anonymous(this=DECIMAL_AVG, expressions=[operand, exp.Literal.number(places)])


def row_source(rows: Expression, name: str) -> Expression:
    """A list of rows; its columns are called ``column1`` and so on by themselves."""
    return exp.Values(expressions=[rows], alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
