"""A driver of MySQL as a careful programmer uses it: texts with marks, rows of a plain cursor to dicts by hand.

asyncmy and aiomysql look alike, PyMySQL too but for the loop. MariaDB gives back a row that was inserted; where the
server does not, the row is read in the same transaction.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from benchmarks.subject import Row

__all__ = [
    "BY_AGE",
    "CREATE",
    "DELETE",
    "DELETE_AFTER",
    "FIELDS",
    "GIVEN",
    "INCREMENT",
    "INSERT",
    "LIST",
    "READ",
    "UPDATE",
    "Link",
    "Work",
    "decoded",
    "dump",
    "now",
    "single",
    "values",
]

GIVEN = ("name", "email", "age", "balance", "active", "meta", "created_at", "updated_at")
FIELDS = ", ".join(("id", *GIVEN))
READ = f"SELECT {FIELDS} FROM accounts WHERE id = %s"
INSERT = f"INSERT INTO accounts ({', '.join(GIVEN)}) VALUES "
CREATE = f"{INSERT}(%s, %s, %s, %s, %s, %s, %s, %s)"
UPDATE = "UPDATE accounts SET balance = %s, updated_at = %s WHERE id = %s"
DELETE = "DELETE FROM accounts WHERE id = %s"
LIST = f"SELECT {FIELDS} FROM accounts WHERE id > %s ORDER BY id LIMIT %s"
INCREMENT = "UPDATE accounts SET age = age + 1, updated_at = %s WHERE id > %s"
DELETE_AFTER = "DELETE FROM accounts WHERE id > %s"
BY_AGE = "SELECT age, count(*), sum(balance) FROM accounts GROUP BY age ORDER BY age"

Link = Any
"""A connection of one of the drivers."""

Work = Callable[[Link, Any], Awaitable[Any]]
"""An operation, as it is done on a connection."""

dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
load = json.JSONDecoder().decode


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def values(row: Row) -> tuple[Any, ...]:
    moment = now()
    return (
        row["name"],
        row["email"],
        row["age"],
        row["balance"],
        row["active"],
        dump(row["meta"]),
        moment,
        moment,
    )


def decoded(stored: tuple[Any, ...]) -> Row:
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
        "created_at": created_at.replace(tzinfo=UTC),
        "updated_at": updated_at.replace(tzinfo=UTC),
    }


def single(returns: bool) -> Mapping[str, Work]:
    """Every operation on a row or a page.

    :param returns: whether an insert can give back its row.
    """
    return {
        "read": read,
        "create": create_returning if returns else create,
        "update": update,
        "delete": delete,
        "list": listing,
        "transfer": _transfer(_created_returning if returns else _created),
        "scope_of_one": read_one,
        "scope_of_two": set_both,
    }


async def read(connection: Link, id: int) -> Row | None:
    async with connection.cursor() as cursor:
        return await _read(cursor, id)


async def create_returning(connection: Link, row: Row) -> Row:
    async with connection.cursor() as cursor:
        return await _created_returning(cursor, row)


async def create(connection: Link, row: Row) -> Row | None:
    async with connection.cursor() as cursor:
        await cursor.execute("BEGIN")
        created = await _created(cursor, row)
        await cursor.execute("COMMIT")
        return created


async def update(connection: Link, change: tuple[int, float]) -> Row | None:
    async with connection.cursor() as cursor:
        await cursor.execute("BEGIN")
        changed = await _updated(cursor, *change)
        await cursor.execute("COMMIT")
        return changed


async def delete(connection: Link, id: int) -> int:
    async with connection.cursor() as cursor:
        await cursor.execute(DELETE, (id,))
        return int(cursor.rowcount)


async def listing(connection: Link, page: tuple[int, int]) -> list[Row]:
    async with connection.cursor() as cursor:
        await cursor.execute(LIST, page)
        return [decoded(stored) for stored in await cursor.fetchall()]


async def read_one(connection: Link, id: int) -> list[Row | None]:
    async with connection.cursor() as cursor:
        await cursor.execute("BEGIN")
        done = [await _read(cursor, id)]
        await cursor.execute("COMMIT")
        return done


async def set_both(connection: Link, accounts: tuple[int, int]) -> list[Row | None]:
    first, second = accounts
    async with connection.cursor() as cursor:
        await cursor.execute("BEGIN")
        done = [await _updated(cursor, first, 1.0), await _updated(cursor, second, 2.0)]
        await cursor.execute("COMMIT")
        return done


def _transfer(created: Work) -> Work:
    async def transfer(connection: Link, accounts: tuple[int, int, Row]) -> list[Row | None]:
        first, second, row = accounts
        async with connection.cursor() as cursor:
            await cursor.execute("BEGIN")
            done = [
                await _read(cursor, first),
                await _read(cursor, second),
                await _updated(cursor, first, 1.0),
                await _updated(cursor, second, 2.0),
                await created(cursor, row),
            ]
            await cursor.execute("COMMIT")
        return done

    return transfer


async def _read(cursor: Any, id: int) -> Row | None:
    await cursor.execute(READ, (id,))
    found = await cursor.fetchone()
    return None if found is None else decoded(found)


async def _created(cursor: Any, row: Row) -> Row | None:
    await cursor.execute(CREATE, values(row))
    return await _read(cursor, cursor.lastrowid)


async def _created_returning(cursor: Any, row: Row) -> Row:
    await cursor.execute(f"{CREATE} RETURNING {FIELDS}", values(row))
    return decoded(await cursor.fetchone())


async def _updated(cursor: Any, id: int, balance: float) -> Row | None:
    await cursor.execute(UPDATE, (balance, now(), id))
    return await _read(cursor, id)
