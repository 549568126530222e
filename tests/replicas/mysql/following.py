"""A MariaDB or MySQL server and one that follows it, and what tests of them share."""

import asyncio
from typing import Any, NamedTuple

from dataflow import DataFlow
from dataflow.errors import DatabaseError
from dataflow.mysql.testing import MySQL, MySQLReplica

__all__ = ["LEADER", "WHERE", "Pair", "is_open", "is_there"]

LEADER = MySQL(own=True, settings=MySQLReplica.leading)
WHERE = "SELECT @@server_id = 2 AS there"


class Pair(NamedTuple):
    """The URLs of a database and of its copy, and the servers."""

    primary: str
    replica: str
    leader: Any
    follower: Any

    async def hold_back(self) -> None:
        """Keep the replica from doing anything more, though it hears of it."""
        await self._command("STOP SLAVE SQL_THREAD", "STOP REPLICA SQL_THREAD")

    async def let_go(self) -> None:
        """Have it go on."""
        await self._command("START SLAVE SQL_THREAD", "START REPLICA SQL_THREAD")

    async def _command(self, *ways: str) -> None:
        await asyncio.to_thread(self.follower.command, *ways)


async def is_there(db: DataFlow) -> bool:
    """Whether the replica has answered."""
    return bool((await db.nodes.SQLNode(sql=WHERE))["records"][0]["there"])


async def is_open(url: str) -> bool:
    """Whether there is a database of this name by now."""
    try:
        async with DataFlow(url, existing_schema_mode=True):
            return True
    except DatabaseError:
        return False
