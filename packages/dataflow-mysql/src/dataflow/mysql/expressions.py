"""How MySQL and MariaDB compute: expressions for the compiler, imported when the first statement is compiled."""

from collections.abc import Mapping, Sequence

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.mysql.flavors import Flavor
from dataflow.mysql.literals import literal
from dataflow.mysql.types import DIGITS
from dataflow.stages import PLACES_OF_AVERAGE, Function
from dataflow.types import ColumnType, Kind

__all__ = ["accumulated", "among", "arithmetic", "call", "literal_expression", "row_source"]

ACCUMULATORS: Mapping[str, str] = {"sum": "SUM", "avg": "AVG", "min": "MIN", "max": "MAX"}
PLACES_OF_TOTAL = DIGITS[1] - 4
ZERO = exp.Literal.number(0)
ONE = exp.Literal.number(1)
SCALE = exp.Var(this=f"1{'0' * DIGITS[1]}.")
"""The number of steps between 0 and 1 that a column of decimals has."""


def call(name: str, *arguments: Expression) -> Expression:
    """A function of the database, which gets copies of its arguments."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def literal_expression(stored: object) -> Expression:
    """An encoded value within the text of a statement."""
    return exp.Var(this=literal(stored))


def among(operand: Expression, members: Expression) -> Expression:
    """The operand is one of the members, whose list is one value."""
    return exp.In(this=operand, field=members)


def row_source(flavor: Flavor, rows: Expression, name: str, columns: Sequence[str]) -> Expression:
    """A list of rows with names for its columns; each server has a syntax of its own for that."""
    names = ", ".join(f"`{column}`" for column in columns)
    values = rows.sql("mysql")
    if flavor.row:
        return exp.Var(this=f"(VALUES {flavor.row}{values}) AS `{name}` ({names})")
    return exp.Var(this=f"(WITH `{name}` ({names}) AS (VALUES {values}) SELECT * FROM `{name}`) AS `{name}`")


def arithmetic(operator: str, current: Expression, amount: Expression, type: ColumnType) -> Expression:
    """A sum or a product. The servers refuse what is out of range, and round a product of decimals without a word."""
    connector = exp.Add if operator == "$inc" else exp.Mul
    result = exp.Paren(this=connector(this=current, expression=amount))
    if type.kind is not Kind.DECIMAL or operator == "$inc":
        return result
    # Of the places beyond what any column holds, those count that the fractions of both bring.
    places = exp.Mul(this=_fraction(current), expression=_fraction(amount))
    lost: Expression = exp.NEQ(this=call("MOD", places, SCALE), expression=ZERO.copy())
    if type.digits[1] < DIGITS[1]:
        rounded = call("TRUNCATE", result, exp.Literal.number(type.digits[1]))
        lost = exp.Or(this=lost, expression=exp.NEQ(this=rounded, expression=result.copy()))
    return exp.Case(ifs=[exp.If(this=lost, true=_overflow(current))], default=result)


def _fraction(number: Expression) -> Expression:
    """The places of a number behind the point, as a whole number."""
    # Of its amount, as MariaDB takes a zero that is negative for less than zero.
    part = call("MOD", call("ABS", number), ONE)
    return call("TRUNCATE", exp.Mul(this=part, expression=SCALE.copy()), ZERO)


def _overflow(current: Expression) -> Expression:
    """An error 1690, which must not be found out before a row is looked at."""
    nothing = exp.Mul(this=exp.Paren(this=current.copy()), expression=ZERO.copy())
    power = call("POW", exp.Literal.number(10), exp.Add(this=exp.Literal.number(999), expression=nothing))
    # A float among the results of CASE would make floats of all of them.
    return exp.Var(this=f"CAST({power.sql('mysql')} AS DECIMAL({sum(DIGITS)}, {DIGITS[1]}))")


def accumulated(function: Function, operand: Expression, kind: Kind) -> Expression:
    """An aggregate function."""
    if function == "sum":
        total = exp.Coalesce(this=call("SUM", operand), expressions=[ZERO.copy()])
        return _whole(total) if kind in (Kind.INTEGER, Kind.INTERVAL) else total
    if function == "avg" and kind is not Kind.FLOAT:
        return _average(operand, kind)
    return call(ACCUMULATORS[function], operand)


def _whole(number: Expression) -> Expression:
    """A whole number of 64 bits, or an error; as a text, as some versions of sqlglot make a CAST of it, which cuts."""
    return exp.Var(this=f"{number.sql('mysql')} DIV 1")


def _average(operand: Expression, kind: Kind) -> Expression:
    """The servers give a quotient four places more than its dividend, and cut it there; more would leave no room."""
    total, number = call("SUM", operand), call("COUNT", operand)
    if kind is Kind.INTERVAL:
        return _whole(call("ROUND", exp.Div(this=total, expression=number)))
    if kind is Kind.DECIMAL:
        total = call("TRUNCATE", total, exp.Literal.number(PLACES_OF_TOTAL))
        return call("ROUND", exp.Div(this=total, expression=number), exp.Literal.number(PLACES_OF_AVERAGE))
    precise = exp.Mul(this=total, expression=exp.Var(this=f"1.{'0' * PLACES_OF_TOTAL}"))
    mean = exp.Paren(this=exp.Div(this=exp.Paren(this=precise), expression=number))
    return exp.Add(this=mean, expression=exp.Var(this="0e0"))
