"""Upserts where the database has none of its own for the key that is asked for: look for the rows, then write."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from dataflow.abc import Connection, Dialect, Table
from dataflow.capabilities import Capability
from dataflow.errors import MultipleRecords
from dataflow.model.field import MISSING
from dataflow.model.schema import Model, ModelField
from dataflow.statements import Change, InsertMany, Select, Update, UpsertMany, all_of, compare, equals
from dataflow.types import Kind

__all__ = ["KnownTables", "upsert_by_search", "upserts"]

Key = tuple[object, ...]

NOBODY: Mapping[Key, None] = {}
ROWS_AT_ONCE = 1000
"""So many are looked for at a time: servers have a limit for the length of a statement."""


class Runs(Protocol):
    """What runs the statements: the executor."""

    def records(self, connection: Connection, statement: Any) -> Awaitable[list[dict[str, Any]]]: ...

    def insert_many(self, connection: Connection, statement: InsertMany) -> Awaitable[object]: ...

    def affected(self, connection: Connection, statement: Update) -> Awaitable[int]: ...


def upserts(dialect: Dialect, model: Model, match: Sequence[str], given: Sequence[str]) -> bool:
    """Whether the database itself finds the rows: a unique key is over just the fields that must match.

    :param given: the fields of the rows.
    """
    keys = _unique_keys(model)
    if set(match) not in keys:
        return False
    if Capability.UPSERT in dialect.capabilities:
        return True
    if Capability.UPSERT_OF_ANY_KEY not in dialect.capabilities:
        return False
    if any(index.unique and index.where is not None for index in model.indexes):
        return False
    # A row that meets another one by another key must be refused, and not change that one.
    return all(key == set(match) or any(_differs(model.field(name), given) for name in key) for key in keys)


def _differs(field: ModelField, given: Sequence[str]) -> bool:
    """Whether new rows that do not give a field cannot have the same value in it as another row."""
    return field.name not in given and (
        field.generated or (field.nullable and not field.filled and field.default in (MISSING, None))
    )


def _unique_keys(model: Model) -> Sequence[set[str]]:
    unique = [index for index in model.indexes if index.unique and index.where is None]
    return [{field.name for field in model.key}, *({name for name, _ in index.keys} for index in unique)]


class KnownTables:
    """Tables as the database describes them, for upserts that meet a row by whichever of its unique keys it is.

    A key that no model declares would lead to somebody else's row.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._tables: WeakKeyDictionary[Model, Table] = WeakKeyDictionary()

    async def allow(self, connection: Connection, statement: UpsertMany) -> bool:
        """Whether the keys of the table are such that the database's own upsert meets the rows that match.

        The table is read once, before its first upsert.
        """
        if Capability.UPSERT in self._dialect.capabilities:
            return True
        model = statement.model
        table = await self._table(connection, model)
        if table is None:
            return False
        match = {model.field(name).column for name in statement.match}
        keys = [
            set(table.key),
            *({_column(part) for part in key.columns} for key in table.indexes if key.unique),
        ]
        given = {model.field(name).column for name in statement.fields}
        free = {column for column in {*table.columns} - given if _is_free(model, table, column)}
        return match in keys and all(key == match or key & free for key in keys if key)

    async def fold(self, connection: Connection, model: Model, names: Sequence[str]) -> bool:
        """Whether values of these fields that differ may be the same to the database: texts, by their collation.

        The table is read once, before the first rows are matched by a text.
        """
        columns = [field.column for field in map(model.field, names) if field.type.kind is Kind.TEXT]
        if not columns:
            return False
        table = await self._table(connection, model)
        return table is not None and any(
            table.columns[name].folds for name in columns if name in table.columns
        )

    async def _table(self, connection: Connection, model: Model) -> Table | None:
        table = self._tables.get(model)
        if table is None:
            table = (await self._dialect.tables(connection, [model])).get(model.table)
            if table is not None:
                self._tables[model] = table
        return table


def _column(part: str) -> str:
    return part.removeprefix("-")


