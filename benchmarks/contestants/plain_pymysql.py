"""PyMySQL by hand, for a program without a loop: one connection."""

# pyright: reportMissingImports=false, reportMissingModuleSource=false

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.converters import escape_string

from benchmarks.contestants.contract import InThread, Operation
from benchmarks.contestants.mysql_by_hand import (
    BY_AGE,
    CREATE,
    DELETE,
    DELETE_AFTER,
    FIELDS,
    INCREMENT,
    LIST,
    READ,
    UPDATE,
    decoded,
    now,
    values,
)
from benchmarks.contestants.mysql_in_bulk import Statements, Texts
from benchmarks.databases.mysql import MySQLStore
from benchmarks.subject import Row

__all__ = ["PlainPyMySQL"]


class PlainPyMySQL(InThread):
    """In bulk, texts with the values of many rows."""

    def __init__(self, store: MySQLStore) -> None:
        host, port, user, password, database = store.address
        self._connection: Any = pymysql.connect(
            host=host,
            port=port,
            user=user,
            password=password,
            database=database,
            charset="utf8mb4",
            autocommit=True,
        )
        mariadb = "MariaDB" in self._connection.get_server_info()
        self._returns = mariadb
        self._texts = Texts(mariadb, escape_string)
        self._cursor: Any = self._connection.cursor()

    def operations(self) -> Mapping[str, Operation]:
        return {
            "read": self._read,
            "create": self._create,
            "update": self._update,
            "delete": lambda id: self._cursor.execute(DELETE, (id,)),
            "list": self._list,
            "transfer": self._transfer,
            "scope_of_one": self._read_one,
            "scope_of_two": self._set_both,
            "bulk_create": self._doing(self._texts.insert),
            "upsert": self._doing(self._texts.upsert),
            "bulk_update": self._doing(self._texts.update),
            "increment": lambda after: self._cursor.execute(INCREMENT, (now(), after)),
            "bulk_delete": lambda after: self._cursor.execute(DELETE_AFTER, (after,)),
            "delete_ids": self._doing(self._texts.delete),
            "aggregate": self._aggregate,
        }

    def close(self) -> None:
        self._connection.close()

    def _read(self, id: int) -> Row | None:
        self._cursor.execute(READ, (id,))
        found = self._cursor.fetchone()
        return None if found is None else decoded(found)

    def _create(self, row: Row) -> Row | None:
        if self._returns:
            return self._created(row)
        with self._transaction():
            return self._created(row)

    def _update(self, change: tuple[int, float]) -> Row | None:
        with self._transaction():
            return self._updated(*change)

    def _list(self, page: tuple[int, int]) -> list[Row]:
        self._cursor.execute(LIST, page)
        return [decoded(stored) for stored in self._cursor.fetchall()]

    def _transfer(self, accounts: tuple[int, int, Row]) -> list[Row | None]:
        first, second, row = accounts
        with self._transaction():
            before = [self._read(first), self._read(second)]
            return [*before, self._updated(first, 1.0), self._updated(second, 2.0), self._created(row)]

    def _read_one(self, id: int) -> list[Row | None]:
        with self._transaction():
            return [self._read(id)]

    def _set_both(self, accounts: tuple[int, int]) -> list[Row | None]:
        first, second = accounts
        with self._transaction():
            return [self._updated(first, 1.0), self._updated(second, 2.0)]

    def _created(self, row: Row) -> Row | None:
        if self._returns:
            self._cursor.execute(f"{CREATE} RETURNING {FIELDS}", values(row))
            return decoded(self._cursor.fetchone())
        self._cursor.execute(CREATE, values(row))
        return self._read(self._cursor.lastrowid)

    def _updated(self, id: int, balance: float) -> Row | None:
        self._cursor.execute(UPDATE, (balance, now(), id))
        return self._read(id)

    def _aggregate(self, nothing: None) -> list[Row]:
        self._cursor.execute(BY_AGE)
        return [{"age": age, "n": n, "total": total} for age, n, total in self._cursor.fetchall()]

    def _doing(self, statements: Callable[[Any], Statements]) -> Operation:
        def done(items: Any) -> int:
            total = 0
            with self._transaction():
                for statement, count in statements(items):
                    self._cursor.execute(statement)
                    total += count
            return total

        return done

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._cursor.execute("BEGIN")
        try:
            yield
            self._cursor.execute("COMMIT")
        except BaseException:
            self._cursor.execute("ROLLBACK")
            raise
