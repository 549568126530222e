"""MySQL in bulk, in the ways that are fastest: texts with the values of many rows, and ``LOAD DATA LOCAL``."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.contestants.contract import chunks
from benchmarks.contestants.mysql_by_hand import (
    BY_AGE,
    DELETE_AFTER,
    GIVEN,
    INCREMENT,
    INSERT,
    Link,
    Work,
    dump,
    now,
)
from benchmarks.subject import Row

__all__ = ["Statements", "Texts", "by_loading", "by_texts"]

Statements = Iterator[tuple[str, int]]
"""Texts, and how many rows each is about."""


ROWS_AT_ONCE = 1000
CHANGED = tuple(name for name in GIVEN if name not in ("email", "created_at"))
KNOWN = f" ON DUPLICATE KEY UPDATE {', '.join(f'{name} = VALUES({name})' for name in CHANGED)}"
INCOMING = f"CREATE TEMPORARY TABLE incoming AS SELECT {', '.join(GIVEN)} FROM accounts LIMIT 0"
UPSERT = f"INSERT INTO accounts ({', '.join(GIVEN)}) SELECT {', '.join(GIVEN)} FROM incoming{KNOWN}"
# How a list of rows is a table: the second spells out the names, which MariaDB cannot say otherwise.
MYSQL_LIST = "(VALUES {}) AS given (id, balance)"
MARIADB_LIST = "(SELECT 0 AS id, 0e0 AS balance UNION ALL VALUES {}) AS given"
UPDATE_LISTED = (
    "UPDATE accounts a JOIN {} ON a.id = given.id SET a.balance = given.balance, updated_at = '{}'"
)
# Tabs between fields, a line for each row, and backslashes: so LOAD DATA reads a file anyway.
LOAD = "LOAD DATA LOCAL INFILE '{}' INTO TABLE {} CHARACTER SET utf8mb4 ({})"
# What would end a field or a line, as LOAD DATA wants to have it.
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\0": "\\0"})


class Texts:
    """Statements into which the values of many rows are written.

    :param escape: a text as it stands between quotes in SQL.
    """

    def __init__(self, mariadb: bool, escape: Callable[[str], str]) -> None:
        self._list = MARIADB_LIST if mariadb else MYSQL_LIST
        self._row = "" if mariadb else "ROW"
        self._escape = escape

    def insert(self, rows: Iterable[Row]) -> Statements:
        return self._written(rows, "")

    def upsert(self, rows: Iterable[Row]) -> Statements:
        return self._written(rows, KNOWN)

    def update(self, changes: Iterable[Row]) -> Statements:
        moment = now()
        for some in chunks(changes, ROWS_AT_ONCE):
            listed = ",".join([f"{self._row}({one['id']:d},{double(one['balance'])})" for one in some])
            yield UPDATE_LISTED.format(self._list.format(listed), moment), len(some)

    def delete(self, ids: Iterable[int]) -> Statements:
        for some in chunks(ids, ROWS_AT_ONCE):
            yield f"DELETE FROM accounts WHERE id IN ({','.join(map(str, some))})", len(some)

    def _written(self, rows: Iterable[Row], ending: str) -> Statements:
        escape, moment = self._escape, now()
        for some in chunks(rows, ROWS_AT_ONCE):
            listed = [
                f"('{escape(row['name'])}','{escape(row['email'])}',{row['age']:d},{row['balance']!r},"
                f"{row['active']:d},'{escape(dump(row['meta']))}','{moment}','{moment}')"
                for row in some
            ]
            yield f"{INSERT}{','.join(listed)}{ending}", len(some)


def double(value: float) -> str:
    """A float as SQL; without an exponent it would be a decimal."""
    text = repr(value)
    return text if "e" in text else f"{text}e0"


def by_texts(texts: Texts) -> Mapping[str, Work]:
    """By texts with the values of many rows."""

    def doing(statements: Callable[[Any], Statements]) -> Work:
        async def done(connection: Link, items: Any) -> int:
            total = 0
            async with _transaction(connection) as cursor:
                for statement, count in statements(items):
                    await cursor.execute(statement)
                    total += count
            return total

        return done

    return {
        "bulk_create": doing(texts.insert),
        "upsert": doing(texts.upsert),
        "bulk_update": doing(texts.update),
        "increment": _changing(INCREMENT, lambda after: (now(), after)),
        "bulk_delete": _changing(DELETE_AFTER, lambda after: (after,)),
        "delete_ids": doing(texts.delete),
        "aggregate": aggregate,
    }


def by_loading() -> Mapping[str, Work]:
    """By ``LOAD DATA LOCAL``, what can be done by it; the driver reads a file."""

    async def bulk_create(connection: Link, rows: Iterable[Row]) -> int:
        async with _transaction(connection) as cursor:
            return await _loaded(cursor, "accounts", rows)

    async def upsert(connection: Link, rows: Iterable[Row]) -> int:
        async with _transaction(connection) as cursor:
            await cursor.execute(INCOMING)
            count = await _loaded(cursor, "incoming", rows)
            await cursor.execute(UPSERT)
            await cursor.execute("DROP TEMPORARY TABLE incoming")
            return count

    return {"bulk_create": bulk_create, "upsert": upsert}


async def aggregate(connection: Link, nothing: None) -> list[Row]:
    async with connection.cursor() as cursor:
        await cursor.execute(BY_AGE)
        return [{"age": age, "n": n, "total": total} for age, n, total in await cursor.fetchall()]


def _changing(statement: str, prepared: Callable[[Any], tuple[Any, ...]]) -> Work:
    async def changed(connection: Link, item: Any) -> int:
        async with connection.cursor() as cursor:
            await cursor.execute(statement, prepared(item))
            return int(cursor.rowcount)

    return changed


async def _loaded(cursor: Any, table: str, rows: Iterable[Row]) -> int:
    count = 0
    moment = now()
    with TemporaryDirectory(prefix="dataflow-bench-") as folder:
        path = Path(folder, "rows")
        with path.open("w", encoding="utf-8", newline="") as file:
            for some in chunks(rows, ROWS_AT_ONCE):
                file.writelines(
                    [
                        f"{row['name'].translate(ESCAPED)}\t{row['email'].translate(ESCAPED)}\t{row['age']}\t"
                        f"{row['balance']!r}\t{row['active']:d}\t{dump(row['meta']).translate(ESCAPED)}\t"
                        f"{moment}\t{moment}\n"
                        for row in some
                    ]
                )
                count += len(some)
        await cursor.execute(LOAD.format(path.as_posix(), table, ", ".join(GIVEN)))
    return count


@asynccontextmanager
async def _transaction(connection: Link) -> AsyncIterator[Any]:
    async with connection.cursor() as cursor:
        await cursor.execute("BEGIN")
        try:
            yield cursor
            await cursor.execute("COMMIT")
        except BaseException:
            await cursor.execute("ROLLBACK")
            raise