def _is_free(model: Model, table: Table, column: str) -> bool:
    """Whether a column that new rows do not give holds nothing in them, or a value that the database makes."""
    if any(field.column == column and field.generated for field in model.fields.values()):
        return True
    return table.columns[column].nullable and not table.columns[column].has_default


async def upsert_by_search(
    dialect: Dialect, runs: Runs, connection: Connection, statement: UpsertMany, *, folds: bool
) -> tuple[int, int]:
    """Change the rows that are there and insert the others, while nobody else writes to the table.

    :param folds: whether values that differ may be the same to the database. Only it can tell then which row one of the
        batch means, and that may be one that another of the batch has just made: each is looked for by itself.
    :raises MultipleRecords: where several rows are the same as one of the batch.
    """
    lock = dialect.lock(statement.model)
    if lock is not None:
        await connection.execute(lock)
    locking = lock is not None
    if folds:
        alone = [statement._replace(rows=[row]) for row in statement.rows]
        met = sum([await _store(runs, connection, one, _nothing, locking=locking) for one in alone])
    else:
        met = await _store(runs, connection, statement, tuple, locking=locking)
    return len(statement.rows) - met, met


def _nothing(values: Iterable[object]) -> Key:
    """Of the values by which a row is matched, those that tell it from others of its batch: where it is alone, none."""
    return ()


async def _store(
    runs: Runs,
    connection: Connection,
    statement: UpsertMany,
    apart: Callable[[Iterable[object]], Key],
    *,
    locking: bool,
) -> int:
    """Change or insert rows, and tell how many were there."""
    found = await _found(runs, connection, statement, apart, locking=locking)
    key_of = _key_of(statement)
    met = 0
    # In the order of the rows, as each may take a value of another unique key that the one before gave up.
    for keys, run in groupby(
        statement.rows, lambda row: found.get(apart(key_of((*row, *statement.constants))), NOBODY)
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
            await _change(runs, connection, statement, (*row, *statement.constants), *keys)
    return met


def _key_of(statement: UpsertMany) -> Callable[[Key], Key]:
    """A function that gives the values by which a row is matched."""
    positions = [statement.fields.index(name) for name in statement.match]
    return lambda values: tuple(values[position] for position in positions)


async def _found(
    runs: Runs,
    connection: Connection,
    statement: UpsertMany,
    apart: Callable[[Iterable[object]], Key],
    *,
    locking: bool,
) -> Mapping[Key, Mapping[Key, None]]:
    """The keys of the rows that may match, in their order, by the values that must be the same.

    :param locking: whether the rows are locked, and so read as they are now, whatever the transaction saw before.
    """
    names = tuple(field.name for field in statement.model.key)
    positions = [(name, statement.fields.index(name)) for name in statement.match]
    fields = tuple(dict.fromkeys((*names, *statement.match)))
    # A row may be met more than once, as each of several values to match is looked for by itself.
    found: dict[Key, dict[Key, None]] = defaultdict(dict)
    for start in range(0, len(statement.rows), ROWS_AT_ONCE):
        rows = statement.rows[start : start + ROWS_AT_ONCE]
        sought = []
        for name, position in positions:
            values = {(*row, *statement.constants)[position] for row in rows} - {None}
            sought.append(compare(name, "$in", list(values)))
        search = Select(statement.model, all_of(sought), fields=fields, locking=locking)
        for record in await runs.records(connection, search):
            matched = apart(record[name] for name in statement.match)
            found[matched][tuple(record[name] for name in names)] = None
    return found


async def _change(runs: Runs, connection: Connection, statement: UpsertMany, values: Key, key: Key) -> None:
    # Where nothing changes, the row is met all the same: as by the upsert of a database.
    names = statement.changed or statement.match[:1]
    new = tuple(values[statement.fields.index(name)] for name in names)
    fields = statement.model.key
    where = all_of([equals(field.name, value) for field, value in zip(fields, key, strict=True)])
    change = Update(statement.model, tuple(map(Change, names)), new, where, returning=())
    await runs.affected(connection, change)
