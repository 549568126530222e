"""``sqlite3`` in bulk, in the two ways that are fastest: texts for many rows at once, and ``executemany``."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

from benchmarks.contestants.contract import Operation, chunks
from benchmarks.contestants.sqlite_by_hand import INSERT, MARKS, dump, now, values
from benchmarks.subject import Row

__all__ = ["executemany_operations", "many_rows_operations"]

ROWS_PER_INSERT = 50
ROWS_PER_UPDATE = 1000
KNOWN = (
    " ON CONFLICT (email) DO UPDATE SET name = excluded.name, age = excluded.age, balance = excluded.balance, "
    "active = excluded.active, meta = excluded.meta, updated_at = excluded.updated_at"
)
UPDATE = "UPDATE accounts SET balance = ?, updated_at = ? WHERE id = ?"
UPDATE_ALL = (
    "UPDATE accounts SET balance = given.column2, updated_at = ? "
    "FROM (VALUES {}) given WHERE id = given.column1"
)
INCREMENT = "UPDATE accounts SET age = age + 1, updated_at = ? WHERE id > ?"
DELETE = "DELETE FROM accounts WHERE id = ?"
DELETE_ALL = "DELETE FROM accounts WHERE id IN (SELECT value FROM json_each(?))"
DELETE_AFTER = "DELETE FROM accounts WHERE id > ?"
BY_AGE = "SELECT age, count(*), sum(balance) FROM accounts GROUP BY age ORDER BY age"


def many_rows_operations(raw: sqlite3.Connection) -> Mapping[str, Operation]:
    """By texts with the values of many rows."""
    execute = raw.execute

    def written(rows: Iterable[Row], ending: str) -> int:
        count = 0
        moment = now()
        with _transaction(raw):
            for some in chunks(rows, ROWS_PER_INSERT):
                statement = f"{INSERT}{', '.join([MARKS] * len(some))}{ending}"
                given = list(chain.from_iterable([values(row, moment) for row in some]))
                count += execute(statement, given).rowcount
        return count

    def bulk_update(changes: Iterable[Row]) -> int:
        count = 0
        moment = now()
        with _transaction(raw):
            for some in chunks(changes, ROWS_PER_UPDATE):
                given = chain.from_iterable([(change["id"], change["balance"]) for change in some])
                statement = UPDATE_ALL.format(", ".join(["(?, ?)"] * len(some)))
                count += execute(statement, [moment, *given]).rowcount
        return count

    def changed(statement: str, prepared: Callable[[Any], tuple[Any, ...]]) -> Operation:
        return lambda item: execute(statement, prepared(item)).rowcount

    def aggregate(nothing: None) -> list[Row]:
        return [{"age": age, "n": n, "total": total} for age, n, total in execute(BY_AGE).fetchall()]

    return {
        "bulk_create": lambda rows: written(rows, ""),
        "upsert": lambda rows: written(rows, KNOWN),
        "bulk_update": bulk_update,
        "increment": changed(INCREMENT, lambda after: (now(), after)),
        "bulk_delete": changed(DELETE_AFTER, lambda after: (after,)),
        "delete_ids": changed(DELETE_ALL, lambda ids: (dump(ids),)),
        "aggregate": aggregate,
    }


def executemany_operations(raw: sqlite3.Connection) -> Mapping[str, Operation]:
    """By ``executemany``, what can be done by it."""

    def each(statement: str, given: Iterable[tuple[Any, ...]]) -> int:
        with _transaction(raw):
            return raw.executemany(statement, given).rowcount

    def written(rows: Iterable[Row], ending: str) -> int:
        moment = now()
        return each(f"{INSERT}{MARKS}{ending}", (values(row, moment) for row in rows))

    def bulk_update(changes: Iterable[Row]) -> int:
        moment = now()
        return each(UPDATE, ((change["balance"], moment, change["id"]) for change in changes))

    return {
        "bulk_create": lambda rows: written(rows, ""),
        "upsert": lambda rows: written(rows, KNOWN),
        "bulk_update": bulk_update,
        "delete_ids": lambda ids: each(DELETE, zip(ids)),
    }


@contextmanager
def _transaction(raw: sqlite3.Connection) -> Iterator[None]:
    raw.execute("BEGIN IMMEDIATE")
    try:
        yield
        raw.execute("COMMIT")
    except BaseException:
        raw.execute("ROLLBACK")
        raise
