"""How read replicas are reached, and what is known of them."""

from typing import Protocol

from dataflow.abc.connections import Connection
from dataflow.url import DatabaseURL


class Replication(Protocol):
    """How a read replica is reached, and how it is known what can be seen there.

    A position says how far a primary is, as a text that only this can read: whatever was committed before it was asked
    for can be seen on a replica that has reached it.
    """

    def connection(self, url: DatabaseURL) -> Connection:
        """A new connection to the replica at a URL, not yet open, on which nothing is written."""

    def check(self, position: str) -> None:
        """:raises InvalidValue: where a text is no position."""

    async def is_replica(self, connection: Connection) -> bool:
        """Whether a connection leads to a server that only follows another one, or lets nobody write."""

    async def position(self, connection: Connection) -> str:
        """How far the primary is to which a connection leads."""

    async def has_reached(self, connection: Connection, position: str, patience: float) -> bool:
        """Whether a replica has reached a position, which is waited for.

        :param patience: for how many seconds.
        :raises DatabaseError: where it cannot tell, as it is no replica, or follows another primary.
        """
