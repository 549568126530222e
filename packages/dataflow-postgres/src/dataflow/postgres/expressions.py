"""How PostgreSQL compares and calculates: expressions for the compiler, imported when it first compiles."""

from collections.abc import Mapping
from datetime import timedelta

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.postgres.types import CAST_TYPES, ENDLESS, array_text, cast_type
from dataflow.stages import PLACES_OF_AVERAGE, Function
from dataflow.types import DECIMAL_DIGITS, ColumnType, Kind

__all__ = [
    "accumulated",
    "among",
    "arithmetic",
    "cast",
    "code_points",
    "literal",
    "ordered",
    "parameter",
    "row_source",
    "text",
]

UNITS: Mapping[str, int] = {
    "YEAR": 365 * 86_400_000_000,
    "MONTH": 30 * 86_400_000_000,
    "DAY": 86_400_000_000,
    "HOUR": 3_600_000_000,
    "MINUTE": 60_000_000,
    "MICROSECONDS": 1,
}
"""The microseconds of the parts of an interval; years and months as asyncpg reads them."""
LONGEST = "106751991 days 14454.775807 seconds"
SHORTEST = "-106751991 days -14454.775808 seconds"
# What a stranger's column is must not decide how a number travels: one that is too great for an int4 column is no
# error, but equal to none of its values.
CAST_PARAMETERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.DATETIME})


def text(value: str) -> Expression:
    """A text within the statement."""
    return exp.Literal.string(value)


def cast(operand: Expression, type_name: str) -> Expression:
    """An operand as another type of PostgreSQL."""
    return exp.Cast(this=operand, to=exp.DataType.build(type_name, dialect="postgres"))


def parameter(placeholder: Expression, type: ColumnType) -> Expression:
    """A placeholder for a value of a type."""
    known = type.kind in CAST_PARAMETERS or type.element is not None
    return cast(placeholder, cast_type(type)) if known else placeholder


def literal(stored: object, type: ColumnType) -> Expression:
    """A value within the text of a statement; all types but numbers and truth are written as texts."""
    if isinstance(stored, bool | int):
        return exp.Var(this=str(stored))
    if isinstance(stored, bytes):
        written = f"\\x{stored.hex()}"
    elif isinstance(stored, list):
        written = array_text(stored)
    elif stored in ENDLESS:
        written = ENDLESS[stored]
    elif isinstance(stored, timedelta):
        written = f"{stored.days} days {stored.seconds} seconds {stored.microseconds} microseconds"
    else:
        written = str(stored)
    return text(written) if type.kind is Kind.TEXT else cast(text(written), cast_type(type))


def code_points(operand: Expression) -> Expression:
    """A text that is compared by its code points."""
    return exp.Paren(this=exp.Collate(this=cast(operand, "text"), expression=exp.Var(this='"C"')))


def ordered(operand: Expression, kind: Kind) -> Expression:
    """Texts sort by their code points, whatever the language of the database or of a column."""
    return code_points(operand) if kind is Kind.TEXT else operand


def among(operand: Expression, members: Expression, type: ColumnType) -> Expression:
    """The operand is one of the members of an array, which is one parameter however long it is."""
    if type.kind in CAST_PARAMETERS:
        members = cast(members, f"{CAST_TYPES[type.kind]}[]")
    return exp.EQ(this=operand, expression=function_of("ANY", members))


def arithmetic(operator: str, current: Expression, amount: Expression, type: ColumnType) -> Expression:
    """A sum or a product; PostgreSQL itself refuses what is out of range, save for places, to which it rounds."""
    kind = type.kind
    connector = exp.Add if operator == "$inc" else exp.Mul
    result = exp.Paren(this=connector(this=current, expression=amount))
    if kind is Kind.INTERVAL:
        fits: Expression = exp.Between(
            this=result, low=cast(text(SHORTEST), "interval"), high=cast(text(LONGEST), "interval")
        )
        return _unless(fits, exp.Mul(this=result.copy(), expression=exp.Var(this="1e300")), result)
    if kind is Kind.FLOAT and operator == "$mul":
        return _product_of_floats(current, cast(amount, CAST_TYPES[kind]))
    if kind is Kind.DECIMAL and operator == "$mul":
        places: Expression = function_of("min_scale", result.copy())
        if type.digits == DECIMAL_DIGITS:
            factors = [function_of("min_scale", factor.copy()) for factor in (current, amount)]
            places = exp.Add(this=factors[0], expression=factors[1])
        fits = exp.LTE(this=places, expression=exp.Var(this=str(type.digits[1])))
        nothing = exp.Mul(this=current.copy(), expression=exp.Literal.number(0))
        beyond = cast(exp.Add(this=nothing, expression=exp.Var(this="1e30")), "bigint")
        return _unless(fits, beyond, result)
    return result


