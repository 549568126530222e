"""Rows that come back where the database has no RETURNING: they are read by their keys, in the same transaction."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias, cast

from dataflow.abc import RawResult, Rows, SequentialConnection
from dataflow.errors import QueryError
from dataflow.model.schema import Model
from dataflow.sql.compiled import Compiled
from dataflow.statements import (
    EVERYTHING,
    NOTHING,
    Change,
    Delete,
    Insert,
    Select,
    Shape,
    Statement,
    Update,
    Where,
    all_of,
    any_of,
    compare,
    equals,
)

__all__ = ["written_rows"]

Key: TypeAlias = dict[str, object]
Bound: TypeAlias = tuple[str, Sequence[object]]


class Compiles(Protocol):
    """What compiles statements and makes dicts of rows: the executor."""

    def compiled_of(self, statement: Any) -> tuple[Compiled, Bound]: ...

    def compiled(self, shape: Shape) -> Compiled: ...

    def mapped(self, compiled: Compiled, rows: Rows, model: Model) -> list[dict[str, Any]]: ...

    async def run_all(
        self, connection: SequentialConnection, statement: Statement, bound: Sequence[Bound]
    ) -> Sequence[RawResult]: ...


async def written_rows(
    runs: Compiles, connection: SequentialConnection, statement: Insert | Update | Delete
) -> list[dict[str, Any]]:
    """Run a statement, and bring what it was to bring back."""
    match statement:
        case Insert():
            return await _inserted(runs, connection, statement)
        case Update():
            return await _updated(runs, connection, statement)
        case Delete():
            return await _deleted(runs, connection, statement)


async def _inserted(
    runs: Compiles, connection: SequentialConnection, statement: Insert
) -> list[dict[str, Any]]:
    model = statement.model
    given = dict(zip(statement.fields, statement.values, strict=True))
    if all(given.get(field.name) is not None for field in model.key):
        where = all_of([equals(field.name, given[field.name]) for field in model.key])
        read, reading = runs.compiled_of(Select(model, where, with_deleted=True))
    elif len(model.key) == 1 and model.key[0].generated:
        read = runs.compiled(("inserted", model))
        reading = (read.sql, ())
    else:
        raise QueryError(
            f"{model.name}: this database tells no key that it makes itself; give the row its key"
        )
    _, bound = runs.compiled_of(statement)
    outcomes = await runs.run_all(connection, statement, (bound, reading))
    return runs.mapped(read, outcomes[-1].rows, model)


async def _updated(
    runs: Compiles, connection: SequentialConnection, statement: Update
) -> list[dict[str, Any]]:
    model, names = statement.model, tuple(field.name for field in statement.model.key)
    changed = {change.field for change in statement.changes}
    _, bound = runs.compiled_of(statement)
    pinned = _pinned(model, statement.where)
    if pinned is not None and statement.limit is None and changed.isdisjoint(names):
        read, reading = runs.compiled_of(Select(model, pinned, fields=statement.returning, with_deleted=True))
        outcomes = await runs.run_all(connection, statement, (bound, reading))
        return runs.mapped(read, outcomes[-1].rows, model) if outcomes[0].affected else []
    keys = await _keys(runs, connection, statement)
    if not keys:
        return []
    new = [_moved(model, key, statement.changes, statement.new) for key in keys]
    _, bound = runs.compiled_of(statement._replace(where=_any(keys), limit=None))
    read, reading = runs.compiled_of(Select(model, _any(new), fields=statement.returning, with_deleted=True))
    outcomes = await runs.run_all(connection, statement, (bound, reading))
    return runs.mapped(read, outcomes[-1].rows, model)


async def _deleted(
    runs: Compiles, connection: SequentialConnection, statement: Delete
) -> list[dict[str, Any]]:
    model = statement.model
    if _pinned(model, statement.where) is None or statement.limit is not None:
        keys = await _keys(runs, connection, statement)
        if keys:
            _, bound = runs.compiled_of(statement._replace(where=_any(keys), limit=None))
            await runs.run_all(connection, statement, (bound,))
        return keys
    read, reading = runs.compiled_of(_locked_keys(statement))
    _, bound = runs.compiled_of(statement)
    outcomes = await runs.run_all(connection, statement, (reading, bound))
    return runs.mapped(read, outcomes[0].rows, model)


async def _keys(
    runs: Compiles, connection: SequentialConnection, statement: Update | Delete
) -> list[dict[str, Any]]:
    """The keys of the rows that are meant, which nobody else can change from here on."""
    read, reading = runs.compiled_of(_locked_keys(statement))
    (outcome,) = await runs.run_all(connection, statement, (reading,))
    return runs.mapped(read, outcome.rows, statement.model)


def _locked_keys(statement: Update | Delete) -> Select:
    names = tuple(field.name for field in statement.model.key)
    return Select(
        statement.model, statement.where, limit=statement.limit, fields=names, with_deleted=True, locking=True
    )


def _any(keys: Sequence[Key]) -> Where:
    """The condition that a row has one of these keys."""
    if not keys:
        return NOTHING
    names = list(keys[0])
    if len(names) == 1 and len(keys) > 1:
        return compare(names[0], "$in", [key[names[0]] for key in keys])
    return any_of([all_of([equals(name, value) for name, value in key.items()]) for key in keys])


def _moved(model: Model, key: Key, changes: Sequence[Change], new: Sequence[object]) -> Key:
    """The key of a row after changes."""
    moved = dict(key)
    for change, value in zip(changes, new, strict=True):
        if change.field in moved:
            if change.operator != "$set":
                raise QueryError(
                    f"{model.name}.{change.field} is the key, by which this database finds the row again: "
                    f"set its new value instead of {change.operator}"
                )
            moved[change.field] = value
    return moved


def _pinned(model: Model, where: Where) -> Where | None:
    """Of a condition that asks for one key, among other things, just that."""
    parts = cast("tuple[Shape, ...]", where.shape[1:] if where.shape[:1] == ("and",) else (where.shape,))
    wanted: dict[object, object] = {}
    values = iter(where.values)
    for part in parts:
        if len(part) != 2 or part[0] not in ("$eq", "null"):
            return None
        if part[0] == "$eq":
            wanted[part[1]] = next(values)
    if not all(field.name in wanted for field in model.key):
        return None
    return (
        all_of([equals(field.name, wanted[field.name]) for field in model.key]) if model.key else EVERYTHING
    )
