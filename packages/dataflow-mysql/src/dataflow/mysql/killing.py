"""Ending what runs on a server, by a connection beside the one on which it runs.

That other connection may lead to another server: after a failover, or behind a balancer. There the same number is that
of a stranger, whose statement must go on.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from dataflow.mysql.client import Client
from dataflow.mysql.options import MySQLOptions

__all__ = ["Place", "columns_of_place", "kill", "place_of"]

PATIENCE = 2.0
UPTIME = "SHOW GLOBAL STATUS LIKE 'Uptime'"
GREATEST_NUMBER_TOLD = 0xFFFF_FFFF  # at the connect; there may be greater ones
A_SECOND = 1  # which may begin between two answers of the server's clock


class Place(NamedTuple):
    """Where a connection has led, as the server told it.

    :param identity: the SQL for what tells this server from others.
    :param server: what that was.
    :param number: the connection's own, there.
    :param opened: when that was, in seconds of the server's clock.
    """

    identity: str
    server: str
    number: int
    opened: int


def columns_of_place(identity: str) -> str:
    """What to select on a connection to know its :class:`Place`."""
    return f"{identity}, CONNECTION_ID(), UNIX_TIMESTAMP()"


def place_of(raw: Any, identity: str, row: Sequence[Any]) -> Place | None:
    """The place of a connection, by what was selected on it.

    :returns: None where a proxy numbers its connections by itself, so that nobody can tell which one is meant.
    """
    place = Place(identity, *row)
    return place if _is_numbered_by_the_server(raw, place.number) else None


async def kill(client: Client, options: MySQLOptions, place: Place, what: str) -> bool:
    """Have the server end a connection or its statement; no other server is asked, nor one that was started anew.

    :param what: ``"KILL"``, or ``"KILL QUERY"``.
    :returns: whether it was asked.
    """
    raw = client.connection(options)
    try:
        async with asyncio.timeout(min(options.connect_timeout, PATIENCE)):
            await client.open(raw)
            if not await _is_there(client, raw, place):
                return False
            await raw.query(f"{what} {place.number}")
            return True
    finally:
        client.leave(raw)


async def _is_there(client: Client, raw: Any, place: Place) -> bool:
    """Whether a connection has come to the very place."""
    uptime, there = await client.query(raw, f"{UPTIME}; SELECT {columns_of_place(place.identity)}")
    ((_, seconds),), ((server, number, now),) = uptime.rows, there.rows
    is_old_enough = now - int(seconds) <= place.opened + A_SECOND
    return server == place.server and is_old_enough and _is_numbered_by_the_server(raw, number)


def _is_numbered_by_the_server(raw: Any, number: int) -> bool:
    """Whether no proxy between, which would take the number for one of its own, has told the driver another one."""
    told: int = raw.thread_id()
    return told == number & GREATEST_NUMBER_TOLD
