"""asyncpg as a careful programmer uses it: texts that it prepares once, records to dicts, a codec for JSON."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

from benchmarks.databases.postgres import PostgresStore
from benchmarks.subject import Row

__all__ = ["GIVEN", "INSERT", "SINGLE", "Work", "connect", "dump", "now", "set_codecs"]

Work = Callable[[Any, Any], Awaitable[Any]]
"""An operation, as it is done on a connection."""

GIVEN = ("name", "email", "age", "balance", "active", "meta", "created_at", "updated_at")
FIELDS = ", ".join(("id", *GIVEN))
READ = f"SELECT {FIELDS} FROM accounts WHERE id = $1"
INSERT = f"INSERT INTO accounts ({', '.join(GIVEN)})"
CREATE = f"{INSERT} VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING {FIELDS}"
UPDATE = f"UPDATE accounts SET balance = $1, updated_at = $2 WHERE id = $3 RETURNING {FIELDS}"
DELETE = "DELETE FROM accounts WHERE id = $1 RETURNING id"
LIST = f"SELECT {FIELDS} FROM accounts WHERE id > $1 ORDER BY id LIMIT $2"

dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
load = json.JSONDecoder().decode


async def connect(store: PostgresStore) -> Any:
    connection = await asyncpg.connect(store.url)
    await set_codecs(connection)
    return connection


async def set_codecs(connection: Any) -> None:
    """JSON as Python has it. Its binary form is a version and the text."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + dump(value).encode(),
        decoder=lambda stored: load(stored[1:].decode()),
        format="binary",
    )


def now() -> datetime:
    return datetime.now(UTC)


async def read(connection: Any, id: int) -> Row | None:
    found = await connection.fetchrow(READ, id)
    return None if found is None else dict(found)


async def create(connection: Any, row: Row) -> Row:
    moment = now()
    return dict(
        await connection.fetchrow(
            CREATE,
            row["name"],
            row["email"],
            row["age"],
            row["balance"],
            row["active"],
            row["meta"],
            moment,
            moment,
        )
    )


async def update(connection: Any, change: tuple[int, float]) -> Row:
    id, balance = change
    return dict(await connection.fetchrow(UPDATE, balance, now(), id))


async def delete(connection: Any, id: int) -> int:
    return len(await connection.fetch(DELETE, id))


async def listing(connection: Any, page: tuple[int, int]) -> list[Row]:
    return [dict(record) for record in await connection.fetch(LIST, *page)]


async def transfer(connection: Any, accounts: tuple[int, int, Row]) -> list[Row | None]:
    first, second, row = accounts
    return [
        await read(connection, first),
        await read(connection, second),
        await update(connection, (first, 1.0)),
        await update(connection, (second, 2.0)),
        await create(connection, row),
    ]


async def read_one(connection: Any, id: int) -> list[Row | None]:
    return [await read(connection, id)]


async def set_both(connection: Any, accounts: tuple[int, int]) -> list[Row]:
    first, second = accounts
    return [await update(connection, (first, 1.0)), await update(connection, (second, 2.0))]


def whole(work: Work) -> Work:
    async def operation(connection: Any, item: Any) -> Any:
        await connection.execute("BEGIN")
        try:
            done = await work(connection, item)
            await connection.execute("COMMIT")
        except BaseException:
            await connection.execute("ROLLBACK")
            raise
        return done

    return operation


SINGLE: Mapping[str, Work] = {
    "read": read,
    "create": create,
    "update": update,
    "delete": delete,
    "list": listing,
    "transfer": whole(transfer),
    "scope_of_one": whole(read_one),
    "scope_of_two": whole(set_both),
}
"""Every operation on a row or a page."""
