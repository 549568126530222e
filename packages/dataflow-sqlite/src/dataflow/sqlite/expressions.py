"""How SQLite compares: expressions for the compiler, imported when the first statement is compiled."""

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.sqlite.types import DECIMAL_KEY
from dataflow.types import ColumnType, Kind

__all__ = ["among", "ordered"]


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
