"""Transactions that are prepared: ``XA``.

Such a transaction takes no COMMIT and no ROLLBACK. MySQL lets a session go as soon as it has prepared; on MariaDB
others can end the transaction only after that session has ended.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from dataflow.abc import Connection, InDoubt
from dataflow.errors import AccessDenied, DatabaseBusy, QueryError
from dataflow.mysql.flavors import Flavor
from dataflow.mysql.transactions import begin_branch
from dataflow.terms import Terms

if TYPE_CHECKING:
    from dataflow.mysql.driver import MySQLConnection

__all__ = ["MySQLTwoPhase"]

OURS = 1  # the format of a gid that is a text


class MySQLTwoPhase:
    """What a server remembers under a gid, whichever of its databases that is about."""

    async def problem(self, connection: Connection) -> str | None:
        try:
            await connection.fetch("XA RECOVER", ())
        except AccessDenied:
            return (
                "the user may not see what was prepared, and could not end it after a crash: GRANT XA_RECOVER_ADMIN "
                "ON *.* TO it"
            )
        return None

    async def begin(self, connection: Connection, gid: str, *, terms: Terms) -> None:
        ours = _ours(connection)
        await ours.begin_branch(gid, begin_branch(_flavor(ours), terms, gid))

    async def prepare(self, connection: Connection, gid: str) -> None:
        await _ours(connection).end_branch(gid, "XA PREPARE %s")

    async def commit_unprepared(self, connection: Connection, gid: str) -> None:
        await _ours(connection).end_branch(gid, "XA COMMIT %s ONE PHASE")

    async def commit(self, connection: Connection, gid: str) -> bool:
        return await self._end(connection, "COMMIT", gid)

    async def roll_back(self, connection: Connection, gid: str) -> bool:
        return await self._end(connection, "ROLLBACK", gid)

    async def in_doubt(self, connection: Connection, prefix: str) -> Sequence[InDoubt]:
        found = []
        for form, length, more, data in await connection.fetch("XA RECOVER", ()):
            gid = data if isinstance(data, str) else data.decode("latin-1")
            if (int(form), int(more)) == (OURS, 0) and len(gid) == int(length) and gid.startswith(prefix):
                found.append(InDoubt(gid, None))
        return found

    async def _end(self, connection: Connection, word: str, gid: str) -> bool:
        try:
            await _ours(connection).end_prepared(gid, f"XA {word} %s")
            return True
        except QueryError:
            pass  # it is not there, or not for this session
        if any(one.gid == gid for one in await self.in_doubt(connection, gid)):
            raise DatabaseBusy("the session that has prepared the transaction has not ended yet; try again")
        return False


def _ours(connection: Connection) -> "MySQLConnection":
    return cast("MySQLConnection", connection)


def _flavor(connection: "MySQLConnection") -> Flavor:
    assert connection.settings is not None
    return connection.settings.flavor
