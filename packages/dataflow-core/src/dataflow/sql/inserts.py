"""Compiles what stores new rows: one, many, and many of which some may be there already."""

from collections.abc import Sequence

from sqlglot import exp

from dataflow.abc import Dialect
from dataflow.capabilities import Capability
from dataflow.model.schema import Model, ModelField
from dataflow.sql.compiled import Compiled
from dataflow.sql.conditions import column, identifier, table
from dataflow.sql.parameters import ROWS, Parameters
from dataflow.sql.updates import returned_columns
from dataflow.statements import Insert

__all__ = ["compile_insert", "compile_insert_many", "compile_upsert_many"]

# The row that could not be inserted, to all databases that can be told which key must be the same.
REFUSED_ROW = "excluded"
ONE = exp.Literal.number(1)


def compile_insert(dialect: Dialect, model: Model, names: tuple[str, ...]) -> Compiled:
    """One row, which comes back."""
    parameters = Parameters(dialect)
    returned = tuple(model.fields.values()) if Insert in dialect.returning else None
    fields = [model.field(name) for name in names]
    return parameters.compiled(
        _insertion(dialect, model, fields, _row(fields, parameters), returned), returned
    )


def compile_insert_many(
    dialect: Dialect, model: Model, names: tuple[str, ...], constants: int, returning: bool
) -> Compiled:
    """A batch of rows, which may come back."""
    parameters, fields = Parameters(dialect), [model.field(name) for name in names]
    returned = tuple(model.fields.values()) if returning else None
    insertion = _insertion(dialect, model, fields, exp.Var(this=ROWS), returned)
    row = _row(fields, parameters)
    return parameters.compiled_batch(insertion, row, model, fields, returned, constants)


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
    parameters, fields = Parameters(dialect), [model.field(name) for name in names]
    insertion = _insertion(dialect, model, fields, exp.Var(this=ROWS), None)
    # Where nothing changes, the key stays what it is: the row is met all the same, and so is counted.
    taken = tuple(model.field(name) for name in changed or match[:1])
    increased = tuple(model.field(name) for name in counted)
    matched = tuple(model.field(name) for name in match)
    names_key = Capability.UPSERT in dialect.capabilities
    refused = _of_refused_row if names_key else _in_values
    sets = [
        *(_set(field, refused(field)) for field in taken),
        *(_set(field, exp.Add(this=column(model, field), expression=ONE.copy())) for field in increased),
    ]
    if names_key:
        keys = [identifier(field.column) for field in matched]
        conflict = exp.OnConflict(conflict_keys=keys, action=exp.Var(this="DO UPDATE"), expressions=sets)
    else:
        conflict = exp.OnConflict(duplicate=True, action=exp.Var(this="UPDATE"), expressions=sets)
    insertion.set("conflict", conflict)
    row = _row(fields, parameters)
    compiled = parameters.compiled_batch(insertion, row, model, fields, None, constants)
    assert compiled.batch is not None
    batch = compiled.batch._replace(match=matched, changed=taken, counted=increased)
    return compiled._replace(batch=batch)


def _row(fields: Sequence[ModelField], parameters: Parameters) -> exp.Expression | None:
    """A row of the list of values; None where it has none."""
    if not fields:
        return None
    return exp.Tuple(expressions=[parameters.next(field.type) for field in fields])


def _insertion(
    dialect: Dialect,
    model: Model,
    fields: Sequence[ModelField],
    rows: exp.Expression | None,
    returned: Sequence[ModelField] | None,
) -> exp.Insert:
    returning = None if returned is None else returned_columns(model, returned)
    if not fields and Capability.EMPTY_ROWS in dialect.capabilities:
        empty = exp.Values(expressions=[exp.Tuple(expressions=[])])
        return exp.Insert(this=table(model), expression=empty, returning=returning)
    if not fields:
        # As a text: not all versions of sqlglot write it.
        return exp.Insert(this=table(model), expression=exp.Var(this="DEFAULT VALUES"), returning=returning)
    return exp.Insert(
        this=exp.Schema(this=table(model), expressions=[identifier(field.column) for field in fields]),
        expression=exp.Values(expressions=[rows]),
        returning=returning,
    )


def _of_refused_row(field: ModelField) -> exp.Expression:
    """The value of the row that could not be inserted."""
    return _column(field, REFUSED_ROW)


def _in_values(field: ModelField) -> exp.Expression:
    return exp.Anonymous(this="VALUES", expressions=[_column(field)])


def _set(field: ModelField, value: exp.Expression) -> exp.Expression:
    return exp.EQ(this=_column(field), expression=value)


def _column(field: ModelField, of: str | None = None) -> exp.Expression:
    return exp.Column(this=identifier(field.column), table=None if of is None else exp.Identifier(this=of))
