"""Compiles the shape of a statement into SQL, with sqlglot. It runs once per shape; nothing here is on the hot path."""

from collections.abc import Callable, Sequence

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import Dialect
from dataflow.model.schema import Model, ModelField
from dataflow.sql.compiled import Compiled, row_mapper
from dataflow.sql.conditions import Conditions, column, identifier
from dataflow.sql.parameters import Parameters
from dataflow.sql.raw import compile_raw
from dataflow.statements import Order, Shape
from dataflow.types import ColumnType, Kind

__all__ = ["compile_shape"]

COUNT = ColumnType(Kind.INTEGER, int)
COUNTED = (("count", None),)


def compile_shape(dialect: Dialect, shape: Shape) -> Compiled:
    """Make the SQL for the shape of a statement."""
    return COMPILERS[str(shape[0])](dialect, *shape[1:])


def _table(model: Model) -> exp.Table:
    return exp.Table(this=identifier(model.table))


def _all_fields(model: Model) -> tuple[ModelField, ...]:
    return tuple(model.fields.values())


def _returning(model: Model, fields: Sequence[ModelField]) -> exp.Returning:
    return exp.Returning(expressions=[column(model, field) for field in fields])


def _select(
    dialect: Dialect,
    model: Model,
    where: Shape,
    order: tuple[Order, ...],
    limited: bool,
    skipping: bool,
    names: tuple[str, ...] | None,
    counting: bool,
) -> Compiled:
    parameters = Parameters(dialect)
    fields = _all_fields(model) if names is None else tuple(model.field(name) for name in names)
    query = exp.Select().from_(_table(model))
    if where:
        query = query.where(Conditions(dialect, model, parameters.next).compile(where), copy=False)
    if counting:
        number = query.select(exp.Count(this=exp.Star()), copy=False)
        return parameters.compiled(number, None)._replace(map_row=row_mapper(COUNTED), columns=COUNTED)
    query = query.select(*(column(model, field) for field in fields), copy=False)
    if order:
        query = query.order_by(*(_ordered(dialect, model, criterion) for criterion in order), copy=False)
    if limited:
        query.set("limit", exp.Limit(expression=parameters.next(COUNT)))
    elif skipping and dialect.no_limit is not None:
        query.set("limit", exp.Limit(expression=exp.Var(this=dialect.no_limit)))
    if skipping:
        query.set("offset", exp.Offset(expression=parameters.next(COUNT)))
    return parameters.compiled(query, fields)


def _ordered(dialect: Dialect, model: Model, criterion: Order) -> Expression:
    field = model.field(criterion.field)
    operand = dialect.ordered(column(model, field), field.type.kind)
    return exp.Ordered(this=operand, desc=criterion.descending, nulls_first=not criterion.descending)


def _insert(dialect: Dialect, model: Model, names: tuple[str, ...]) -> Compiled:
    parameters = Parameters(dialect)
    return parameters.compiled(_insertion(model, names, parameters, _all_fields(model)), _all_fields(model))


def _insert_many(dialect: Dialect, model: Model, names: tuple[str, ...], returning: bool) -> Compiled:
    parameters = Parameters(dialect)
    returned = _all_fields(model) if returning else None
    return parameters.compiled(_insertion(model, names, parameters, returned), returned, batch=True)


def _insertion(
    model: Model, names: Sequence[str], parameters: Parameters, returned: Sequence[ModelField] | None
) -> Expression:
    fields = [model.field(name) for name in names]
    returning = None if returned is None else _returning(model, returned)
    if not fields:
        return exp.Insert(this=_table(model), default=True, returning=returning)
    return exp.Insert(
        this=exp.Schema(this=_table(model), expressions=[identifier(field.column) for field in fields]),
        expression=exp.Values(
            expressions=[exp.Tuple(expressions=[parameters.next(field.type) for field in fields])]
        ),
        returning=returning,
    )


def _update(dialect: Dialect, model: Model, names: tuple[str, ...], where: Shape, limited: bool) -> Compiled:
    parameters = Parameters(dialect)
    changes = [
        exp.EQ(this=exp.Column(this=identifier(field.column)), expression=parameters.next(field.type))
        for field in map(model.field, names)
    ]
    fields = _all_fields(model)
    update = exp.Update(
        this=_table(model),
        expressions=changes,
        where=exp.Where(this=_touched(dialect, model, where, limited, parameters)),
        returning=_returning(model, fields),
    )
    return parameters.compiled(update, fields)


def _delete(dialect: Dialect, model: Model, where: Shape, limited: bool) -> Compiled:
    parameters = Parameters(dialect)
    delete = exp.Delete(
        this=_table(model),
        where=exp.Where(this=_touched(dialect, model, where, limited, parameters)),
        returning=_returning(model, model.key),
    )
    return parameters.compiled(delete, model.key)


def _touched(
    dialect: Dialect, model: Model, where: Shape, limited: bool, parameters: Parameters
) -> Expression:
    """The condition itself, or the keys of at most so many rows that meet it."""
    condition = Conditions(dialect, model, parameters.next).compile(where)
    if not limited:
        return condition
    keys = [column(model, field) for field in model.key]
    some = exp.Select(expressions=[key.copy() for key in keys]).from_(_table(model)).where(condition)
    some.set("limit", exp.Limit(expression=parameters.next(COUNT)))
    operand = keys[0] if len(keys) == 1 else exp.Tuple(expressions=keys)
    return exp.In(this=operand, query=exp.Subquery(this=some))


COMPILERS: dict[str, Callable[..., Compiled]] = {
    "select": _select,
    "insert": _insert,
    "insert many": _insert_many,
    "update": _update,
    "delete": _delete,
    "raw": compile_raw,
}
