"""Streaming replicas: how far a server has written its log, and how far another one has replayed it."""

import asyncio
import re
from time import perf_counter

from dataflow.abc import Connection
from dataflow.errors import InvalidValue, QueryError
from dataflow.postgres.driver import PostgresConnection
from dataflow.postgres.options import PostgresOptions
from dataflow.url import DatabaseURL

__all__ = ["PostgresReplication"]

POSITION = re.compile(r"(?P<cluster>[0-9]{1,20}):(?P<lsn>[0-9A-F]{1,8}/[0-9A-F]{1,8})")
SOONEST, LATEST = 0.0005, 0.01  # seconds between two looks

# Where the next record goes, not what was sent: a commit that need not be on the disk has been promised, too.
WRITTEN = """
SELECT system_identifier::text, pg_catalog.pg_current_wal_insert_lsn()::text,
    pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')),
    pg_catalog.current_setting('wal_block_size')::int
FROM pg_catalog.pg_control_system()
"""
FOLLOWS = "SELECT pg_catalog.pg_is_in_recovery()"
SEGMENT_HEADER, PAGE_HEADER = 40, 24  # bytes
REPLAYED = """
SELECT system_identifier::text, pg_catalog.pg_is_in_recovery(),
    pg_catalog.pg_last_wal_replay_lsn() >= $1::text::pg_catalog.pg_lsn
FROM pg_catalog.pg_control_system()
"""


class PostgresReplication:
    """A position is that of the log, with the cluster whose log it is: those of others mean nothing."""

    def connection(self, url: DatabaseURL) -> Connection:
        return PostgresConnection(
            PostgresOptions.of(url), is_asked=True
        )  # a standby writes nothing by itself

    def check(self, position: str) -> None:
        _read(position)

    async def is_replica(self, connection: Connection) -> bool:
        ((is_standby,),) = await connection.fetch(FOLLOWS, ())
        return bool(is_standby)

    async def position(self, connection: Connection) -> str:
        ((cluster, lsn, segment, page),) = await connection.fetch(WRITTEN, ())
        return f"{cluster}:{_end_of_last_record(lsn, segment, page)}"

    async def has_reached(self, connection: Connection, position: str, patience: float) -> bool:
        cluster, lsn = _read(position)
        deadline, pause = perf_counter() + patience, SOONEST
        while True:
            ((its_cluster, is_standby, is_there),) = await connection.fetch(REPLAYED, (lsn,))
            if its_cluster != cluster:
                raise QueryError("it is no replica of this primary by streaming replication")
            if not is_standby:
                raise QueryError("it is no standby, or none any more, as after a promotion")
            if is_there or perf_counter() + pause > deadline:
                return bool(is_there)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LATEST)


def _read(position: str) -> tuple[str, str]:
    """The cluster and the place in its log."""
    found = POSITION.fullmatch(position)
    if found is None:
        raise InvalidValue("this is no position of a PostgreSQL server; db.position() tells one")
    return found["cluster"], found["lsn"]


def _end_of_last_record(lsn: str, segment: int, page: int) -> str:
    """Where the last record ends, by where the next one will go: behind a header, which is not written before it is.

    >>> _end_of_last_record("1/2000028", 16777216, 8192), _end_of_last_record("1/2000030", 16777216, 8192)
    ('1/2000000', '1/2000030')
    """
    high, low = (int(part, 16) for part in lsn.split("/"))
    if low % segment == SEGMENT_HEADER:
        low -= SEGMENT_HEADER
    elif low % segment >= page and low % page == PAGE_HEADER:
        low -= PAGE_HEADER
    return f"{high:X}/{low:X}"