def _product_of_floats(current: Expression, amount: Expression) -> Expression:
    """A product that is zero where it is too small for a float, as everywhere else; PostgreSQL calls that an error.

    Too small is what rounds to zero: up to 2^-1075. To look at the product without making it, the smaller factor is
    taken 2^1000 times, and the greater one as if it were between 2^-538 and 1, which changes nothing about that.
    """
    sizes = [function_of("abs", factor) for factor in (current, amount)]
    smaller = exp.Mul(this=_of_copies("least", *sizes, _float(1)), expression=_float(2.0**1000))
    greater = _of_copies("least", _of_copies("greatest", *sizes, _float(2.0**-538)), _float(1))
    is_too_small = exp.Between(
        this=exp.Mul(this=smaller, expression=greater), low=_float(5e-324), high=_float(2.0**-75)
    )
    signed = exp.Mul(this=function_of("sign", current.copy()), expression=amount.copy())
    zero = exp.Mul(this=signed, expression=_float(0))
    product = exp.Mul(this=current.copy(), expression=amount.copy())
    return exp.Case(ifs=[exp.If(this=is_too_small, true=zero)], default=product)


def _float(value: float) -> Expression:
    return cast(text(repr(float(value))), CAST_TYPES[Kind.FLOAT])


def _of_copies(name: str, *operands: Expression) -> Expression:
    return function_of(name, *(operand.copy() for operand in operands))


def _unless(fits: Expression, error: Expression, result: Expression) -> Expression:
    """The result where it fits, else what raises an error; that must depend on a row, or it is raised beforehand."""
    return exp.Case(ifs=[exp.If(this=fits, true=result.copy())], default=error)


def accumulated(function: Function, operand: Expression, kind: Kind) -> Expression:
    """An aggregate function."""
    if function in ("min", "max"):
        return _extreme(function, operand, kind)
    operand = cast(operand, CAST_TYPES[kind])
    if function == "sum":
        zero = cast(text("0"), CAST_TYPES[kind])
        # Integers are added up to a numeric, which may be too great for one of 64 bits.
        return exp.Coalesce(this=cast(exp.Sum(this=operand), CAST_TYPES[kind]), expressions=[zero])
    if kind is Kind.DECIMAL:
        return _exact_average(operand, PLACES_OF_AVERAGE)
    if kind is Kind.INTERVAL:
        return _interval(_exact_average(_microseconds(operand), 0))
    return cast(exp.Avg(this=operand), CAST_TYPES[Kind.FLOAT])


def _extreme(function: Function, operand: Expression, kind: Kind) -> Expression:
    """The least or the greatest; for some types PostgreSQL has no such function."""
    if kind is Kind.BOOLEAN:
        return function_of("bool_and" if function == "min" else "bool_or", operand)
    if kind is Kind.UUID:
        return cast(_extreme(function, operand, Kind.TEXT), "uuid")
    if kind is Kind.BINARY:
        digits = function_of("encode", operand, text("hex"))
        return function_of("decode", _extreme(function, digits, Kind.TEXT), text("hex"))
    return exp.Min(this=ordered(operand, kind)) if function == "min" else exp.Max(this=ordered(operand, kind))


def _exact_average(operand: Expression, places: int) -> Expression:
    """The sum by the count, rounded half away from zero; a quotient of PostgreSQL's own is rounded somewhere before."""
    total, number = exp.Sum(this=operand), exp.Count(this=operand.copy())
    doubled = exp.Mul(this=function_of("abs", total), expression=exp.Var(this=f"2e{places}"))
    numerator = exp.Paren(this=exp.Add(this=doubled, expression=number))
    quotient = function_of("div", numerator, exp.Mul(this=exp.Literal.number(2), expression=number.copy()))
    signed = exp.Mul(this=function_of("sign", total.copy()), expression=quotient)
    return function_of("trim_scale", exp.Mul(this=signed, expression=exp.Var(this=f"1e-{places}")))


def _microseconds(interval: Expression) -> Expression:
    """An interval as a number; what older servers say of it is a float, and exact in parts only."""
    parts = [
        exp.Mul(
            this=cast(exp.Extract(this=exp.Var(this=unit), expression=interval.copy()), "numeric"),
            expression=exp.Literal.number(factor),
        )
        for unit, factor in UNITS.items()
    ]
    total: Expression = parts[0]
    for part in parts[1:]:
        total = exp.Add(this=total, expression=part)
    return exp.Paren(this=total)


def _interval(microseconds: Expression) -> Expression:
    """A number of microseconds as an interval: the days and the rest apart, as their product is that of floats."""
    day = exp.Literal.number(UNITS["DAY"])
    days = function_of("div", microseconds, day)
    rest = function_of("mod", microseconds.copy(), day.copy())
    return exp.Add(
        this=exp.Mul(this=cast(days, "double precision"), expression=cast(text("1 day"), "interval")),
        expression=exp.Mul(
            this=cast(rest, "double precision"), expression=cast(text("1 microsecond"), "interval")
        ),
    )


def function_of(name: str, *operands: Expression) -> Expression:
    """A call of a function of PostgreSQL."""
    return exp.Anonymous(this=name, expressions=list(operands))


def row_source(rows: Expression, name: str) -> Expression:
    """A list of rows; its columns are called ``column1`` and so on by themselves."""
    return exp.Values(expressions=[rows], alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
