"""Transactions that are prepared: ``PREPARE TRANSACTION``, which a server allows only if it was told to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dataflow.abc import Connection, InDoubt
from dataflow.errors import DatabaseBusy, QueryError, StorageFull
from dataflow.postgres.transactions import begin_on
from dataflow.terms import Terms

if TYPE_CHECKING:
    from dataflow.postgres.driver import PostgresConnection

__all__ = ["PostgresTwoPhase"]

ALLOWED = "SELECT pg_catalog.current_setting('max_prepared_transactions')::int"
IN_DOUBT = """
SELECT gid, pg_catalog.date_part('epoch', pg_catalog.now() - prepared)
FROM pg_catalog.pg_prepared_xacts
WHERE database = pg_catalog.current_database() AND pg_catalog.starts_with(gid, $1)
ORDER BY prepared, gid
"""
ANY = "SELECT 1 FROM pg_catalog.pg_prepared_xacts WHERE gid = $1"


class PostgresTwoPhase:
    """What a server remembers under a gid; to end it takes its database, and its user or a superuser."""

    async def problem(self, connection: Connection) -> str | None:
        ((allowed,),) = await connection.fetch(ALLOWED, ())
        if allowed:
            return None
        return (
            "the server prepares no transactions: set max_prepared_transactions (to max_connections, say) in its "
            "postgresql.conf, and restart it"
        )

    async def begin(self, connection: Connection, gid: str, *, terms: Terms) -> None:
        # The server prepares nothing that has touched a temporary table.
        cast("PostgresConnection", connection).avoid_tables()
        await connection.execute(begin_on(terms))

    async def prepare(self, connection: Connection, gid: str) -> None:
        try:
            await connection.execute(f"PREPARE TRANSACTION {_text(gid)}")
        except StorageFull as error:
            if not _lacks_room(error):
                raise
            raise DatabaseBusy(
                "as many transactions are prepared as the server has room for; raise its max_prepared_transactions"
            ) from error

    async def commit_unprepared(self, connection: Connection, gid: str) -> None:
        await connection.execute("COMMIT")

    async def commit(self, connection: Connection, gid: str) -> bool:
        return await self._end(connection, "COMMIT", gid)

    async def roll_back(self, connection: Connection, gid: str) -> bool:
        return await self._end(connection, "ROLLBACK", gid)

    async def in_doubt(self, connection: Connection, prefix: str) -> Sequence[InDoubt]:
        return [InDoubt(gid, age) for gid, age in await connection.fetch(IN_DOUBT, (prefix,))]

    async def _end(self, connection: Connection, word: str, gid: str) -> bool:
        try:
            await connection.execute(f"{word} PREPARED {_text(gid)}")
        except QueryError:
            if await connection.fetch(ANY, (gid,)):
                raise
            return False
        return True


def _lacks_room(error: StorageFull) -> bool:
    """Whether it is the room for what is prepared that is full; the server calls that to be out of memory, too."""
    hint = getattr(error.__cause__, "hint", None) or ""  # in the language of the server, but for the setting
    return "max_prepared_transactions" in hint


def _text(gid: str) -> str:
    # What was prepared by somebody else may be called anything.
    doubled = gid.replace("'", "''")
    return f"'{doubled}'"
