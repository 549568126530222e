"""A PostgreSQL server and one that follows it, and what tests of them share."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import asyncpg
import pytest

from dataflow import DataFlow
from dataflow.postgres.testing import Postgres, PostgresReplica
from dataflow.testing.suite import server_of
from dataflow.url import DatabaseURL

from ..suite import until

__all__ = [
    "PRIMARY",
    "WHERE",
    "Pair",
    "catch_up",
    "is_there",
    "pair_of",
    "value",
    "with_views",
]

PRIMARY = Postgres(own=True, settings=("wal_keep_size=1GB",))
"""A replica that was away finds what it has missed. As no other tests have these settings, none of them kills it."""
WHERE = "SELECT pg_is_in_recovery() AS there"
DIES_THERE = "CASE WHEN pg_is_in_recovery() THEN pg_terminate_backend(pg_backend_pid()) END"
SPOTS = "CREATE VIEW spots AS SELECT 1 AS id, pg_is_in_recovery() AS there"
TRAPS = f"CREATE VIEW traps AS SELECT 1 AS id, pg_is_in_recovery() AS there, {DIES_THERE} AS dead"
CAUGHT_UP = "SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn"


class Pair(NamedTuple):
    """The URLs of a database and of its copy, and the server of that."""

    primary: str
    replica: str
    follower: Any

    async def hold_back(self) -> None:
        """Keep the replica from replaying anything more."""
        await value(self.replica, "SELECT pg_wal_replay_pause()")
        # Before PostgreSQL 14 the request alone keeps it from replaying what comes after it, and no state is told.
        if await value(self.replica, "SELECT to_regproc('pg_get_wal_replay_pause_state') IS NOT NULL"):
            await until(lambda: value(self.replica, "SELECT pg_get_wal_replay_pause_state() = 'paused'"))

    async def let_go(self) -> None:
        """Have it go on."""
        await value(self.replica, "SELECT pg_wal_replay_resume()")


@contextmanager
def pair_of(request: pytest.FixtureRequest, *settings: str) -> Iterator[Pair]:
    """An empty database, and its copy on a replica with these settings, which has caught up."""
    leader: Any = server_of(PRIMARY, request)
    follower: Any = server_of(
        PostgresReplica(settings=settings, primary=leader.place.get_connection_url()), request
    )
    with leader.database() as url:
        copy = replace(follower.place, database=DatabaseURL.parse(url).database)
        pair = Pair(url, copy.get_connection_url(), follower)
        asyncio.run(catch_up(pair))
        yield pair


async def value(url: str, sql: str, *parameters: object) -> Any:
    """What a statement brings, on a connection that DataFlow knows nothing of."""
    place = DatabaseURL.parse(url)
    connection = await asyncpg.connect(
        host=place.host,
        port=place.port,
        user=place.username,
        password=place.password,
        database=place.database,
    )
    try:
        return await connection.fetchval(sql, *parameters)
    finally:
        await connection.close()


async def catch_up(pair: Pair) -> None:
    """Wait until the copy is what the database is now."""
    elsewhere = replace(DatabaseURL.parse(pair.replica), database="postgres").get_connection_url()
    position = await value(pair.primary, "SELECT pg_current_wal_flush_lsn()::text")

    async def has_caught_up() -> bool:
        # A log that grows: its last bytes may be none that are ever replayed.
        await value(pair.primary, "SELECT pg_logical_emit_message(true, 'tests', '')")
        return bool(await value(elsewhere, CAUGHT_UP, position))

    await until(has_caught_up)


async def is_there(db: DataFlow, sql: str = WHERE) -> bool:
    """Whether the replica has answered."""
    answer = (await db.nodes.SQLNode(sql=sql))["records"][0]["there"]
    return bool(answer)


async def with_views(db: DataFlow) -> None:
    """Views as nodes, whose rows tell where they were read."""
    for sql in (SPOTS, TRAPS):
        await db.nodes.SQLNode(sql=sql)
    await asyncio.to_thread(db.register_schema_as_models, ["spots", "traps"])
