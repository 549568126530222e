"""asyncpg in bulk, in the ways that are fastest: ``COPY`` in its binary form with an encoder of our own, and others."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from struct import Struct
from typing import Any

from benchmarks.contestants.contract import chunks
from benchmarks.contestants.postgres_by_hand import GIVEN, INSERT, Work, dump, now
from benchmarks.subject import Row

__all__ = ["BY_ARRAYS", "BY_COPY", "merge_copied"]

ROWS_PER_BLOCK = 500
IDS_PER_DELETE = 1000
BEGIN_OF_COPY = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END_OF_COPY = b"\xff\xff"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

COLUMNS = ", ".join(GIVEN)
# A temporary table without the key, as the key is the database's to give.
INCOMING = f"CREATE TEMP TABLE incoming ON COMMIT DROP AS SELECT {COLUMNS} FROM accounts WITH NO DATA"
CHANGED = ", ".join(f"{name} = excluded.{name}" for name in GIVEN if name not in ("email", "created_at"))
UPSERT = f"{INSERT} SELECT {COLUMNS} FROM incoming ON CONFLICT (email) DO UPDATE SET {CHANGED}"
MERGED = ", ".join(f"{name} = incoming.{name}" for name in GIVEN if name not in ("email", "created_at"))
ADDED = ", ".join(f"incoming.{name}" for name in GIVEN)
MERGE = (
    "MERGE INTO accounts USING incoming ON accounts.email = incoming.email "
    f"WHEN MATCHED THEN UPDATE SET {MERGED} WHEN NOT MATCHED THEN INSERT ({COLUMNS}) VALUES ({ADDED})"
)
CHANGES = "CREATE TEMP TABLE changes (id bigint, balance double precision) ON COMMIT DROP"
UPDATE_COPIED = (
    "UPDATE accounts SET balance = changes.balance, updated_at = $1 FROM changes "
    "WHERE accounts.id = changes.id"
)
UPDATE_LISTED = (
    "UPDATE accounts SET balance = given.balance, updated_at = $3 "
    "FROM unnest($1::bigint[], $2::double precision[]) AS given (id, balance) WHERE accounts.id = given.id"
)
INCREMENT = "UPDATE accounts SET age = age + 1, updated_at = $1 WHERE id > $2"
DELETE_LISTED = "DELETE FROM accounts WHERE id = ANY($1::bigint[])"
DELETE_AFTER = "DELETE FROM accounts WHERE id > $1"
BY_AGE = "SELECT age, count(*) AS n, sum(balance) AS total FROM accounts GROUP BY age ORDER BY age"

length = Struct("!i").pack
opening = Struct("!hi").pack  # eight fields, and the length of the first
# Age, balance and activity, then the length of the document and the version of its form.
middle = Struct("!iqidi?iB").pack
change = Struct("!hiqid").pack


# ----------------------------------------------------------------------------------------------------- COPY


async def copy_rows(connection: Any, rows: Iterable[Row]) -> int:
    return await _copied(connection, "accounts", GIVEN, _encoded(rows, now()))


async def upsert_copied(connection: Any, rows: Iterable[Row]) -> int:
    return await _through_a_table(connection, rows, UPSERT)


async def merge_copied(connection: Any, rows: Iterable[Row]) -> int:
    return await _through_a_table(connection, rows, MERGE)


async def update_copied(connection: Any, changes: Iterable[Row]) -> int:
    async with connection.transaction():
        await connection.execute(CHANGES)
        await _copied(connection, "changes", ("id", "balance"), _encoded_changes(changes))
        return _count(await connection.execute(UPDATE_COPIED, now()))


async def _through_a_table(connection: Any, rows: Iterable[Row], statement: str) -> int:
    async with connection.transaction():
        await connection.execute(INCOMING)
        await _copied(connection, "incoming", GIVEN, _encoded(rows, now()))
        return _count(await connection.execute(statement))


async def _copied(connection: Any, table: str, columns: Iterable[str], source: AsyncIterator[bytes]) -> int:
    told = await connection.copy_to_table(table, columns=columns, source=source, format="binary")
    return _count(told)


async def _encoded(rows: Iterable[Row], moment: datetime) -> AsyncIterator[bytes]:
    stamp = length(8) + Struct("!q").pack((moment - EPOCH) // MICROSECOND)
    stamps = stamp + stamp
    yield BEGIN_OF_COPY
    for some in chunks(rows, ROWS_PER_BLOCK):
        parts: list[bytes] = []
        for row in some:
            name, email, meta = row["name"].encode(), row["email"].encode(), dump(row["meta"]).encode()
            parts += (
                opening(8, len(name)),
                name,
                length(len(email)),
                email,
                middle(8, row["age"], 8, row["balance"], 1, row["active"], len(meta) + 1, 1),
                meta,
                stamps,
            )
        yield b"".join(parts)
    yield END_OF_COPY


async def _encoded_changes(changes: Iterable[Row]) -> AsyncIterator[bytes]:
    yield BEGIN_OF_COPY
    for some in chunks(changes, ROWS_PER_BLOCK):
        yield b"".join([change(2, 8, one["id"], 8, one["balance"]) for one in some])
    yield END_OF_COPY


# ------------------------------------------------------------------------------------------ the other ways


async def copy_records(connection: Any, rows: Iterable[Row]) -> int:
    """What asyncpg offers for it."""
    moment = now()
    records = (
        (
            row["name"],
            row["email"],
            row["age"],
            row["balance"],
            row["active"],
            row["meta"],
            moment,
            moment,
        )
        for row in rows
    )
    return _count(await connection.copy_records_to_table("accounts", records=records, columns=GIVEN))


async def update_listed(connection: Any, changes: Iterable[Row]) -> int:
    pairs = [(one["id"], one["balance"]) for one in changes]
    ids, balances = zip(*pairs, strict=True)
    return _count(await connection.execute(UPDATE_LISTED, ids, balances, now()))


async def delete_in(connection: Any, ids: Iterable[int]) -> int:
    count = 0
    async with connection.transaction():
        for some in chunks(ids, IDS_PER_DELETE):
            marks = ", ".join(f"${number}" for number in range(1, len(some) + 1))
            count += _count(await connection.execute(f"DELETE FROM accounts WHERE id IN ({marks})", *some))
    return count


async def delete_listed(connection: Any, ids: Iterable[int]) -> int:
    return _count(await connection.execute(DELETE_LISTED, ids))


# ------------------------------------------------------------------------------------------- one statement


async def increment(connection: Any, after: int) -> int:
    return _count(await connection.execute(INCREMENT, now(), after))


async def delete_after(connection: Any, after: int) -> int:
    return _count(await connection.execute(DELETE_AFTER, after))


async def aggregate(connection: Any, nothing: None) -> list[Row]:
    return [dict(record) for record in await connection.fetch(BY_AGE)]


def _count(told: str) -> int:
    """The number of rows in what the server says of a command."""
    return int(told.rpartition(" ")[2])


BY_COPY: Mapping[str, Work] = {
    "bulk_create": copy_rows,
    "upsert": upsert_copied,
    "bulk_update": update_copied,
    "increment": increment,
    "bulk_delete": delete_after,
    "delete_ids": delete_in,
    "aggregate": aggregate,
}
"""By ``COPY``, where needed into a temporary table."""

BY_ARRAYS: Mapping[str, Work] = {
    "bulk_create": copy_records,
    "upsert": merge_copied,
    "bulk_update": update_listed,
    "delete_ids": delete_listed,
}
"""The other ways: asyncpg's own ``COPY``, ``MERGE``, arrays as parameters."""
