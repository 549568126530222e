"""Replicas by GTID: which transactions a server has logged, and whether another one has done them all."""

import re
from collections.abc import Callable
from typing import cast

from dataflow.abc import Connection
from dataflow.errors import InvalidValue, QueryError
from dataflow.mysql.driver import MySQLConnection
from dataflow.mysql.errors import IndexNames
from dataflow.mysql.flavors import MARIADB
from dataflow.mysql.options import MySQLOptions
from dataflow.mysql.session import Settings
from dataflow.url import DatabaseURL

__all__ = ["MySQLReplication", "ReadingConnection"]

OF_MARIADB = r"\d+-\d+-\d+"  # 0-1-42
# 3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7
OF_MYSQL = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?::\w+(?:-\d+)?)+"
POSITION = re.compile(
    rf"(?=.{{1,10000}}\Z)(?:0|{OF_MARIADB}(?:,{OF_MARIADB})*|{OF_MYSQL}(?:,{OF_MYSQL})*)", re.ASCII
)
WRITABLE = ("0", "OFF")
"""What ``read_only`` is where anybody writes: a number or a word, by the version."""
NOTHING = "0"
"""The position of a primary that has logged nothing yet."""


class ReadingConnection(MySQLConnection):
    """A connection on which nothing is written, whatever the server and the rights of the user allow."""

    async def open(self) -> None:
        await super().open()
        await self.execute("SET SESSION TRANSACTION READ ONLY")


class MySQLReplication:
    """A position is a set of GTIDs; servers themselves wait until they have done them all.

    :param greet: is told what a connection has learned of its server.
    """

    def __init__(self, indexes: IndexNames, greet: Callable[[Settings], None]) -> None:
        self._indexes = indexes
        self._greet = greet

    def connection(self, url: DatabaseURL) -> Connection:
        return ReadingConnection(MySQLOptions.of(url), self._indexes, self._greet)

    def check(self, position: str) -> None:
        if POSITION.fullmatch(position) is None:
            raise InvalidValue("this is no position of a MySQL or MariaDB server; db.position() tells one")

    async def is_replica(self, connection: Connection) -> bool:
        # A server that others follow may follow one itself; which rows come from elsewhere it does not tell everybody.
        ((read_only,),) = await connection.fetch("SELECT @@global.read_only", ())
        return str(read_only) not in WRITABLE

    async def position(self, connection: Connection) -> str:
        if _is_mariadb(connection):
            ((logs, position),) = await connection.fetch("SELECT @@log_bin, @@gtid_binlog_pos", ())
            hint = "log_bin"
        else:
            sql = "SELECT @@log_bin AND @@gtid_mode = 'ON', @@global.gtid_executed"
            ((logs, position),) = await connection.fetch(sql, ())
            hint = "log_bin, gtid_mode=ON and enforce_gtid_consistency=ON"
        if not logs:
            raise QueryError(f"it writes no log of GTIDs; start it with {hint}")
        return "".join(str(position).split()) or NOTHING

    async def has_reached(self, connection: Connection, position: str, patience: float) -> bool:
        if position == NOTHING:
            return True
        wait = "MASTER_GTID_WAIT" if _is_mariadb(connection) else "WAIT_FOR_EXECUTED_GTID_SET"
        ((outcome,),) = await connection.fetch(f"SELECT {wait}(%s, %s)", (position, patience))
        return bool(outcome == 0)


def _is_mariadb(connection: Connection) -> bool:
    settings = cast("MySQLConnection", connection).settings
    return settings is not None and settings.flavor is MARIADB
