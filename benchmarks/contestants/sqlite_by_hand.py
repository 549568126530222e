"""``sqlite3`` as a careful programmer uses it: prepared texts, one connection, rows to dicts by hand."""

import json
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from benchmarks.contestants.contract import Operation
from benchmarks.databases.sqlite import SQLiteStore
from benchmarks.subject import Row

__all__ = ["INSERT", "MARKS", "connect", "decoded", "dump", "now", "operations_of", "undecoded", "values"]

GIVEN = ("name", "email", "age", "balance", "active", "meta", "created_at", "updated_at")
ALL = ("id", *GIVEN)
FIELDS = ", ".join(ALL)
MARKS = f"({', '.join('?' * len(GIVEN))})"
READ = f"SELECT {FIELDS} FROM accounts WHERE id = ?"
INSERT = f"INSERT INTO accounts ({', '.join(GIVEN)}) VALUES "
CREATE = f"{INSERT}{MARKS} RETURNING {FIELDS}"
UPDATE = f"UPDATE accounts SET balance = ?, updated_at = ? WHERE id = ? RETURNING {FIELDS}"
DELETE = "DELETE FROM accounts WHERE id = ? RETURNING id"
LIST = f"SELECT {FIELDS} FROM accounts WHERE id > ? ORDER BY id LIMIT ?"

Stored = tuple[Any, ...]
dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
load = json.JSONDecoder().decode
parse = datetime.fromisoformat


def connect(store: SQLiteStore) -> sqlite3.Connection:
    """A connection with the settings that DataFlow has."""
    raw = sqlite3.connect(store.path, isolation_level=None, cached_statements=512, check_same_thread=False)
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA journal_mode = WAL")
    raw.execute(f"PRAGMA synchronous = {store.synchronous}")
    return raw


def decoded(stored: Stored) -> Row:
    """A row with bools, times and JSON as Python has them."""
    id, name, email, age, balance, active, meta, created_at, updated_at = stored
    return {
        "id": id,
        "name": name,
        "email": email,
        "age": age,
        "balance": balance,
        "active": bool(active),
        "meta": load(meta),
        "created_at": parse(created_at + "+00:00"),
        "updated_at": parse(updated_at + "+00:00"),
    }


def undecoded(stored: Stored) -> Row:
    """A row as SQLite stores it, as a dict."""
    return dict(zip(ALL, stored, strict=True))


def operations_of(raw: sqlite3.Connection, to_row: Callable[[Stored], Row]) -> Mapping[str, Operation]:
    """Every operation on a row or a page."""
    execute = raw.execute

    def read(id: int) -> Row | None:
        found = execute(READ, (id,)).fetchone()
        return None if found is None else to_row(found)

    def create(row: Row) -> Row:
        return to_row(execute(CREATE, values(row, now())).fetchall()[0])

    def update(change: tuple[int, float]) -> Row:
        id, balance = change
        return to_row(execute(UPDATE, (balance, now(), id)).fetchall()[0])

    def delete(id: int) -> int:
        return len(execute(DELETE, (id,)).fetchall())

    def listing(page: tuple[int, int]) -> list[Row]:
        return [to_row(stored) for stored in execute(LIST, page).fetchall()]

    def transfer(accounts: tuple[int, int, Row]) -> list[Row | None]:
        first, second, row = accounts
        return [read(first), read(second), update((first, 1.0)), update((second, 2.0)), create(row)]

    def set_both(accounts: tuple[int, int]) -> list[Row]:
        first, second = accounts
        return [update((first, 1.0)), update((second, 2.0))]

    def whole(begin: str, work: Operation) -> Operation:
        def operation(item: Any) -> Any:
            execute(begin)
            try:
                done = work(item)
                execute("COMMIT")
            except BaseException:
                execute("ROLLBACK")
                raise
            return done

        return operation

    return {
        "read": read,
        "create": create,
        "update": update,
        "delete": delete,
        "list": listing,
        "transfer": whole("BEGIN IMMEDIATE", transfer),
        "scope_of_one": whole("BEGIN", lambda id: [read(id)]),
        "scope_of_two": whole("BEGIN IMMEDIATE", set_both),
    }


def now() -> str:
    return datetime.now(UTC).replace(tzinfo=None).isoformat(" ")


def values(row: Row, now: str) -> Stored:
    return (
        row["name"],
        row["email"],
        row["age"],
        row["balance"],
        row["active"],
        dump(row["meta"]),
        now,
        now,
    )
