"""Upserts where the database has none of its own for the key that is asked for: look for the rows, then write."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby
from typing import Any, Protocol

from dataflow.abc import Connection, Dialect
from dataflow.capabilities import Capability
from dataflow.errors import MultipleRecords
from dataflow.model.schema import Model
from dataflow.statements import Change, InsertMany, Select, Update, UpsertMany, all_of, compare, equals

__all__ = ["upsert_by_search", "upserts"]

Key = tuple[object, ...]

NOBODY: list[Key] = []


class Runs(Protocol):
    """What runs the statements: the executor."""

    def records(self, connection: Connection, statement: Any) -> Awaitable[list[dict[str, Any]]]: ...

    def insert_many(self, connection: Connection, statement: InsertMany) -> Awaitable[object]: ...

    def affected(self, connection: Connection, statement: Update) -> Awaitable[int]: ...


def upserts(dialect: Dialect, model: Model, match: Sequence[str]) -> bool:
    """Whether the database itself finds the rows: a unique key is over just the fields that must match."""
    return Capability.UPSERT in dialect.capabilities and set(match) in _unique_keys(model)


def _unique_keys(model: Model) -> Sequence[set[str]]:
    unique = [index for index in model.indexes if index.unique and index.where is None]
    return [{field.name for field in model.key}, *({name for name, _ in index.keys} for index in unique)]


async def upsert_by_search(
    dialect: Dialect, runs: Runs, connection: Connection, statement: UpsertMany
) -> tuple[int, int]:
    """Change the rows that are there and insert the others, while nobody else writes to the table.

    :raises MultipleRecords: where several rows are the same as one of the batch.
    """
    lock = dialect.lock(statement.model)
    if lock is not None:
        await connection.execute(lock)
    found = await _found(runs, connection, statement)
    key_of = _key_of(statement)
    met = 0
    # In the order of the rows, as each may take a value of another unique key that the one before gave up.
    for keys, run in groupby(
        statement.rows, lambda row: found.get(key_of((*row, *statement.constants)), NOBODY)
    ):
        if not keys:
            model, fields, _, constants, *_ = statement
            await runs.insert_many(connection, InsertMany(model, fields, list(run), constants))
            continue
        if len(keys) > 1:
            raise MultipleRecords(
                f"{statement.model.name}: several rows have the same {', '.join(statement.match)} as one of the data; "
                "match by fields that tell rows apart"
            )
        for row in run:
            met += 1
            await _change(runs, connection, statement, (*row, *statement.constants), keys[0])
    return len(statement.rows) - met, met


def _key_of(statement: UpsertMany) -> Callable[[Key], Key]:
    """A function that gives the values by which a row is matched."""
    positions = [statement.fields.index(name) for name in statement.match]
    return lambda values: tuple(values[position] for position in positions)


async def _found(runs: Runs, connection: Connection, statement: UpsertMany) -> dict[Key, list[Key]]:
    """The keys of the rows that may match, by the values that must be the same."""
    names = tuple(field.name for field in statement.model.key)
    positions = [(name, statement.fields.index(name)) for name in statement.match]
    sought = []
    for name, position in positions:
        values = {(*row, *statement.constants)[position] for row in statement.rows} - {None}
        sought.append(compare(name, "$in", list(values)))
    fields = tuple(dict.fromkeys((*names, *statement.match)))
    found: dict[Key, list[Key]] = defaultdict(list)
    for record in await runs.records(connection, Select(statement.model, all_of(sought), fields=fields)):
        matched = tuple(record[name] for name in statement.match)
        found[matched].append(tuple(record[name] for name in names))
    return found


async def _change(runs: Runs, connection: Connection, statement: UpsertMany, values: Key, key: Key) -> None:
    # Where nothing changes, the row is met all the same: as by the upsert of a database.
    names = statement.changed or statement.match[:1]
    new = tuple(values[statement.fields.index(name)] for name in names)
    fields = statement.model.key
    where = all_of([equals(field.name, value) for field, value in zip(fields, key, strict=True)])
    change = Update(statement.model, tuple(map(Change, names)), new, where, returning=())
    await runs.affected(connection, change)
