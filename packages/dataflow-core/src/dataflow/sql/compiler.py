"""Compiles the shape of a statement into SQL, with sqlglot. It runs once per shape; nothing here is on the hot path."""

from collections.abc import Callable

from sqlglot import exp
from sqlglot.expressions import Expression

from dataflow.abc import Dialect
from dataflow.model.schema import Model, ModelField
from dataflow.sql.aggregation import compile_aggregate
from dataflow.sql.compiled import Compiled, row_mapper
from dataflow.sql.conditions import Conditions, column, table
from dataflow.sql.inserts import compile_insert, compile_insert_many, compile_upsert_many
from dataflow.sql.ordering import ordered
from dataflow.sql.parameters import COUNT, Parameters
from dataflow.sql.raw import compile_raw
from dataflow.sql.updates import compile_update, compile_update_many, returned_columns, touching
from dataflow.statements import Delete, Order, Shape

__all__ = ["compile_shape"]

COUNTED = (("count", None),)


def compile_shape(dialect: Dialect, shape: Shape) -> Compiled:
    """Make the SQL for the shape of a statement."""
    return COMPILERS[str(shape[0])](dialect, *shape[1:])


def _all_fields(model: Model) -> tuple[ModelField, ...]:
    return tuple(model.fields.values())


def _select(
    dialect: Dialect,
    model: Model,
    where: Shape,
    order: tuple[Order, ...],
    limited: bool,
    skipping: bool,
    names: tuple[str, ...] | None,
    counting: bool,
    locking: bool,
) -> Compiled:
    parameters = Parameters(dialect)
    fields = _all_fields(model) if names is None else tuple(model.field(name) for name in names)
    query = exp.Select().from_(table(model))
    if where:
        query = query.where(Conditions(dialect, model, parameters.next).compile(where), copy=False)
    if counting:
        number = query.select(exp.Count(this=exp.Star()), copy=False)
        return parameters.compiled(number, None)._replace(map_row=row_mapper(COUNTED), columns=COUNTED)
    query = query.select(*(column(model, field) for field in fields), copy=False)
    if order:
        query = query.order_by(*(_criterion(dialect, model, criterion) for criterion in order), copy=False)
    if limited:
        query.set("limit", exp.Limit(expression=parameters.next(COUNT)))
    elif skipping and dialect.no_limit is not None:
        query.set("limit", exp.Limit(expression=exp.Var(this=dialect.no_limit)))
    if skipping:
        query.set("offset", exp.Offset(expression=parameters.next(COUNT)))
    if locking:
        query.set("locks", [exp.Lock(update=True)])
    return parameters.compiled(query, fields)


def _inserted(dialect: Dialect, model: Model) -> Compiled:
    """The row whose key the database has just made."""
    fields = _all_fields(model)
    made = exp.EQ(this=column(model, model.key[0]), expression=exp.Var(this=dialect.generated_key))
    query = exp.Select(expressions=[column(model, field) for field in fields]).from_(table(model)).where(made)
    return Parameters(dialect).compiled(query, fields)


def _criterion(dialect: Dialect, model: Model, criterion: Order) -> Expression:
    field = model.field(criterion.field)
    return ordered(dialect, column(model, field), field, criterion.descending)


def _delete(dialect: Dialect, model: Model, where: Shape, limited: bool, returning: bool) -> Compiled:
    parameters = Parameters(dialect)
    keys = model.key if returning and Delete in dialect.returning else None
    delete = touching(
        dialect,
        model,
        where,
        limited,
        parameters,
        lambda condition: exp.Delete(this=table(model), where=condition),
    )
    if keys is not None:
        delete.set("returning", returned_columns(model, keys))
    return parameters.compiled(delete, keys)


COMPILERS: dict[str, Callable[..., Compiled]] = {
    "select": _select,
    "aggregate": compile_aggregate,
    "insert": compile_insert,
    "inserted": _inserted,
    "insert many": compile_insert_many,
    "upsert many": compile_upsert_many,
    "update": compile_update,
    "update many": compile_update_many,
    "delete": _delete,
    "raw": compile_raw,
}
