"""Compiles what stores new rows: one, many, and many of which some may be there already."""

from collections.abc import Sequence

from sqlglot import exp

from dataflow.abc import Dialect
from dataflow.model.schema import Model, ModelField
from dataflow.sql.compiled import Compiled
from dataflow.sql.conditions import column, identifier, table
from dataflow.sql.parameters import Parameters
from dataflow.sql.updates import returned_columns

__all__ = ["compile_insert", "compile_insert_many", "compile_upsert_many"]

# The row that could not be inserted, to all databases that can be told which key must be the same.
REFUSED_ROW = "excluded"
ONE = exp.Literal.number(1)


def compile_insert(dialect: Dialect, model: Model, names: tuple[str, ...]) -> Compiled:
    """One row, which comes back."""
    parameters, fields = Parameters(dialect), tuple(model.fields.values())
    return parameters.compiled(_insertion(model, names, parameters, fields), fields)


def compile_insert_many(
    dialect: Dialect, model: Model, names: tuple[str, ...], constants: int, returning: bool
) -> Compiled:
    """A batch of rows, which may come back."""
    parameters = Parameters(dialect)
    returned = tuple(model.fields.values()) if returning else None
    insertion = _insertion(model, names, parameters, returned)
    return parameters.compiled(insertion, returned, constants=constants)


def compile_upsert_many(
    dialect: Dialect,
    model: Model,
    names: tuple[str, ...],
    constants: int,
    match: tuple[str, ...],
    changed: tuple[str, ...],
    counted: tuple[str, ...],
) -> Compiled:
    """A batch of rows that are inserted, or change the row that has the same key."""
    parameters = Parameters(dialect)
    insertion = _insertion(model, names, parameters, None)
    # Where nothing changes, the key stays what it is: the row is met all the same, and so is counted.
    taken = [model.field(name) for name in changed or match[:1]]
    increased = [model.field(name) for name in counted]
    insertion.set(
        "conflict",
        exp.OnConflict(
            conflict_keys=[identifier(model.field(name).column) for name in match],
            action=exp.Var(this="DO UPDATE"),
            expressions=[
                *(_set(field, _column(field, REFUSED_ROW)) for field in taken),
                *(
                    _set(field, exp.Add(this=column(model, field), expression=ONE.copy()))
                    for field in increased
                ),
            ],
        ),
    )
    return parameters.compiled(insertion, None, constants=constants)


def _insertion(
    model: Model, names: Sequence[str], parameters: Parameters, returned: Sequence[ModelField] | None
) -> exp.Insert:
    fields = [model.field(name) for name in names]
    returning = None
    if returned is not None:
        returning = returned_columns(model, returned)
    if not fields:
        return exp.Insert(this=table(model), default=True, returning=returning)
    return exp.Insert(
        this=exp.Schema(this=table(model), expressions=[identifier(field.column) for field in fields]),
        expression=exp.Values(
            expressions=[exp.Tuple(expressions=[parameters.next(field.type) for field in fields])]
        ),
        returning=returning,
    )


def _set(field: ModelField, value: exp.Expression) -> exp.Expression:
    return exp.EQ(this=_column(field), expression=value)


def _column(field: ModelField, of: str | None = None) -> exp.Expression:
    return exp.Column(this=identifier(field.column), table=None if of is None else exp.Identifier(this=of))
