"""Changes of rows as SQL: values that are set, and operators that work on what a column holds."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import Dialect
from dataflow.capabilities import Capability
from dataflow.model.schema import Model, ModelField
from dataflow.sql.compiled import Compiled
from dataflow.sql.conditions import Conditions, column, identifier, table
from dataflow.sql.literals import literal_expression
from dataflow.sql.parameters import COUNT, ROWS, Parameters
from dataflow.statements import Change, Shape, Update
from dataflow.types import Kind

__all__ = ["compile_update", "compile_update_many", "returned_columns", "touching"]

NEW_ROWS = "dataflow_rows"
ZEROS: Mapping[Kind, object] = {
    Kind.INTEGER: 0,
    Kind.FLOAT: 0.0,
    Kind.DECIMAL: Decimal(0),
    Kind.INTERVAL: timedelta(),
}
NEARER: Mapping[str, Callable[..., Expression]] = {"$min": exp.LT, "$max": exp.GT}


def compile_update(
    dialect: Dialect,
    model: Model,
    changes: tuple[Change, ...],
    where: Shape,
    limited: bool,
    names: tuple[str, ...] | None,
) -> Compiled:
    """An UPDATE of the rows that meet a condition."""
    parameters = Parameters(dialect)
    returned = [model.field(name) for name in (model.fields if names is None else names)]
    assignments = [_assignment(dialect, model, change, parameters) for change in changes]
    update = touching(
        dialect,
        model,
        where,
        limited,
        parameters,
        lambda condition: exp.Update(this=table(model), expressions=assignments, where=condition),
    )
    if Update not in dialect.returning:
        return parameters.compiled(update, None)
    if returned:
        update.set("returning", returned_columns(model, returned))
    return parameters.compiled(update, returned)


def compile_update_many(
    dialect: Dialect,
    model: Model,
    match: tuple[str, ...],
    names: tuple[str, ...],
    changes: tuple[Change, ...],
    where: Shape,
) -> Compiled:
    """An UPDATE from a list of rows, in pieces: those who run it repeat the row."""
    parameters = Parameters(dialect)
    fields = [model.field(name) for name in (*match, *names)]
    row = exp.Tuple(expressions=[parameters.next(field.type) for field in fields])
    given = [
        exp.Column(this=identifier(f"column{position}"), table=identifier(NEW_ROWS))
        for position, _ in enumerate(fields, 1)
    ]
    condition = Conditions(dialect, model, parameters.next)
    sets = [
        *(_set(field, value) for field, value in zip(fields, given, strict=True) if field.name in names),
        *(_assignment(dialect, model, change, parameters) for change in changes),
    ]
    matches: list[Expression] = [
        exp.EQ(this=column(model, field), expression=value)
        for field, value in zip(fields[: len(match)], given, strict=False)
    ]
    source = dialect.row_source(exp.Var(this=ROWS), NEW_ROWS, [value.name for value in given])
    wanted = exp.Where(this=exp.and_(*matches, condition.compile(where), copy=False))
    if Capability.UPDATE_JOIN in dialect.capabilities:
        joined = table(model)
        joined.set("joins", [exp.Join(this=source)])
        for assignment in sets:
            # The list of rows may have a column of the same name.
            assignment.this.set("table", identifier(model.table))
        update = exp.Update(this=joined, expressions=sets, where=wanted)
    else:
        update = exp.Update(this=table(model), expressions=sets, where=wanted).from_(source, copy=False)
    return parameters.compiled_in_pieces(update, row, model, fields)


def returned_columns(model: Model, fields: Sequence[ModelField]) -> exp.Returning:
    """The clause that brings fields of the rows that were touched."""
    return exp.Returning(expressions=[column(model, field) for field in fields])


def touching(
    dialect: Dialect,
    model: Model,
    where: Shape,
    limited: bool,
    parameters: Parameters,
    make: Callable[[exp.Where], Expression],
) -> Expression:
    """A statement on the rows that meet a condition, or on at most so many of them.

    :param make: the statement, of its WHERE.
    """
    condition = Conditions(dialect, model, parameters.next).compile(where)
    if not limited:
        return make(exp.Where(this=condition))
    limit = exp.Limit(expression=parameters.next(COUNT))
    if Capability.LIMITED_WRITES in dialect.capabilities:
        # As a part of the condition: sqlglot would write it behind RETURNING.
        limited_condition = f"{condition.sql(dialect.grammar)} {limit.sql(dialect.grammar).strip()}"
        return make(exp.Where(this=exp.Var(this=limited_condition)))
    keys = [column(model, field) for field in model.key]
    some = exp.Select(expressions=[key.copy() for key in keys]).from_(table(model)).where(condition)
    some.set("limit", limit)
    operand = keys[0] if len(keys) == 1 else exp.Tuple(expressions=keys)
    return make(exp.Where(this=exp.In(this=operand, query=exp.Subquery(this=some))))


def _set(field: ModelField, value: Expression) -> Expression:
    return exp.EQ(this=exp.Column(this=identifier(field.column)), expression=value)


def _assignment(dialect: Dialect, model: Model, change: Change, parameters: Parameters) -> Expression:
    field = model.field(change.field)
    value = parameters.next(field.type)
    if change.operator == "$set":
        return _set(field, value)
    if change.operator in NEARER:
        return _set(field, _nearer(dialect, model, field, value, NEARER[change.operator]))
    current: Expression = column(model, field)
    if field.nullable:
        zero = literal_expression(dialect, ZEROS[field.type.kind], field.type)
        current = exp.Coalesce(this=current, expressions=[zero])
    return _set(field, dialect.arithmetic(change.operator, current, value, field.type))


def _nearer(
    dialect: Dialect,
    model: Model,
    field: ModelField,
    value: Expression,
    compares: Callable[..., Expression],
) -> Expression:
    """The value where nothing is there yet, or where it is the smaller or greater one."""
    there = column(model, field)
    test: Expression = compares(
        this=dialect.ordered(value.copy(), field.type.kind),
        expression=dialect.ordered(there.copy(), field.type.kind),
    )
    if field.nullable:
        test = exp.Or(this=exp.Is(this=there.copy(), expression=exp.null()), expression=test)
    return exp.Case(ifs=[exp.If(this=test, true=value)], default=there)
