"""psycopg by hand, for a program without a loop: one connection, statements prepared, rows as dicts."""

# pyright: reportMissingImports=false

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb, set_json_dumps

from benchmarks.contestants.contract import InThread, Operation
from benchmarks.databases.postgres import PostgresStore
from benchmarks.subject import Row

__all__ = ["PlainPsycopg"]

GIVEN = ("name", "email", "age", "balance", "active", "meta", "created_at", "updated_at")
COLUMNS = ", ".join(GIVEN)
FIELDS = f"id, {COLUMNS}"
READ = f"SELECT {FIELDS} FROM accounts WHERE id = %s"
CREATE = f"INSERT INTO accounts ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING {FIELDS}"
UPDATE = f"UPDATE accounts SET balance = %s, updated_at = %s WHERE id = %s RETURNING {FIELDS}"
DELETE = "DELETE FROM accounts WHERE id = %s"
LIST = f"SELECT {FIELDS} FROM accounts WHERE id > %s ORDER BY id LIMIT %s"
TYPES = ("text", "text", "int8", "float8", "bool", "jsonb", "timestamptz", "timestamptz")
INCOMING = f"CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {COLUMNS} FROM accounts WITH NO DATA"
CHANGED = ", ".join(f"{name} = excluded.{name}" for name in GIVEN if name not in ("email", "created_at"))
UPSERT = f"INSERT INTO accounts ({COLUMNS}) SELECT {COLUMNS} FROM incoming ON CONFLICT (email) DO UPDATE SET {CHANGED}"
CHANGES = "CREATE TEMP TABLE changes (id bigint, balance double precision) ON COMMIT DROP"
UPDATE_COPIED = (
    "UPDATE accounts SET balance = changes.balance, updated_at = %s FROM changes "
    "WHERE accounts.id = changes.id"
)
INCREMENT = "UPDATE accounts SET age = age + 1, updated_at = %s WHERE id > %s"
DELETE_AFTER = "DELETE FROM accounts WHERE id > %s"
DELETE_LISTED = "DELETE FROM accounts WHERE id = ANY(%s)"
BY_AGE = "SELECT age, count(*) AS n, sum(balance) AS total FROM accounts GROUP BY age ORDER BY age"

set_json_dumps(json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode)


class PlainPsycopg(InThread):
    """In bulk, ``COPY`` in its binary form, where needed into a temporary table."""

    def __init__(self, store: PostgresStore) -> None:
        connection: Any = psycopg.connect(store.url, autocommit=True, row_factory=dict_row)
        connection.execute("SET TIME ZONE 'UTC'")
        connection.prepare_threshold = 0
        self._connection = connection
        self._cursor = connection.cursor(binary=True)

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": self._read,
            "create": self._create,
            "update": self._update,
            "delete": lambda id: self._changed(DELETE, id),
            "list": lambda page: self._cursor.execute(LIST, page).fetchall(),
            "transfer": self._transfer,
            "scope_of_one": self._read_one,
            "scope_of_two": self._set_both,
            "bulk_create": lambda rows: self._copied("accounts", rows),
            "upsert": self._upsert,
            "bulk_update": self._bulk_update,
            "increment": lambda after: self._changed(INCREMENT, _now(), after),
            "bulk_delete": lambda after: self._changed(DELETE_AFTER, after),
            "delete_ids": lambda ids: self._changed(DELETE_LISTED, ids),
            "aggregate": lambda nothing: self._cursor.execute(BY_AGE).fetchall(),
        }

    def close(self) -> None:
        self._connection.close()

    def _read(self, id: int) -> Row | None:
        found: Row | None = self._cursor.execute(READ, (id,)).fetchone()
        return found

    def _create(self, row: Row) -> Row:
        created: Row = self._cursor.execute(CREATE, _values(row, _now())).fetchone()
        return created

    def _update(self, change: tuple[int, float]) -> Row:
        id, balance = change
        updated: Row = self._cursor.execute(UPDATE, (balance, _now(), id)).fetchone()
        return updated

    def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row | None]:
        first, second, row = accounts
        with self._connection.transaction():
            before = [self._read(first), self._read(second)]
            return [*before, self._update((first, 1.0)), self._update((second, 2.0)), self._create(row)]

    def _read_one(self, id: int) -> list[Row | None]:
        with self._connection.transaction():
            return [self._read(id)]

    def _set_both(self, accounts: tuple[int, int]) -> list[Row]:
        first, second = accounts
        with self._connection.transaction():
            return [self._update((first, 1.0)), self._update((second, 2.0))]

    def _upsert(self, rows: Iterable[Row]) -> int:
        with self._connection.transaction():
            self._cursor.execute(INCOMING)
            self._copied("incoming", rows)
            return self._changed(UPSERT)

    def _bulk_update(self, changes: Iterable[Row]) -> int:
        with self._connection.transaction():
            self._cursor.execute(CHANGES)
            with self._cursor.copy("COPY changes FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(("int8", "float8"))
                for change in changes:
                    copy.write_row((change["id"], change["balance"]))
            return self._changed(UPDATE_COPIED, _now())

    def _copied(self, table: str, rows: Iterable[Row]) -> int:
        moment = _now()
        with self._cursor.copy(f"COPY {table} ({COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(TYPES)
            for row in rows:
                copy.write_row(_values(row, moment))
        return int(self._cursor.rowcount)

    def _changed(self, statement: str, *values: Any) -> int:
        return int(self._cursor.execute(statement, values).rowcount)


def _values(row: Row, moment: datetime) -> tuple[Any, ...]:
    return (
        row["name"],
        row["email"],
        row["age"],
        row["balance"],
        row["active"],
        Jsonb(row["meta"]),
        moment,
        moment,
    )


def _now() -> datetime:
    return datetime.now(UTC)
